//! Crowds of strangers, and a client beside them that has an account: it is served while they stand, and all that they took
//! comes back when they are gone.
#![cfg(target_os = "linux")]

mod support;

use std::fs::Permissions;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use support::{
    Client, Footprint, Pattern, Raw, Server, UsersFile, connect_from, costly_account, descriptors,
    pss_kib, raise_file_limit, wait_until,
};

/// Each of these tests takes as many descriptors as a process may have.
static ALONE: Mutex<()> = Mutex::new(());

/// How many strangers there are in a crowd.
const CROWD: usize = 10_000;
/// How many drip a command, and how many bytes of it, each half a second behind the one before it.
const DRIPPING: usize = 5000;
const ROUNDS: usize = 8;
/// How many addresses guess at the password of one account.
const GUESSERS: u8 = 200;

/// How many clients at once the server has served before it is besieged: as many as may come from one address.
const CLIENTS: usize = 200;

/// A server in use: it has served as many clients at once as it does on a good day, and what it held then.
struct Besieged {
    server: Server,
    client: Client,
    before: Footprint,
    memory: u64,
    _users: UsersFile,
    _alone: MutexGuard<'static, ()>,
}

impl Besieged {
    #[track_caller]
    fn new(flags: &[&str]) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = raise_file_limit();
        assert!(
            limit > 10_100,
            "this machine lets a process open only {limit} files (its hard RLIMIT_NOFILE), and this test needs 10,100"
        );
        let users = UsersFile::new(&costly_account("anna", "permissions = 'read'"));
        let room = ["--max-clients=10010", "--max-clients-per-address=10010"];
        let patience = ["--login-timeout=10m", "--idle-timeout=10m"];
        let server = users.server(&[&room, &patience, flags].concat());
        server.write("a.bin", Pattern::bytes(1, 100_000));
        let client = Client::new(server.address).with(&["--tls", "require", "--accept-new"]);
        let netrc = client.folder().join(".netrc");
        client.write(".netrc", "machine 127.0.0.1 login anna password anna!\n");
        std::fs::set_permissions(netrc, Permissions::from_mode(0o600)).expect("its mode");
        let mut besieged = Self {
            before: server.at_rest(),
            memory: 0,
            server,
            client,
            _users: users,
            _alone: alone,
        };
        besieged.visit();
        besieged.serve_many();
        besieged
    }

    /// Clients come with their password, and go.
    #[track_caller]
    fn serve_many(&mut self) {
        self.server.wait_for_footprint(&self.before);
        let pid = self.server.pid();
        let fresh = pss_kib(pid);
        let clients = self.crowd(CLIENTS, |raw| {
            raw.run("USER anna", 331);
            raw.run("PASS anna!", 230);
        });
        drop(clients);
        self.server.wait_for_footprint(&self.before);
        self.memory = pss_kib(pid);
        println!(
            "{fresh} KiB at first, {} KiB behind {CLIENTS} clients at once",
            self.memory
        );
    }

    /// The client logs in, lists, and fetches a file, under TLS. Says how long that took, from the start of its process on.
    #[track_caller]
    fn visit(&self) -> Duration {
        let began = Instant::now();
        let listed = self.client.succeed("ls\nget a.bin\n");
        assert_eq!(listed, "a.bin\n");
        let took = began.elapsed();
        let file = self.client.download("a.bin");
        let came = std::fs::read(&file).expect("the file came");
        assert!(came == Pattern::bytes(1, 100_000), "another file came");
        std::fs::remove_file(file).expect("the file is removed");
        took
    }

    #[track_caller]
    fn crowd(&self, count: usize, say: fn(&mut Raw)) -> Vec<Raw> {
        let mut crowd = Vec::with_capacity(count);
        while crowd.len() < count {
            let mut raw = self.server.connect();
            say(&mut raw);
            crowd.push(raw);
        }
        crowd
    }

    /// All comes back that the server had: to the last descriptor and thread, and of its memory to a tenth.
    #[track_caller]
    fn assert_at_rest(&self) {
        self.server.wait_for_footprint(&self.before);
        assert_eq!(self.server.at_rest(), self.before);
        let (pid, most) = (self.server.pid(), self.memory + self.memory / 10);
        wait_until("the memory to come back", || pss_kib(pid) <= most);
        println!("{} KiB before, {} KiB after", self.memory, pss_kib(pid));
        self.server.assert_never_panicked();
    }
}

