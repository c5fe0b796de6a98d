//! Bars on a terminal, and lines where there is none.

use super::fake::{Place, Run, Server, Session};
use super::terminal::{PROMPT, Shown, Terminal};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// What each file is said to be long: 95.4 MiB.
const SIZE: usize = 100_000_000;

/// Keeps transfers slow until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<AtomicBool>);

impl Gate {
    fn open(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Sends all of a file; slowly, as long as the gate is closed.
    fn send(&self, data: &mut TcpStream) -> io::Result<()> {
        let mut left = SIZE;
        while left > 0 {
            let count = match self.0.load(Ordering::SeqCst) {
                true => left,
                false => left.min(10_000),
            };
            data.write_all(&vec![0; count])?;
            left -= count;
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// A server for so many connections that has every file one asks for; those whose name begins with `late` are kept at the
/// gate.
fn slow(connections: usize, gate: &Gate) -> Server {
    let gate = gate.clone();
    Server::with(move |listener| {
        thread::scope(|scope| {
            for _ in 0..connections {
                let mut session = Session::accept(&listener);
                let gate = gate.clone();
                scope.spawn(move || serve(&mut session, &gate));
            }
        });
    })
}

fn serve(s: &mut Session, gate: &Gate) {
    s.login();
    let mut data = None;
    loop {
        let line = s.command();
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("TYPE", _) => s.say("200 image"),
            ("PWD", _) => s.say("257 \"/\""),
            ("CWD", _) => s.say("250 there"),
            ("SIZE", _) => s.say(&format!("213 {SIZE}")),
            ("EPSV", _) => data = Some(s.passive()),
            ("RETR", name) => {
                s.say("150 here it comes");
                let mut data = data.take().unwrap().open();
                let open = Gate::default();
                open.open();
                let gate = if name.starts_with("late") {
                    gate
                } else {
                    &open
                };
                gate.send(&mut data).unwrap();
                drop(data);
                s.say("226 done");
            }
            ("QUIT", _) => {
                // The client waits for it for no more than a moment.
                let _ = s.control.get_mut().write_all(b"221 bye\r\n");
                return;
            }
            _ => s.say("500 what?"),
        }
    }
}

/// The bars, or what is left of any: all that is below the line that was typed.
fn bars(shown: &Shown) -> &[String] {
    &shown.lines[typed(shown)..]
}

fn typed(shown: &Shown) -> usize {
    let prompt = |line: &String| line.starts_with(PROMPT.trim_end());
    shown
        .lines
        .iter()
        .rposition(prompt)
        .map_or(0, |row| row + 1)
}

/// Whether nothing but bars of these names are below that line. The cursor is back at the first once all are drawn.
fn has_bars(shown: &Shown, names: &[&str]) -> bool {
    let bars = bars(shown);
    let mut named = bars.iter().zip(names);
    bars.len() == names.len()
        && named.all(|(bar, name)| bar.starts_with(name))
        && shown.cursor == Some((typed(shown), 0))
}

/// Whether the last line is a prompt where nothing is typed yet.
fn is_over(shown: &Shown) -> bool {
    shown
        .lines
        .last()
        .is_some_and(|line| line == PROMPT.trim_end())
}

#[test]
fn a_bar_fits_its_terminal_and_is_gone_before_the_result() {
    for (columns, expected) in [(40, "late日本語日本   "), (80, "late日本語日本語日 [")]
    {
        let place = Place::new();
        let gate = Gate::default();
        let server = slow(1, &gate);
        let mut terminal = Terminal::start(&place, &server, columns, &[]);
        terminal.types("get late日本語日本語日本語");
        let shown = terminal.shows(|shown| has_bars(shown, &[expected]));
        let bar = &bars(&shown)[0];
        let wide = bar.chars().filter(|&c| c > '\u{2fff}').count();
        let width = bar.chars().count() + wide;
        assert_eq!(width, usize::from(columns) - 1, "{bar:?}");
        gate.open();
        let shown = terminal.shows(is_over);
        let told = shown.lines.concat();
        assert!(told.contains("got late日本語"), "{shown:#?}");
        assert!(told.contains(": 95.4 MiB in"), "{shown:#?}");
        assert!(!told.contains('%'), "the bar is gone: {shown:#?}");
        terminal.types("exit");
        assert_eq!(terminal.ends(), 0);
        server.ended();
    }
}

#[test]
fn each_transfer_has_a_bar_and_a_resize_tears_none() {
    let place = Place::new();
    let gate = Gate::default();
    let server = slow(3, &gate);
    let mut terminal = Terminal::start(&place, &server, 80, &["--jobs", "3"]);
    terminal.types("mget late1 late2 late3");
    let names = ["late1 ", "late2 ", "late3 ", "0/3 "];
    for (columns, rows) in [(80, 24), (40, 24), (80, 24), (30, 24), (132, 43), (40, 10)] {
        // What is drawn before the client hears of it is not torn either.
        terminal.reflow(columns, rows);
        terminal.sees("/3 ");
        terminal.shows(|shown| has_bars(shown, &names));
        terminal.resize(columns, rows);
        let width = usize::from(columns) - 1;
        let shown = terminal.shows(|shown| {
            has_bars(shown, &names) && bars(shown).iter().all(|bar| bar.len() == width)
        });
        let above = shown.lines[..typed(&shown)].concat();
        assert!(above.starts_with("readyConnected to "), "{shown:#?}");
        assert!(above.ends_with("mget late1 late2 late3"), "{shown:#?}");
    }
    // Fewer rows than bars: the total is still there.
    terminal.resize(40, 3);
    terminal.shows(|shown| has_bars(shown, &["late1 ", "0/3 "]));
    gate.open();
    let shown = terminal.shows(is_over);
    for name in ["got late1", "got late2", "got late3", "got 3 of 3 files"] {
        let told = shown.lines.iter().filter(|line| line.starts_with(name));
        assert_eq!(told.count(), 1, "{name}: {shown:#?}");
    }
    assert!(!shown.lines.concat().contains('%'), "{shown:#?}");
    terminal.types("exit");
    assert_eq!(terminal.ends(), 0);
    server.ended();
}

#[test]
fn lines_are_told_above_the_bars() {
    let place = Place::new();
    let gate = Gate::default();
    let server = slow(2, &gate);
    let mut terminal = Terminal::start(&place, &server, 80, &["--jobs", "2"]);
    terminal.types("mget late1 soon1 late2");
    let shown = terminal.shows(|shown| {
        let names = ["got soon1: 95.4 MiB in ", "late1 ", "late2 ", "1/3 files "];
        let bars = bars(shown);
        bars.len() == names.len()
            && names
                .iter()
                .zip(bars)
                .all(|(name, bar)| bar.starts_with(name))
    });
    assert!(!shown.lines[typed(&shown)].contains('%'), "{shown:#?}");
    gate.open();
    terminal.sees("got 3 of 3 files");
    terminal.sees(PROMPT);
    terminal.types("exit");
    assert_eq!(terminal.ends(), 0);
    server.ended();
}

#[test]
fn ctrl_c_takes_the_bars_away_at_once() {
    let place = Place::new();
    let server = Server::play(|s| {
        s.login();
        let mut data = s.retr(SIZE as u64).open();
        data.write_all(b"hello").unwrap();
        assert_eq!(s.command(), "ABOR");
        // No answer: the client has to be stopped again.
        let mut rest = Vec::new();
        let _ = s.control.read_to_end(&mut rest);
    });
    let mut terminal = Terminal::start(&place, &server, 80, &[]);
    terminal.types("get f");
    terminal.shows(|shown| has_bars(shown, &["f "]));
    terminal.interrupt();
    terminal.shows(|shown| bars(shown).is_empty());
    terminal.interrupt();
    assert_eq!(terminal.ends(), 130);
    let shown = terminal.shown();
    assert_eq!(shown.lines.last(), Some(&format!("{PROMPT}get f")));
    assert!(shown.cursor.is_some(), "{shown:#?}");
    server.ended();
}

#[test]
fn colours_only_where_they_are_wanted() {
    for (variables, colours) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let place = Place::new();
        let gate = Gate::default();
        let server = slow(1, &gate);
        let mut terminal = Terminal::with(&place, &server, 80, &[], variables);
        terminal.types("get late");
        let raw = terminal.sees("/s ") + &terminal.sees("/s ");
        assert_eq!(raw.contains("\x1b[32m"), colours, "{raw:?}");
        gate.open();
        terminal.sees("got late");
        terminal.sees(PROMPT);
        terminal.types("exit");
        assert_eq!(terminal.ends(), 0);
        server.ended();
    }
}

#[test]
fn without_a_terminal_a_long_transfer_tells_a_line_now_and_then() {
    let place = Place::new();
    let gate = Gate::default();
    let server = slow(2, &gate);
    let port = server.port.to_string();
    let mut child = place.start(
        &["--port", &port, "--jobs", "2", "-c", "mget late1 late2"],
        None,
    );
    let mut err = child.stderr.take().unwrap();
    let mut told = String::new();
    while told.matches("/s").count() < 2 {
        let mut byte = [0];
        err.read_exact(&mut byte).unwrap();
        told.push(byte[0].into());
    }
    gate.open();
    for line in told.lines() {
        assert!(line.starts_with("2 files: 0/2 files "), "{told}");
        assert!(
            line.contains("% ") && line.contains(" of 191 MiB "),
            "{told}"
        );
    }
    err.read_to_string(&mut told).unwrap();
    let run = Run::of(child);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(!told.contains('\x1b'), "{told:?}");
    server.finish(&run);
}
