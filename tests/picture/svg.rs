//! A terminal's screen as an SVG picture: text, with colours, in a window.

use std::fmt::Write;
use vt100::{Cell, Color, Screen};

const SIZE: f64 = 14.0;
/// How wide a letter is: in nearly every font of fixed width this part of its size.
const WIDTH: f64 = SIZE * 0.6;
const HEIGHT: f64 = 20.0;
const MARGIN: f64 = 18.0;
/// Of the bar with the title.
const BAR: f64 = 36.0;

const BACKGROUND: &str = "#1a1b26";
const FRAME: &str = "#24283b";
const TEXT: &str = "#c8d3f5";
const FAINT: &str = "#8089a8";
/// The sixteen colours of a terminal, dark and bright.
const PALETTE: [&str; 16] = [
    "#414868", "#f7768e", "#9ece6a", "#e0af68", "#7aa2f7", "#bb9af7", "#7dcfff", "#c8d3f5",
    "#565f89", "#ff899d", "#b9f27c", "#ffc777", "#82aaff", "#c099ff", "#86e1fc", "#ffffff",
];

/// All rows of the screen that have something.
pub(crate) fn draw(screen: &Screen, columns: u16, title: &str) -> String {
    let rows = screen.rows(0, columns).collect::<Vec<_>>();
    let used = rows.iter().rposition(|row| !row.trim().is_empty());
    let used = used.map_or(1, |last| last + 1);
    let width = f64::from(columns) * WIDTH + 2.0 * MARGIN;
    let count = u16::try_from(used).expect("a screen's rows");
    let height = BAR + f64::from(count) * HEIGHT + 2.0 * MARGIN;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" font-size=\"{SIZE}\" fill=\"{TEXT}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace\">"
    );
    let _ = writeln!(svg, "<title>{}</title>", escaped(title));
    let _ = writeln!(
        svg,
        "<rect width=\"100%\" height=\"100%\" rx=\"10\" fill=\"{BACKGROUND}\"/>\n\
         <path d=\"M0 {BAR}V10A10 10 0 0 1 10 0H{:.0}a10 10 0 0 1 10 10V{BAR}z\" fill=\"{FRAME}\"/>",
        width - 10.0
    );
    for (x, colour) in (0..).zip([PALETTE[1], PALETTE[3], PALETTE[2]]) {
        let x = MARGIN + 4.0 + f64::from(x) * 20.0;
        let _ = writeln!(
            svg,
            "<circle cx=\"{x}\" cy=\"18\" r=\"6\" fill=\"{colour}\"/>"
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"50%\" y=\"23\" text-anchor=\"middle\" fill=\"{FAINT}\">{}</text>",
        escaped(title)
    );
    for row in 0..count {
        for run in runs(screen, row, columns) {
            run.write(&mut svg, row);
        }
    }
    svg + "</svg>\n"
}

/// Letters beside each other that look alike.
struct Run {
    column: u16,
    columns: u16,
    text: String,
    style: String,
}

fn runs(screen: &Screen, row: u16, columns: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else {
            break;
        };
        if cell.is_wide_continuation() {
            continue;
        }
        let text = if cell.has_contents() {
            cell.contents()
        } else {
            " "
        };
        let (style, wide) = (style(cell), if cell.is_wide() { 2 } else { 1 });
        match runs.last_mut() {
            Some(run) if run.style == style => {
                run.text += text;
                run.columns += wide;
            }
            _ => runs.push(Run {
                column,
                columns: wide,
                text: text.to_owned(),
                style,
            }),
        }
    }
    runs
}

impl Run {
    /// Its place and length are said, so that each font gives the same picture.
    fn write(&self, svg: &mut String, row: u16) {
        let text = self.text.trim_end();
        let blanks = self.text.chars().count() - text.chars().count();
        let columns = self.columns - u16::try_from(blanks).expect("no more than the columns");
        if columns == 0 {
            return;
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.0}\" textLength=\"{:.1}\" xml:space=\"preserve\"{}>{}</text>",
            left(self.column),
            top(row) + SIZE,
            f64::from(columns) * WIDTH,
            self.style,
            escaped(text)
        );
    }
}

fn left(column: u16) -> f64 {
    MARGIN + f64::from(column) * WIDTH
}

fn top(row: u16) -> f64 {
    BAR + MARGIN + f64::from(row) * HEIGHT
}

/// What SVG has for a cell's looks.
fn style(cell: &Cell) -> String {
    let mut style = String::new();
    match cell.fgcolor() {
        Color::Idx(index) if index < 16 => {
            let _ = write!(style, " fill=\"{}\"", PALETTE[usize::from(index)]);
        }
        Color::Rgb(red, green, blue) => {
            let _ = write!(style, " fill=\"#{red:02x}{green:02x}{blue:02x}\"");
        }
        Color::Default | Color::Idx(_) => {}
    }
    if cell.bold() {
        style += " font-weight=\"bold\"";
    }
    if cell.dim() {
        style += " opacity=\"0.6\"";
    }
    if cell.italic() {
        style += " font-style=\"italic\"";
    }
    if cell.underline() {
        style += " text-decoration=\"underline\"";
    }
    style
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
