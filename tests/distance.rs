//! The pair over a link with a round trip of 20 ms, which shows what on one machine is too quick to be seen, and over one with
//! 50 ms that loses each hundredth packet.
//!
//! What it does in which order counts here, and not how long it takes: that is for `benches/distance.rs`.

mod support;

// A part of what the foreign clients need is enough here.
#[allow(dead_code)]
#[path = "works_with/programs.rs"]
mod programs;

use libtest_mimic::{Arguments, Trial};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use support::{Client, Link, Loss, Pattern, Server, assert_same, partials_in, wait_until};

const ROUND_TRIP: Duration = Duration::from_millis(20);

/// The bad link, and which of its packets are lost.
const LONG_ROUND_TRIP: Duration = Duration::from_millis(50);
const LOSS: Loss = Loss {
    per_thousand: 10,
    seed: 7,
};

/// What a machine has to let root make, and what most containers do not.
const LINK: &str = "link of two network namespaces";

/// The small files: so many, of so many bytes.
const FILES: u64 = 200;
const FILE: u64 = 4096;

/// The most round trips that the control connection of one of the eight workers may take for its share of them, the login
/// included: 0.7 s and 1.2 s, were there nothing else.
const TURNS_DOWN: u32 = 35;
const TURNS_UP: u32 = 60;

type Test = (&'static str, fn(&Place));

/// What makes the place of a test.
type Make = fn() -> Place;

/// Those of the good link, and those of the bad one.
const ALL: [(Make, &[Test]); 2] = [(Place::new, TESTS), (Place::lossy, LOSSY)];

const TESTS: &[Test] = &[
    ("many small files down", many_down),
    ("many small files up", many_up),
    ("a folder is listed", listed),
    ("a large file down and up", large),
    ("a cut download goes on", cut_download_goes_on),
    ("a cut upload goes on", cut_upload_goes_on),
    ("a control connection that was forgotten", forgotten),
];

const LOSSY: &[Test] = &[
    ("a file goes down over a link that loses", lossy_down),
    ("a file goes up over a link that loses", lossy_up),
    (
        "many files go down and up over a link that loses",
        lossy_many,
    ),
];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let why_not = Link::with_round_trip(ROUND_TRIP).err();
    let trial = |(place, &(name, test)): (Make, &Test)| {
        Trial::test(name, move || {
            test(&place());
            Ok(())
        })
        .with_ignored_flag(why_not.is_some())
    };
    let tests = ALL
        .iter()
        .flat_map(|&(place, tests)| tests.iter().map(move |test| (place, test)));
    let conclusion = libtest_mimic::run(&args, tests.map(trial).collect());
    match why_not {
        Some(why) if !args.list => {
            programs::say(&format!("there is no {LINK} here: {why}"));
            programs::skipped(&BTreeSet::from([LINK]))
        }
        _ => conclusion.exit_code(),
    }
}

/// The server on the far side, the client on the near one.
struct Place {
    // They end while the link is still there.
    server: Server,
    client: Client,
    link: Link,
}

impl Place {
    fn new() -> Self {
        // As little patience as the client can have, for what is lost for good.
        Self::on(Link::with_round_trip(ROUND_TRIP), "2")
    }

    /// The same over the bad link.
    fn lossy() -> Self {
        // Nothing is lost for good here, but a packet may be lost three times over, each with twice the wait.
        Self::on(Link::with_loss(LONG_ROUND_TRIP, LOSS), "20")
    }

    fn on(link: Result<Link, String>, timeout: &str) -> Self {
        let link = link.unwrap_or_else(|why| panic!("{why}"));
        let server = link.far(|| Server::at(&Link::FAR.to_string()));
        let client = Client::new(server.address).with(&[
            "--jobs",
            "8",
            "--timeout",
            timeout,
            "--tls",
            "off",
        ]);
        Self {
            server,
            client,
            link,
        }
    }

    /// Runs the client to its end, which must be a good one, and gives its standard output.
    #[track_caller]
    fn succeed(&self, commands: &str) -> String {
        self.link.near(|| self.client.succeed(commands))
    }

    /// What the time for many small files is made of.
    #[track_caller]
    fn assert_turns(&self, most: u32) {
        let counts = self.link.counts(self.server.address.port());
        assert_eq!(counts.connections, 8, "the workers");
        assert!(counts.turns <= most, "{counts:?}, not {most} at most");
    }
}

fn name(number: u64) -> String {
    format!("many/file{number:03}")
}

/// Puts the small files into `folder`.
fn fill(folder: &Path) {
    fs::create_dir(folder.join("many")).expect("a folder");
    for number in 0..FILES {
        fs::write(folder.join(name(number)), Pattern::bytes(number, FILE)).expect("a file");
    }
}

/// Compares the small files in `folder` with what they have to be.
#[track_caller]
fn assert_full(folder: &Path) {
    for number in 0..FILES {
        assert_holds(&folder.join(name(number)), &Pattern::new(number, FILE));
    }
    let there = support::whole_names_in(&folder.join("many"));
    assert_eq!(there.len(), usize::try_from(FILES).expect("a small number"));
}

#[track_caller]
fn assert_holds(path: &Path, expected: &Pattern) {
    let what = path.display().to_string();
    let file = File::open(path).unwrap_or_else(|error| panic!("cannot open {what}: {error}"));
    assert_same(&what, file, expected.clone());
}

