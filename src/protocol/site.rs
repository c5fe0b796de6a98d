//! The commands that stand behind `SITE` (RFC 959 §4.1.3).

use super::argument::Arg;
use super::command::CommandError;
use super::time;
use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;

/// What is asked of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Site {
    /// Which commands there are.
    Help,
    /// Sets the permission bits, `0o777` at the most.
    Chmod(u32, Arg),
    /// Sets the modification time.
    Utime(Timestamp, Arg),
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help => f.write_str("HELP"),
            Self::Chmod(mode, path) => write!(f, "CHMOD {mode:03o} {path}"),
            Self::Utime(time, path) => {
                let time = time::format_time(*time);
                // Such a path could end as the longer form does, which is then the only one that is read as it is meant.
                match path.as_str().ends_with(" UTC") {
                    true => write!(f, "UTIME {path} {time} {time} {time} UTC"),
                    false => write!(f, "UTIME {time} {path}"),
                }
            }
        }
    }
}

impl FromStr for Site {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match verb.to_ascii_uppercase().as_str() {
            "HELP" => Ok(Self::Help),
            "CHMOD" => {
                let (mode, path) = rest.split_once(' ').ok_or(CommandError::MissingArgument)?;
                let octal =
                    !mode.is_empty() && mode.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
                match u32::from_str_radix(mode, 8) {
                    Ok(mode) if octal && mode <= 0o777 => Ok(Self::Chmod(mode, path.parse()?)),
                    _ => Err(CommandError::BadArgument),
                }
            }
            "UTIME" => utime(rest),
            _ => Err(CommandError::Unknown),
        }
    }
}

/// `UTIME YYYYMMDDhhmm[ss] path`, or `UTIME path accessed modified created UTC`, as older clients say it.
fn utime(text: &str) -> Result<Site, CommandError> {
    if let Some(text) = text.strip_suffix(" UTC") {
        let mut words = text.rsplitn(4, ' ');
        let (_created, modified) = (words.next(), words.next());
        let (_accessed, path) = (words.next(), words.next());
        if let (Some(modified), Some(path)) = (modified.and_then(time::parse_time), path) {
            return Ok(Site::Utime(modified, path.parse()?));
        }
    }
    let (stamp, path) = text.split_once(' ').ok_or(CommandError::MissingArgument)?;
    let time = time::parse_time(stamp).or_else(|| time::parse_time(&format!("{stamp}00")));
    Ok(Site::Utime(
        time.ok_or(CommandError::BadArgument)?,
        path.parse()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_of_utime() {
        let time = time::parse_time("20260102030400").unwrap();
        let expected = Ok(Site::Utime(time, "a b".parse().unwrap()));
        assert_eq!("UTIME 20260102030400 a b".parse(), expected);
        assert_eq!("utime 202601020304 a b".parse(), expected);
        assert_eq!(
            "UTIME a b 20260101000000 20260102030400 20260101000000 UTC".parse(),
            expected
        );
    }

    #[test]
    fn a_path_that_ends_as_the_longer_form_does_is_kept() {
        let path: Arg = "p a 20260101000000 c UTC".parse().unwrap();
        let site = Site::Utime(time::parse_time("20260102030400").unwrap(), path);
        assert_eq!(site.to_string().parse(), Ok(site));
    }

    #[test]
    fn each_fault_has_its_error() {
        for (text, error) in [
            ("EXEC ls", CommandError::Unknown),
            ("CHMOD", CommandError::MissingArgument),
            ("CHMOD 644", CommandError::MissingArgument),
            ("CHMOD +644 a", CommandError::BadArgument),
            ("CHMOD 7777 a", CommandError::BadArgument),
            ("CHMOD u+x a", CommandError::BadArgument),
            ("UTIME", CommandError::MissingArgument),
            ("UTIME yesterday a", CommandError::BadArgument),
            ("UTIME a 1 2 3 UTC", CommandError::BadArgument),
        ] {
            assert_eq!(text.parse::<Site>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(second in 0_i64..4_000_000_000, mode in 0_u32..=0o777, path in "[a-z ]{1,20}") {
            let path: Arg = path.parse().unwrap();
            let time = Timestamp::from_second(second).unwrap();
            for site in [Site::Help, Site::Chmod(mode, path.clone()), Site::Utime(time, path)] {
                prop_assert_eq!(site.to_string().parse(), Ok(site));
            }
        }
    }
}
