//! How each work is done.

use crate::cost;
use crate::load::Session;
use crate::site::{SMALL, Site};
use crate::window::{Progress, window};
use crate::works::Kind;
use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const MIB: f64 = (1 << 20) as f64;
/// Of a large upload.
const UPLOAD: u64 = 256 << 20;

/// What one run has shown.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) value: f64,
    /// Processor time for each unit of work, in seconds.
    pub(crate) cpu: Option<f64>,
}

/// How long and how much.
pub(crate) struct Effort {
    pub(crate) time: Duration,
    pub(crate) idle: usize,
    pub(crate) large: u64,
}

/// Lets the server do it.
pub(crate) fn run(kind: Kind, site: &Site, effort: &Effort) -> Result<Sample, String> {
    let time = effort.time;
    let large = |clients, is_private| {
        window(site, clients, time, move |_, progress| {
            download(site, is_private, effort.large, progress)
        })
    };
    let sent = |clients, is_private| {
        window(site, clients, time, move |client, progress| {
            upload(site, is_private, client, progress)
        })
    };
    match kind {
        Kind::Download(clients) => in_bytes(large(clients, false)),
        Kind::Upload(clients) => in_bytes(sent(clients, false)),
        Kind::TlsDownload => in_bytes(large(1, true)),
        Kind::TlsUpload => in_bytes(sent(1, true)),
        Kind::Fetch(clients) => window(site, clients, time, |_, progress| fetch(site, progress)),
        Kind::Store(clients, names) => window(site, clients, time, |client, progress| {
            store(site, client, names, progress)
        }),
        Kind::Login(clients) => window(site, clients, time, |_, progress| login(site, progress)),
        Kind::List(verb, folder, clients) => window(site, clients, time, |client, progress| {
            list(site, verb, &folder.name(client), folder.entries(), progress)
        }),
        Kind::Idle => idle(site, effort),
        Kind::Beside => beside(site, effort),
        Kind::Tail => tail(site, effort),
    }
}

/// Shown are MiB, and processor time for each GiB.
fn in_bytes(sample: Result<Sample, String>) -> Result<Sample, String> {
    let sample = sample?;
    Ok(Sample {
        value: sample.value / MIB,
        cpu: sample.cpu.map(|cpu| cpu * MIB * 1024.0),
    })
}

fn download(site: &Site, is_private: bool, size: u64, progress: &Progress) -> io::Result<()> {
    let mut session = site.session(is_private)?;
    let command = format!("RETR {}", site.named("large"));
    progress.begin();
    while progress.goes_on() {
        let count = session.fetch(&command, |count| progress.add(count as u64))?;
        whole(count, size)?;
    }
    Ok(())
}

fn upload(site: &Site, is_private: bool, client: usize, progress: &Progress) -> io::Result<()> {
    let mut session = site.session(is_private)?;
    let file = File::open(site.root.join("large"))?;
    let size = UPLOAD.min(file.metadata()?.len());
    let name = format!("up/large-{client}");
    progress.begin();
    while progress.goes_on() {
        let all = |count| progress.add(count as u64);
        session.store(&site.named(&name), &file, size, all)?;
        whole(site.root.join(&name).metadata()?.len(), size)?;
    }
    Ok(())
}

fn fetch(site: &Site, progress: &Progress) -> io::Result<()> {
    let mut session = site.session(false)?;
    let command = format!("RETR {}", site.named("small"));
    fetch_small(&mut session, &command)?;
    progress.begin();
    while progress.goes_on() {
        fetch_small(&mut session, &command)?;
        progress.add(1);
    }
    Ok(())
}

fn fetch_small(session: &mut Session, command: &str) -> io::Result<()> {
    whole(session.fetch(command, |_| true)?, SMALL)
}

/// Under so many names, one after the other.
fn store(site: &Site, client: usize, names: u64, progress: &Progress) -> io::Result<()> {
    let mut session = site.session(false)?;
    let file = File::open(site.root.join("small"))?;
    for number in 0.. {
        let name = format!("up/small-{client}-{}", number % names);
        session.store(&site.named(&name), &file, SMALL, |_| true)?;
        if number == 0 {
            whole(site.root.join(&name).metadata()?.len(), SMALL)?;
            progress.begin();
        }
        if !progress.add(1) {
            break;
        }
    }
    Ok(())
}

