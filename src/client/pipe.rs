//! Transfers that have no file on this side: to and from the standard streams, and to the screen.

use super::connection::Connection;
use super::error::Trouble;
use super::text;
use super::transfer::size;
use crate::copy::{CHUNK, CopyError, copy};
use crate::protocol::command::{Arg, Command};
use crate::stream::timed_out;
use anyhow::Result;
use std::io::{self, Read, Write};

/// Copies `remote` to `output`.
///
/// # Errors
/// The server refused, a connection broke, fewer or more bytes came than the server had said, or `output` fails.
pub fn read(connection: &mut Connection, remote: &Arg, output: &mut impl Write) -> Result<u64> {
    connection.use_image_type()?;
    let expected = size(connection, remote)?;
    let bytes = connection.transfer(&Command::Retr(remote.clone()), |mut data| {
        let mut came = 0;
        let moved = copy(&mut data, output, &mut vec![0; CHUNK], |count| {
            came += count;
        });
        moved.map_err(|error| match error {
            CopyError::Write(error) => {
                Trouble::Local(format!("cannot write what came: {error}")).into()
            }
            CopyError::Read(error) if timed_out(&error) => Trouble::TimedOut(format!(
                "the server stopped sending after {}",
                text::bytes(came)
            ))
            .into(),
            CopyError::Read(error) => Trouble::Lost(format!(
                "the data connection broke after {}: {error}",
                text::bytes(came)
            ))
            .into(),
        })
    })?;
    match expected {
        Some(expected) if expected != bytes => Err(Trouble::Mismatch(format!(
            "{bytes} bytes came where the server had said {expected}; try again"
        ))
        .into()),
        _ => Ok(bytes),
    }
}

/// Sends all of `input` with `command`, a `STOR` or an `APPE`.
///
/// # Errors
/// `input` fails, the server refused, or a connection broke. The server is told of a fault on this side by a reset of
/// the data connection, so that it does not take half for the whole.
pub fn write(connection: &mut Connection, command: &Command, input: &mut impl Read) -> Result<u64> {
    connection.use_image_type()?;
    connection.transfer(command, |mut data| {
        let lost = |error: io::Error| match timed_out(&error) {
            true => Trouble::TimedOut("the server stopped taking the data".to_owned()),
            false => Trouble::Lost(format!("the data connection broke: {error}")),
        };
        data.set_reset_on_close(true).map_err(lost)?;
        let bytes =
            copy(input, &mut data, &mut vec![0; CHUNK], |_| {}).map_err(|error| match error {
                CopyError::Read(error) => {
                    Trouble::Local(format!("cannot read what is to be sent: {error}"))
                }
                CopyError::Write(error) => lost(error),
            })?;
        data.set_reset_on_close(false).map_err(lost)?;
        data.finish_writing().map_err(lost)?;
        Ok(bytes)
    })
}
