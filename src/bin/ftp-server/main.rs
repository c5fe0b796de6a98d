//! `ftp-server`: serves one folder to many FTP clients at once.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

mod args;
mod check;
mod lines;
mod reload;
mod settings;

use anyhow::{Context, Result};
use args::{Args, LogFormat};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use multi_client_ftp::pages::Page;
use multi_client_ftp::server::{self, Server, StatusCommand, UserCommand};
use reload::Live;
use settings::Settings;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{IsTerminal, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

// The command line as a whole. The pages are made of `Args` alone, so that they do not offer themselves. A doc comment
// here would take the place of that one in --help.
#[derive(Debug, Parser)]
#[command(
    name = "ftp-server",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
struct Line {
    #[command(flatten)]
    args: Args,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    #[command(flatten)]
    Verb(Verb),
    #[command(flatten)]
    Page(Page),
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say whether all is well for a server with these settings: 0 if it would start, 1 if not
    Check(Box<Args>),
    /// Edit the accounts of a users file
    #[command(subcommand)]
    User(UserCommand),
    #[command(flatten)]
    Status(StatusCommand),
}

fn main() -> ExitCode {
    let settings = Settings::read(Line::command(), std::env::args_os().collect());
    settings.and_then(start).unwrap_or_else(|error| {
        // Of the command line clap tells in its own way.
        let error = match error.downcast::<clap::Error>() {
            Ok(error) => error.exit(),
            Err(error) => error,
        };
        eprintln!("ftp-server: {error:#}");
        ExitCode::FAILURE
    })
}

fn start(settings: Settings) -> Result<ExitCode> {
    let Line { args, task } = Line::from_arg_matches(settings.matches())?;
    start_log(&args);
    let done = match task {
        Some(Task::Verb(Verb::Check(args))) => return check::check(*args),
        Some(Task::Verb(Verb::Status(command))) => command.run(),
        Some(Task::Verb(Verb::User(command))) => command.run(),
        Some(Task::Page(page)) => page
            .print(Verb::augment_subcommands(Args::command()))
            .context("cannot write to standard output"),
        None => run(args, settings),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn start_log(args: &Args) {
    let mut builder = env_logger::Builder::new();
    builder
        // What is less is for `set_max_level`, which a SIGHUP may call again.
        .filter_level(log::LevelFilter::Trace)
        .format_target(false)
        .format_timestamp_millis();
    let form = match args.log_format {
        LogFormat::Json => Some(lines::json as lines::Form),
        LogFormat::Text if std::io::stderr().is_terminal() => None,
        LogFormat::Text => Some(lines::text as lines::Form),
    };
    // Where there is no standard error nobody misses a line.
    if let Some(Ok(straight)) = form.map(lines::straight) {
        builder.format(straight);
    }
    if args.log_format == LogFormat::Json {
        std::panic::set_hook(Box::new(|panic| log::error!("{panic}")));
    }
    builder.init();
    log::set_max_level(args.level());
}

fn run(args: Args, settings: Settings) -> Result<()> {
    let config = args.config(None)?;
    std::fs::create_dir_all(&config.root)
        .with_context(|| format!("cannot make the folder to serve, {}", config.root.display()))?;
    // Registered before the address is printed: whoever reads it may send a signal at once.
    let (stop, reload) = (watch(&[SIGINT, SIGTERM])?, watch(&[SIGHUP])?);
    if let Some(limit) = server::raise_descriptor_limit() {
        log::debug!("up to {limit} descriptors");
    }
    server::keep_memory_private(config.sandbox)?;
    for finding in server::warnings(&config) {
        log::warn!("{finding}");
    }
    let root = config.root.clone();
    let mut live = Live::new(settings, config.clone());
    let server = Server::bind(config)?;
    let address = server
        .local_address()
        .context("cannot learn the address that was bound")?;
    // Nobody may be reading it, which is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "ftp-server listening on {address}");
    announce_tls(&server)?;
    if let Some(address) = server
        .metrics_address()
        .context("cannot learn the address that was bound")?
    {
        let _ = writeln!(std::io::stdout(), "metrics at http://{address}/metrics");
    }
    log::info!("serving {}", root.canonicalize().unwrap_or(root).display());
    server
        .run(&stop, &reload, || live.reread())
        .context("the listener failed")
}

/// A stream at which a byte arrives for each of these signals.
fn watch(signals: &[i32]) -> Result<UnixStream> {
    let (stream, end) = UnixStream::pair().context("cannot make the pipe for signals")?;
    for signal in signals {
        let end = end
            .try_clone()
            .context("cannot make the pipe for signals")?;
        signal_hook::low_level::pipe::register(*signal, end).context("cannot watch for signals")?;
    }
    Ok(stream)
}

/// Tells what a client has to know to trust the server.
fn announce_tls(server: &Server) -> Result<()> {
    if let Some(address) = server
        .local_tls_address()
        .context("cannot learn the address that was bound")?
    {
        let _ = writeln!(
            std::io::stdout(),
            "ftp-server listening with TLS on {address}"
        );
    }
    if let Some(fingerprint) = server.fingerprint() {
        let _ = writeln!(std::io::stdout(), "TLS certificate {fingerprint}");
    }
    Ok(())
}
