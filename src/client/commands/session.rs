//! Verbs about the session: which server, which user, and the client itself.

use super::{DONE, VERBS, Verb};
use crate::client::error::Trouble;
use crate::client::hosts::{Host, Hosts};
use crate::client::target::{FTP_PORT, Target};
use crate::client::words::Word;
use crate::client::{Client, bookmarks, events, screen, text};
use crate::json::Object;
use anyhow::Result;
use log::LevelFilter;
use std::ops::ControlFlow;

/// Lines of help are no longer than that, however wide the terminal is.
const WIDE: usize = 100;

pub(super) fn open(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let host = &arguments[0].text;
    let usage = |why: String| Trouble::Usage(why);
    let mut target = if host.contains("://") || host.starts_with('@') {
        Target::parse(host)?
    } else {
        Target {
            hosts: Hosts::one(host.clone(), FTP_PORT),
            implicit_tls: false,
            user: None,
            folder: None,
        }
    };
    if let Some(Word { text: port, .. }) = arguments.get(1) {
        let port =
            port.parse().ok().filter(|&port| port > 0).ok_or_else(|| {
                usage(format!("\"{port}\" is no port: it is a number up to 65535"))
            })?;
        target.hosts = Hosts::one(target.hosts.current().name.clone(), port);
    }
    client.reopen(target)?;
    client.connected(false).tell();
    DONE
}

pub(super) fn close(client: &mut Client, _: &[Word]) -> Result<ControlFlow<()>> {
    client.close();
    text::say("the connection is closed; open HOST makes a new one, exit leaves");
    DONE
}

pub(super) fn user(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let target = Target {
        user: Some(arguments[0].text.clone()),
        folder: None,
        ..client.target()
    };
    // Few servers take a second USER in a session, so there is a new one.
    client.reopen(target)?;
    client.connected(false).tell();
    DONE
}

pub(super) fn bookmark(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let what = arguments.first().map_or("list", |word| &word.text);
    let name = arguments
        .get(1)
        .map(|word| word.text.trim_start_matches('@'));
    match (what, name) {
        ("list", None) => {
            let bookmarks = bookmarks::list()?;
            if bookmarks.is_empty() {
                text::say("no bookmarks yet: bookmark add NAME keeps this server and folder");
            }
            if events::is_json() {
                text::rows(
                    bookmarks
                        .into_iter()
                        .map(|(name, url)| Object::default().with("name", name).with("url", url)),
                )?;
                return DONE;
            }
            let width = bookmarks.iter().map(|(name, _)| name.chars().count()).max();
            let width = width.unwrap_or_default();
            text::show(
                bookmarks
                    .iter()
                    .map(|(name, url)| format!("@{name:<width$}  {url}")),
            )?;
        }
        ("add", Some(name)) => {
            // A bookmark is one server, the one of the moment.
            let target = client.target();
            let Host { name: host, port } = target.hosts.current();
            let hosts = Hosts::one(host.clone(), *port);
            let url = bookmarks::add(
                name,
                &Target {
                    hosts,
                    ..target.clone()
                },
            )?;
            text::say(&format!("@{name} is {url}"));
        }
        ("remove", Some(name)) => {
            bookmarks::remove(name)?;
            text::say(&format!("@{name} is gone"));
        }
        _ => {
            let error = "usage: bookmark list, bookmark add NAME, or bookmark remove NAME";
            return Err(Trouble::Usage(error.to_owned()).into());
        }
    }
    DONE
}

pub(super) fn status(client: &mut Client, _: &[Word]) -> Result<ControlFlow<()>> {
    let is_connected = client.is_connected();
    let folder = match is_connected {
        true => client.ask_folder()?,
        false => None,
    };
    let options = client.options();
    let mut lines = vec![format!(
        "{} {} as {}, in clear",
        if is_connected {
            "connected to"
        } else {
            "not connected; last to"
        },
        options.hosts.current(),
        options.user
    )];
    lines.extend(folder.map(|folder| format!("folder there: {folder}")));
    lines.push(format!("downloads go to: {}", options.downloads.display()));
    if let Ok(folder) = std::env::current_dir() {
        lines.push(format!("uploads come from: {}", folder.display()));
    }
    lines.push(format!(
        "given up after: {} s of silence",
        options.limits.silence.as_secs()
    ));
    lines.push(format!(
        "verbose: {}",
        if is_verbose() { "on" } else { "off" }
    ));
    text::show(lines)?;
    DONE
}

pub(super) fn verbose(_: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let on = match arguments.first().map(|word| word.text.to_lowercase()) {
        None => !is_verbose(),
        Some(word) if word == "on" => true,
        Some(word) if word == "off" => false,
        Some(_) => return Err(Trouble::Usage("usage: verbose [on|off]".to_owned()).into()),
    };
    log::set_max_level(if on {
        LevelFilter::Debug
    } else {
        LevelFilter::Warn
    });
    text::say(match on {
        true => "commands and replies are shown",
        false => "commands and replies are not shown",
    });
    DONE
}

fn is_verbose() -> bool {
    log::max_level() >= LevelFilter::Debug
}

pub(super) fn help(_: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let columns = screen::size().map_or(WIDE, |(columns, _)| columns.min(WIDE));
    if let Some(typed) = arguments.first() {
        let verb = Verb::find(&typed.text)?;
        let mut lines = vec![verb.usage.to_owned()];
        for line in verb.help.lines() {
            lines.extend(text::wrap(line, "  ", columns));
        }
        if !verb.aliases.is_empty() {
            lines.push(format!("  also: {}", verb.aliases.join(", ")));
        }
        text::show(lines)?;
        return DONE;
    }
    let width = VERBS.iter().map(|verb| verb.usage.len());
    // The longest would push all the others to the right.
    let width = width.filter(|&width| width < 24).max().unwrap_or_default();
    for verb in &VERBS {
        let mut help = verb.help.lines().next().unwrap_or_default().to_owned();
        if !verb.aliases.is_empty() {
            help += &format!(" (also: {})", verb.aliases.join(", "));
        }
        let row = format!("  {:<width$}  {help}", verb.usage);
        if row.chars().count() <= columns {
            text::show([row])?;
            continue;
        }
        text::show([format!("  {}", verb.usage)])?;
        text::show(text::wrap(&help, "      ", columns))?;
    }
    DONE
}

pub(super) fn exit(_: &mut Client, _: &[Word]) -> Result<ControlFlow<()>> {
    Ok(ControlFlow::Break(()))
}

pub(super) fn binary(_: &mut Client, _: &[Word]) -> Result<ControlFlow<()>> {
    answer("files always go as they are: there is nothing to switch on")
}

pub(super) fn ascii(_: &mut Client, _: &[Word]) -> Result<ControlFlow<()>> {
    answer("files always go as they are, so that they arrive as they were: there is no ascii mode")
}

pub(super) fn passive(_: &mut Client, _: &[Word]) -> Result<ControlFlow<()>> {
    answer("data connections are always passive: there is nothing to switch")
}

pub(super) fn prompt(_: &mut Client, _: &[Word]) -> Result<ControlFlow<()>> {
    answer("mget, mput and mdelete do not ask about each file: there is nothing to switch off")
}

pub(super) fn bell(_: &mut Client, _: &[Word]) -> Result<ControlFlow<()>> {
    answer("there is no bell: a transfer that is done says so in a line")
}

/// What the old toggles have to say.
fn answer(text: &str) -> Result<ControlFlow<()>> {
    text::say(text);
    DONE
}
