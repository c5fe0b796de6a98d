//! The block of lines at the bottom of the terminal that `indicatif` makes of the bars, and its way onto the screen.
//!
//! The cursor waits where the block begins, not where it ends, as `indicatif` would have it. Whatever a terminal makes
//! of the lines when somebody resizes it, cuts them off or breaks them in two, the block is all that is below the
//! cursor, and can be erased without knowing how many lines it has become.

use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};
use rustix::termios::tcgetwinsize;
use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// Erases all below the cursor, which is where the block begins.
const ERASE: &str = "\r\x1b[J";
/// What is too wide is cut off and does not go on in the next row, until [`WRAP`]: a terminal may be narrower by the
/// time it gets to read what was meant for it.
const CUT: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// The bars. What becomes of them is on the screen after the next [`put`].
pub(super) static BARS: LazyLock<MultiProgress> = LazyLock::new(|| {
    MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(Terminal)))
});

static BLOCK: Mutex<Block> = Mutex::new(Block {
    next: Vec::new(),
    lines: Vec::new(),
});

/// Whether there may be bars: where there never were any, a line need not be written around them.
static USED: AtomicBool = AtomicBool::new(false);

/// There will be bars.
pub(super) fn begin() {
    USED.store(true, Ordering::Relaxed);
}

/// Does something with standard error while no bars are there.
pub(in crate::client) fn aside<T>(write: impl FnOnce() -> T) -> T {
    if !USED.load(Ordering::Relaxed) {
        return write();
    }
    let written = BARS.suspend(write);
    put();
    written
}

/// Shows the bars as they are now. `indicatif` makes up the whole block anew for each bar that changes, of which only
/// the last is worth seeing.
pub(super) fn put() {
    let lines = &block().lines;
    if let Some(more) = lines.len().checked_sub(1) {
        let (text, up) = (lines.join("\r\n"), "\x1b[A".repeat(more));
        write(&format!("{ERASE}{CUT}{text}{WRAP}\r{up}"));
    }
}

/// The columns and rows of the terminal on standard error, or what most have.
pub(super) fn size() -> (u16, u16) {
    let size = tcgetwinsize(io::stderr());
    let (columns, rows) = size.map_or((0, 0), |size| (size.ws_col, size.ws_row));
    let or = |told, usual| if told == 0 { usual } else { told };
    (or(columns, 80), or(rows, 24))
}

struct Block {
    /// Those that are written before they are flushed.
    next: Vec<String>,
    /// What the bars are now.
    lines: Vec<String>,
}

fn block() -> MutexGuard<'static, Block> {
    BLOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes it all at once, so that nothing comes in between.
fn write(text: &str) {
    // Nobody is left to tell when standard error itself is closed.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// What `indicatif` takes for the terminal. Where the cursor is, it need not know.
#[derive(Debug)]
struct Terminal;

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        // A wide letter has to fit: `indicatif` counts on it.
        size().0.max(2)
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        // Blanks are what it fills the rest of a line with.
        if !text.trim().is_empty() {
            block().next.push(text.to_owned());
        }
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn flush(&self) -> io::Result<()> {
        let mut block = block();
        let next = mem::take(&mut block.next);
        let gone = next.is_empty() && !block.lines.is_empty();
        block.lines = next;
        if gone {
            write(ERASE);
        }
        Ok(())
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
}
