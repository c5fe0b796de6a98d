//! A whole session of the server, over a socket: from the greeting to the end, with the files that it is about.

use multi_client_ftp::protocol::address::{ExtendedPassiveText, PassiveText};
use multi_client_ftp::protocol::command::Command;
use multi_client_ftp::protocol::reply::{MAX_REPLY_LINE, Reply, ReplyCode, ReplyError};
use multi_client_ftp::protocol::{Line, Lines, MAX_LINE};
use multi_client_ftp::server::{Access, Config, Limits, Sandbox, Server, TlsMode, TlsOptions};
use std::fs::{self, Permissions};
use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(20);
/// What stands outside of the served folder, and what nobody may get or change.
const SECRET: &str = "the canary outside";
/// What is in a file beside the folder of the account.
const BESIDE: &str = "a\nb\r\n";
/// What the data connections bring.
const UPLOAD: &[u8] = b"one\r\ntwo\nthree\xff\r";
/// What a session with an account begins with. The other ones are of anybody who says a password.
const LOGIN: &[u8] = b"USER anna\r\nPASS anna!\r\n";
/// The account: less than everything, in a folder of its own.
const USERS: &str = r#"
[anna]
password = "$argon2id$v=19$m=19456,t=2,p=1$vRB023IyicjoHAzTNZRdRg$isAo7EzoeBnKPhXrFinQX3OiIVOjJ3tNzHFu8tgc+ng"
permissions = ["list", "download", "upload", "mkdir", "delete"]
root = "d"
max-file-size = 60
quota = 200
"#;
/// How the temporary file of an upload begins, and how that of a cut one that is kept.
const TEMPORARY: &str = ".ftp-upload.";
const PARTIAL: &str = ".ftp-upload.partial.";

/// What a client sends to a server in a folder with a few files, with `QUIT` at its end.
///
/// Each line gets one final reply, up to the one that the server ends the session at because too much comes
/// of what is no FTP. The session ends, no thread panics, what is outside of the folder is neither told nor
/// changed, and neither a temporary file nor a listener is left.
pub fn session(bytes: &[u8]) {
    static ANYBODY: LazyLock<Mutex<Place>> = LazyLock::new(|| Mutex::new(Place::new(None)));
    static ACCOUNT: LazyLock<Mutex<Place>> = LazyLock::new(|| Mutex::new(Place::new(Some(USERS))));
    let place = match bytes.strip_prefix(LOGIN) {
        // Where there are accounts, a wrong password makes its client wait, which is no fault.
        Some(rest) if has_password(rest) => return,
        Some(_) => &ACCOUNT,
        None => &ANYBODY,
    };
    let place = place.lock().unwrap_or_else(PoisonError::into_inner);
    place.tidy();
    let sent = [bytes, b"\r\nQUIT\r\n"].concat();
    let told = place.play(&sent);

    assert!(!PANICKED.load(Ordering::SeqCst), "a session panicked");
    let finals = told.replies.iter().filter(|reply| reply.code().0 >= 200);
    let (finals, greeting, answers) = (finals.count(), 1, until_quit(&sent));
    let last = told.replies.last().map(Reply::code);
    if last == Some(ReplyCode::CLOSING) {
        assert_eq!(finals, greeting + answers, "replies to {answers} lines");
    } else {
        // The last word arrives whatever was sent behind it.
        assert_eq!(last, Some(ReplyCode::NOT_AVAILABLE));
        assert!(is_junk(&sent), "ended before its end");
        assert!(finals <= greeting + answers, "{finals} for {answers} lines");
    }
    for reply in &told.replies {
        assert!(!reply.to_string().contains(SECRET), "{reply}");
        // That is for faults of the server's own.
        assert_ne!(reply.code(), ReplyCode::LOCAL_ERROR, "{reply}");
    }
    for port in told.ports {
        place.wait_for_free(port);
    }
    place.check();
}

