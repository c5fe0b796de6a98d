//! What the servers have to do, and what each is measured by.

use crate::cost;
use crate::load::Session;
use crate::peers::Peer;
use crate::site::{FOLDERS, SMALL, Site};
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const MIB: f64 = (1 << 20) as f64;
/// Of a large upload.
const UPLOAD: u64 = 256 << 20;
/// How many names each client's small uploads have, one after the other.
const NAMES: u64 = 64;
/// How long all clients may take to begin.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many sessions are held of a server that has a process for each, where more would only take memory.
const FEW: usize = 500;

/// One line of the table.
pub(crate) struct Work {
    /// What `--only` knows it by.
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// What the processor time is counted for, where it is.
    pub(crate) per: &'static str,
    /// Whether less is better.
    pub(crate) is_cost: bool,
    pub(crate) kind: Kind,
    pub(crate) targets: &'static [Target],
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Download {
        clients: usize,
        is_private: bool,
    },
    Upload {
        clients: usize,
        is_private: bool,
    },
    Fetch(usize),
    Store(usize),
    Login(usize),
    List {
        verb: &'static str,
        folder: usize,
        clients: usize,
    },
    Idle,
    Beside,
    Tail,
}

/// What the server is to reach.
pub(crate) enum Target {
    /// This share of the floor's value.
    Floor(f64),
    /// This share of what the floor takes of the processor, at most.
    FloorCpu(f64),
    /// This share of the best other's value.
    Best(f64),
    /// This share of what the best other takes of the processor, at most.
    BestCpu(f64),
    /// This share of the value of each of these.
    Each(&'static [&'static str], f64),
}

use Target::{Best, BestCpu, Each, Floor, FloorCpu};

pub(crate) const WORKS: &[Work] = &[
    rate(
        "down-1",
        "download of 1 GiB, 1 client",
        "MiB/s",
        "GiB",
        Kind::Download {
            clients: 1,
            is_private: false,
        },
        &[Floor(0.97), Best(1.15)],
    ),
    rate(
        "down-8",
        "download of 1 GiB, 8 clients",
        "MiB/s",
        "GiB",
        Kind::Download {
            clients: 8,
            is_private: false,
        },
        &[Floor(0.97), Best(1.15)],
    ),
    rate(
        "up-1",
        "upload of 256 MiB, 1 client",
        "MiB/s",
        "GiB",
        Kind::Upload {
            clients: 1,
            is_private: false,
        },
        &[Floor(0.97), Best(1.0)],
    ),
    rate(
        "up-8",
        "upload of 256 MiB, 8 clients",
        "MiB/s",
        "GiB",
        Kind::Upload {
            clients: 8,
            is_private: false,
        },
        &[Floor(0.97), Best(1.0)],
    ),
    rate(
        "fetch-16",
        "downloads of 4 KiB, 16 clients",
        "files/s",
        "file",
        Kind::Fetch(16),
        &[Floor(0.85), FloorCpu(1.25), Best(1.6)],
    ),
    rate(
        "fetch-128",
        "downloads of 4 KiB, 128 clients",
        "files/s",
        "file",
        Kind::Fetch(128),
        &[Floor(0.85), Best(1.6)],
    ),
    rate(
        "store-16",
        "uploads of 4 KiB, 16 clients",
        "files/s",
        "file",
        Kind::Store(16),
        &[Floor(0.70), Best(1.4)],
    ),
    rate(
        "store-128",
        "uploads of 4 KiB, 128 clients",
        "files/s",
        "file",
        Kind::Store(128),
        &[],
    ),
    rate(
        "login-16",
        "logins, 16 clients",
        "logins/s",
        "login",
        Kind::Login(16),
        &[
            Floor(0.85),
            Each(&["pyftpdlib", "unFTP"], 1.0),
            Each(&["vsftpd", "ProFTPD", "Pure-FTPd"], 10.0),
        ],
    ),
    rate(
        "list",
        "`LIST` of 1,000 entries, 16 clients",
        "lists/s",
        "list",
        Kind::List {
            verb: "LIST",
            folder: 0,
            clients: 16,
        },
        &[Best(2.5)],
    ),
    rate(
        "mlsd",
        "`MLSD` of 1,000 entries, 16 clients",
        "lists/s",
        "list",
        Kind::List {
            verb: "MLSD",
            folder: 0,
            clients: 16,
        },
        &[Best(2.5)],
    ),
    rate(
        "list-many",
        "`LIST` of 100,000 entries, 1 client",
        "lists/s",
        "list",
        Kind::List {
            verb: "LIST",
            folder: 1,
            clients: 1,
        },
        &[],
    ),
    rate(
        "mlsd-many",
        "`MLSD` of 100,000 entries, 1 client",
        "lists/s",
        "list",
        Kind::List {
            verb: "MLSD",
            folder: 1,
            clients: 1,
        },
        &[],
    ),
    rate(
        "tls-down",
        "TLS download of 1 GiB, 1 client",
        "MiB/s",
        "GiB",
        Kind::Download {
            clients: 1,
            is_private: true,
        },
        &[Best(1.5), BestCpu(0.6)],
    ),
    rate(
        "tls-up",
        "TLS upload of 256 MiB, 1 client",
        "MiB/s",
        "GiB",
        Kind::Upload {
            clients: 1,
            is_private: true,
        },
        &[],
    ),
    Work {
        key: "idle",
        name: "memory of an idle session",
        unit: "KiB",
        per: "",
        is_cost: true,
        kind: Kind::Idle,
        targets: &[Floor(1.3), Each(&["vsftpd"], 0.1)],
    },
    rate(
        "beside",
        "downloads of 4 KiB, 1 client beside idle ones",
        "of alone",
        "",
        Kind::Beside,
        &[],
    ),
    Work {
        key: "tail",
        name: "p99 of a 4 KiB download beside 8 uploads",
        unit: "ms",
        per: "",
        is_cost: true,
        kind: Kind::Tail,
        targets: &[Best(1.0)],
    },
];

