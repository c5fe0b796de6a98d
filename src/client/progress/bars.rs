//! The bars: one for each file on its way and one for them all.

use super::block::{self, BARS};
use super::pace::{Pace, State};
use super::{Counts, SHORT};
use crate::client::{screen, text};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// From so many columns on there is room for a bar between the name and the numbers.
pub(super) const ROOMY: usize = 76;
/// From so many columns on there is room for words.
const WORDY: usize = 56;
/// A file that will be there in less seconds gets no bar any more.
const SOON: u64 = 1;

/// What draws the bars, and takes them away when it is dropped.
#[derive(Debug)]
pub(super) struct Bars {
    total: Pace,
    colours: bool,
    /// Those that are on the screen.
    drawn: Vec<ProgressBar>,
}

impl Bars {
    pub(super) fn new() -> Self {
        block::begin();
        Self {
            total: Pace::since(Instant::now()),
            colours: screen::takes_colours(&io::stderr()),
            drawn: Vec::new(),
        }
    }

    /// Draws everything anew.
    pub(super) fn draw(&mut self, counts: &Counts) {
        let (columns, rows) = block::size();
        // One row stays for what was there before.
        let bars = self.bars(counts, columns.into(), usize::from(rows).saturating_sub(1));
        self.remove();
        self.drawn = bars.into_iter().map(|bar| BARS.add(bar)).collect();
        self.drawn.iter().for_each(ProgressBar::tick);
        block::put();
    }

    fn remove(&mut self) {
        for bar in self.drawn.drain(..) {
            BARS.remove(&bar);
        }
    }

    fn bars(&mut self, counts: &Counts, columns: usize, most: usize) -> Vec<ProgressBar> {
        let found = counts.files_found();
        let single = found == 1;
        let mut bars = Vec::new();
        for transfer in counts.running().iter() {
            let Some((age, state)) = transfer.look() else {
                continue;
            };
            let slow = single || state.left().is_none_or(|left| left >= SOON);
            let new = age >= SHORT && slow;
            if transfer.shown.fetch_or(new, Relaxed) || new {
                let name = transfer.name.clone();
                bars.push(bar(name, state, false, columns, self.colours));
            }
        }
        let total = self.total.look(&counts.amount);
        if single && !bars.is_empty() {
            return bars;
        }
        let done = counts.files_done();
        let name = match found {
            0 | 1 => text::clean(&counts.name).into_owned(),
            _ if columns < WORDY => format!("{done}/{found}"),
            _ => format!("{done}/{found} files"),
        };
        bars.truncate(most.saturating_sub(1));
        bars.push(bar(name, total, true, columns, self.colours));
        bars
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.remove();
        // Where they cannot be taken away, there is nothing to see either.
        let _ = BARS.clear();
    }
}

/// A bar that leaves the last column free, where some terminals would go on to the next row.
fn bar(name: String, state: State, sum: bool, columns: usize, colours: bool) -> ProgressBar {
    let mut rest = format!(" {}", state.cells(columns, sum).join(" "));
    let mut room = columns.saturating_sub(rest.chars().count() + 1);
    if columns >= ROOMY && state.total > 0 {
        let width = columns / 6;
        let colour = |code| if colours { code } else { "" };
        let (green, plain) = (colour("\x1b[32m"), colour("\x1b[0m"));
        rest = format!(" [{green}{{bar:{width}}}{plain}]{rest}");
        room -= width + 3;
    }
    // A name is a column too short where a wide letter is cut off, and the numbers stand below each other all the same.
    let template = format!("{{msg:{room}!}}\x1b[{}G{rest}", room + 1);
    let style = ProgressStyle::with_template(&template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(state.total), ProgressDrawTarget::hidden())
        .with_position(state.position)
        .with_message(name)
        .with_style(style.progress_chars("=> "))
}

#[cfg(test)]
mod tests {
    use super::super::Meter;
    use super::*;
    use std::sync::Mutex;
    use std::time::Duration;

    /// A file that is half there, and began as long ago.
    fn begun<'a>(counts: &'a Counts, name: &str, ago: Duration) -> Meter<'a> {
        counts.found(2000);
        let meter = Meter::new(counts, name, 2000);
        let pace = Pace::since(Instant::now() - ago);
        meter.transfer.pace.set(Mutex::new(pace)).unwrap();
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
            let bars = bars.bars(&counts, 80, most);
            bars.iter().map(ProgressBar::message).collect()
        };
        assert_eq!(names(9), ["late", "later", "0/4 files"]);
        assert_eq!(names(2), ["late", "0/4 files"]);
        assert_eq!(names(1), ["0/4 files"]);
        drop(meters);
        assert_eq!(names(9), ["0/4 files"]);
    }
}
