//! What do commands, replies, addresses and listing rows cost to be read and written, in time and in allocations?
//!
//! `cargo bench --bench micro [-- NAME]`. These are in memory alone, and so are the first to show a change.

use divan::{AllocProfiler, Bencher, black_box};
use jiff::Timestamp;
use multi_client_ftp::protocol::address::{ExtendedPassiveText, HostPort, PassiveText};
use multi_client_ftp::protocol::command::Command;
use multi_client_ftp::protocol::entry::{Entry, FactSet, Kind, Perm, Unique};
use multi_client_ftp::protocol::reply::{MAX_REPLY_LINE, Reply, ReplyCode};
use multi_client_ftp::protocol::{Lines, MAX_LINE};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// One with no argument, those of a small file's transfer, one with a number, one with two arguments.
const COMMANDS: [&str; 6] = [
    "NOOP",
    "EPSV",
    "RETR folder/file.txt",
    "SIZE folder/file.txt",
    "REST 1073741824",
    "MFMT 20261122132400 folder/file.txt",
];

/// Replies of one line and of several.
const REPLIES: [&str; 3] = [
    "226 Transfer complete.\r\n",
    "229 Entering Extended Passive Mode (|||61234|).\r\n",
    "211-Features:\r\n MDTM\r\n SIZE\r\n REST STREAM\r\n UTF8\r\n211 End.\r\n",
];

fn main() {
    divan::main();
}

/// A file as the server lists it.
fn entry() -> Entry {
    Entry {
        size: Some(4096),
        modified: Timestamp::from_second(1_790_000_000).ok(),
        perm: Some(Perm::of("adfrw")),
        unique: Some(Unique::File {
            device: 64768,
            inode: 1_715_004,
        }),
        mode: Some(0o644),
        ..Entry::new("file0123.txt", Kind::File)
    }
}

/// What formats into memory that is there already, as a connection's or a listing's buffer is.
fn into_buffer(bencher: Bencher, write: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) {
    let mut buffer = Vec::with_capacity(4096);
    bencher.bench_local(|| {
        buffer.clear();
        write(&mut buffer).expect("memory takes it");
        black_box(buffer.len())
    });
}

mod lines {
    use super::*;

    #[divan::bench(args = COMMANDS)]
    fn read(bencher: Bencher, line: &str) {
        let input = format!("{line}\r\n");
        let mut lines = Lines::new(MAX_LINE);
        bencher.bench_local(|| lines.read(&mut black_box(input.as_bytes())));
    }
}

mod command {
    use super::*;

    #[divan::bench(args = COMMANDS)]
    fn parse(line: &str) -> Command {
        line.parse().expect("a command")
    }

    #[divan::bench(args = COMMANDS)]
    fn write(bencher: Bencher, line: &str) {
        let command: Command = line.parse().expect("a command");
        into_buffer(bencher, |buffer| black_box(&command).write_to(buffer));
    }
}

mod reply {
    use super::*;

    #[divan::bench(args = REPLIES)]
    fn read(bencher: Bencher, text: &str) {
        let mut lines = Lines::new(MAX_REPLY_LINE);
        bencher.bench_local(|| Reply::read(&mut lines, &mut black_box(text.as_bytes())));
    }

    #[divan::bench(args = REPLIES)]
    fn write(bencher: Bencher, text: &str) {
        let mut lines = Lines::new(MAX_REPLY_LINE);
        let reply = Reply::read(&mut lines, &mut text.as_bytes()).expect("a reply");
        into_buffer(bencher, |buffer| black_box(&reply).write_to(buffer));
    }

    #[divan::bench]
    fn make() -> Reply {
        Reply::new(ReplyCode::TRANSFER_DONE, black_box("Transfer complete."))
    }
}

mod address {
    use super::*;

    #[divan::bench]
    fn parse_227() -> PassiveText {
        let text = black_box("Entering Passive Mode (127,0,0,1,239,50).");
        text.parse().expect("an address")
    }

    #[divan::bench]
    fn format_227(bencher: Bencher) {
        let text = PassiveText(HostPort("127.0.0.1:61234".parse().expect("an address")));
        bencher.bench_local(|| black_box(text).to_string());
    }

    #[divan::bench]
    fn parse_229() -> ExtendedPassiveText {
        let text = black_box("Entering Extended Passive Mode (|||61234|).");
        text.parse().expect("a port")
    }

    #[divan::bench]
    fn format_229() -> String {
        black_box(ExtendedPassiveText(61234)).to_string()
    }
}

mod row {
    use super::*;

    #[divan::bench]
    fn write_mlsd(bencher: Bencher) {
        let entry = entry();
        into_buffer(bencher, |buffer| {
            black_box(&entry).write_facts(FactSet::ALL, buffer)
        });
    }

    #[divan::bench]
    fn parse_mlsd(bencher: Bencher) {
        let mut row = Vec::new();
        let written = entry().write_facts(FactSet::ALL, &mut row);
        written.expect("memory takes it");
        let row = String::from_utf8(row).expect("text");
        bencher.bench_local(|| Entry::parse_facts(black_box(&row)));
    }

    #[divan::bench]
    fn write_list(bencher: Bencher) {
        let (entry, now) = (entry(), Timestamp::now());
        into_buffer(bencher, |buffer| black_box(&entry).write_row(now, buffer));
    }

    #[divan::bench]
    fn parse_list(bencher: Bencher) {
        let now = Timestamp::now();
        let mut row = Vec::new();
        entry().write_row(now, &mut row).expect("memory takes it");
        let row = String::from_utf8(row).expect("text");
        bencher.bench_local(|| Entry::parse_row(black_box(&row), now));
    }
}
