//! The client under TLS: which certificates it trusts, and what it makes of a server without.

use crate::fake;
use crate::policy::own_address;
use crate::support::{Client, PATIENCE, Pattern, Server, names_in, wait_until};
use rexpect::session::PtySession;
use rustix::process::Signal;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

const ANNOUNCED: &str = "TLS certificate ";
const REQUIRE: [&str; 2] = ["--tls", "require"];
const ACCEPT: [&str; 3] = ["--tls", "require", "--accept-new"];

fn known_hosts(client: &Client) -> PathBuf {
    client.folder().join("state/multi-client-ftp/known_hosts")
}

/// What it wrote to standard error, when it ended with this code.
#[track_caller]
fn ended(output: &Output, code: i32) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    errors
}

#[test]
fn files_go_both_ways_over_resumed_connections() {
    let server = Server::with(&["--tls", "require", "--tls-data-resumption", "require"]);
    let client = Client::new(server.address).with(&ACCEPT);
    let big = Pattern::bytes(1, 3_000_000);
    client.write("big", &big);
    client.write("empty", "");
    client.succeed("put big\nput empty\nget big\nget empty\nls\n");
    assert!(server.read("big") == big);
    assert!(std::fs::read(client.download("big")).expect("it came") == big);
    assert_eq!(
        std::fs::read(client.download("empty")).expect("it came"),
        b""
    );
}

#[test]
fn trees_go_both_ways_over_several_connections() {
    let server = Server::with(&["--tls", "require", "--tls-data-resumption", "require"]);
    let client = Client::new(server.address).with(&ACCEPT);
    std::fs::create_dir(client.folder().join("tree")).expect("a folder");
    for number in 0..300 {
        client.write(&format!("tree/{number}"), number.to_string());
    }
    client.succeed("put -r tree\nget -r tree\n");
    for number in 0..300 {
        let name = format!("tree/{number}");
        assert_eq!(server.read(&name), number.to_string().as_bytes());
        let came = std::fs::read(client.download(&name)).expect("it came");
        assert_eq!(came, number.to_string().as_bytes());
    }
}

#[test]
fn a_server_that_was_never_seen_is_refused_in_a_script() {
    let server = Server::start();
    let client = Client::new(server.address).with(&REQUIRE);
    let errors = ended(&client.run("ls\n"), 6);
    for part in [
        &server.announced(ANNOUNCED),
        "--accept-new",
        "--fingerprint",
    ] {
        assert!(errors.contains(part), "no {part} in {errors}");
    }
    assert!(!known_hosts(&client).exists());
    assert!(!server.log().contains("logged in"));
}

#[test]
fn one_that_is_accepted_once_is_known_and_a_change_is_refused() {
    let server = Server::start();
    let client = Client::new(server.address).with(&ACCEPT);
    client.succeed("ls\n");
    let place = format!("{} {}\n", server.address, server.announced(ANNOUNCED));
    let file = known_hosts(&client);
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), place);
    let mode = std::fs::metadata(&file).expect("it is there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let client = client.with(&REQUIRE);
    client.succeed("ls\n");
    // Another server in its place, as far as the client can see.
    let other = format!("{} SHA256:{}\n", server.address, ["AB"; 32].join(":"));
    std::fs::write(&file, &other).expect("it is written");
    for flags in [&REQUIRE[..], &ACCEPT] {
        let client = Client::new(server.address).with(flags);
        let state = client.folder().join("state/multi-client-ftp");
        std::fs::create_dir_all(&state).expect("a folder");
        std::fs::write(state.join("known_hosts"), &other).expect("it is written");
        let errors = ended(&client.run("ls\n"), 6);
        assert!(
            errors.contains("HAS CHANGED") && errors.contains("known_hosts"),
            "{errors}"
        );
    }
}

#[test]
fn a_fingerprint_names_the_one_certificate() {
    let server = Server::start();
    let fingerprint = server.announced(ANNOUNCED).to_ascii_lowercase();
    let client = Client::new(server.address).with(&["--fingerprint", &fingerprint]);
    client.succeed("ls\n");
    server.wait_for_log(&["TLSv1_3"]);
    let other = format!("SHA256:{}", ["AB"; 32].join(":"));
    let client = client.with(&["--accept-new", "--fingerprint", &other]);
    let errors = ended(&client.run("ls\n"), 6);
    assert!(errors.contains(&other), "{errors}");
    ended(&client.with(&["--fingerprint", "SHA256:AB"]).run(""), 2);
}

#[test]
fn ftps_begins_with_tls() {
    let server = Server::with(&["--implicit-tls-port", "0", "--tls", "require"]);
    server.write("a", "abc");
    let client = Client::new(server.address);
    let script = format!("open ftps://{}/\nget a\n", server.tls_address());
    let errors = ended(&client.run(&script), 4);
    assert!(errors.contains("AUTH TLS"), "{errors}");
    let client = client.with(&ACCEPT);
    client.succeed(&script);
    assert_eq!(
        std::fs::read(client.download("a")).expect("it came"),
        b"abc"
    );
}

