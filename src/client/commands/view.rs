//! Verbs that show the content of files: cat and more.

use super::{each, remote_names};
use crate::client::error::Trouble;
use crate::client::glob::Want;
use crate::client::words::Word;
use crate::client::{Client, events, pipe, screen, text};
use crate::protocol::command::Arg;
use anyhow::Result;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

/// The longest file that is shown on the screen.
const SHOWN: u64 = 16 * 1024 * 1024;

pub(super) fn cat(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    view(client, arguments, |text| text::print(screen::lines(text)))
}

pub(super) fn more(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    view(client, arguments, |text| screen::page(screen::lines(text)))
}

/// Writes files to standard output as they are, or lets `show` do it if that is a terminal. There the whole file is
/// fetched first: the server would not wait for a reader.
fn view(
    client: &mut Client,
    arguments: &[Word],
    show: impl Fn(&[u8]) -> Result<(), Trouble>,
) -> Result<ControlFlow<()>> {
    let remotes = remote_names(client, arguments, Want::Files)?;
    each(client, &remotes, |client, remote| {
        let remote: Arg = remote.parse()?;
        let mut output = io::stdout();
        if !output.is_terminal() || events::is_json() {
            pipe::read(client.connection()?, &remote, &mut output)?;
            return Ok(output.flush()?);
        }
        let mut text = Capped(Vec::new());
        pipe::read(client.connection()?, &remote, &mut text)?;
        Ok(show(&text.0)?)
    })
}

/// The bytes of a file that is to be shown.
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() as u64 + bytes.len() as u64 > SHOWN {
            return Err(io::Error::other(format!(
                "the file is larger than {}, get it instead",
                text::bytes(SHOWN)
            )));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
