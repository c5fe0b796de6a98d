//! A GlusterFS volume of three replicas on this machine, mounted three times, with a server over each.

use crate::support::{
    Client, PATIENCE, Pattern, Server, names_in, reset, wait_for_part, wait_until,
};
use crate::watch::watch;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// GlusterFS takes no address of the loopback network.
const ADDRESS: &str = "10.77.0.1";
/// How long clients work at the same few files: a put takes some twenty times as long as on a disk.
const TIME: Duration = Duration::from_secs(6);
/// Where its daemons keep what they keep, whatever they are told.
const KEPT: [&str; 3] = ["/var/lib/glusterd", "/run", "/var/log/glusterfs"];

/// What lets each server see at once what another has done; see `deploy/three-servers-one-volume.md`.
const SETTINGS: [(&str, &str); 9] = [
    ("performance.open-behind", "off"),
    ("performance.quick-read", "off"),
    ("performance.io-cache", "off"),
    ("performance.read-ahead", "off"),
    ("performance.readdir-ahead", "off"),
    ("performance.stat-prefetch", "off"),
    ("performance.flush-behind", "off"),
    ("network.ping-timeout", "5"),
    ("cluster.self-heal-daemon", "on"),
];

/// Makes the namespaces ready: the loopback device, and disks in memory in the place of what daemons would leave behind.
pub(crate) fn furnish() {
    run("ip", &["link", "set", "lo", "up"]);
    run(
        "ip",
        &["addr", "add", &format!("{ADDRESS}/32"), "dev", "lo"],
    );
    let folder = std::env::temp_dir();
    let kept = KEPT.map(PathBuf::from);
    for folder in kept.iter().filter(|kept| kept.is_dir()).chain([&folder]) {
        run("mount", &["-t", "tmpfs", "tmpfs", text(folder)]);
    }
    fs::create_dir_all("/run/gluster").expect("a folder");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Runs a program to its end, which must be a good one.
#[track_caller]
fn run(program: &str, arguments: &[&str]) -> String {
    attempt(program, arguments).unwrap_or_else(|why| panic!("{why}"))
}

fn attempt(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    match output.status.success() {
        true => Ok(said),
        false => Err(format!(
            "{program} {arguments:?}: {}: {said}",
            output.status
        )),
    }
}

#[track_caller]
fn gluster(words: &[&str]) -> String {
    run("gluster", &[&["--mode=script"], words].concat())
}

/// The volume, which all tests have.
struct Volume {
    folder: TempDir,
}

impl Volume {
    fn the() -> &'static Self {
        static THE: OnceLock<Volume> = OnceLock::new();
        THE.get_or_init(Self::make)
    }

    fn make() -> Self {
        let folder = TempDir::with_prefix("volume-").expect("a temporary folder");
        let path = |name: &str| text(&folder.path().join(name)).to_owned();
        let daemon = [
            format!("--pid-file={}", path("glusterd.pid")),
            format!("--log-file={}", path("glusterd.log")),
        ];
        run("glusterd", &daemon.each_ref().map(String::as_str));
        wait_until("glusterd", || {
            attempt("gluster", &["--mode=script", "volume", "info"]).is_ok()
        });
        let bricks = [1, 2, 3].map(|number| {
            let brick = path(&format!("brick{number}"));
            fs::create_dir(&brick).expect("a folder");
            format!("{ADDRESS}:{brick}")
        });
        let [one, two, three] = &bricks;
        gluster(&[
            "volume", "create", "ftp", "replica", "3", one, two, three, "force",
        ]);
        for (name, value) in SETTINGS {
            gluster(&["volume", "set", "ftp", name, value]);
        }
        gluster(&["volume", "start", "ftp"]);
        let volume = Self { folder };
        for number in 1..=3 {
            let mount = volume.mount(number);
            fs::create_dir(&mount).expect("a folder");
            run(
                "glusterfs",
                &[
                    "--volfile-server",
                    ADDRESS,
                    "--volfile-id=ftp",
                    "--entry-timeout=0",
                    "--attribute-timeout=0",
                    "--negative-timeout=0",
                    &format!("--log-file={}.log", text(&mount)),
                    text(&mount),
                ],
            );
            let here = fs::metadata(volume.folder.path())
                .expect("the folder")
                .dev();
            wait_until("the volume to be mounted", || {
                fs::metadata(&mount).is_ok_and(|mount| mount.dev() != here)
            });
        }
        volume
    }

    fn mount(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("mount{number}"))
    }

    /// Kills a brick as a machine that goes down does.
    #[track_caller]
    fn kill_brick(&self, number: u32) {
        let brick = text(&self.folder.path().join(format!("brick{number}"))).replace('/', "-");
        let file = format!("/run/gluster/vols/ftp/{ADDRESS}{brick}.pid");
        let pid = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a number"), Signal::KILL).expect("the brick is killed");
    }

    /// Lets all bricks run again, and waits until each has what the others have.
    #[track_caller]
    fn heal(&self) {
        gluster(&["volume", "start", "ftp", "force"]);
        let began = Instant::now();
        let mut info = String::new();
        // A brick of which nothing is known has a dash for a number.
        while info.matches("Number of entries: 0\n").count() != 3 {
            assert!(
                began.elapsed() < 2 * PATIENCE,
                "the volume does not heal:\n{info}"
            );
            // It fails as long as the brick is not there yet.
            let _ = attempt("gluster", &["--mode=script", "volume", "heal", "ftp"]);
            thread::sleep(PATIENCE / 60);
            let told = attempt(
                "gluster",
                &["--mode=script", "volume", "heal", "ftp", "info"],
            );
            info = told.unwrap_or_else(|why| why);
        }
    }
}

