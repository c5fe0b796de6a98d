//! Random sessions against the real server: whatever comes, each command gets exactly one final reply, and nothing hangs.

use crate::support::{Active, Raw, Server, data_bytes, data_connection, reset};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use std::fmt;
use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, TcpStream};

/// Commands that have their reply without a data connection.
const PLAIN: [&str; 44] = [
    "NOOP",
    "PWD",
    "CWD d",
    "CWD /",
    "CDUP",
    "MKD d",
    "RMD d",
    "DELE up",
    "DELE a",
    "RNFR a",
    "RNTO b",
    "RNFR b",
    "RNTO a",
    "SIZE a",
    "SIZE up",
    "MDTM a",
    "MDTM 20010909014640 a",
    "MFMT 20010909014640 a",
    "MLST",
    "MLST up",
    "HASH a",
    "XCRC big",
    "STAT",
    "STAT /",
    "STAT *",
    "FEAT",
    "HELP",
    "SYST",
    "TYPE A",
    "TYPE I",
    "MODE S",
    "STRU F",
    "ALLO 1",
    "REST 2",
    "REST 0",
    "OPTS MLST size;",
    "OPTS UTF8 ON",
    "SITE CHMOD 600 a",
    "SITE UTIME 20010909014640 a",
    "EPSV",
    "PASV",
    "EPSV ALL",
    "ABOR",
    "CLNT x",
];
/// Lines that are refused whatever the session is in.
const MALFORMED: [&str; 18] = [
    "",
    " ",
    "FOO",
    "RETR",
    "SIZE",
    "REST -1",
    "REST 99999999999999999999",
    "PORT 1,2,3",
    "PORT 127,0,0,2,9,9",
    "EPRT |1|127.0.0.1|99999|",
    "EPSV 7",
    "TYPE Q",
    "MODE",
    "SITE X",
    "QUIT now",
    "RNTO",
    "PASV x",
    "MFMT x a",
];
const VERBS: [&str; 20] = [
    "USER", "PASS", "CWD", "MKD", "SIZE", "MLST", "RETR", "STOR", "LIST", "NLST", "STAT", "REST",
    "TYPE", "OPTS", "SITE", "PORT", "HASH", "HELP", "XMD5", "MFMT",
];
const TRANSFERS: [&str; 18] = [
    "RETR a",
    "RETR big",
    "RETR missing",
    "RETR d",
    "STOR up",
    "STOR d/up",
    "STOR d",
    "STOR missing/x",
    "APPE up",
    "APPE a",
    "STOU",
    "LIST",
    "LIST a*",
    "NLST",
    "NLST ?",
    "NLST *none",
    "MLSD",
    "MLSD a",
];
/// How many lines of a session may be no commands: one more ends it with 421 where nobody is logged in.
const MOST_FAULTS: usize = 19;
/// What may stand before a command: Telnet's synch, and an option that nobody wants.
const TELNET: [&[u8]; 4] = [b"", b"", b"\xff\xf4\xff\xf2", b"\xff\xfd\x03"];

/// A line without its end. A failure shows it as text.
#[derive(Clone)]
struct Line(Vec<u8>);

