//! Three servers over one folder behind HAProxy: control connections go through it, data straight to each server, and each
//! server knows its clients by their own addresses.

use crate::support::{
    Client, Pattern, Raw, Server, connect_from, connections, try_connect, wait_for, wait_for_part,
    wait_until,
};
use rustix::process::Signal;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Where the balancer takes its clients, and nobody listens for data.
const FRONT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)), 21);
/// A client that is nobody else.
const SOMEBODY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);

pub(crate) fn version_1() {
    behind("send-proxy");
}

pub(crate) fn version_2() {
    behind("send-proxy-v2");
}

/// HAProxy, which ends with this value.
struct Balancer {
    child: Child,
    _folder: TempDir,
}

impl Balancer {
    /// One that speaks so to these servers.
    #[track_caller]
    fn start(servers: &[Server], how: &str) -> Self {
        let mut config = format!(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
             listen ftp\n  bind {FRONT}\n  balance leastconn\n  option redispatch\n"
        );
        for (number, server) in servers.iter().enumerate() {
            let line = format!("  server s{number} {} {how} check\n", server.address);
            config.push_str(&line);
        }
        let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, config).expect("the file is written");
        let child = Command::new("haproxy")
            .args(["-db", "-q", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .expect("haproxy runs");
        let balancer = Self {
            child,
            _folder: folder,
        };
        wait_until("the balancer", || try_connect(FRONT).is_ok());
        balancer
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn behind(how: &str) {
    let flags = |public: &'static str| {
        let proxies =
            "--proxy-protocol-from 127.0.0.1 --anonymous full --max-clients-per-address 4";
        let mut flags: Vec<_> = proxies.split(' ').collect();
        flags.extend(["--public-address", public]);
        flags
    };
    let one = Server::with(&flags("127.0.0.11"));
    let two = one.beside(&flags("127.0.0.12"));
    let three = one.beside(&flags("127.0.0.13"));
    let mut servers = [one, two, three];
    let _balancer = Balancer::start(&servers, how);
    somebody_at_each(&servers);
    the_pair(&servers);
    the_pair_when_a_server_dies(&mut servers);
}

/// A session of somebody's at some server.
#[track_caller]
fn login() -> Raw {
    let mut raw = Raw::over(connect_from(SOMEBODY, FRONT));
    raw.expect(220);
    raw.login();
    raw
}

/// Each server knows somebody by the own address and not by the balancer's: in its log, for data, and in what it counts.
fn somebody_at_each(servers: &[Server; 3]) {
    let file = Pattern::bytes(1, 1_000_000);
    let mut raws = [login(), login(), login()];
    for (number, raw) in raws.iter_mut().enumerate() {
        raw.run("EPSV", 502);
        let told = raw.pasv();
        assert!(told.ip().to_string().starts_with("127.0.0.1"), "{told}");
        raw.run("TYPE I", 200);
        raw.send(&format!("STOR {number}"));
        let mut data = connect_from(SOMEBODY, told);
        raw.expect(150);
        data.write_all(&file).expect("the file is sent");
        drop(data);
        raw.expect(226);
    }
    for (number, server) in servers.iter().enumerate() {
        assert!(server.read(&number.to_string()) == file, "another file");
        let somebody = format!("{SOMEBODY}:");
        server.wait_for_log(&[&somebody, "connected"]);
        server.wait_for_log(&[&somebody, "anonymous STOR", "1000000 bytes", "226"]);
    }
    // Each has one from this address, and lets four in.
    let more: Vec<_> = (0..9).map(|_| login()).collect();
    Raw::over(connect_from(SOMEBODY, FRONT)).expect(421);
    drop((more, raws));
    wait_until("all of them to be gone", || {
        let few = |server: &Server| connections(server.pid()).len() <= 1;
        servers.iter().all(few)
    });
}

/// The client goes where it is told, if it is to.
fn the_pair(servers: &[Server; 3]) {
    let file = Pattern::bytes(2, 1_000_000);
    let client = Client::new(FRONT).with(&["--follow-pasv"]);
    client.write("pair", &file);
    client.succeed("put pair\nget pair\nls\n");
    let came = fs::read(client.download("pair")).expect("the file");
    assert!(
        came == file && servers[0].read("pair") == file,
        "another file"
    );
    let client = client.with(&["--retries", "0"]);
    let output = client.run("get pair\n");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("--follow-pasv goes"), "{said}");
}

/// It goes on at another server then.
fn the_pair_when_a_server_dies(servers: &mut [Server; 3]) {
    let large = Pattern::bytes(3, 16_000_000);
    let flags = "--follow-pasv --limit-rate 4M --retry-wait 200";
    let flags: Vec<_> = flags.split(' ').collect();
    let client = Client::new(FRONT).with(&flags);
    client.write("large", &large);
    let running = client.spawn("put large\n");
    let its = wait_for("a server to have the upload", || {
        let has = |server: &Server| connections(server.pid()).len() > 1;
        servers.iter().position(has)
    });
    wait_for_part(&servers[0], 1_000_000);
    servers[its].signal(Signal::KILL);
    servers[its].ended();
    let output = running.output();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("going on after"), "{said}");
    assert!(servers[0].read("large") == large, "another file");
}
