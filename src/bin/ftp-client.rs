//! The command line of the `ftp>` prompt.

use anyhow::{Result, bail};
use clap::Parser;
use multi_client_ftp::client::connection::Limits;
use multi_client_ftp::client::error::{Trouble, exit_code};
use multi_client_ftp::client::{ANONYMOUS, Client, Options, PASSWORD_VARIABLE, text};
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use url::Url;

/// FTP's own port, which a URL without one means.
const FTP_PORT: u16 = 21;
/// The most seconds that making a connection may take.
const CONNECT: u64 = 20;

/// Opens an ftp> prompt to an FTP server.
///
/// Without a terminal on standard input, each line of it is a command, and the first that fails ends the client.
/// The password comes from the environment variable FTP_PASSWORD, or is asked for on the terminal.
///
/// Exit codes: 0 done, 1 a command failed, 2 usage, 3 could not connect, 4 login refused, 5 timed out, 7 trouble with
/// a local file.
#[derive(Debug, Parser)]
#[command(name = "ftp-client", version)]
struct Args {
    /// The server's name or address
    #[arg(long, default_value = "127.0.0.1", conflicts_with = "url")]
    host: String,
    /// The server's control port
    #[arg(long, default_value_t = 8080, conflicts_with = "url")]
    port: u16,
    /// Who logs in; anonymous if not given
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The folder that downloads go to, made if missing
    #[arg(long, value_name = "FOLDER", default_value = "client_downloads")]
    downloads: PathBuf,
    /// Compare every file by checksum after it arrived, if the server can
    #[arg(long)]
    verify: bool,
    /// Seconds without a sign of life from the server before the client gives up
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Log the commands and replies on standard error
    #[arg(short, long)]
    verbose: bool,
    /// The server, user and folder in one: ftp://user@host:port/folder
    #[arg(value_name = "URL")]
    url: Option<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let level = if args.verbose {
        log::LevelFilter::Debug
    } else {
        log::LevelFilter::Warn
    };
    env_logger::Builder::new()
        .filter_module("multi_client_ftp", level)
        .format_target(false)
        .init();
    match options(args).and_then(Client::open).and_then(Client::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            text::say(&format!("ftp-client: {error:#}"));
            ExitCode::from(exit_code(&error))
        }
    }
}

fn options(args: Args) -> Result<Options> {
    let mut options = Options {
        host: args.host,
        port: args.port,
        user: args.user.unwrap_or_else(|| ANONYMOUS.to_owned()),
        folder: None,
        state: state_folder().unwrap_or_else(|| args.downloads.clone()),
        downloads: args.downloads,
        verify: args.verify,
        limits: Limits {
            connect: Duration::from_secs(CONNECT.min(args.timeout)),
            silence: Duration::from_secs(args.timeout),
        },
    };
    if let Some(url) = args.url {
        apply(&url, &mut options)?;
    }
    Ok(options)
}

/// Where this user's programs keep what they want to find again (XDG Base Directory Specification).
fn state_folder() -> Option<PathBuf> {
    let folder = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("multi-client-ftp"))
}

/// Reads host, port, user and folder from a URL (RFC 1738 §3.2).
fn apply(text: &str, options: &mut Options) -> Result<()> {
    // Never the text itself: a mistyped one may hold a password.
    let refuse = |why: &str| {
        Trouble::Usage(format!(
            "the URL is no good: {why}; a server is written ftp://user@host:port/folder"
        ))
    };
    let url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
    if url.password().is_some() {
        bail!(Trouble::Usage(format!(
            "a password does not belong on the command line, where others can read it: set {PASSWORD_VARIABLE}, or \
             leave it out to be asked"
        )));
    }
    if url.scheme() != "ftp" {
        bail!(refuse("not an ftp URL"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        bail!(refuse("a ? or # of a name is written %3F or %23"));
    }
    let decode = |part: &str| {
        let decoded = percent_decode_str(part).decode_utf8();
        match decoded {
            Ok(text) if !text.contains(char::is_control) => Ok(text.into_owned()),
            _ => Err(refuse("it holds control characters, or is not UTF-8")),
        }
    };
    options.host = match url.host() {
        Some(url::Host::Ipv6(address)) => address.to_string(),
        Some(host) => decode(&host.to_string())?,
        None => bail!(refuse("it names no host")),
    };
    options.port = url.port().unwrap_or(FTP_PORT);
    if !url.username().is_empty() {
        options.user = decode(url.username())?;
    }
    let folder = decode(url.path().strip_prefix('/').unwrap_or_default())?;
    options.folder = Some(folder).filter(|folder| !folder.is_empty());
    Ok(())
}