impl Line {
    /// Whether it is surely a command, allowed or not.
    fn is_command(&self) -> bool {
        PLAIN.iter().chain(&TRANSFERS).any(|command| {
            self.0.ends_with(command.as_bytes()) && self.0.len() <= command.len() + 4
        })
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// One thing that a client does.
#[derive(Debug, Clone)]
enum Step {
    /// Lines in one go, in segments of so many bytes.
    Lines(Vec<Line>, usize),
    /// A transfer, and lines that are sent right behind its command.
    Transfer(Setup, &'static str, Peer, Vec<Line>),
    /// ABOR as urgent data.
    UrgentAbor,
}

/// How the data connection is prepared.
#[derive(Debug, Clone, Copy)]
enum Setup {
    None,
    Epsv,
    Pasv,
    Port,
    Eprt,
    /// A port that nobody listens on.
    Deaf,
}

/// What the client does with the data connection.
#[derive(Debug, Clone, Copy)]
enum Peer {
    /// It never connects, and gives up with ABOR.
    Absent,
    /// It sends all that it has, and takes all that there is.
    Whole,
    /// It connects and closes.
    Closes,
    /// It sends a part, and is gone.
    Resets,
    /// It neither sends nor reads, and gives up with ABOR.
    Stalls,
}

fn line() -> impl Strategy<Value = Line> {
    let bytes = |text: &'static str| text.as_bytes().to_vec();
    // A line end would make it two lines, and 0xFF not the line that it looks like.
    let noise = || {
        proptest::collection::vec(
            any::<u8>().prop_filter("one line", |byte| !matches!(byte, b'\n' | 0xff)),
            0..40,
        )
    };
    let text = prop_oneof![
        6 => select(&PLAIN[..]).prop_map(bytes),
        3 => select(&MALFORMED[..]).prop_map(bytes),
        2 => (select(&VERBS[..]), noise()).prop_map(|(verb, noise)| [verb.as_bytes(), b" ", &noise].concat()),
        1 => select(&TRANSFERS[..]).prop_map(bytes),
        // With a letter before it that no command begins with, so that it is never QUIT.
        1 => noise().prop_map(|noise| [b"#", &noise[..]].concat()),
        1 => Just(vec![b'x'; 5000]),
        // What a transfer listens to.
        2 => select(&["STAT", "ABOR", "stat", "abor"][..]).prop_map(bytes),
    ];
    (select(&TELNET[..]), text).prop_map(|(telnet, text)| Line([telnet, &text].concat()))
}

fn step() -> impl Strategy<Value = Step> {
    let lines = |most| proptest::collection::vec(line(), 0..most);
    let setup = select(
        &[
            Setup::None,
            Setup::Epsv,
            Setup::Epsv,
            Setup::Pasv,
            Setup::Port,
            Setup::Eprt,
            Setup::Deaf,
        ][..],
    );
    let peer = select(
        &[
            Peer::Absent,
            Peer::Whole,
            Peer::Whole,
            Peer::Closes,
            Peer::Resets,
            Peer::Stalls,
        ][..],
    );
    prop_oneof![
        4 => (lines(8), 1_usize..200).prop_map(|(lines, segment)| Step::Lines(lines, segment)),
        6 => (setup, select(&TRANSFERS[..]), peer, lines(4))
            .prop_map(|(setup, command, peer, behind)| Step::Transfer(setup, command, peer, behind)),
        1 => Just(Step::UrgentAbor),
    ]
}

/// A session that counts the final replies that it has to get.
struct Session {
    raw: Raw,
    owed: usize,
    /// How many lines were sent that may be no commands.
    faults: usize,
}

impl Session {
    /// Reads all the replies that are due, and no more.
    fn settle(&mut self) {
        while self.owed > 0 {
            let reply = self.raw.reply();
            assert!((100..600).contains(&reply.code), "{reply}");
            // 421 ends a session and 451 is for faults of the server's own: nothing here is to bring them about.
            assert!(![421, 451].contains(&reply.code), "{reply}");
            if reply.code >= 200 {
                self.owed -= 1;
            }
        }
    }

    fn send(&mut self, lines: &[Line], segment: usize) {
        let mut allowed = lines.to_vec();
        allowed.retain(|line| {
            self.faults += usize::from(!line.is_command());
            line.is_command() || self.faults <= MOST_FAULTS
        });
        self.owed += allowed.len();
        let bytes: Vec<u8> = allowed
            .iter()
            .flat_map(|line| [&line.0, &b"\r\n"[..]].concat())
            .collect();
        for part in bytes.chunks(segment) {
            self.raw.send_bytes(part);
        }
    }

    /// Sends one command whose reply is looked at.
    fn ask(&mut self, line: &str) -> crate::support::Reply {
        self.settle();
        self.raw.send(line);
        self.raw.reply()
    }

    /// The port of a 227 or 229 reply. A session that is not logged in, or that has said EPSV ALL, gets none.
    fn passive(&mut self, verb: &str) -> Option<TcpStream> {
        let reply = self.ask(verb);
        let numbers: Vec<u16> = reply
            .text
            .get(4..)?
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        let port = match (reply.code, &numbers[..]) {
            (227, [_, _, _, _, high, low]) => high * 256 + low,
            (229, [port]) => *port,
            _ => return None,
        };
        Some(data_connection((Ipv4Addr::LOCALHOST, port).into()))
    }

    fn transfer(&mut self, setup: Setup, command: &str, peer: Peer, behind: &[Line]) {
        let active = Active::at(Ipv4Addr::LOCALHOST);
        let deaf = Active::deaf(Ipv4Addr::LOCALHOST);
        let mut data = None;
        match setup {
            Setup::None => {}
            Setup::Epsv if matches!(peer, Peer::Absent) => drop(self.ask("EPSV")),
            Setup::Epsv => data = self.passive("EPSV"),
            Setup::Pasv => data = self.passive("PASV"),
            Setup::Port => drop(self.ask(&active.port_line())),
            Setup::Eprt => drop(self.ask(&active.eprt_line())),
            Setup::Deaf => drop(self.ask(&deaf.port_line())),
        }
        self.settle();
        let mut lines = vec![Line(command.as_bytes().to_vec())];
        lines.extend_from_slice(behind);
        // Whoever waits for nothing says so, or the server waits as long as its time limit says.
        if matches!(peer, Peer::Absent | Peer::Stalls) || data.is_none() {
            lines.push(Line(b"ABOR".to_vec()));
        }
        self.send(&lines, usize::MAX);
        if matches!(setup, Setup::Port | Setup::Eprt) && !matches!(peer, Peer::Absent) {
            let first = self.raw.reply();
            match first.code {
                150 => data = Some(active.accept()),
                _ => self.owed -= 1,
            }
        }
        if let Some(data) = data {
            self.play(peer, data);
        }
    }

    /// The data side of a transfer, whichever way it goes.
    fn play(&mut self, peer: Peer, mut data: TcpStream) {
        // The server may have closed it by now.
        match peer {
            Peer::Absent | Peer::Closes => {}
            Peer::Whole => {
                let _ = data.write_all(b"one\r\ntwo\n");
                let _ = data.shutdown(Shutdown::Write);
                data_bytes(data);
            }
            Peer::Resets => {
                let _ = data.write_all(&[b'x'; 3000]);
                reset(data);
            }
            Peer::Stalls => self.settle(),
        }
    }
}

/// Plays one session from its greeting to its end.
fn play(server: &Server, logged_in: bool, steps: &[Step]) {
    server.write("a", "a\nb\n");
    server.write_sparse("big", 16 * 1024 * 1024);
    let mut session = Session {
        raw: server.connect(),
        owed: 0,
        faults: 0,
    };
    if logged_in {
        session.raw.login();
    }
    for step in steps {
        match step {
            Step::Lines(lines, segment) => {
                let mut lines = lines.clone();
                // One of them may be a transfer behind an EPSV that nobody connects to.
                lines.push(Line(b"ABOR".to_vec()));
                session.send(&lines, *segment);
            }
            Step::Transfer(setup, command, peer, behind) => {
                session.transfer(*setup, command, *peer, behind);
            }
            Step::UrgentAbor => {
                session.raw.send_urgent(b"ABOR\r\n");
                session.owed += 1;
            }
        }
    }
    session.settle();
    // One reply too many would stand before this one, or before the end.
    session.raw.run("QUIT", 221);
    session.raw.expect_closed();
}

#[test]
fn each_command_has_exactly_one_final_reply() {
    let server = Server::with(&[
        "--anonymous",
        "full",
        "--data-timeout",
        "2",
        "--login-attempts",
        "1000000",
    ]);
    let before = server.footprint();
    let config = ProptestConfig {
        cases: 1000,
        max_shrink_time: 60_000,
        // Says the seed of a failure, and tries it first the next time.
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        source_file: Some(file!()),
        ..ProptestConfig::default()
    };
    let sessions = (
        prop::bool::weighted(0.9),
        proptest::collection::vec(step(), 1..10),
    );
    let outcome = TestRunner::new(config).run(&sessions, |(logged_in, steps)| {
        play(&server, logged_in, &steps);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    server.wait_for_footprint(&before);
    server.assert_never_panicked();
}
