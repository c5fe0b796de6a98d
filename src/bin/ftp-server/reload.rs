//! What a SIGHUP does to the settings of a server that runs.

use crate::args::Args;
use crate::settings::{Reread, Settings};
use anyhow::Result;
use clap::FromArgMatches;
use multi_client_ftp::server::Config;

/// The settings in force.
#[derive(Debug)]
pub(super) struct Live {
    settings: Settings,
    config: Config,
}

impl Live {
    pub(super) const fn new(settings: Settings, config: Config) -> Self {
        Self { settings, config }
    }

    /// Reads the settings file again, tells what has changed, and returns what the server is to do now. Where the file is
    /// broken, all stays as it was.
    pub(super) fn reread(&mut self) -> Option<Config> {
        let changed = self.follow();
        changed.unwrap_or_else(|error| {
            log::error!("{error:#}; the settings stay as they were");
            None
        })
    }

    fn follow(&mut self) -> Result<Option<Config>> {
        let Some(reread) = self.settings.reread(Args::can_change)? else {
            return Ok(None);
        };
        let Reread { asked, possible } = reread;
        // What cannot be done now must be good for the next start.
        args(&asked)?.config(Some(&self.config))?;
        let new = args(&possible)?;
        let level = new.level();
        let config = new.config(Some(&self.config))?;
        // Who was quiet and is not any more is told so, and the other way round.
        log::set_max_level(level.max(log::max_level()));
        self.tell(&asked);
        log::set_max_level(level);
        self.settings = possible;
        self.config = config.clone();
        Ok(Some(config))
    }

    /// One line for each change.
    fn tell(&self, asked: &Settings) {
        if let Some(path) = &self.config.settings {
            log::info!("{} read again", path.display());
        }
        for change in asked.changes_since(&self.settings) {
            let line = format!("{} {} -> {}", change.key, change.old, change.new);
            if Args::can_change(&change.key) {
                log::info!("{line}");
            } else {
                log::warn!("{line} needs a restart");
            }
        }
    }
}

fn args(settings: &Settings) -> Result<Args> {
    Ok(Args::from_arg_matches(settings.matches())?)
}
