//! Where the clients are measured: the servers over a folder, a folder for the client, and what is between them.

use crate::programs::{self, Running, logged};
use crate::support::{Link, Pattern, Server, try_connect, wait_for};
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The bytes of each small file.
const SMALL: u64 = 4096;
/// How long a client may take: rclone takes minutes for some tasks.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often the end of a client is looked for.
const TICK: Duration = Duration::from_millis(1);
/// The unit of processor time in `/proc`, whatever the system counts in.
const TICK_OF_CPU: Duration = Duration::from_millis(10);
/// Where sshd wants an empty folder.
const SSHD: &str = "/run/sshd";

/// What is to be moved.
pub(crate) struct Load {
    /// The folders below `many` that have small files, or `many` itself.
    pub(crate) folders: Vec<String>,
    /// How many files are in each.
    pub(crate) files: u64,
    /// The bytes of the large file.
    pub(crate) large: u64,
}

impl Load {
    /// One `part`th of `files` in each folder and of a file of `mib`.
    pub(crate) fn of(part: u64, folders: Vec<String>, files: u64, mib: u64) -> Self {
        Self {
            folders,
            files: (files / part).max(1),
            large: (mib / part).max(1) << 20,
        }
    }

    /// What there is of each kind, as a table says it.
    pub(crate) fn names(&self) -> [String; 2] {
        let folders = u64::try_from(self.folders.len()).unwrap_or(1);
        let files = match folders * self.files {
            few @ ..1000 => few.to_string(),
            many => format!("{},{:03}", many / 1000, many % 1000),
        };
        let large = match self.large >> 20 {
            few @ ..1024 => format!("{few} MiB"),
            many => format!("{} GiB", many / 1024),
        };
        [
            format!("{files} files of 4 KiB"),
            format!("one file of {large}"),
        ]
    }
}

/// What a client took for a task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    pub(crate) wall: Duration,
    /// The processor's time, its own and the system's for it.
    pub(crate) cpu: Duration,
}

impl Took {
    pub(crate) fn text(&self) -> String {
        format!(
            "{:.2} s, {:.2} s of processor",
            self.wall.as_secs_f64(),
            self.cpu.as_secs_f64()
        )
    }
}

/// The servers, on the far side of a link or on this machine, and the client's current folder.
pub(crate) struct Place {
    // They end while the link is still there.
    ftp: Server,
    ssh: Option<Running>,
    ssh_address: SocketAddr,
    /// Holds `local`, `home` and what the servers of the bench keep.
    folder: TempDir,
    link: Option<Link>,
    /// Set by Ctrl-C.
    stop: Arc<AtomicBool>,
}

impl Place {
    /// The servers on the far side of `link`, or on the loopback address, and all of `load` on both sides.
    pub(crate) fn new(link: Option<Link>, load: &Load, stop: &Arc<AtomicBool>) -> Self {
        let host = link.as_ref().map_or(Ipv4Addr::LOCALHOST, |_| Link::FAR);
        let far = |act: &(dyn Fn() -> (Server, SocketAddr) + Sync)| match &link {
            Some(link) => link.far(act),
            None => act(),
        };
        let (ftp, ssh_address) = far(&|| {
            let mut command = Server::command();
            command.args(["--host", &host.to_string(), "--port", "0", "-q", "--root"]);
            let outside = temporary();
            command.arg(outside.path().join("root"));
            (Server::from_command(command, outside), free_port(host))
        });
        let folder = temporary();
        for name in ["local", "home"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let mut place = Self {
            ftp,
            ssh: None,
            ssh_address,
            folder,
            link,
            stop: Arc::clone(stop),
        };
        place.ssh = place.start_ssh();
        for side in [place.root(), &place.local()] {
            fill(side, load);
        }
        place
    }

    pub(crate) fn host(&self) -> String {
        self.ftp.address.ip().to_string()
    }

    pub(crate) fn port(&self) -> String {
        self.ftp.address.port().to_string()
    }

    pub(crate) fn ssh_port(&self) -> u16 {
        self.ssh_address.port()
    }

    /// `ftp://host:port/path`
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ftp://{}/{path}", self.ftp.address)
    }

    /// The folder that the servers serve.
    pub(crate) fn root(&self) -> &Path {
        &self.ftp.root
    }

    /// The client's current folder.
    pub(crate) fn local(&self) -> PathBuf {
        self.folder.path().join("local")
    }

    /// Where clients have their files.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// What the client takes to copy `name` from one side to the other. `Err` says what went wrong.
    pub(crate) fn time(&self, command: Command, name: &str, up: bool) -> Result<Took, String> {
        let (from, to) = match up {
            true => (self.local(), self.root().join("up")),
            false => (self.root().to_owned(), self.local().join("down")),
        };
        let _ = fs::remove_dir_all(&to);
        fs::create_dir(&to).map_err(|error| format!("cannot make a folder: {error}"))?;
        let took = match &self.link {
            Some(link) => link.near(|| self.run(command)),
            None => self.run(command),
        }?;
        compare(&from.join(name), &to.join(name))?;
        let _ = fs::remove_dir_all(&to);
        Ok(took)
    }

