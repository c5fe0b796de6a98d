//! A server that plays a script, and the client run against it.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// For whatever does not happen: long enough for any machine, short enough to see the failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// A scripted server in a thread of its own.
pub struct Server {
    pub port: u16,
    thread: JoinHandle<()>,
}

impl Server {
    /// Plays `script` for the first client.
    pub fn play(script: impl FnOnce(&mut Session) + Send + 'static) -> Self {
        Self::with(|listener| script(&mut Session::accept(&listener)))
    }

    /// Lets `script` accept as it likes.
    pub fn with(script: impl FnOnce(TcpListener) + Send + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    /// Lets `script` accept from a listener that is there already.
    pub fn on(listener: TcpListener, script: impl FnOnce(TcpListener) + Send + 'static) -> Self {
        let port = listener.local_addr().unwrap().port();
        let thread = thread::spawn(move || script(listener));
        Self { port, thread }
    }

    /// Waits for the end of the script. Whether it was followed.
    pub fn ended_well(self) -> bool {
        self.thread.join().is_ok()
    }

    /// Waits for the end of the script, and fails if the script did.
    pub fn finish(self, run: &Run) {
        assert!(self.ended_well(), "the script was not followed; {run}");
    }
}

impl Server {
    /// Waits for the end of the script, for a client that was no [`Run`].
    #[track_caller]
    pub fn ended(self) {
        assert!(self.thread.join().is_ok(), "the script was not followed");
    }
}

/// The server's side of one control connection.
pub struct Session {
    pub control: BufReader<TcpStream>,
}

impl Session {
    pub fn accept(listener: &TcpListener) -> Self {
        Self {
            control: BufReader::new(accept(listener)),
        }
    }

