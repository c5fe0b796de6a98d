//! Where clients are run against a server that plays a script, and what came of it.

use super::{Server, Session};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

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
