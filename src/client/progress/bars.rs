//! The bars on a terminal: a block of lines at the bottom, one for each file on its way and one for them all.
//!
//! The cursor waits where the block begins, not where it ends. Whatever a terminal makes of the lines when somebody
//! resizes it, cuts them off or breaks them in two, the block is all that is below the cursor, and can be erased without
//! knowing how many lines it has become.

use super::pace::{Pace, State};
use super::{Counts, SHORT, Transfer};
use crate::client::{screen, text};
use rustix::termios::tcgetwinsize;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use unicode_width::UnicodeWidthChar;

/// From so many columns on there is room for a bar between the name and the numbers.
pub(super) const ROOMY: usize = 76;
/// From so many columns on there is room for words.
const WORDY: usize = 56;
/// How wide such a bar is at least, and at most.
const BAR: (usize, usize) = (10, 40);
/// A file that will be there in less seconds gets no bar any more.
const SOON: u64 = 1;

/// Erases all below the cursor, which is where the block begins.
const ERASE: &str = "\r\x1b[J";
/// What is too wide is cut off and does not go on in the next row, until [`WRAP`]: a terminal may be narrower by the
/// time it gets to read what was meant for it.
const CUT: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// What is on the screen now; empty if nothing is.
static SHOWN: Mutex<String> = Mutex::new(String::new());

/// Does something with standard error while no bars are there.
pub(in crate::client) fn aside<T>(write: impl FnOnce() -> T) -> T {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if shown.is_empty() {
        return write();
    }
    put(ERASE);
    let written = write();
    put(&shown);
    written
}

fn show(block: String) {
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if !shown.is_empty() || !block.is_empty() {
        put(&format!("{ERASE}{block}"));
    }
    *shown = block;
}

