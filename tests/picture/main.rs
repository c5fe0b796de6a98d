//! The README's picture of a session is what the client shows: drawn from what it writes in a pseudo-terminal.
//!
//! `FTP_WRITE_TABLES=1 cargo test --test picture` draws it anew.

#[path = "../support/mod.rs"]
mod support;
mod svg;
mod terminal;

use rustix::process::Signal;
use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};
use support::readme;
use support::{Server, wait_until};
use tempfile::TempDir;
use terminal::Terminal;

/// 2026-03-01 09:30 UTC, from which on the files of the picture are dated.
const START: u64 = 1_772_357_400;
const DAY: u64 = 86_400;
const PICTURE: &str = "tests/picture/session.svg";

/// The bytes of each of two films, which are under way when the picture is taken.
const FILM: u64 = 192 << 20;
/// After how many bytes of both that is, so that neither is over.
const ENOUGH: u64 = 150 << 20;
/// How many bytes come at a time, and how long the next ones then are waited for: otherwise it would be over before a bar
/// is shown.
const STEP: u64 = 6 << 20;
const PAUSE: Duration = Duration::from_millis(100);

#[test]
fn the_picture_of_the_readme_is_what_the_client_shows() {
    let server = Server::start();
    for (day, (name, len)) in (0..).zip([
        ("bridge.mp4", FILM),
        ("canal.mp4", FILM),
        ("trip/bridge.jpg", 2_411_724),
        ("trip/market.jpg", 1_887_436),
        ("trip/tower.jpg", 3_145_728),
        ("readme.txt", 1_204),
        ("report.pdf", 482_304),
    ]) {
        add(&server, name, len, START + day * DAY);
    }
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    fs::write(folder.path().join("notes.txt"), [b'a'; 3_071]).expect("a file to send");
    let terminal = session(&server, folder.path());
    let drawn = svg::draw(&terminal.screen(), "ftp-client");
    // So that it can end.
    server.signal(Signal::CONT);

    let there = fs::read_to_string(readme::path(PICTURE)).unwrap_or_default();
    let same = masked(&drawn) == masked(&there);
    // Dates alone are no reason for another picture.
    if !(same && readme::is_in_place()) {
        readme::write(PICTURE, &drawn).expect("the picture is written");
    }
    if same || readme::is_in_place() {
        return;
    }
    let (drawn, there) = (masked(&drawn), masked(&there));
    let differs = drawn.lines().zip(there.lines()).find(|(a, b)| a != b);
    panic!(
        "the client shows something else than the README's picture: {differs:?}; \
         FTP_WRITE_TABLES=1 cargo test --test picture draws it anew"
    );
}

/// Puts a file into the served folder, with the date that its row shows.
fn add(server: &Server, name: &str, len: u64, seconds: u64) {
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let folder = Path::new(name)
        .parent()
        .filter(|path| *path != Path::new(""));
    if let Some(folder) = folder {
        server.make_folder(&folder.display().to_string());
    }
    let file = server.write_sparse(name, len);
    file.set_modified(date).expect("the date is set");
    if let Some(folder) = folder {
        let folder = File::open(server.path(&folder.display().to_string())).expect("the folder");
        folder.set_modified(date).expect("the date is set");
    }
}

/// What is typed.
fn session(server: &Server, folder: &Path) -> Terminal {
    let mut terminal = Terminal::start(folder, server.address.port());
    terminal.line("ls");
    terminal.keys("get re", "ftp> get re");
    // The first shows that there are several, the second which.
    terminal.keys("\t\t", "ftp> get re");
    wait_until("the names", || {
        terminal.lines_with("readme.txt  report.pdf") == 1
    });
    terminal.keys("p\t", "ftp> get report.pdf");
    terminal.enter();
    terminal.line("get -r trip");
    terminal.line("put notes.txt");
    terminal.line("gte canal.mp4");
    terminal.line("help put");
    terminal.keys("get *.mp4", "ftp> get *.mp4");
    terminal.enter_meanwhile(|| fetch_slowly(server, &folder.join("client_downloads")));
    wait_until("a bar for each film, and one for both", || {
        terminal.lines_with("%") == 3
    });
    terminal
}

/// Lets the server send step by step, and stops it when there is enough.
fn fetch_slowly(server: &Server, downloads: &Path) {
    let here = || {
        let names = support::names_in(downloads).into_iter();
        let parts = names.filter(|name| name.ends_with(".mp4.part"));
        parts
            .filter_map(|name| Some(fs::metadata(downloads.join(name)).ok()?.len()))
            .sum::<u64>()
    };
    let mut next = STEP;
    while next < ENOUGH {
        wait_until("the next part of the films", || here() >= next);
        server.signal(Signal::STOP);
        thread::sleep(PAUSE);
        next = here() + STEP;
        if next < ENOUGH {
            server.signal(Signal::CONT);
        }
    }
}

/// A picture without what is another in each session: numbers and their units, and with them places and lengths.
fn masked(svg: &str) -> String {
    let words = svg.split([' ', '\n', '>', '<', '(', ')', '[', ']']);
    let stays = |word: &&str| {
        let unit = word.trim_end_matches(',');
        let unit = unit.strip_suffix("/s").unwrap_or(unit);
        let varies = matches!(unit, "ms" | "s" | "min" | "B" | "KiB" | "MiB" | "GiB")
            || word.contains(|c: char| c.is_ascii_digit());
        let is_bar = word.replace("&gt;", "").trim_matches('=').is_empty();
        word.starts_with("fill=") || !(varies || is_bar)
    };
    let mut words: Vec<&str> = words.filter(stays).collect();
    // Of several files at once, any may be the first.
    words.sort_unstable();
    words.join("\n")
}
