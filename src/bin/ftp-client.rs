//! The command line of the `ftp>` prompt.

use anyhow::{Result, bail};
use clap::{CommandFactory, Parser, Subcommand};
use multi_client_ftp::client::connection::Limits;
use multi_client_ftp::client::error::Trouble;
use multi_client_ftp::client::events::{self, Event, Failure};
use multi_client_ftp::client::hosts::Hosts;
use multi_client_ftp::client::oneshot::{Call, OneShot};
use multi_client_ftp::client::prompt::Source;
use multi_client_ftp::client::target::Target;
use multi_client_ftp::client::tls::TlsMode;
use multi_client_ftp::client::trust::{Trust, parse_fingerprint};
use multi_client_ftp::client::{ANONYMOUS, Client, Options, places};
use multi_client_ftp::copy::{Pace, parse_rate};
use multi_client_ftp::pages::Page;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The most seconds that making a connection may take.
const CONNECT: u64 = 20;
/// What a command line that makes no sense ends with.
const USAGE_CODE: u8 = 2;
/// The server when none is named.
const HOST: &str = "127.0.0.1";
/// Its port.
const PORT: u16 = 8080;
/// Where the downloads of a session go.
const DOWNLOADS: &str = "client_downloads";

/// How the client is started, in the order of what people do first.
const USAGE: &str = "ftp-client [OPTIONS] [URL]
       ftp-client [OPTIONS] URL -c 'cd in; get *.csv'
       ftp-client [OPTIONS] get [-r] URL [LOCAL]
       ftp-client [OPTIONS] put [-r] FILE... URL
       ftp-client [OPTIONS] ls URL
       ftp-client [OPTIONS] mirror [--delete] [--dry-run] URL [LOCAL]
       ftp-client [OPTIONS] mirror [--delete] [--dry-run] -R LOCAL URL";

/// Opens an ftp> prompt to an FTP server, or carries out a single command.
///
/// With -c or -b, or without a terminal on standard input, nobody is asked: each line is a command, and the first
/// that fails ends the client, unless it begins with a dash. The password comes from the environment variable
/// FTP_PASSWORD, for all hosts that the client was started with, or from ~/.netrc, or is asked for on the terminal.
///
/// Exit codes: 0 done, 1 a command failed, 2 usage, 3 could not connect, 4 login refused, 5 timed out, 6 no TLS that
/// can be trusted, 7 trouble with a local file, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "ftp-client", version)]
struct Args {
    /// The server's name or address, if there is no URL; several over one folder are tried in turn, where one cannot be
    /// reached or dies in the midst of a transfer: a,b:2121,[::1]:2121 [default: 127.0.0.1]
    #[arg(long, value_name = "HOST,...", conflicts_with = "server")]
    host: Option<String>,
    /// The control port of servers that are named without one, if there is no URL [default: 8080]
    #[arg(long, conflicts_with = "server")]
    port: Option<u16>,
    /// Who logs in; if not given, the user that ~/.netrc has for the server, or anonymous
    #[arg(long, value_name = "NAME", global = true)]
    user: Option<String>,
    /// The folder that downloads go to, made if missing [default: client_downloads, or for get and mirror as commands the
    /// current folder]
    #[arg(long, value_name = "FOLDER", global = true)]
    downloads: Option<PathBuf>,
    /// Compare every file by checksum after it arrived, if the server can
    #[arg(long, global = true)]
    verify: bool,
    /// How many connections the files of one command go over, if the server lets that many in
    #[arg(long, global = true, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// The most bytes that are moved in a second, over all connections together: 500K, 2M
    #[arg(long, global = true, value_name = "RATE", value_parser = parse_rate)]
    limit_rate: Option<u64>,
    /// Open data connections where the server's 227 says, as behind a load balancer that they do not go through; otherwise
    /// they go to the server's own address
    #[arg(long, global = true)]
    follow_pasv: bool,
    /// How often a transfer is tried again, after 1 s, 2 s, 4 s, when what went wrong may go right later
    #[arg(long, global = true, value_name = "N", default_value_t = 3)]
    retries: u32,
    /// Milliseconds before the first of these
    #[arg(
        long,
        global = true,
        value_name = "MILLISECONDS",
        default_value_t = 1000,
        hide = true
    )]
    retry_wait: u64,
    /// Milliseconds that a transfer leaves the control connection alone
    #[arg(
        long,
        global = true,
        value_name = "MILLISECONDS",
        default_value_t = 60_000,
        hide = true
    )]
    pulse: u64,
    /// Whether to speak TLS; auto: where the server offers it
    #[arg(long, value_name = "MODE", default_value = "auto")]
    tls: TlsMode,
    /// Trust a server that was never seen, and know it by its certificate from then on
    #[arg(long)]
    accept_new: bool,
    /// Trust the certificate of this fingerprint and no other: SHA256:AB:CD:...
    #[arg(long, value_name = "FINGERPRINT", value_parser = parse_fingerprint)]
    fingerprint: Option<String>,
    /// Seconds without a sign of life from the server before the client gives up
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Log the commands and replies on standard error
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Speak JSON: an object a line for each row of a listing on standard output, and for each event on standard error
    #[arg(long, global = true)]
    json: bool,
    /// Carry out these commands, parted by ";", and end: -c 'cd in; get x'
    #[arg(
        short,
        long,
        value_name = "COMMANDS",
        conflicts_with = "batch",
        allow_hyphen_values = true
    )]
    commands: Option<String>,
    /// Carry out the lines of this file and end; - is standard input
    #[arg(short, long, value_name = "FILE")]
    batch: Option<PathBuf>,
    /// The server, user and folder in one, ftp://user@host:port/folder (ftps:// begins with TLS), or @NAME for a bookmark
    #[arg(value_name = "URL")]
    server: Option<String>,
}