    /// Sends lines as they are, each with its line end.
    pub fn say(&mut self, lines: &str) {
        let text: String = lines.lines().map(|line| format!("{line}\r\n")).collect();
        self.control.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Reads the next command, which must be `command`, and answers it.
    #[track_caller]
    pub fn expect(&mut self, command: &str, reply: &str) {
        assert_eq!(self.command(), command);
        self.say(reply);
    }

    pub fn command(&mut self) -> String {
        let mut line = String::new();
        self.control.read_line(&mut line).unwrap();
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// Greets and lets anybody in, and knows no `FEAT`.
    pub fn login(&mut self) {
        self.say("220 ready");
        self.expect("USER anonymous", "230 in");
        self.expect("FEAT", "500 what?");
    }

    #[track_caller]
    pub fn quit(&mut self) {
        self.expect("QUIT", "221 bye");
    }

    /// Lets anybody in, and knows all that it takes to go on from a part.
    pub fn login_able(&mut self) {
        self.say("220 ready");
        self.expect("USER anonymous", "230 in");
        self.expect(
            "FEAT",
            "211-Features\n HASH SHA-256;CRC32*\n MDTM\n REST STREAM\n211 End",
        );
    }

    /// Lets anybody in, and knows how to go on from a part, but not what is in it.
    pub fn login_resuming(&mut self) {
        self.say("220 ready");
        self.expect("USER anonymous", "230 in");
        self.expect("FEAT", "211-Features\n REST STREAM\n211 End");
    }

    /// Waits for so many `NOOP`s, and answers none.
    #[track_caller]
    pub fn expect_noops(&mut self, count: usize) {
        for _ in 0..count {
            assert_eq!(self.command(), "NOOP");
        }
    }

    /// How many more `NOOP`s have come by the time that the client waits for the last reply of a transfer.
    #[track_caller]
    pub fn noops_so_far(&mut self) -> usize {
        let socket = self.control.get_ref().try_clone().unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let mut count = 0;
        let mut line = String::new();
        while self.control.read_line(&mut line).is_ok() {
            assert_eq!(line, "NOOP\r\n");
            line.clear();
            count += 1;
        }
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        count
    }

    /// Answers `EPSV`.
    #[track_caller]
    pub fn epsv(&mut self) -> Data {
        assert_eq!(self.command(), "EPSV");
        self.passive()
    }

    /// Says where to connect to, after an `EPSV`.
    pub fn passive(&mut self) -> Data {
        let (data, port) = Data::listen(self.control.get_ref());
        self.say(&format!("229 Extended passive (|||{port}|)"));
        data
    }

    /// Answers `PASV` with an address where nobody is: only the port counts.
    #[track_caller]
    pub fn pasv(&mut self) -> Data {
        let (data, port) = Data::listen(self.control.get_ref());
        let reply = format!("227 Passive (192,0,2,1,{},{})", port >> 8, port & 255);
        self.expect("PASV", &reply);
        data
    }

    /// Everything up to a `RETR f` of a file said to be of `size` bytes, its 150 included.
    #[track_caller]
    pub fn retr(&mut self, size: u64) -> Data {
        self.expect("TYPE I", "200 image");
        self.expect("SIZE f", &format!("213 {size}"));
        let data = self.epsv();
        self.expect("RETR f", "150 here it comes");
        data
    }

    /// Everything up to a `STOR f.part`, which is answered with `reply`: that is what an upload of `f` is called until it is
    /// whole.
    #[track_caller]
    pub fn stor(&mut self, reply: &str) -> Data {
        self.expect("TYPE I", "200 image");
        let data = self.epsv();
        self.expect("STOR f.part", reply);
        data
    }

    /// Gives an upload that is whole its name.
    #[track_caller]
    pub fn named(&mut self, name: &str) {
        self.expect(&format!("RNFR {name}.part"), "350 to what?");
        self.expect(&format!("RNTO {name}"), "250 done");
    }
}

/// A data port that the client may connect to.
pub struct Data(TcpListener);

impl Data {
    /// A data port, and the reply that tells of it.
    pub fn offer(session: &Session) -> (Self, String) {
        let (data, port) = Self::listen(session.control.get_ref());
        (data, format!("229 Extended passive (|||{port}|)"))
    }

    fn listen(control: &TcpStream) -> (Self, u16) {
        let address = control.local_addr().unwrap().ip();
        let listener = TcpListener::bind((address, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        (Self(listener), port)
    }

    pub fn open(self) -> TcpStream {
        accept(&self.0)
    }

    /// Sends `bytes` and closes.
    pub fn send(self, bytes: &[u8]) {
        self.open().write_all(bytes).unwrap();
    }

    /// Reads up to the client's close.
    pub fn receive(self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open().read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A port that refuses connections, and that nobody else is given as long as the socket lives.
pub fn deaf_port() -> (socket2::Socket, u16) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&address.into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

/// Makes the close of a socket a reset.
pub fn reset_on_close(socket: &TcpStream) {
    socket2::SockRef::from(socket)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

fn accept(listener: &TcpListener) -> TcpStream {
    let limit = rustix::time::Timespec::try_from(PATIENCE).unwrap();
    let mut ready = [rustix::event::PollFd::new(
        listener,
        rustix::event::PollFlags::IN,
    )];
    rustix::event::poll(&mut ready, Some(&limit)).unwrap();
    assert!(!ready[0].revents().is_empty(), "nobody connected");
    let (socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// A folder to start clients in.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), content).unwrap();
    }

    /// What is in the downloads folder: names and contents.
    pub fn downloads(&self) -> Vec<(String, String)> {
        let Ok(folder) = std::fs::read_dir(self.path("client_downloads")) else {
            return Vec::new();
        };
        let mut files: Vec<(String, String)> = folder
            .map(|entry| {
                let entry = entry.unwrap();
                let content = std::fs::read(entry.path()).unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, String::from_utf8_lossy(&content).into_owned())
            })
            .collect();
        files.sort();
        files
    }

    /// Starts a client with all its standard streams in pipes.
    pub fn start(&self, arguments: &[&str], password: Option<&str>) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ftp-client"));
        command
            .args(once(arguments))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("FTP_PASSWORD")
            // Nobody's .netrc and bookmarks but those that the test has written.
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env_remove("XDG_CONFIG_HOME")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(password) = password {
            command.env("FTP_PASSWORD", password);
        }
        command.spawn().unwrap()
    }

    /// Runs a client to its end.
    pub fn run(&self, arguments: &[&str], password: Option<&str>, typed: impl AsRef<[u8]>) -> Run {
        let mut child = self.start(arguments, password);
        let mut input = child.stdin.take().unwrap();
        // A client that has ended early takes no more lines.
        let _ = input.write_all(typed.as_ref());
        drop(input);
        Run::of(child)
    }

    /// Runs a client against `server`.
    pub fn ftp(&self, server: &Server, typed: impl AsRef<[u8]>) -> Run {
        self.run(&["--port", &server.port.to_string()], None, typed)
    }
}

/// Plays `script` to a client that is given `typed`, and checks that both ended well: the client with `code`.
#[track_caller]
pub fn check(
    place: &Place,
    typed: &str,
    code: i32,
    script: impl FnOnce(&mut Session) + Send + 'static,
) -> Run {
    check_with(place, &["--port", "{port}"], typed, code, script)
}

/// The same for a client with these arguments, in which `{port}` is the server's, and `{}` the server and its port.
#[track_caller]
pub fn check_with(
    place: &Place,
    arguments: &[&str],
    typed: &str,
    code: i32,
    script: impl FnOnce(&mut Session) + Send + 'static,
) -> Run {
    let server = Server::play(script);
    let port = server.port.to_string();
    let filled = |word: &&str| {
        let address = format!("127.0.0.1:{port}");
        word.replace("{port}", &port).replace("{}", &address)
    };
    let arguments: Vec<String> = arguments.iter().map(filled).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = place.run(&arguments, None, typed);
    assert_eq!(run.code, Some(code), "{run}");
    server.finish(&run);
    run
}

/// What makes a client do each exchange just once, as a script has it; not what the test sets itself.
pub fn once(arguments: &[&str]) -> Vec<&'static str> {
    if matches!(arguments.first(), Some(&("completions" | "man"))) {
        // These take no flags.
        return Vec::new();
    }
    let flags = [
        ("--jobs", "1"),
        ("--retries", "0"),
        ("--retry-wait", "1"),
        ("--tls", "off"),
    ];
    flags
        .into_iter()
        .filter(|(flag, _)| !arguments.contains(flag))
        .flat_map(|(flag, value)| [flag, value])
        .collect()
}

/// What a client did.
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn of(child: Child) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = child.wait_with_output().unwrap();
        Self {
            code: status.code(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Checks that standard error says `text`.
    #[track_caller]
    pub fn tells(&self, text: &str) {
        assert!(self.err.contains(text), "nothing about {text:?}; {self}");
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the client ended with {:?}\n--- its output:\n{}\n--- its errors:\n{}",
            self.code, self.out, self.err
        )
    }
}

/// A file in `place` of `size` bytes that takes no room.
pub fn sparse(place: &Place, name: &str, size: u64) {
    let path: &Path = &place.path(name);
    std::fs::File::create(path).unwrap().set_len(size).unwrap();
}
