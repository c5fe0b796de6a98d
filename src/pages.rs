//! Shell completions and man pages, made from the command line's own description, so that they are never out of date.

use clap::{Command, Subcommand};
use clap_complete::Shell;
use std::io::{self, Write};

/// What packagers ask of either binary.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Page {
    /// Write completions for a shell to standard output
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the man page to standard output
    #[command(hide = true)]
    Man,
}

impl Page {
    /// Writes the page of `command` to standard output.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print(self, mut command: Command) -> io::Result<()> {
        let name = command.get_name().to_owned();
        let mut page = Vec::new();
        match self {
            Self::Completions { shell } => {
                clap_complete::generate(shell, &mut command, name, &mut page);
            }
            Self::Man => clap_mangen::Man::new(command).render(&mut page)?,
        }
        let mut output = io::stdout();
        output.write_all(&page)?;
        output.flush()
    }
}