const fn rate(
    key: &'static str,
    name: &'static str,
    unit: &'static str,
    per: &'static str,
    kind: Kind,
    targets: &'static [Target],
) -> Work {
    Work {
        key,
        name,
        unit,
        per,
        is_cost: false,
        kind,
        targets,
    }
}

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

impl Kind {
    /// Whether this server can do it at all.
    pub(crate) fn suits(self, peer: &Peer) -> bool {
        match self {
            Self::List { verb: "MLSD", .. } => peer.has_mlsd,
            Self::List { .. } => peer.has_listings,
            Self::Download { is_private, .. } | Self::Upload { is_private, .. } => {
                !is_private || peer.has_tls
            }
            _ => true,
        }
    }

    pub(crate) fn run(self, site: &Site, effort: &Effort) -> Result<Sample, String> {
        match self {
            Self::Download {
                clients,
                is_private,
            } => {
                let job =
                    |_, progress: &Progress| download(site, is_private, effort.large, progress);
                let (rate, cpu) = window(site, clients, effort.time, job)?;
                // Of bytes; shown are MiB, and processor time for each GiB.
                Ok(Sample {
                    value: rate / MIB,
                    cpu: cpu.map(|cpu| cpu * MIB * 1024.0),
                })
            }
            Self::Upload {
                clients,
                is_private,
            } => {
                let job = |client, progress: &Progress| upload(site, is_private, client, progress);
                let (rate, cpu) = window(site, clients, effort.time, job)?;
                Ok(Sample {
                    value: rate / MIB,
                    cpu: cpu.map(|cpu| cpu * MIB * 1024.0),
                })
            }
            Self::Fetch(clients) => counted(window(site, clients, effort.time, |_, progress| {
                fetch(site, progress)
            })),
            Self::Store(clients) => {
                counted(window(site, clients, effort.time, |client, progress| {
                    store(site, client, progress)
                }))
            }
            Self::Login(clients) => counted(window(site, clients, effort.time, |_, progress| {
                login(site, progress)
            })),
            Self::List {
                verb,
                folder,
                clients,
            } => {
                let (name, entries) = FOLDERS[folder];
                let job = |_, progress: &Progress| list(site, verb, name, entries, progress);
                counted(window(site, clients, effort.time, job))
            }
            Self::Idle => idle(site, effort),
            Self::Beside => beside(site, effort),
            Self::Tail => tail(site, effort),
        }
    }
}