#[test]
fn by_itself_it_speaks_tls_where_it_is_offered() {
    let server = Server::at("0.0.0.0");
    let outside = SocketAddr::from((own_address(), server.address.port()));
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, server.address.port()));
    for address in [outside, here] {
        let before = server.log().matches("TLSv1_3").count();
        let client = Client::new(address);
        client.succeed("ls\n");
        assert_eq!(server.log().matches("TLSv1_3").count(), before, "--tls off");
        let client = client.with(&["--tls", "auto"]);
        ended(&client.run("ls\n"), 6);
        client.with(&["--accept-new"]).succeed("ls\n");
        wait_until("a session under TLS", || {
            server.log().matches("TLSv1_3").count() > before
        });
    }
}

#[test]
fn the_users_own_server_needs_no_introduction() {
    let server = Server::start();
    let client = Client::new(server.address).with(&["--tls", "auto", "-v"]);
    let key = server.state().join("multi-client-ftp/server.pem");
    let state = client.folder().join("state/multi-client-ftp");
    std::fs::create_dir_all(&state).expect("the client's state folder");
    std::fs::copy(key, state.join("server.pem")).expect("the two have one state folder");
    let output = client.run("ls\n");
    let errors = ended(&output, 0);
    assert!(errors.contains("TLSv1_3"), "{errors}");
    assert!(!known_hosts(&client).exists());
    // Another server is as strange as ever.
    let stranger = Server::start();
    let script = format!("open 127.0.0.1 {}\n", stranger.address.port());
    ended(&client.run(&script), 6);
}

#[test]
fn a_server_without_tls_will_do_unless_there_has_to_be_some_or_was_before() {
    let server = Server::at_with("0.0.0.0", &["--tls", "off"]);
    let outside = SocketAddr::from((own_address(), server.address.port()));
    let client = Client::new(outside).with(&["--tls", "auto"]);
    client.succeed("ls\n");
    let errors = ended(&Client::new(outside).with(&REQUIRE).run("ls\n"), 6);
    assert!(errors.contains("502"), "{errors}");
    let file = known_hosts(&client);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("it is made");
    let known = format!("{outside} SHA256:{}\n", ["AB"; 32].join(":"));
    std::fs::write(&file, known).expect("it is written");
    let errors = ended(&client.run("ls\n"), 6);
    assert!(errors.contains("had TLS before"), "{errors}");
    client.with(&["--tls", "off"]).succeed("ls\n");
}

#[test]
fn what_a_server_says_in_clear_behind_its_agreement_is_not_heard() {
    let server = fake::Server::play(|session| {
        session.say("220 ready");
        session.expect("AUTH TLS", "234 go on\n230 logged in by somebody between");
    });
    let address = SocketAddr::from(([127, 0, 0, 1], server.port));
    let client = Client::new(address).with(&ACCEPT);
    let errors = ended(&client.run("ls\n"), 6);
    assert!(errors.contains("in clear"), "{errors}");
    server.ended();
}

#[test]
fn a_download_that_ends_without_a_last_word_was_cut_off() {
    // A server of TLS that ends a download as a connection that breaks does.
    let server = Server::start();
    server.write_sparse("a", 1 << 30);
    let client =
        Client::new(server.address).with(&["--tls", "require", "--accept-new", "--retries", "0"]);
    let running = client.spawn("get a\n");
    wait_until("some of the file", || {
        names_in(&client.folder().join("downloads"))
            .concat()
            .contains(".part")
    });
    server.signal(Signal::KILL);
    let output = running.output();
    assert!(!output.status.success());
    assert!(!client.download("a").exists());
}

/// The client in a pseudo-terminal.
#[track_caller]
fn terminal(server: &Server, client: &Client) -> PtySession {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftp-client"));
    command
        .args([
            "--tls",
            "require",
            "--port",
            &server.address.port().to_string(),
        ])
        .env("HOME", client.folder())
        .env("XDG_STATE_HOME", client.folder().join("state"))
        .env("TERM", "xterm-256color")
        .current_dir(client.folder());
    let patience = u64::try_from(PATIENCE.as_millis()).expect("a short time");
    rexpect::session::spawn_command(command, Some(patience)).expect("a pseudo-terminal")
}

#[test]
fn on_a_terminal_somebody_is_asked() {
    let server = Server::start();
    let client = Client::new(server.address);
    for (answer, then) in [("no", "was not trusted"), ("yes", "ftp> ")] {
        let mut session = terminal(&server, &client);
        session
            .exp_string(&server.announced(ANNOUNCED))
            .expect("the fingerprint");
        session.exp_string("(yes/no)?").expect("the question");
        session.send_line(answer).expect("the answer is typed");
        session.exp_string(then).expect("what comes of it");
    }
    let mut session = terminal(&server, &client);
    session.exp_string("ftp> ").expect("no question");
}
