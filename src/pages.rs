//! Shell completions and man pages, made from the command line's own description, so that they are never out of date.

use clap::{Command, Id, Subcommand};
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, Write};

// What packagers ask of either binary. As a doc comment this would be the binary's own description in --help.
#[allow(missing_docs)]
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
            Self::Man => man(command, &mut page)?,
        }
        let mut output = io::stdout();
        output.write_all(&page)?;
        output.flush()
    }
}

/// One page for all: commands of the command have sections in it, and no pages of their own.
fn man(mut command: Command, page: &mut Vec<u8>) -> io::Result<()> {
    let shown = |command: &&Command| !command.is_hide_set();
    let commands: Vec<Command> = command.get_subcommands().filter(shown).cloned().collect();
    let name = command.get_name().to_owned();
    let known: Vec<Id> = command
        .get_arguments()
        .map(|arg| arg.get_id().clone())
        .collect();
    command = command.mut_subcommands(|command| command.hide(true));
    Man::new(command).render(page)?;
    for command in commands {
        let heading = format!("{name} {}", command.get_name()).to_uppercase();
        writeln!(page, ".SH \"{heading}\"")?;
        // The settings of the command itself are told once.
        let command = command.mut_args(|arg| {
            let told = known.contains(arg.get_id());
            arg.hide(told)
        });
        let man = Man::new(command.disable_help_flag(true).disable_version_flag(true));
        let mut section = Vec::new();
        man.render_synopsis_section(&mut section)?;
        man.render_description_section(&mut section)?;
        man.render_options_section(&mut section)?;
        for line in String::from_utf8_lossy(&section).lines() {
            match line.strip_prefix(".SH ") {
                Some(heading) => writeln!(page, ".SS {heading}")?,
                // Each of the three begins with how an apostrophe is written, which the page has said already.
                None if line.starts_with(".ie ") || line.starts_with(".el ") => {}
                None => writeln!(page, "{line}")?,
            }
        }
    }
    Ok(())
}