fn counted(window: Result<(f64, Option<f64>), String>) -> Result<Sample, String> {
    let (value, cpu) = window?;
    Ok(Sample { value, cpu })
}

/// What the clients of a window tell, and are told.
#[derive(Default)]
struct Progress {
    ready: AtomicUsize,
    done: AtomicU64,
    is_over: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl Progress {
    /// This client works from here on.
    fn begin(&self) {
        self.ready.fetch_add(1, Ordering::Relaxed);
    }

    /// So many units are done. Whether to go on.
    fn add(&self, count: u64) -> bool {
        self.done.fetch_add(count, Ordering::Relaxed);
        self.goes_on()
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn fail(&self, error: &io::Error) {
        // What ends with the window may fail.
        if self.goes_on() {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        }
    }

    fn check(&self) -> Result<(), String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.clone().map_or(Ok(()), Err)
    }
}

/// Lets so many clients work, and counts for `time` from when all of them do: units in a second, and the server's processor
/// time for each.
fn window(
    site: &Site,
    clients: usize,
    time: Duration,
    job: impl Fn(usize, &Progress) -> io::Result<()> + Sync,
) -> Result<(f64, Option<f64>), String> {
    let progress = Progress::default();
    thread::scope(|scope| {
        for client in 0..clients {
            let (job, progress) = (&job, &progress);
            scope
                .spawn(move || job(client, progress).unwrap_or_else(|error| progress.fail(&error)));
        }
        let measured = await_all(&progress, clients).and_then(|()| measure(site, time, &progress));
        progress.is_over.store(true, Ordering::Relaxed);
        site.stop();
        measured
    })
}

fn await_all(progress: &Progress, clients: usize) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while progress.ready.load(Ordering::Relaxed) < clients {
        progress.check()?;
        if Instant::now() > deadline {
            return Err("not all clients got to work".to_owned());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn measure(site: &Site, time: Duration, progress: &Progress) -> Result<(f64, Option<f64>), String> {
    let count = || progress.done.load(Ordering::Relaxed);
    let (began, before, used) = (Instant::now(), count(), cost::cpu(site.pid));
    let mut done;
    loop {
        thread::sleep(time);
        done = count() - before;
        progress.check()?;
        // A large listing may take longer.
        if done > 0 || began.elapsed() > PATIENCE {
            break;
        }
    }
    let elapsed = began.elapsed().as_secs_f64();
    let used = (cost::cpu(site.pid) - used).as_secs_f64();
    #[allow(clippy::cast_precision_loss)] // far fewer than 2^52
    let done = done as f64;
    Ok((done / elapsed, (done > 0.0).then(|| used / done)))
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

fn store(site: &Site, client: usize, progress: &Progress) -> io::Result<()> {
    let mut session = site.session(false)?;
    let file = File::open(site.root.join("small"))?;
    for number in 0.. {
        let name = format!("up/small-{client}-{}", number % NAMES);
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
    let count = if site.peer.forks {
        effort.idle.min(FEW)
    } else {
        effort.idle
    };
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
    let run = || -> io::Result<f64> {
        let mut session = site.session(false)?;
        let command = format!("RETR {}", site.named("small"));
        fetch_small(&mut session, &command)?;
        let (began, mut count) = (Instant::now(), 0);
        while began.elapsed() < effort.time {
            fetch_small(&mut session, &command)?;
            count += 1;
        }
        Ok(f64::from(count) / began.elapsed().as_secs_f64())
    };
    let alone = run().map_err(|error| error.to_string())?;
    let _sessions = hold(site, effort)?;
    let beside = run().map_err(|error| error.to_string())?;
    site.stop();
    Ok(Sample {
        value: beside / alone,
        cpu: None,
    })
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
