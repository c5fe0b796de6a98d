//! JSON as both programs write it (RFC 8259): flat objects, each on a line of its own.

use crate::shown;
use std::borrow::Cow;
use std::fmt::{self, Write};

/// A value in an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// What is not known, or not there.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(u64),
    /// Seconds, which may be a part of one.
    Seconds(f64),
    /// Text as it is: nothing is taken out of it. What a terminal would obey is written as `\uXXXX`, which means the same.
    Text(String),
}

/// An object, its keys in the order in which they were added.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object(Vec<(Cow<'static, str>, Value)>);

impl Object {
    /// The object with one more value.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.add(key, value);
        self
    }

    /// Adds one more value.
    pub fn add(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        self.0.push((key.into(), value.into()));
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, value)) in self.0.iter().enumerate() {
            let joint = if at == 0 { '{' } else { ',' };
            write!(f, "{joint}\"{key}\":{value}")?;
        }
        f.write_str(if self.0.is_empty() { "{}" } else { "}" })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Seconds(seconds) if seconds.is_finite() => write!(f, "{seconds:.6}"),
            Self::Null | Self::Seconds(_) => f.write_str("null"),
            Self::Text(text) => {
                f.write_char('"')?;
                text.chars().try_for_each(|c| character(f, c))?;
                f.write_char('"')
            }
        }
    }
}

fn character(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    match c {
        '"' | '\\' => write!(f, "\\{c}"),
        // Control characters among them, which JSON would not have otherwise.
        _ if shown::is_unfit(c) => c
            .encode_utf16(&mut [0; 2])
            .iter()
            .try_for_each(|unit| write!(f, "\\u{unit:04x}")),
        _ => f.write_char(c),
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<std::time::Duration> for Value {
    fn from(time: std::time::Duration) -> Self {
        Self::Seconds(time.as_secs_f64())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_object_is_a_line() {
        let object = Object::default()
            .with("name", "a \"b\"\\\n\x1b[m\u{9b}\u{202e}é\u{e0001}")
            .with("size", u64::MAX)
            .with("none", None::<u64>)
            .with("flag", true)
            .with("time", std::time::Duration::from_millis(1500));
        assert_eq!(
            object.to_string(),
            "{\"name\":\"a \\\"b\\\"\\\\\\u000a\\u001b[m\\u009b\\u202eé\\udb40\\udc01\",\
             \"size\":18446744073709551615,\"none\":null,\"flag\":true,\"time\":1.500000}"
        );
        assert_eq!(Object::default().to_string(), "{}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in any::<String>()) {
            let line = Object::default().with("text", text.as_str()).to_string();
            prop_assert!(!line.contains(char::is_control));
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read["text"].as_str(), Some(text.as_str()));
        }
    }
}