/// Ten thousand that have said something stand, and the client is served beside them.
#[track_caller]
fn ten_thousand(say: fn(&mut Raw)) {
    let besieged = Besieged::new(&[]);
    let crowd = besieged.crowd(CROWD, say);
    let took = besieged.visit();
    let held = descriptors(besieged.server.pid()) - besieged.before.descriptors;
    assert!(held >= CROWD, "only {held} of {CROWD} still stand");
    let memory = pss_kib(besieged.server.pid());
    println!("served beside {CROWD} in {took:.3?}, {memory} KiB with them");
    drop(crowd);
    besieged.assert_at_rest();
}

#[test]
fn ten_thousand_who_say_nothing() {
    ten_thousand(|_| ());
}

#[test]
fn ten_thousand_who_stop_amid_their_login() {
    ten_thousand(|raw| {
        raw.run("USER anna", 331);
        raw.send_bytes(b"PASS anna!");
    });
}

#[test]
fn five_thousand_who_drip_a_command_a_byte_at_a_time() {
    let besieged = Besieged::new(&[]);
    let mut crowd = besieged.crowd(DRIPPING, |raw| raw.send_bytes(b"U"));
    let rounds = AtomicUsize::new(0);
    let visits = thread::scope(|scope| {
        scope.spawn(|| drip(&mut crowd, &rounds));
        let mut visits = Vec::new();
        while rounds.load(Relaxed) < ROUNDS {
            visits.push(besieged.visit());
        }
        visits
    });
    let held = descriptors(besieged.server.pid()) - besieged.before.descriptors;
    assert!(held >= DRIPPING, "only {held} of {DRIPPING} still stand");
    println!(
        "served {} times beside {DRIPPING} that dripped {ROUNDS} bytes each, in {:.3?} at most",
        visits.len(),
        visits.iter().max().expect("one at least")
    );
    drop(crowd);
    besieged.assert_at_rest();
}

/// Has each of a crowd send a byte of a line, and then the next one.
fn drip(crowd: &mut [Raw], rounds: &AtomicUsize) {
    for _ in 0..ROUNDS {
        crowd.iter_mut().for_each(|raw| raw.send_bytes(b"S"));
        thread::sleep(Duration::from_millis(500));
        rounds.fetch_add(1, Relaxed);
    }
}

#[test]
fn two_hundred_addresses_that_guess_at_one_account() {
    let besieged = Besieged::new(&["-v", "--hash-jobs", "1"]);
    let server = &besieged.server;
    let passwords = || server.log().matches("PASS ***").count();
    let checked = || server.log().matches("was checked in").count();
    let before = (passwords(), checked());
    let flood: Vec<Raw> = (1..=GUESSERS)
        .map(|last| {
            let from = Ipv4Addr::new(127, 1, 0, last);
            let mut raw = Raw::over(connect_from(from, server.address));
            raw.expect(220);
            raw.run("USER anna", 331);
            raw.send("PASS wrong");
            raw
        })
        .collect();
    wait_until("all of them to have sent a password", || {
        passwords() - before.0 == flood.len()
    });
    let took = besieged.visit();
    let checked = checked() - before.1;
    println!("served when {checked} passwords were checked, in {took:.3?}");
    // All of them came before the client, and it waited for no more than were at it.
    assert!(checked < flood.len() / 2, "{checked} were checked first");
    drop(flood);
    besieged.assert_at_rest();
}
