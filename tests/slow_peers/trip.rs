//! One file of one client through a proxy, beside somebody who is to notice nothing of it.

use crate::support::{
    Client, Footprint, Pattern, Proxy, Server, Weather, Which, names_in, partials_in, temporaries,
};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// Which way the file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Down,
    Up,
}

/// The length of the file, in bytes.
pub(crate) const LENGTH: u64 = 200_000;

/// How long either side waits for the other, in seconds.
const PATIENCE: u64 = 2;

pub(crate) struct Trip {
    way: Way,
    seed: Option<u64>,
    server: Server,
    pub(crate) proxy: Proxy,
    client: Client,
    before: Footprint,
    content: Vec<u8>,
    old: Option<Vec<u8>>,
}

/// How the client ended.
pub(crate) struct End<'t> {
    trip: &'t Trip,
    code: Option<i32>,
    pub(crate) errors: String,
}

impl Trip {
    pub(crate) fn new(
        way: Way,
        forecast: impl Fn(Which) -> Weather + Send + Sync + 'static,
    ) -> Self {
        Self::begin(way, None, forecast)
    }

    /// The same, which says the seed when it fails.
    pub(crate) fn with_seed(
        way: Way,
        seed: u64,
        forecast: impl Fn(Which) -> Weather + Send + Sync + 'static,
    ) -> Self {
        Self::begin(way, Some(seed), forecast)
    }

    fn begin(
        way: Way,
        seed: Option<u64>,
        forecast: impl Fn(Which) -> Weather + Send + Sync + 'static,
    ) -> Self {
        let server = Server::with(&[
            "--tls=off",
            "--data-timeout=2",
            "--idle-timeout=5",
            "--login-timeout=5",
        ]);
        server.write("other", "abc");
        let proxy = Proxy::start(server.address, forecast);
        let client = Client::new(proxy.address());
        let trip = Self {
            before: server.at_rest(),
            content: Pattern::bytes(seed.unwrap_or(0), LENGTH),
            // In the place of a file, or under a new name.
            old: (seed.unwrap_or(0) % 2 == 1).then(|| b"old".to_vec()),
            way,
            seed,
            server,
            proxy,
            client,
        };
        fs::write(trip.source(), &trip.content).expect("the file");
        if let Some(old) = &trip.old {
            fs::write(trip.target(), old).expect("the old file");
        }
        trip
    }

    /// Has the client move the file.
    pub(crate) fn end(&self) -> End<'_> {
        self.with_patience(PATIENCE)
    }

    /// The same for a client that waits for so many seconds.
    pub(crate) fn with_patience(&self, seconds: u64) -> End<'_> {
        let verb = match self.way {
            Way::Down => "get f\n",
            Way::Up => "put f\n",
        };
        let (code, _, errors) = self.run(verb, seconds);
        End {
            trip: self,
            code,
            errors,
        }
    }

    /// Has the client list the folder.
    pub(crate) fn lists(&self) {
        let (code, listed, errors) = self.run("ls\n", PATIENCE);
        assert_eq!(code, Some(0), "ls: {errors}");
        let mut names: Vec<&str> = listed.lines().collect();
        names.sort_unstable();
        assert_eq!(names, ["f", "other"], "{errors}");
    }

    /// Runs the client to its end, and somebody else beside it who goes to the server straight.
    fn run(&self, command: &str, patience: u64) -> (Option<i32>, String, String) {
        let patience = patience.to_string();
        let flags = ["--jobs=1", "--retries=2", "--retry-wait=1", "--timeout"];
        let client = self.client.flagged(&[&flags[..], &[&patience]].concat());
        let is_over = AtomicBool::new(false);
        let output = thread::scope(|scope| {
            let other = scope.spawn(|| {
                let mut raw = self.server.login();
                let mut rounds = 0;
                while rounds == 0 || !is_over.load(Relaxed) {
                    assert_eq!(raw.fetch("other"), b"abc");
                    raw.store("other", b"abc");
                    rounds += 1;
                    // A few of these trips run at once.
                    thread::sleep(Duration::from_millis(20));
                }
                raw.run("QUIT", 221);
            });
            let output = client.run(command);
            is_over.store(true, Relaxed);
            other.join().expect("somebody else was not served");
            output
        });
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let errors = text(&output.stderr);
        (output.status.code(), text(&output.stdout), errors)
    }

    fn source(&self) -> PathBuf {
        match self.way {
            Way::Down => self.server.path("f"),
            Way::Up => self.client.folder().join("f"),
        }
    }

    fn target(&self) -> PathBuf {
        match self.way {
            Way::Down => self.client.download("f"),
            Way::Up => self.server.path("f"),
        }
    }

    /// Checks that all is given back, while the proxy still stands, and that the next client goes on.
    fn assert_nothing_stays(&self) {
        self.server.wait_for_footprint(&self.before);
        assert_eq!(temporaries(&self.server.root), [""; 0]);
        self.server.assert_never_panicked();
    }

    /// The part of the file that is kept to go on from.
    fn part(&self) -> Option<Vec<u8>> {
        let folder = match self.way {
            Way::Down => self.client.download(""),
            Way::Up => self.server.root.clone(),
        };
        let part = match self.way {
            Way::Down => Some("f.part".to_owned()),
            Way::Up => partials_in(&folder).pop(),
        };
        fs::read(folder.join(part?)).ok()
    }
}

impl Drop for Trip {
    fn drop(&mut self) {
        if let Some(seed) = self.seed.filter(|_| thread::panicking()) {
            let way = self.way;
            eprintln!("{way:?}, seed {seed}: PEERS_SEED={seed} plays it again");
        }
    }
}

impl End<'_> {
    pub(crate) const fn is_good(&self) -> bool {
        matches!(self.code, Some(0))
    }

    /// The client says that the file has arrived, and it has.
    #[track_caller]
    pub(crate) fn arrives(&self) {
        let trip = self.trip;
        assert!(self.is_good(), "{:?}: {}", self.code, self.errors);
        let there = fs::read(trip.target()).expect("the file");
        assert!(there == trip.content, "another file is there");
        trip.assert_nothing_stays();
        match trip.way {
            Way::Down => assert_eq!(names_in(&trip.client.download("")), ["f"]),
            Way::Up => assert_eq!(names_in(&trip.server.root), ["f", "other"]),
        }
    }

    /// The client says why the file has not arrived, and it is as it was.
    #[track_caller]
    pub(crate) fn fails(&self) {
        let (trip, errors) = (self.trip, &self.errors);
        // A command failed, no connection, timed out.
        let is_clear = matches!(self.code, Some(1 | 3 | 5)) && !errors.trim().is_empty();
        assert!(is_clear, "{:?}: {errors:?}", self.code);
        trip.assert_nothing_stays();
        let there = fs::read(trip.target()).ok();
        // Where only the server's word was lost that it is there.
        let arrived = trip.way == Way::Up && there.as_ref() == Some(&trip.content);
        assert!(
            arrived || there == trip.old,
            "a torn file is there: {errors}"
        );
        if let Some(part) = trip.part() {
            assert!(
                trip.content.starts_with(&part),
                "no part of the file: {errors}"
            );
        }
        // The next one, over a network that holds, goes on.
        let direct = trip.client.at(&[trip.server.address]);
        direct.succeed(match trip.way {
            Way::Down => "get f\n",
            Way::Up => "put f\n",
        });
        let there = fs::read(trip.target()).expect("the file");
        assert!(there == trip.content, "another file is there in the end");
        trip.assert_nothing_stays();
        assert_eq!(trip.part(), None);
    }
}
