//! The floor: the least that an FTP server with a thread for each client can do.
//!
//! It knows the verbs that the load sends, and nothing of what a server is for: no account, no path that is refused, no
//! deadline, no look at who connects, no temporary file, no log. What it costs is what the kernel takes for such a server;
//! what a real one costs beyond that is its own.
//!
//! With `FTP_FLOOR_ATOMIC` in the environment an upload goes to a name of its own and is renamed when it is whole: what that
//! alone takes.

use rustix::fs::sendfile;
use rustix::net::sockopt::set_tcp_cork;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::thread;

/// Above the ports that the kernel gives to outgoing connections, as the server has it.
const PORTS: std::ops::RangeInclusive<u16> = 61_000..=65_535;
/// Enough for what is below, and no more than the kernel gives out in one go.
const STACK: usize = 64 * 1024;
/// The most that one `sendfile` moves.
const MOST: usize = 0x7fff_f000;
/// What the begin of an upload is read into.
const BUFFER: usize = 64 * 1024;
/// The 150 of as much goes out together with the 226.
const FEW: u64 = 64 * 1024;
/// What the pipe of a large upload holds.
const PIPE: usize = 1 << 20;

/// Serves the folder until the process is killed.
pub(crate) fn serve(root: &Path, port: u16) -> io::Result<()> {
    std::env::set_current_dir(root)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    take_turns(&Arc::new(listener))
}

/// Waits for a client and serves it, again and again. As many threads do this as there are clients, and at least one more: to
/// start and end one for each takes longer than a login.
fn take_turns(listener: &Arc<TcpListener>) -> io::Result<()> {
    static WAITING: AtomicUsize = AtomicUsize::new(0);
    loop {
        WAITING.fetch_add(1, Ordering::Relaxed);
        let (control, _) = listener.accept()?;
        if WAITING.fetch_sub(1, Ordering::Relaxed) == 1 {
            let listener = Arc::clone(listener);
            let next = move || drop(take_turns(&listener));
            thread::Builder::new().stack_size(STACK).spawn(next)?;
        }
        // A session that fails is one whose client went away.
        drop(session(control));
    }
}

fn session(mut control: TcpStream) -> io::Result<()> {
    control.set_nodelay(true)?;
    control.write_all(b"220 Floor\r\n")?;
    let mut line = [0; 256];
    let mut data = None;
    let mut buffer = Vec::new();
    let beside = std::env::var_os("FTP_FLOOR_ATOMIC")
        .and_then(|_| control.peer_addr().ok())
        .map(|peer| format!(".{}", peer.port()));
    loop {
        // The load sends a command in one piece, and the next one after the answer.
        let count = control.read(&mut line)?;
        let text = std::str::from_utf8(&line[..count]).unwrap_or_default();
        let (verb, path) = text
            .trim_end()
            .split_once(' ')
            .unwrap_or((text.trim_end(), ""));
        match verb {
            "USER" => control.write_all(b"331 Password\r\n")?,
            "PASS" => control.write_all(b"230 Welcome\r\n")?,
            "TYPE" => control.write_all(b"200 So be it\r\n")?,
            "EPSV" => {
                let (listener, port) = listen()?;
                data = Some(listener);
                control.write_all(format!("229 Go on (|||{port}|)\r\n").as_bytes())?;
            }
            "RETR" => {
                let file = File::open(path)?;
                let size = file.metadata()?.len();
                let mut replies: &[u8] = b"150 It comes\r\n226 That was it\r\n";
                if size > FEW {
                    control.write_all(b"150 It comes\r\n")?;
                    replies = b"226 That was it\r\n";
                }
                send(&accept(data.take())?, &file, size)?;
                control.write_all(replies)?;
            }
            "STOR" => {
                let beside = beside
                    .as_ref()
                    .map(|name| Path::new(path).with_file_name(name));
                let file = File::create(beside.as_deref().unwrap_or(Path::new(path)))?;
                control.write_all(b"150 Send it\r\n")?;
                buffer.resize(BUFFER, 0);
                receive(accept(data.take())?, file, &mut buffer)?;
                if let Some(beside) = &beside {
                    std::fs::rename(beside, path)?;
                }
                control.write_all(b"226 There it is\r\n")?;
            }
            "QUIT" => return control.write_all(b"221 Goodbye\r\n"),
            "" => return Ok(()),
            _ => control.write_all(b"502 What?\r\n")?,
        }
    }
}

/// Listens on the next port of the range that is free.
fn listen() -> io::Result<(TcpListener, u16)> {
    static NEXT: AtomicU16 = AtomicU16::new(*PORTS.start());
    loop {
        let next = |port: u16| {
            Some(if port >= *PORTS.end() {
                *PORTS.start()
            } else {
                port + 1
            })
        };
        let port = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let port = port.unwrap_or(*PORTS.start());
        match TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            listener => return Ok((listener?, port)),
        }
    }
}

fn accept(listener: Option<TcpListener>) -> io::Result<TcpStream> {
    let listener = listener.ok_or(io::ErrorKind::NotConnected)?;
    Ok(listener.accept()?.0)
}

/// In full segments, of which the last is the connection's end too.
fn send(data: &TcpStream, file: &File, size: u64) -> io::Result<()> {
    set_tcp_cork(data, true)?;
    let mut at = 0;
    while at < size && sendfile(data, file, Some(&mut at), MOST)? > 0 {}
    Ok(())
}

/// Small files through the buffer; what is larger goes through a pipe, without a copy through this process.
fn receive(mut data: TcpStream, mut file: File, buffer: &mut [u8]) -> io::Result<()> {
    let mut count = data.read(buffer)?;
    file.write_all(&buffer[..count])?;
    if count < buffer.len() {
        count = data.read(buffer)?;
        file.write_all(&buffer[..count])?;
    }
    if count == 0 {
        return Ok(());
    }
    let (out, into) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setpipe_size(&into, PIPE)?;
    loop {
        let mut held = splice(&data, None, &into, None, PIPE, SpliceFlags::empty())?;
        if held == 0 {
            return Ok(());
        }
        while held > 0 {
            held -= splice(&out, None, &file, None, held, SpliceFlags::empty())?;
        }
    }
}