/// `len` bytes in a file, which they take up as they are written.
fn write(path: &Path, pattern: &Pattern) {
    let mut file = File::create(path).expect("a file");
    std::io::copy(&mut pattern.clone(), &mut file).expect("the file is written");
}

fn many_down(place: &Place) {
    fill(&place.server.root);
    place.succeed("get -r many");
    place.assert_turns(TURNS_DOWN);
    assert_full(&place.client.download(""));
}

fn many_up(place: &Place) {
    fill(place.client.folder());
    place.succeed("put -r many");
    place.assert_turns(TURNS_UP);
    assert_full(&place.server.root);
}

fn listed(place: &Place) {
    fill(&place.server.root);
    let listed = place.succeed("cd many\nls");
    let mut names: Vec<&str> = listed.lines().collect();
    names.sort_unstable();
    let expected: Vec<String> = (0..FILES)
        .map(|number| format!("file{number:03}"))
        .collect();
    assert_eq!(names, expected);
}

fn large(place: &Place) {
    let pattern = Pattern::new(1, 64 << 20);
    write(&place.server.path("down"), &pattern);
    write(&place.client.folder().join("up"), &pattern);
    place.succeed("get down\nput up");
    assert_holds(&place.client.download("down"), &pattern);
    assert_holds(&place.server.path("up"), &pattern);
}

/// A link that has lost something, and a server that has nothing left of what came over it.
#[track_caller]
fn assert_lost(place: &Place) {
    let lost = place.link.lost();
    eprintln!("{lost} packets were lost");
    assert!(lost > 0, "the link lost nothing");
    assert_eq!(support::temporaries(&place.server.root), [""; 0]);
    assert_eq!(partials_in(&place.server.root), [""; 0]);
    place.server.assert_never_panicked();
}

fn lossy_down(place: &Place) {
    let pattern = Pattern::new(1, 3 << 20);
    write(&place.server.path("down"), &pattern);
    place.succeed("get down");
    assert_holds(&place.client.download("down"), &pattern);
    assert_lost(place);
}

fn lossy_up(place: &Place) {
    let pattern = Pattern::new(2, 3 << 20);
    write(&place.client.folder().join("up"), &pattern);
    place.succeed("put up");
    assert_holds(&place.server.path("up"), &pattern);
    assert_lost(place);
}

fn lossy_many(place: &Place) {
    fill(&place.server.root);
    place.succeed("get -r many");
    assert_full(&place.client.download(""));
    // What has come goes back under another name.
    fs::rename(
        place.client.download("many"),
        place.client.folder().join("back"),
    )
    .expect("the folder is moved");
    place.succeed("put -r back");
    for number in 0..FILES {
        let path = place.server.path(&name(number).replace("many", "back"));
        assert_holds(&path, &Pattern::new(number, FILE));
    }
    assert_lost(place);
}

/// Starts the client, and kills it as soon as `under_way`.
fn cut(place: &Place, commands: &str, under_way: impl Fn() -> bool) {
    let running = place.link.near(|| place.client.spawn(commands));
    wait_until("the transfer to be under way", &under_way);
    running.signal(Signal::KILL);
    let output = running.output();
    assert!(!output.status.success(), "it was over before it was cut");
}

fn cut_download_goes_on(place: &Place) {
    let pattern = Pattern::new(1, 256 << 20);
    write(&place.server.path("file"), &pattern);
    let part = place.client.download("file.part");
    cut(place, "get file", || {
        fs::metadata(&part).is_ok_and(|part| part.len() > 0)
    });
    let before = fs::metadata(&part).expect("the part").len();
    place.succeed("get file");
    assert_holds(&place.client.download("file"), &pattern);
    // The server logs the bytes of each transfer.
    let rest = format!("RETR /file {} bytes", (256 << 20) - before);
    let log = place.server.log();
    assert!(log.contains(&rest), "no {rest}:\n{log}");
}

fn cut_upload_goes_on(place: &Place) {
    let pattern = Pattern::new(1, 256 << 20);
    write(&place.client.folder().join("file"), &pattern);
    cut(place, "put file", || {
        let temporaries = support::temporaries(&place.server.root);
        let has_some =
            |name: &String| fs::metadata(place.server.path(name)).is_ok_and(|file| file.len() > 0);
        temporaries.iter().any(has_some)
    });
    wait_until("the server to keep what came", || {
        !partials_in(&place.server.root).is_empty()
    });
    place.succeed("put file");
    assert_holds(&place.server.path("file"), &pattern);
}

fn forgotten(place: &Place) {
    let pattern = Pattern::new(1, 256 << 20);
    write(&place.server.path("file"), &pattern);
    let part = place.client.download("file.part");
    let running = place.link.near(|| place.client.spawn("get file"));
    wait_until("the transfer to be under way", || {
        fs::metadata(&part).is_ok_and(|part| part.len() > 0)
    });
    place.link.forget(place.server.address.port());
    let output = running.output();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}:\n{errors}", output.status);
    assert_holds(&place.client.download("file"), &pattern);
    let connections = place.link.counts(place.server.address.port()).connections;
    assert_eq!(connections, 2, "one that died, and one in its place");
    let log = place.server.log();
    let whole = format!("RETR /file {} bytes", 256 << 20);
    assert_eq!(log.matches(&whole).count(), 1, "fetched again:\n{log}");
}