/// Writes it all at once, so that nothing comes in between.
fn put(text: &str) {
    // Nobody is left to tell when standard error itself is closed.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// What draws the bars, and takes them away when it is dropped.
#[derive(Debug)]
pub(super) struct Bars {
    rows: Vec<Row>,
    total: Pace,
    colours: bool,
}

#[derive(Debug)]
struct Row {
    transfer: Arc<Transfer>,
    pace: Pace,
    /// It has been on the screen, and stays there.
    shown: bool,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self {
            rows: Vec::new(),
            total: Pace::since(Instant::now()),
            colours: screen::takes_colours(&io::stderr()),
        }
    }

    /// Draws everything anew.
    pub(super) fn draw(&mut self, counts: &Counts) {
        let (columns, rows) = size();
        // One row stays for what was there before.
        let lines = self.lines(counts, columns, rows.saturating_sub(1).max(1));
        show(block(&lines));
    }

    fn lines(&mut self, counts: &Counts, columns: usize, most: usize) -> Vec<String> {
        self.follow(&counts.running());
        let found = counts.files_found();
        let single = found == 1;
        let mut lines = Vec::new();
        for row in &mut self.rows {
            let state = row.pace.look(&row.transfer.amount);
            row.shown |= row.transfer.age() >= SHORT
                && (single || state.left().is_none_or(|left| left >= SOON));
            if row.shown {
                lines.push(line(
                    &row.transfer.name,
                    state,
                    false,
                    columns,
                    self.colours,
                ));
            }
        }
        let total = self.total.look(&counts.amount);
        if single && !lines.is_empty() {
            return lines;
        }
        let done = counts.files_done();
        let name = match found {
            0 | 1 => text::clean(&counts.name).into_owned(),
            _ if columns < WORDY => format!("{done}/{found}"),
            _ => format!("{done}/{found} files"),
        };
        lines.truncate(most - 1);
        lines.push(line(&name, total, true, columns, self.colours));
        lines
    }

    /// Has one row for each of those that run, the oldest first.
    fn follow(&mut self, running: &[Arc<Transfer>]) {
        let same = |a: &Arc<Transfer>, b: &Arc<Transfer>| Arc::ptr_eq(a, b);
        self.rows
            .retain(|row| running.iter().any(|other| same(&row.transfer, other)));
        for transfer in running {
            let began = transfer.begun.get();
            if let Some(began) = began
                && !self.rows.iter().any(|row| same(&row.transfer, transfer))
            {
                self.rows.push(Row {
                    transfer: Arc::clone(transfer),
                    pace: Pace::since(*began),
                    shown: false,
                });
            }
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        show(String::new());
    }
}

/// The columns and rows of the terminal on standard error, or what most have.
fn size() -> (usize, usize) {
    let size = tcgetwinsize(io::stderr());
    let (columns, rows) = size.map_or((0, 0), |size| (size.ws_col, size.ws_row));
    let or = |told: u16, usual| if told == 0 { usual } else { told.into() };
    (or(columns, 80), or(rows, 24))
}

/// Lines, and the way back to where they begin.
fn block(lines: &[String]) -> String {
    let up = match lines.len() {
        0 | 1 => String::new(),
        more => format!("\x1b[{}A", more - 1),
    };
    format!("{CUT}{}{WRAP}\r{up}", lines.join("\r\n"))
}

/// A line that leaves the last column free, where some terminals would go on to the next row.
fn line(name: &str, state: State, sum: bool, columns: usize, colours: bool) -> String {
    let mut rest = String::new();
    let mut room = columns.saturating_sub(1);
    if columns >= ROOMY
        && let Some(percent) = state.percent()
    {
        let width = (BAR.0 + (columns - ROOMY) / 2).min(BAR.1);
        rest = format!(" {}", bar(percent, width, colours));
        room -= width + 3;
    }
    for cell in state.cells(columns, sum) {
        room = room.saturating_sub(cell.chars().count() + 1);
        rest = format!("{rest} {cell}");
    }
    format!("{}{rest}", fit(name, room))
}

fn bar(percent: u64, width: usize, colours: bool) -> String {
    let full = width * usize::try_from(percent).unwrap_or(0) / 100;
    let mut done = "=".repeat(full);
    if full < width {
        done.push('>');
    }
    let ahead = " ".repeat(width - done.len());
    match colours {
        true => format!("[\x1b[32m{done}\x1b[0m{ahead}]"),
        false => format!("[{done}{ahead}]"),
    }
}

/// The name in exactly so many columns: its beginning and its end, between which names are most alike.
fn fit(name: &str, columns: usize) -> String {
    let width = |c: char| c.width().unwrap_or(0);
    let whole: usize = name.chars().map(width).sum();
    if whole <= columns {
        return format!("{name}{}", " ".repeat(columns - whole));
    }
    let Some(room) = columns.checked_sub(1) else {
        return String::new();
    };
    let some = |chars: &mut dyn Iterator<Item = char>, mut room: usize| -> Vec<char> {
        let fits = |c: &char| {
            let left = room.checked_sub(width(*c));
            room = left.unwrap_or(0);
            left.is_some()
        };
        chars.take_while(fits).collect()
    };
    let end = some(&mut name.chars().rev(), room / 2);
    let used: usize = end.iter().copied().map(width).sum();
    let start = some(&mut name.chars(), room - used);
    let used = used + start.iter().copied().map(width).sum::<usize>();
    let blanks = std::iter::repeat_n(' ', room - used);
    start
        .into_iter()
        .chain(['…'])
        .chain(end.into_iter().rev())
        .chain(blanks)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Meter;
    use super::*;
    use std::time::Duration;

    /// A file that is half there, and began as long ago.
    fn begun<'a>(counts: &'a Counts, name: &str, ago: Duration) -> Meter<'a> {
        counts.found(2000);
        let meter = Meter::new(counts, name, 2000);
        meter.transfer.begun.set(Instant::now() - ago).unwrap();
        meter.moved(1000);
        meter
    }

    #[test]
    fn only_files_that_take_a_while_have_bars() {
        let counts = Counts::new("x");
        let (new, old) = (Duration::ZERO, Duration::from_secs(5));
        let meters = [
            begun(&counts, "late", old),
            begun(&counts, "new", new),
            // Half of it came in so little time that the rest is there soon.
            begun(&counts, "soon", SHORT),
            begun(&counts, "later", old),
        ];
        let mut bars = Bars::new();
        let mut names = |most| -> Vec<String> {
            let lines = bars.lines(&counts, 80, most);
            let name = |line: &String| line.split(' ').next().unwrap().to_owned();
            lines.iter().map(name).collect()
        };
        assert_eq!(names(9), ["late", "later", "0/4"]);
        assert_eq!(names(2), ["late", "0/4"]);
        assert_eq!(names(1), ["0/4"]);
        drop(meters);
        assert_eq!(names(9), ["0/4"]);
    }

    #[test]
    fn names_are_cut_in_the_middle() {
        for (name, columns, expected) in [
            ("a.iso", 7, "a.iso  "),
            ("a.iso", 5, "a.iso"),
            ("abcdefgh.iso", 8, "abcd…iso"),
            ("日本語.iso", 8, "日本…iso"),
            ("日本語日本語", 8, "日本…語 "),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(fit(name, columns), expected);
        }
    }

    #[test]
    fn a_line_is_as_wide_as_its_terminal_lets_it() {
        let state = State {
            position: 3 << 20,
            total: 12 << 20,
            rate: 1 << 20,
        };
        for columns in 8..300 {
            let line = line("a name that is not short.iso", state, false, columns, false);
            assert_eq!(line.chars().count(), columns - 1, "{line:?}");
        }
        assert_eq!(
            line("2/8", state, true, 40, false),
            "2/8          3.0 MiB  1.0 MiB/s    0:09"
        );
    }
}
