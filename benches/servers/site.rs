//! Where the servers run: one folder in memory that all of them serve in turn, and a network for each run.

use crate::daemons;
use crate::load::Session;
use crate::peers::{Peer, Tls};
use crate::programs::{Running, logged};
use crate::support::{Namespace, Pattern, TlsClient, try_connect};
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The bytes of the small file.
pub(crate) const SMALL: u64 = 4096;
/// How many clients there may be that each list a folder of their own.
pub(crate) const LISTERS: usize = 16;
/// How long a server may take to greet.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a connection that was closed keeps its ports.
const TIME_WAIT: Duration = Duration::from_secs(61);

/// What is listed.
#[derive(Clone, Copy)]
pub(crate) enum Folder {
    /// One that all clients list.
    One,
    /// One for each client.
    Own,
    /// A large one.
    Many,
}

impl Folder {
    pub(crate) fn name(self, client: usize) -> String {
        match self {
            Self::One => "thousand".to_owned(),
            Self::Own => format!("thousand-{client}"),
            Self::Many => "many".to_owned(),
        }
    }

    pub(crate) const fn entries(self) -> usize {
        match self {
            Self::One | Self::Own => 1_000,
            Self::Many => 100_000,
        }
    }
}

/// What all servers serve, and what each of them keeps.
pub(crate) struct Stage {
    folder: TempDir,
    /// How long a client waits for each reply.
    patience: Duration,
}

impl Stage {
    /// Below this folder, or in memory. `large` is the bytes of the large file.
    pub(crate) fn new(place: Option<&Path>, large: u64, patience: Duration) -> Self {
        let place = place.map_or_else(memory, |place| {
            place.canonicalize().expect("the folder is there")
        });
        let folder = TempDir::with_prefix_in("ftp-bench-", place).expect("a temporary folder");
        let stage = Self { folder, patience };
        let root = stage.root();
        fs::create_dir(&root).expect("the root folder");
        // The servers' own users have to get there, and some want nobody to write beside what they serve.
        open(stage.path(), 0o755);
        open(&root, 0o755);
        fs::write(root.join("small"), Pattern::bytes(1, SMALL)).expect("the small file");
        let mut out = File::create(root.join("large")).expect("the large file");
        io::copy(&mut Pattern::new(2, large), &mut out).expect("room in memory");
        let own = (0..LISTERS).map(|client| (Folder::Own, client));
        for (folder, client) in [(Folder::One, 0), (Folder::Many, 0)].into_iter().chain(own) {
            let name = root.join(folder.name(client));
            fs::create_dir(&name).expect("a folder");
            for number in 0..folder.entries() {
                let path = name.join(format!("file-{number:06}.txt"));
                File::create(path).expect("an entry of a folder");
            }
        }
        daemons::certify(stage.path());
        // What is on its way to a disk is not to be in the way of what is measured.
        rustix::fs::sync();
        stage
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path().join("root")
    }

    /// Lets a server run alone in a network of its own, and does something with it.
    pub(crate) fn with<T: Send>(
        &self,
        peer: &'static Peer,
        is_private: bool,
        act: impl FnOnce(&Site) -> Result<T, String> + Send,
    ) -> Result<T, String> {
        let up = self.root().join("up");
        let _ = fs::remove_dir_all(&up);
        fs::create_dir(&up).expect("a folder for uploads");
        open(&up, 0o777);
        let run = || act(&Site::start(self, peer, is_private)?);
        match Namespace::new() {
            Ok(space) => {
                space.use_cubic()?;
                space.inside(run)
            }
            Err(_) => {
                // Nobody is to inherit the ports that are still taken by the connections of another.
                thread::sleep(TIME_WAIT);
                run()
            }
        }
    }
}

/// A server that runs.
pub(crate) struct Site {
    pub(crate) peer: &'static Peer,
    pub(crate) pid: u32,
    pub(crate) root: PathBuf,
    address: SocketAddr,
    running: Mutex<Option<Running>>,
    tls: TlsClient,
    patience: Duration,
    pub(crate) began: Instant,
}

impl Site {
    fn start(stage: &Stage, peer: &'static Peer, is_private: bool) -> Result<Self, String> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = free.local_addr().expect("its address");
        drop(free);
        let log = stage.path().join("log");
        let mut command = logged(
            (peer.command)(stage.path(), address.port(), is_private),
            &log,
        );
        // A group of its own, with which it is ended.
        command.process_group(0);
        let mut running = Running::start(command);
        let site = Self {
            peer,
            pid: running.child.id(),
            root: stage.root(),
            address,
            tls: match peer.tls {
                Some(Tls::V12) => TlsClient::of_1_2(),
                _ => TlsClient::new(),
            },
            patience: stage.patience,
            began: Instant::now(),
            running: Mutex::default(),
        };
        let deadline = Instant::now() + PATIENCE;
        while try_connect(address).is_err() {
            let ended = running.child.try_wait().expect("the child's state");
            if ended.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("does not start: {}", log.trim()));
            }
            thread::sleep(Duration::from_millis(5));
        }
        *site.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(site)
    }

    /// A new session.
    pub(crate) fn login(&self) -> io::Result<Session> {
        Session::login(self.address, self.peer.user, None, self.patience)
    }

    /// A new session for transfers.
    pub(crate) fn session(&self, is_private: bool) -> io::Result<Session> {
        let tls = is_private.then_some(&self.tls);
        let mut session = Session::login(self.address, self.peer.user, tls, self.patience)?;
        session.prepare()?;
        Ok(session)
    }

    /// A path in the served folder, as this server's clients have it.
    pub(crate) fn named(&self, path: &str) -> String {
        format!("{}{path}", self.peer.folder)
    }

    /// Ends the server, so that nobody waits for it any longer.
    pub(crate) fn stop(&self) {
        drop(
            self.running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }
}

/// Where files are in memory: the rate of a disk is not what most of this is about.
fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the permissions are set");
}
