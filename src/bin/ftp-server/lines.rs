//! Lines of the log, each a JSON object.

use env_logger::fmt::Formatter;
use log::Record;
use log::kv::{Error, Key, Value as Logged, VisitSource, VisitValue};
use multi_client_ftp::json::{Object, Value};
use std::io::{self, Write};

/// Writes what was logged as one object: when, how important, what it is about, and the sentence.
pub(super) fn json(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let mut fields = Fields(
        Object::default()
            .with("time", out.timestamp_millis().to_string())
            .with("level", record.level().as_str().to_ascii_lowercase()),
    );
    record
        .key_values()
        .visit(&mut fields)
        .map_err(io::Error::other)?;
    let object = fields.0.with("message", record.args().to_string());
    writeln!(out, "{object}")
}

struct Fields(Object);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Logged<'kvs>) -> Result<(), Error> {
        let mut field = Field(Value::Null);
        value.visit(&mut field)?;
        self.0.add(key.as_str().to_owned(), field.0);
        Ok(())
    }
}

struct Field(Value);

impl<'v> VisitValue<'v> for Field {
    fn visit_any(&mut self, value: Logged<'_>) -> Result<(), Error> {
        self.0 = Value::Text(value.to_string());
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), Error> {
        self.0 = Value::Null;
        Ok(())
    }

    fn visit_u64(&mut self, number: u64) -> Result<(), Error> {
        self.0 = Value::Number(number);
        Ok(())
    }

    fn visit_f64(&mut self, seconds: f64) -> Result<(), Error> {
        self.0 = Value::Seconds(seconds);
        Ok(())
    }

    fn visit_bool(&mut self, flag: bool) -> Result<(), Error> {
        self.0 = Value::Flag(flag);
        Ok(())
    }
}