/// Whether a line is a password.
fn has_password(sent: &[u8]) -> bool {
    let (mut lines, mut input) = (Lines::new(MAX_LINE), sent);
    while let Ok(Some(line)) = lines.read(&mut input) {
        if let Line::Text(text) = line
            && let Ok(text) = std::str::from_utf8(&text)
            && matches!(text.parse(), Ok(Command::Pass(_)))
        {
            return true;
        }
    }
    false
}

/// How many lines of what is sent are answered: those up to the first `QUIT`.
fn until_quit(sent: &[u8]) -> usize {
    let (mut lines, mut input, mut count) = (Lines::new(MAX_LINE), sent, 0);
    while let Ok(Some(line)) = lines.read(&mut input) {
        count += 1;
        if let Line::Text(text) = line
            && std::str::from_utf8(&text).is_ok_and(|text| text.parse() == Ok(Command::Quit))
        {
            break;
        }
    }
    count
}

/// Whether the server may take what is sent for no FTP, and end the session.
fn is_junk(sent: &[u8]) -> bool {
    const MOST: usize = 20;
    const WEB: [&str; 9] = [
        "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH",
    ];
    let (mut lines, mut input, mut bad) = (Lines::new(MAX_LINE), sent, 0);
    while let Ok(Some(line)) = lines.read(&mut input) {
        let text = match &line {
            Line::Text(text) => std::str::from_utf8(text).unwrap_or_default(),
            Line::TooLong => "",
        };
        let verb = text.split(' ').next().unwrap_or_default();
        if WEB.iter().any(|web| verb.eq_ignore_ascii_case(web)) {
            return true;
        }
        bad += usize::from(text.parse::<Command>().is_err());
    }
    bad >= MOST
}

/// Whether a thread has panicked that is no test's.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// A server that runs as long as the process, and the folder that it serves.
struct Place {
    folder: TempDir,
    /// Whether its clients have the folder `d` alone.
    has_accounts: bool,
    server: SocketAddr,
    /// Where its first byte would stop it.
    _stop: UnixStream,
    _reload: UnixStream,
}

/// What a client has seen of a session.
struct Told {
    replies: Vec<Reply>,
    ports: Vec<u16>,
}

