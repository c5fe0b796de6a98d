//! Transfers that have no file on this side: to and from the standard streams, and to the screen.

use super::connection::Connection;
use super::error::{Trouble, download_failed};
use super::transfer::{send, size};
use super::upload::Place;
use crate::copy::{CopyError, copy};
use crate::protocol::command::{Arg, Command};
use anyhow::{Context, Result};
use std::io::{self, Read, Write};

/// Copies `remote` to `output`.
///
/// # Errors
/// The server refused, a connection broke, fewer or more bytes came than the server had said, or `output` fails.
pub fn read(connection: &mut Connection, remote: &Arg, output: &mut impl Write) -> Result<u64> {
    connection.use_image_type()?;
    let expected = size(connection, remote)?;
    let bytes = connection.transfer(&Command::Retr(remote.clone()), |data| {
        // One byte more shows that it is not what was announced, and the rest is not worth waiting for: it may have no end.
        let mut data = data.take(expected.map_or(u64::MAX, |size| size.saturating_add(1)));
        let mut came = 0;
        let moved = copy(&mut data, output, |count| {
            came += count;
        });
        let bytes = moved.map_err(|error| match error {
            CopyError::Write(error) => Trouble::Local(format!("cannot write what came: {error}")),
            CopyError::Read(error) => download_failed(&error, came),
        })?;
        match expected {
            // Told here, where the server would complain about the close.
            Some(expected) if bytes > expected => Err(unlike(expected, "more")),
            _ => Ok(bytes),
        }
    })?;
    match expected {
        Some(expected) if expected != bytes => Err(unlike(expected, bytes)),
        _ => Ok(bytes),
    }
}

fn unlike(expected: u64, came: impl std::fmt::Display) -> anyhow::Error {
    let text = format!("{came} bytes came where the server had said {expected}; try again");
    Trouble::Mismatch(text).into()
}

/// Stores all of `input` as `remote`.
///
/// # Errors
/// See [`append`]; or the server does not let what has arrived be given its name.
pub fn put(connection: &mut Connection, remote: &Arg, input: &mut impl Read) -> Result<u64> {
    let mut begun = Counted { input, bytes: 0 };
    let place = Place::new(connection, remote.clone());
    match write(connection, &Command::Stor(place.name().clone()), &mut begun) {
        // What was read cannot be read again.
        Err(error) if place.is_unwanted(&error) && begun.bytes == 0 => {
            write(connection, &Command::Stor(remote.clone()), &mut begun)
        }
        outcome => {
            let bytes = outcome?;
            place
                .settle(connection)
                .with_context(|| format!("all is there, and still called {}", place.name()))?;
            Ok(bytes)
        }
    }
}

/// Adds all of `input` to the end of `remote`.
///
/// # Errors
/// `input` fails, the server refused, or a connection broke. The server is told of a fault on this side by a reset of
/// the data connection, so that it does not take half for the whole.
pub fn append(connection: &mut Connection, remote: &Arg, input: &mut impl Read) -> Result<u64> {
    write(connection, &Command::Appe(remote.clone()), input)
}

fn write(connection: &mut Connection, command: &Command, input: &mut impl Read) -> Result<u64> {
    connection.use_image_type()?;
    connection.transfer(command, |data| {
        send(
            data,
            |data| copy(input, data, |_| {}),
            |error| Trouble::Local(format!("cannot read what is to be sent: {error}")),
        )
    })
}

/// Counts what was read.
struct Counted<'r, R> {
    input: &'r mut R,
    bytes: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}
