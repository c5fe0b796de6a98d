//! A server that plays a script; the client that is run against it has its [`Place`].

#[path = "place.rs"] // beside this file, whoever it is a part of
mod place;

#[allow(unused_imports)] // some of whom this is a part run no clients
pub use place::{Place, Run, check, check_with, once, sparse};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
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