impl Place {
    fn new(users: Option<&str>) -> Self {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let unnamed = thread::current().name().is_none();
            PANICKED.fetch_or(unnamed, Ordering::SeqCst);
            before(info);
        }));
        let folder = TempDir::with_prefix("ftp-fuzz-").expect("a temporary folder");
        let root = folder.path().join("root");
        fs::create_dir(&root).expect("the served folder");
        fs::write(folder.path().join("outside"), SECRET).expect("the canary");
        let users = users.map(|text| {
            let path = folder.path().join("users.toml");
            fs::write(&path, text).expect("the users file");
            path
        });
        let config = Config {
            address: SocketAddr::new(own_address().into(), 0),
            root,
            passive_ports: "20000-60000".parse().expect("ports"),
            anonymous: users.is_none().then_some(Access::Full),
            users: users.clone(),
            tls: TlsOptions {
                mode: TlsMode::Off,
                plain_passwords: true,
                ..TlsOptions::default()
            },
            // It would hold the thread that runs this.
            sandbox: Sandbox::Off,
            limits: Limits {
                login_attempts: u32::MAX,
                data: Duration::from_millis(100),
                ..Limits::default()
            },
            ..Config::default()
        };
        let server = Server::bind(config).expect("a server");
        let address = server.local_address().expect("its address");
        let (stop, stopped) = UnixStream::pair().expect("a socket pair");
        let (reload, reloaded) = UnixStream::pair().expect("a socket pair");
        thread::spawn(move || server.run(&stopped, &reloaded, || None));
        Self {
            folder,
            has_accounts: users.is_some(),
            server: address,
            _stop: stop,
            _reload: reload,
        }
    }

    /// Puts the served folder back to how each session finds it.
    fn tidy(&self) {
        let root = self.folder.path().join("root");
        empty(&root);
        fs::create_dir(root.join("d")).expect("a folder");
        fs::write(root.join("a"), BESIDE).expect("a file");
        fs::write(root.join("d/up"), UPLOAD).expect("a file");
        symlink("../outside", root.join("out")).expect("a link that leads out");
        symlink("a", root.join("in")).expect("a link that stays in");
    }

    /// Sends all that the client has to say, and serves the data connections that it is offered, until the server ends.
    fn play(&self, sent: &[u8]) -> Told {
        let socket = TcpStream::connect(self.server).expect("a connection");
        bound(&socket);
        let mut told = Told {
            replies: Vec::new(),
            ports: Vec::new(),
        };
        thread::scope(|scope| {
            // The server may have ended the session before it has read all.
            scope.spawn(|| (&socket).write_all(sent));
            let (mut lines, mut input) = (Lines::new(MAX_REPLY_LINE), BufReader::new(&socket));
            loop {
                let reply = match Reply::read(&mut lines, &mut input) {
                    Ok(reply) => reply,
                    Err(ReplyError::Closed) => break,
                    // What it has not read when it closes makes the system reset the connection.
                    Err(ReplyError::Io(error))
                        if error.kind() == std::io::ErrorKind::ConnectionReset =>
                    {
                        break;
                    }
                    Err(error) => panic!("{error} after {:?}", told.replies.last()),
                };
                if let Some(port) = passive_port(&reply) {
                    told.ports.push(port);
                    scope.spawn(move || exchange(SocketAddr::new(self.server.ip(), port)));
                }
                told.replies.push(reply);
            }
        });
        told
    }

    /// Waits until nobody listens on a port of a session that has ended.
    fn wait_for_free(&self, port: u16) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = TcpListener::bind((self.server.ip(), port)) {
            assert!(Instant::now() < deadline, "port {port}: {error}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// What is outside is as it was, and inside nothing is half done.
    fn check(&self) {
        let outside = fs::read_to_string(self.folder.path().join("outside"));
        assert_eq!(outside.expect("the canary"), SECRET);
        let beside = fs::read_dir(self.folder.path()).expect("the folder above");
        assert_eq!(beside.count(), 2 + usize::from(self.has_accounts));
        let root = self.folder.path().join("root");
        check_within(&root);
        if self.has_accounts {
            assert_eq!(fs::read_to_string(root.join("a")).expect("a file"), BESIDE);
            assert_eq!(fs::read_dir(&root).expect("the root").count(), 4);
        }
    }
}

/// A loopback address that no other process on this machine has, so that a `PORT` meets nobody else's server.
fn own_address() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high | 64, middle, low | 1)
}

fn bound(socket: &TcpStream) {
    socket.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    socket
        .set_write_timeout(Some(PATIENCE))
        .expect("a deadline");
}

fn passive_port(reply: &Reply) -> Option<u16> {
    match reply.code() {
        ReplyCode::PASSIVE => Some(reply.text().parse::<PassiveText>().ok()?.0.0.port()),
        ReplyCode::EXTENDED_PASSIVE => Some(reply.text().parse::<ExtendedPassiveText>().ok()?.0),
        _ => None,
    }
}

/// The client's side of a data connection, whichever way it goes. The server may have closed it at any point.
fn exchange(address: SocketAddr) {
    let Ok(mut data) = TcpStream::connect(address) else {
        return;
    };
    bound(&data);
    let mut received = Vec::new();
    let _ = data.write_all(UPLOAD);
    let _ = data.shutdown(Shutdown::Write);
    let _ = data.read_to_end(&mut received);
    assert!(!String::from_utf8_lossy(&received).contains(SECRET));
}

/// Removes what is in a folder, whatever a client has made of its modes.
fn empty(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("its mode");
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("its type").is_dir() {
            empty(&entry.path());
            fs::remove_dir(entry.path()).expect("an empty folder");
        } else {
            fs::remove_file(entry.path()).expect("a file");
        }
    }
}

fn check_within(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("its mode");
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(
            name.starts_with(PARTIAL) || !name.starts_with(TEMPORARY),
            "{name} is left"
        );
        assert!(!name.contains(char::is_control), "{name:?} was made");
        if entry.file_type().expect("its type").is_dir() {
            check_within(&entry.path());
        }
    }
}
