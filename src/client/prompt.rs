//! The lines: typed at the prompt, or from a script.

use super::Client;
use super::completion::Completer;
use super::connection::Connection;
use super::error::Trouble;
use super::history::{self, History};
use super::{Options, events, text, words};
use crate::protocol::reply::Reply;
use anyhow::Result;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Behavior, CompletionType, Config, Editor};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// The longest line that is taken from a script, in bytes: twice the longest path.
const MAX_TYPED: u64 = 8192;
/// How many lines of a greeting are shown.
const GREETING_LINES: usize = 20;
/// So many names are listed on Tab without asking whether they are wanted.
const UNASKED: usize = 100;
/// What is asked.
const PROMPT: &str = "ftp> ";

/// Where the commands come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Standard input: a prompt if that is a terminal, else a script; for programs always that.
    Input,
    /// Standard input, whatever it is, as a script.
    Script,
    /// These, parted by `;`.
    Commands(String),
    /// The lines of a file.
    File(PathBuf),
}

impl Client {
    /// Carries out all commands, to their end or to `exit`. At a prompt an error is told and the next line asked for;
    /// else the first failure of a line that does not begin with `-` ends it.
    ///
    /// # Errors
    /// What the failed line says, with its number.
    pub fn run(mut self, source: &Source) -> Result<()> {
        let outcome = match source {
            Source::Input if io::stdin().is_terminal() && !events::is_json() => {
                return self.prompt();
            }
            // Not locked for long: `put - NAME` reads standard input too.
            Source::Input | Source::Script => self.script(|| read_line(&mut io::stdin().lock())),
            Source::Commands(line) => {
                let mut commands = words::commands(line).into_iter();
                self.script(|| Ok(commands.next().map(str::to_owned)))
            }
            Source::File(path) => match File::open(path) {
                Ok(file) => {
                    let mut lines = BufReader::new(file);
                    self.script(|| read_line(&mut lines))
                }
                Err(error) => {
                    let error = format!("cannot read commands from {}: {error}", path.display());
                    Err(Trouble::Local(error).into())
                }
            },
        };
        self.close();
        outcome
    }

    fn script(&mut self, mut next: impl FnMut() -> Result<Option<String>, Trouble>) -> Result<()> {
        for number in 1_u64.. {
            let outcome = match next() {
                Ok(Some(line)) => self.line(&line),
                Ok(None) => break,
                Err(error) => Err(error.into()),
            };
            match outcome {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(error) => return Err(error.context(format!("line {number}"))),
            }
        }
        Ok(())
    }

    /// The prompt of a terminal, with everything that a person expects of one.
    fn prompt(self) -> Result<()> {
        self.welcome();
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .completion_prompt_limit(UNASKED)
            .history_ignore_space(true)
            .max_history_size(history::LINES)
            // Standard output is for data: `ftp-client > list` still shows its prompt.
            .map(|config| config.behavior(Behavior::PreferTerm).build())
            .map_err(|error| unusable(&error))?;
        let mut editor: Editor<Completer, MemHistory> =
            Editor::with_history(config.clone(), MemHistory::with_config(&config))
                .map_err(|error| unusable(&error))?;
        let (history, lines) = History::open();
        for line in lines {
            let _ = editor.add_history_entry(line);
        }
        editor.set_helper(Some(Completer {
            client: RefCell::new(self),
        }));
        let outcome = typed(&mut editor, &history);
        if let Some(completer) = editor.helper() {
            completer.client.borrow_mut().close();
        }
        outcome
    }

    fn welcome(&self) {
        let greeting = self.connection.iter().map(Connection::greeting);
        for line in greeting.flat_map(Reply::lines).take(GREETING_LINES) {
            text::say(line);
        }
        let Options { hosts, user, .. } = &self.options;
        let host = hosts.current();
        text::say(&format!(
            "Connected to {host} as {user}. Type help for the verbs, exit to leave."
        ));
    }
}

/// Asks for lines and carries them out until the user leaves.
fn typed(editor: &mut Editor<Completer, MemHistory>, history: &History) -> Result<()> {
    loop {
        let pasted = match editor.readline(PROMPT) {
            Ok(pasted) => pasted,
            // Ctrl-C gives up the line, and Ctrl-D on an empty one leaves.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(unusable(&error).into()),
        };
        // What is pasted may be several lines.
        for line in pasted.lines() {
            if !history::is_secret(line) && matches!(editor.add_history_entry(line), Ok(true)) {
                history.add(line);
            }
            let Some(completer) = editor.helper() else {
                return Ok(());
            };
            let mut client = completer.client.borrow_mut();
            match client.line(line) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(()),
                Err(error) => {
                    client.tell(&error);
                    break;
                }
            }
        }
    }
}

fn unusable(error: &ReadlineError) -> Trouble {
    Trouble::Local(format!("cannot read commands: {error}"))
}

/// Reads one line of commands, without its line end; `None` at the end of the input.
///
/// # Errors
/// The input fails, or the line is too long or not UTF-8. The rest of such a line is passed over.
pub fn read_line(input: &mut impl BufRead) -> Result<Option<String>, Trouble> {
    let mut line = Vec::new();
    let local = |error: io::Error| Trouble::Local(format!("cannot read commands: {error}"));
    input
        .by_ref()
        .take(MAX_TYPED + 1)
        .read_until(b'\n', &mut line)
        .map_err(local)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() as u64 > MAX_TYPED && !line.ends_with(b"\n") {
        input.skip_until(b'\n').map_err(local)?;
        return Err(Trouble::Usage(format!(
            "the line is longer than {MAX_TYPED} bytes"
        )));
    }
    match String::from_utf8(line) {
        Ok(line) => Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned())),
        Err(_) => Err(Trouble::Usage("the line is not UTF-8 text".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_does_not_spoil_the_next() {
        let mut typed = vec![b'x'; 70_000];
        typed.extend_from_slice(b"\nls\r\n\xff\npwd");
        let mut input = &typed[..];
        assert!(read_line(&mut input).is_err());
        assert_eq!(read_line(&mut input).unwrap().as_deref(), Some("ls"));
        assert!(read_line(&mut input).is_err());
        assert_eq!(read_line(&mut input).unwrap().as_deref(), Some("pwd"));
        assert_eq!(read_line(&mut input).unwrap(), None);
    }
}
