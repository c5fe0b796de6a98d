//! Lines of the log, as text and as JSON objects, and how they get out.

use env_logger::fmt::{Formatter, Timestamp};
use log::kv::{Error, Key, Value as Logged, VisitSource, VisitValue};
use log::{Level, Record};
use multi_client_ftp::json::{Object, Value};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

/// How long most lines are, in bytes.
const USUAL: usize = 256;

/// What a line looks like that was logged at this time.
pub(super) type Form = fn(&Timestamp, &Record<'_>) -> io::Result<String>;

/// Writes each line to standard error at once and in one piece, with no lock around it: whoever is interrupted while it holds
/// one makes all others wait who have something to log. What it is given to write to stays empty.
///
/// # Errors
/// There is no standard error.
pub(super) fn straight(
    form: Form,
) -> io::Result<impl Fn(&mut Formatter, &Record<'_>) -> io::Result<()> + Send + Sync> {
    let out = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    Ok(move |formatter: &mut Formatter, record: &Record<'_>| {
        let line = form(&formatter.timestamp_millis(), record)?;
        (&out).write_all(line.as_bytes())
    })
}

/// What was logged as people read it: when, how important, and the sentence.
pub(super) fn text(time: &Timestamp, record: &Record<'_>) -> io::Result<String> {
    use std::fmt::Write;
    let mut line = String::with_capacity(USUAL);
    // As the logger has it by itself, which adds colours on a terminal and, elsewhere, takes longer to take them off again.
    let level = match record.level() {
        Level::Error => "ERROR",
        Level::Warn => "WARN ",
        Level::Info => "INFO ",
        Level::Debug => "DEBUG",
        Level::Trace => "TRACE",
    };
    let written = writeln!(line, "[{time} {level}] {}", record.args());
    written.map_err(io::Error::other)?;
    Ok(line)
}

/// What was logged as one object: when, how important, what it is about, and the sentence.
pub(super) fn json(time: &Timestamp, record: &Record<'_>) -> io::Result<String> {
    let mut fields = Fields(
        Object::default()
            .with("time", time.to_string())
            .with("level", record.level().as_str().to_ascii_lowercase()),
    );
    record
        .key_values()
        .visit(&mut fields)
        .map_err(io::Error::other)?;
    let object = fields.0.with("message", record.args().to_string());
    Ok(format!("{object}\n"))
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