fn login(site: &Site, progress: &Progress) -> io::Result<()> {
    site.login()?.quit()?;
    progress.begin();
    while progress.goes_on() {
        site.login()?.quit()?;
        progress.add(1);
    }
    Ok(())
}

fn list(
    site: &Site,
    verb: &str,
    folder: &str,
    entries: usize,
    progress: &Progress,
) -> io::Result<()> {
    let mut session = site.session(false)?;
    let command = format!("{verb} {}", site.named(folder));
    let text = session.text(&command)?;
    let lines = text.iter().filter(|&&byte| byte == b'\n').count();
    // Some tell of `.` and `..` too.
    if lines < entries {
        return Err(io::Error::other(format!(
            "{lines} entries instead of {entries}"
        )));
    }
    progress.begin();
    while progress.goes_on() {
        whole(
            session.fetch(&command, |_| progress.goes_on())?,
            text.len() as u64,
        )?;
        progress.add(1);
    }
    Ok(())
}

/// Memory for each of many sessions that do nothing.
fn idle(site: &Site, effort: &Effort) -> Result<Sample, String> {
    let before = settled_pss(site);
    let sessions = hold(site, effort)?;
    let after = settled_pss(site);
    #[allow(clippy::cast_precision_loss)]
    let value = after.saturating_sub(before) as f64 / sessions.len() as f64;
    site.stop();
    Ok(Sample { value, cpu: None })
}

fn hold(site: &Site, effort: &Effort) -> Result<Vec<Session>, String> {
    let count = effort.idle.min(site.peer.most_idle);
    (0..count)
        .map(|number| {
            site.login()
                .map_err(|error| format!("session {number}: {error}"))
        })
        .collect()
}

fn settled_pss(site: &Site) -> u64 {
    thread::sleep(Duration::from_secs(1));
    cost::pss_kib(site.pid)
}

/// The rate of one client beside many that do nothing, of that which it has alone.
fn beside(site: &Site, effort: &Effort) -> Result<Sample, String> {
    let alone = best_rate(site, effort).map_err(|error| error.to_string())?;
    let _sessions = hold(site, effort)?;
    let beside = best_rate(site, effort).map_err(|error| error.to_string())?;
    site.stop();
    Ok(Sample {
        value: beside / alone,
        cpu: None,
    })
}

/// The best of a few, with a client each: where one client and one server take turns, the rate is that of where the system
/// has put them.
fn best_rate(site: &Site, effort: &Effort) -> io::Result<f64> {
    const TRIES: usize = 4;
    let mut best = 0.0;
    for _ in 0..TRIES {
        let mut session = site.session(false)?;
        let command = format!("RETR {}", site.named("small"));
        fetch_small(&mut session, &command)?;
        let (began, mut count) = (Instant::now(), 0);
        while began.elapsed() < effort.time / 2 {
            fetch_small(&mut session, &command)?;
            count += 1;
        }
        best = f64::max(best, f64::from(count) / began.elapsed().as_secs_f64());
        session.quit()?;
    }
    Ok(best)
}

/// How long the slowest in a hundred small downloads take while others upload.
fn tail(site: &Site, effort: &Effort) -> Result<Sample, String> {
    const UPLOADS: usize = 8;
    let times = Mutex::new(Vec::new());
    let measure = |progress: &Progress| -> io::Result<()> {
        let mut session = site.session(false)?;
        let command = format!("RETR {}", site.named("small"));
        fetch_small(&mut session, &command)?;
        progress.begin();
        while progress.goes_on() {
            let began = Instant::now();
            fetch_small(&mut session, &command)?;
            let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
            times.push(began.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(())
    };
    let job = |client, progress: &Progress| match client {
        UPLOADS => measure(progress),
        _ => upload(site, false, client, progress),
    };
    window(site, UPLOADS + 1, effort.time * 2, job)?;
    let mut times = times.into_inner().unwrap_or_else(PoisonError::into_inner);
    times.sort_by(f64::total_cmp);
    let value = times
        .get(times.len() * 99 / 100)
        .copied()
        .unwrap_or(f64::NAN);
    Ok(Sample { value, cpu: None })
}

fn whole(count: u64, expected: u64) -> io::Result<()> {
    if count == expected {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{count} bytes instead of {expected}"
    )))
}
