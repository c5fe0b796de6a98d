//! The bar on a terminal.

use super::fake::{Place, Server};
use super::terminal::{PROMPT, Terminal};
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The terminal of the tests takes each byte for a character.
fn utf8(raw: &str) -> String {
    let bytes = raw.chars().map(|c| u8::try_from(c).unwrap()).collect();
    String::from_utf8(bytes).unwrap()
}

/// What is on each line that was drawn, without what moves the cursor and erases.
fn drawn(raw: &str) -> Vec<String> {
    let mut text = String::new();
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            // Up to the letter that ends the sequence, each of which begins anew on an erased line here.
            chars.by_ref().skip(1).find(char::is_ascii_alphabetic);
            text.push('\n');
        } else {
            text.push(c);
        }
    }
    let lines = text.split(['\r', '\n']).map(str::to_owned);
    lines.filter(|line| !line.trim().is_empty()).collect()
}

#[test]
fn a_bar_fits_its_terminal_and_is_gone_before_the_result() {
    for columns in [40, 80] {
        let place = Place::new();
        let (tell, told) = channel::<()>();
        let server = Server::play(move |s| {
            s.login();
            s.expect("TYPE I", "200 image");
            s.expect("SIZE n日本日本日本日本日本日本", "213 100000000");
            let data = s.epsv();
            s.expect("RETR n日本日本日本日本日本日本", "150 here it comes");
            let mut data = data.open();
            let mut left = 100_000_000;
            // Slowly, until the bar has been seen.
            while told.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
                data.write_all(&[0; 10_000]).unwrap();
                left -= 10_000;
            }
            data.write_all(&vec![0; left]).unwrap();
            drop(data);
            s.say("226 done");
            s.quit();
        });
        let mut terminal = Terminal::start(&place, &server, columns, &[]);
        terminal.types("get n日本日本日本日本日本日本");
        let mut raw = terminal.sees("/s ");
        raw += &terminal.sees("/s ");
        drop(tell);
        raw += &terminal.sees("got n");
        let raw = utf8(&raw);
        for line in drawn(&raw).iter().skip(1) {
            let wide = line.chars().filter(|&c| c > '\u{2fff}').count();
            let width = line.trim_end().chars().count() + wide;
            assert!(width <= usize::from(columns), "{line:?} in {raw:?}");
        }
        assert!(raw.contains("n日本"), "{raw:?}");
        assert!(!raw.contains("\x1b[3"), "no colours: {raw:?}");
        assert!(raw.ends_with("\r\x1b[2K"), "an erased line: {raw:?}");
        let rest = terminal.sees(PROMPT);
        assert!(rest.contains(": 95.4 MiB in "), "the result: {rest:?}");
        assert!(!rest.contains("\x1b[2K"), "the bar is gone: {rest:?}");
        terminal.types("exit");
        assert_eq!(terminal.ends(), 0);
        server.ended();
    }
}