    /// Whether somebody has pressed Ctrl-C.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn run(&self, mut command: Command) -> Result<Took, String> {
        let log = self.home().join("log");
        let home = self.home();
        command.current_dir(self.local());
        for variable in [
            "HOME",
            "XDG_CONFIG_HOME",
            "XDG_CACHE_HOME",
            "XDG_STATE_HOME",
        ] {
            command.env(variable, &home);
        }
        let command = logged(command, &log);
        let before = children_cpu();
        let start = Instant::now();
        let mut running = Running::start(command);
        loop {
            let ended = running.child.try_wait().expect("the child's state");
            let time = start.elapsed();
            match ended {
                Some(status) if status.success() => {
                    return Ok(Took {
                        wall: time,
                        cpu: children_cpu().saturating_sub(before),
                    });
                }
                None if self.is_stopped() => return Err("stopped".to_owned()),
                None if time < PATIENCE => thread::sleep(TICK),
                _ => {
                    let status = ended.map_or("no end".to_owned(), |status| status.to_string());
                    let log = fs::read_to_string(&log).unwrap_or_default();
                    return Err(format!("{status}: {}", log.trim()));
                }
            }
        }
    }

    /// An sshd that lets in whoever has the key in `home`, if there is one on this machine.
    fn start_ssh(&self) -> Option<Running> {
        if !["sshd", "ssh-keygen"].into_iter().all(programs::has) {
            return None;
        }
        // Kept: another sshd of the machine may need it by now.
        fs::create_dir_all(SSHD).expect("a folder for sshd");
        let home = self.home();
        for name in ["key", "host-key"] {
            let make = ["-q", "-t", "ed25519", "-N", "", "-f", name];
            programs::run(&home, "ssh-keygen", &make, "").unwrap_or_else(|error| panic!("{error}"));
        }
        let at = |name: &str| home.join(name).display().to_string();
        let config = format!(
            "ListenAddress {}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\nUseDNS no\n\
             StrictModes no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n",
            self.ssh_address,
            at("host-key"),
            at("key.pub")
        );
        fs::write(home.join("sshd.conf"), config).expect("sshd's configuration");
        let start = || {
            let mut command = programs::command("sshd");
            command.args(["-D", "-e", "-f", &at("sshd.conf")]);
            let log = home.join("sshd.log");
            let mut running = Running::start(logged(command, &log));
            wait_for("sshd to listen", || {
                if let Some(status) = running.child.try_wait().expect("the child's state") {
                    let log = fs::read_to_string(&log).unwrap_or_default();
                    panic!("sshd ended with {status}:\n{log}");
                }
                try_connect(self.ssh_address).ok()
            });
            running
        };
        Some(match &self.link {
            Some(link) => link.far(start),
            None => start(),
        })
    }
}

/// The processor's time of all children of this process that have ended, and of theirs.
fn children_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("this process");
    // pid (name, which may hold anything) state …; cutime is the 16th, then cstime
    let (_, fields) = stat.rsplit_once(')').expect("the name's end");
    let times = fields.split_ascii_whitespace().skip(13).take(2);
    TICK_OF_CPU * times.map(|time| time.parse::<u32>().expect("ticks")).sum()
}

/// A folder in memory, where there is such a thing: the rate of the disk is not what this is about.
fn temporary() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => TempDir::with_prefix_in("ftp-bench-", memory),
        false => TempDir::with_prefix("ftp-bench-"),
    };
    folder.expect("a temporary folder")
}

/// A port that was free a moment ago.
fn free_port(host: Ipv4Addr) -> SocketAddr {
    let listener = TcpListener::bind((IpAddr::V4(host), 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

/// Puts the load into a folder.
fn fill(folder: &Path, load: &Load) {
    for name in &load.folders {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).expect("a folder");
        for number in 0..load.files {
            let path = folder.join(format!("file{number:03}"));
            fs::write(path, Pattern::bytes(number, SMALL)).expect("a small file");
        }
    }
    let mut large = File::create(folder.join("large")).expect("a file");
    io::copy(&mut Pattern::new(1, load.large), &mut large).expect("the large file");
}

/// Whether all that is in `from`, a file or a tree, is in `to` too, byte for byte.
fn compare(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", to.display());
    if !from.is_dir() {
        let (sent, came) = (
            fs::read(from).map_err(failed)?,
            fs::read(to).map_err(failed)?,
        );
        return match sent == came {
            true => Ok(()),
            false => Err(format!("{} differs", to.display())),
        };
    }
    for entry in fs::read_dir(from).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        compare(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}