/// Three servers over a new folder of the volume, each by a mount of its own.
fn servers() -> [Server; 3] {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let volume = Volume::the();
    let name = format!("folder{}", COUNT.fetch_add(1, Ordering::Relaxed));
    fs::create_dir(volume.mount(1).join(&name)).expect("a folder of the volume");
    [1, 2, 3].map(|number| {
        let outside = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
        let root = outside.path().join("root");
        symlink(volume.mount(number).join(&name), &root).expect("a link");
        let mut command = Server::command();
        command.args(["--host", "127.0.0.1", "--port", "0", "--anonymous", "full"]);
        command.arg("--root").arg(&root);
        Server::from_command(command, outside)
    })
}

/// What the client told of.
fn events(errors: &[u8], kind: &str) -> Vec<Value> {
    let errors = String::from_utf8_lossy(errors);
    let all = errors
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    all.filter(|event: &Value| event["event"] == kind).collect()
}

/// One large file and many small ones, while a brick is killed and then two of the servers.
pub(crate) fn uploads_go_on() {
    let mut servers = servers();
    let large = a_large_file(&mut servers);
    let small = small_files(&mut servers);
    // On the bricks that were there, and on all of them later.
    for healed in [false, true] {
        if healed {
            Volume::the().heal();
        }
        for server in &servers {
            assert!(server.read("large") == large, "another file");
            for (number, file) in small.iter().enumerate() {
                let there = server.read(&format!("d/{number}"));
                assert!(there == *file, "another {number}");
            }
        }
    }
    // What a server left of small files is hidden, and for the sweep.
    let rows = servers[2].login().rows("NLST d");
    assert_eq!(rows.len(), small.len());
    assert_eq!(names_in(&servers[2].root), ["d", "large"]);
}

/// A client that has time between the attempts for what another machine has to find out.
fn patient(servers: &[Server]) -> Client {
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    let flags = "--json --limit-rate 2M --retry-wait 100 --retries 6 --jobs 3";
    Client::of(&addresses).with(&flags.split(' ').collect::<Vec<_>>())
}

/// The first server dies in the midst of it, and a brick before.
fn a_large_file(servers: &mut [Server; 3]) -> Vec<u8> {
    const SIZE: u64 = 12_000_000;
    let client = patient(servers);
    let file = Pattern::bytes(99, SIZE);
    client.write("large", &file);
    let running = client.spawn("put large\n");
    wait_for_part(&servers[0], SIZE / 10);
    Volume::the().kill_brick(1);
    wait_for_part(&servers[0], SIZE / 3);
    servers[0].signal(Signal::KILL);
    servers[0].ended();
    let output = running.output();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let sent = events(&output.stderr, "sent");
    let number = |key: &str| sent[0][key].as_u64().unwrap_or_default();
    assert!(number("resumed_at") > SIZE / 10, "{sent:?}");
    assert_eq!(number("resumed_at") + number("bytes"), SIZE);
    let logged = format!("STOR /large {} bytes", number("bytes"));
    servers[1].wait_for_log(&[&logged, "226"]);
    file
}

/// The second server dies in the midst of them. All that were acknowledged are there, and in the end that is all.
fn small_files(servers: &mut [Server; 3]) -> Vec<Vec<u8>> {
    let client = patient(&servers[1..]);
    let files: Vec<_> = (0..40).map(|seed| Pattern::bytes(seed, 200_000)).collect();
    fs::create_dir(client.folder().join("d")).expect("a folder");
    for (number, file) in files.iter().enumerate() {
        client.write(&format!("d/{number}"), file);
    }
    let mut running = client.spawn("put -r d\n");
    wait_until("some of them", || {
        let there = fs::read_dir(servers[1].path("d"));
        running.has_ended() || there.is_ok_and(|there| there.count() > 5)
    });
    servers[1].signal(Signal::KILL);
    servers[1].ended();
    let output = running.output();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let sent = events(&output.stderr, "sent");
    assert_eq!(sent.len(), files.len(), "{said}");
    files
}

pub(crate) fn resume_elsewhere() {
    let mut servers = servers();
    let file = Pattern::bytes(1, 300_000);
    let mut raw = servers[0].login();
    let mut data = raw.begin("STOR f");
    data.write_all(&file[..100_000]).expect("a part");
    wait_for_part(&servers[0], 99_999);
    reset(data);
    raw.expect_one_of(&[426, 451]);
    let mut raw = servers[1].login();
    assert_eq!(raw.run("SIZE f", 213).text, "213 100000");
    raw.run("REST 100000", 350);
    let mut data = raw.begin("STOR f");
    data.write_all(&file[100_000..200_000]).expect("more of it");
    wait_for_part(&servers[1], 199_999);
    // As long as its server lives it is nobody else's.
    let mut other = servers[2].login();
    other.run("REST 200000", 350);
    other.begin_refused("STOR f", &[554]);
    servers[1].signal(Signal::KILL);
    servers[1].ended();
    assert_eq!(other.run("SIZE f", 213).text, "213 200000");
    other.run("REST 200000", 350);
    let mut data = other.begin("STOR f");
    data.write_all(&file[200_000..]).expect("the rest");
    drop(data);
    other.expect(226);
    for server in &servers {
        assert!(server.read("f") == file, "another file");
        assert_eq!(names_in(&server.root), ["f"]);
    }
}

/// With all bricks, and with one that is gone.
pub(crate) fn atomic() {
    let volume = Volume::the();
    let all = servers();
    watch(&all.each_ref(), TIME, 100);
    volume.kill_brick(2);
    let all = servers();
    watch(&all.each_ref(), TIME, 100);
    volume.heal();
}
