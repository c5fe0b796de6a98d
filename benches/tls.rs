//! How fast is a file under TLS? The server, `ProFTPD` and vsftpd side by side, with the same client and the same cipher.
//!
//! `cargo bench --bench tls [-- --rounds N] [--mib N]`, as root and with the programs of `.ci/install-programs`. curl fetches
//! and sends one large file that is in memory, from each server in turn, round after round. The medians of all rounds are
//! printed, and what the server's are of the others'.

mod flags;

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "../tests/works_with/programs.rs"]
#[allow(dead_code)] // this uses a part of it
mod programs;

#[path = "../tests/works_with/servers/daemons.rs"]
#[allow(dead_code)] // this uses a part of it
mod daemons;

use flags::Flags;
use programs::{Running, command, has, logged};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;
use support::{Pattern, Server, try_connect, wait_until};
use tempfile::TempDir;

/// One that all of them have, and that curl's OpenSSL would choose by itself.
const CIPHER: &str = "TLS_AES_256_GCM_SHA384";
const OTHERS: [&str; 2] = ["ProFTPD", "vsftpd"];

/// A server that is measured.
struct Contender {
    name: &'static str,
    address: SocketAddr,
    /// Where uploads may go, below its root.
    folder: &'static str,
    downloads: Vec<f64>,
    uploads: Vec<f64>,
    _theirs: Option<(Running, TempDir)>,
}

fn main() {
    let flags = Flags::given(&["--rounds", "--mib"]);
    let (rounds, mib) = (flags.number("--rounds", 7), flags.number("--mib", 512));
    for need in ["curl", "proftpd", "vsftpd", programs::ROOT] {
        assert!(has(need), "no {need}: see .ci/install-programs");
    }
    let memory = Path::new("/dev/shm");
    let local = TempDir::with_prefix_in("ftp-bench-", memory).expect("a folder in memory");
    let file = local.path().join("file");
    let mut out = File::create(&file).expect("a file");
    std::io::copy(&mut Pattern::new(1, mib << 20), &mut out).expect("room in memory");
    drop(out);

    let folder = TempDir::with_prefix_in("ftp-bench-", memory).expect("a folder in memory");
    let root = folder.path().join("root");
    let mut ours = Server::command();
    ours.args([
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "-q",
        "--anonymous",
        "full",
        "--root",
    ]);
    ours.arg(&root);
    let server = Server::from_command(ours, folder);
    serve(&file, &root);
    let mut all = vec![Contender::new("ftp-server", server.address, "", None)];
    all.extend(OTHERS.map(|name| theirs(name, &file, memory)));

    println!("{mib} MiB, {CIPHER}, {rounds} rounds; MiB/s");
    for _ in 0..rounds {
        for contender in &mut all {
            contender.measure(&file, mib);
        }
    }
    println!("{:12} {:>9} {:>9}", "", "download", "upload");
    for contender in &all {
        let (down, up) = contender.medians();
        println!("{:12} {down:9.0} {up:9.0}", contender.name);
    }
    let (down, up) = all[0].medians();
    for other in &all[1..] {
        let (theirs_down, theirs_up) = other.medians();
        println!(
            "of {:9} {:8.2}x {:8.2}x",
            other.name,
            down / theirs_down,
            up / theirs_up
        );
    }
}

impl Contender {
    const fn new(
        name: &'static str,
        address: SocketAddr,
        folder: &'static str,
        theirs: Option<(Running, TempDir)>,
    ) -> Self {
        Self {
            name,
            address,
            folder,
            downloads: Vec::new(),
            uploads: Vec::new(),
            _theirs: theirs,
        }
    }

    fn measure(&mut self, file: &Path, mib: u64) {
        let url = |name: &str| format!("ftp://{}/{}/{name}", self.address, self.folder);
        let down = curl(&["-o", "/dev/null", &url("file")]);
        let up = curl(&["-T", &file.display().to_string(), &url("up")]);
        #[allow(clippy::cast_precision_loss)] // far fewer than 2^52
        let mib = mib as f64;
        self.downloads.push(mib / down);
        self.uploads.push(mib / up);
    }

    fn medians(&self) -> (f64, f64) {
        (median(&self.downloads), median(&self.uploads))
    }
}

/// How long it took, in seconds.
fn curl(args: &[&str]) -> f64 {
    let own = [
        "--disable",
        "-sS",
        "-k",
        "--ssl-reqd",
        "--tlsv1.3",
        "--tls13-ciphers",
        CIPHER,
    ];
    let began = Instant::now();
    let status = command("curl").args(own).args(args).status();
    let status = status.expect("curl runs");
    assert!(status.success(), "curl {args:?} ended with {status}");
    began.elapsed().as_secs_f64()
}

fn theirs(name: &'static str, file: &Path, memory: &Path) -> Contender {
    let server = daemons::ALL.iter().find(|one| one.name == name);
    let server = server.expect("a server of the list");
    let folder = TempDir::with_prefix_in("ftp-bench-", memory).expect("a folder in memory");
    let root = folder.path().join("root");
    fs::create_dir(&root).expect("the root folder");
    open(folder.path(), 0o755);
    open(&root, 0o777);
    serve(file, &root);
    daemons::certify(folder.path());
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = free.local_addr().expect("its address");
    drop(free);
    let log = folder.path().join("log");
    let command = logged((server.command)(folder.path(), address.port()), &log);
    let running = Running::start(command);
    wait_until(name, || try_connect(address).is_ok());
    Contender::new(name, address, server.folder, Some((running, folder)))
}

/// Puts the file where a server has it.
fn serve(file: &Path, root: &Path) {
    fs::copy(file, root.join("file")).expect("room in memory");
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the permissions are set");
}

fn median(rates: &[f64]) -> f64 {
    let mut rates = rates.to_vec();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