// The command line as a whole. The pages are made without themselves, so that they do not offer themselves. A doc comment
// here would take the place of that one in --help.
#[derive(Debug, Parser)]
#[command(
    name = "ftp-client",
    version,
    override_usage = USAGE,
    disable_help_subcommand = true,
    subcommand_value_name = "COMMAND"
)]
struct Line<C: Subcommand> {
    #[command(flatten)]
    args: Args,
    #[command(subcommand)]
    command: Option<C>,
}

#[derive(Debug, Subcommand)]
enum Any {
    #[command(flatten)]
    OneShot(OneShot),
    #[command(flatten)]
    Page(Page),
}

fn main() -> ExitCode {
    let Line { args, command } = match Line::<Any>::try_parse() {
        Ok(line) => line,
        Err(error) => return refused(&error),
    };
    if args.json {
        events::speak_json();
    }
    start_log();
    log::set_max_level(if args.verbose {
        log::LevelFilter::Debug
    } else {
        log::LevelFilter::Warn
    });
    let outcome = match command {
        None => run(args),
        Some(Any::OneShot(command)) => one(args, command),
        Some(Any::Page(page)) => page.print(Line::<OneShot>::command()).map_err(|error| {
            Trouble::Local(format!("cannot write to standard output: {error}")).into()
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let failure = Failure::from(&error);
            let code = failure.exit_code;
            Event::Ended(failure).tell();
            ExitCode::from(code)
        }
    }
}

/// A command line that makes no sense, or asks for help.
fn refused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || !std::env::args_os().any(|argument| argument == "--json") {
        error.exit();
    }
    let text = error.render().to_string();
    events::speak_json();
    Event::Ended(Failure {
        text: text.trim_end().to_owned(),
        exit_code: USAGE_CODE,
        reply: None,
    })
    .tell();
    ExitCode::from(USAGE_CODE)
}

fn start_log() {
    let mut logger = env_logger::Builder::new();
    // Everything of the client, so that the verb "verbose" can switch it on and off.
    logger
        .filter_module("multi_client_ftp", log::LevelFilter::Debug)
        .format_target(false);
    if events::is_json() {
        logger.format(|output, record| {
            let level = record.level().as_str().to_lowercase();
            let line = events::log_line(&level, &record.args().to_string());
            writeln!(output, "{line}")
        });
    }
    logger.init();
}

fn run(args: Args) -> Result<()> {
    let source = match (&args.commands, &args.batch) {
        (Some(commands), _) => Source::Commands(commands.clone()),
        (None, Some(file)) if file == Path::new("-") => Source::Script,
        (None, Some(file)) => Source::File(file.clone()),
        (None, None) => Source::Input,
    };
    let target = match &args.server {
        Some(server) => Target::parse(server)?,
        None => Target {
            hosts: Hosts::parse(
                args.host.as_deref().unwrap_or(HOST),
                args.port.unwrap_or(PORT),
            )?,
            implicit_tls: false,
            user: None,
            folder: None,
        },
    };
    Client::open(options(args, target, DOWNLOADS)?)?.run(&source)
}

fn one(args: Args, command: OneShot) -> Result<()> {
    let alone = args.host.is_none() && args.port.is_none() && args.server.is_none();
    if !alone || args.commands.is_some() || args.batch.is_some() {
        bail!(Trouble::Usage(
            "get, put, ls and mirror have the server in their own URL, and go without --host, --port, -c and -b"
                .to_owned()
        ));
    }
    let Call {
        server,
        verb,
        words,
    } = command.call()?;
    Client::open(options(args, server, ".")?)?.one(verb, &words)
}

fn options(args: Args, mut target: Target, downloads: &str) -> Result<Options> {
    target.user = target.user.or(args.user);
    let downloads = args.downloads.unwrap_or_else(|| PathBuf::from(downloads));
    let state = places::state().unwrap_or_else(|| downloads.clone());
    let mut options = Options {
        hosts: target.hosts.clone(),
        implicit_tls: false,
        tls: args.tls,
        trust: Arc::new(Trust::new(&state, args.accept_new, args.fingerprint)),
        user: ANONYMOUS.to_owned(),
        folder: None,
        state,
        downloads,
        verify: args.verify,
        jobs: args.jobs.into(),
        pace: args.limit_rate.map(|rate| Arc::new(Pace::new(rate))),
        follow_pasv: args.follow_pasv,
        retries: args.retries,
        retry_wait: Duration::from_millis(args.retry_wait),
        limits: Limits {
            connect: Duration::from_secs(CONNECT.min(args.timeout)),
            silence: Duration::from_secs(args.timeout),
            pulse: Duration::from_millis(args.pulse),
        },
    };
    options.aim(target)?;
    Ok(options)
}
