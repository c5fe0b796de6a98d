//! What libFuzzer runs, on stable Rust: each target of `fuzz/` with all of its corpus, and with what a few seeds make of that.

#[path = "../fuzz/targets/mod.rs"]
#[allow(missing_docs, unreachable_pub)]
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::thread;

/// The stack of a session's thread in the server, in bytes: nothing of what is read may need more.
const STACK: usize = 256 * 1024;
/// The longest input that is made, in bytes.
const LONGEST: usize = 4096;

#[test]
fn control_line() {
    run("control_line", 5000, targets::control_line);
}

#[test]
fn command() {
    run("command", 5000, targets::command);
}

#[test]
fn reply() {
    run("reply", 5000, targets::reply);
}

#[test]
fn mlsx_row() {
    run("mlsx_row", 5000, targets::mlsx_row);
}

#[test]
fn list_row() {
    run("list_row", 5000, targets::list_row);
}

#[test]
fn address() {
    run("address", 5000, targets::address);
}

#[test]
fn proxy() {
    run("proxy", 5000, targets::proxy);
}

#[test]
fn users_file() {
    run("users_file", 5000, targets::users_file);
}

#[test]
fn session() {
    run("session", 1000, targets::session);
}

#[test]
fn each_target_has_its_corpus_and_its_binary() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let names = |folder: &str| {
        let entries = fs::read_dir(fuzz.join(folder)).expect("a folder of fuzz/");
        let mut names: Vec<String> = entries
            .map(|entry| {
                let path = entry.expect("an entry").path();
                let stem = path.file_stem().expect("a name");
                stem.to_string_lossy().into_owned()
            })
            .collect();
        names.sort();
        names
    };
    let here = include_str!("corpus.rs");
    for target in names("corpus") {
        assert!(here.contains(&format!("run(\"{target}\", ")), "{target}");
    }
    assert_eq!(names("corpus"), names("fuzz_targets"));
}

/// Runs a target with each file of its corpus, and with so many mutations of them.
fn run(target: &str, mutations: u64, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files = fs::read_dir(&folder).expect("the corpus");
    let corpus: BTreeMap<String, Vec<u8>> = files
        .map(|file| {
            let path = file.expect("a file").path();
            let bytes = fs::read(&path).expect("a file of the corpus");
            (path.display().to_string(), bytes)
        })
        .collect();
    assert!(corpus.len() >= 10, "{} has too little", folder.display());
    let seeds: Vec<&[u8]> = corpus.values().map(Vec::as_slice).collect();
    let all = || {
        for (name, bytes) in &corpus {
            check(name, bytes, body);
        }
        for seed in 0..mutations {
            check(&format!("seed {seed}"), &mutation(seed, &seeds), body);
        }
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name(target.to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, all)
            .expect("a thread");
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
    });
}

/// Runs a target once, and says with what if it fails.
fn check(name: &str, bytes: &[u8], body: fn(&[u8])) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(bytes))) {
        eprintln!("{name} failed: b\"{}\"", bytes.escape_ascii());
        resume_unwind(panic);
    }
}

/// What a seed makes of the corpus: one of its files, with a few changes.
fn mutation(seed: u64, corpus: &[&[u8]]) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = corpus[random.below(corpus.len())].to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(16)).min(bytes.len());
        match random.below(7) {
            0 => bytes.insert(at, random.byte()),
            1 => drop(bytes.drain(at..end)),
            2 if at < bytes.len() => bytes[at] = random.byte(),
            3 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            4 => {
                let piece = bytes[at..end].repeat(1 + random.below(40));
                bytes.splice(at..end, piece);
            }
            5 => {
                let other = corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                let to = (from + random.below(200)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                let other = corpus[random.below(corpus.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

/// The same numbers for the same seed: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a small number");
        usize::try_from(self.next() % bound).expect("a small number")
    }

    /// Often one that means something to FTP.
    fn byte(&mut self) -> u8 {
        const SPECIAL: &[u8] = b"\0\r\n\t\x1b\x7f\x80\xff\xf4 ./\\,;=-|()*?[{~\"'0129aA";
        match self.below(2) {
            0 => SPECIAL[self.below(SPECIAL.len())],
            _ => self.next().to_le_bytes()[0],
        }
    }
}
