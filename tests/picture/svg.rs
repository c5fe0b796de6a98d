//! A terminal's screen as an SVG picture: text, with colours, in a window.

use avt::{Cell, Color, Line, Terminal as Screen};
use std::fmt::Write;

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
pub(crate) fn draw(screen: &Screen, title: &str) -> String {
    let lines: Vec<&Line> = screen.screen().visible_lines().collect();
    let used = lines
        .iter()
        .rposition(|line| !line.text().trim().is_empty());
    let lines = &lines[..used.map_or(0, |last| last + 1)];
    let width = wide(screen.size().0) + 2.0 * MARGIN;
    let height = top(lines.len()) + MARGIN;
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
    for (row, line) in lines.iter().enumerate() {
        for run in runs(line) {
            run.write(&mut svg, row);
        }
    }
    svg + "</svg>\n"
}

/// Letters beside each other that look alike.
struct Run {
    column: usize,
    columns: usize,
    text: String,
    style: String,
}

fn runs(line: &Line) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (column, cell) in line.cells().iter().enumerate() {
        let (style, columns) = (style(cell), usize::from(cell.width()));
        match runs.last_mut() {
            // The second half of a wide letter.
            _ if columns == 0 => {}
            Some(run) if run.style == style => {
                run.text.push(cell.char());
                run.columns += columns;
            }
            _ => runs.push(Run {
                column,
                columns,
                text: cell.char().to_string(),
                style,
            }),
        }
    }
    runs
}

impl Run {
    /// Its place and length are said, so that each font gives the same picture.
    fn write(&self, svg: &mut String, row: usize) {
        let text = self.text.trim_end();
        let blanks = self.text.chars().count() - text.chars().count();
        let columns = self.columns - blanks;
        if columns == 0 {
            return;
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.0}\" textLength=\"{:.1}\" xml:space=\"preserve\"{}>{}</text>",
            MARGIN + wide(self.column),
            top(row) + SIZE,
            wide(columns),
            self.style,
            escaped(text)
        );
    }
}

/// How wide so many columns are.
fn wide(columns: usize) -> f64 {
    f64::from(u16::try_from(columns).expect("a terminal's columns")) * WIDTH
}

/// Where a row begins.
fn top(row: usize) -> f64 {
    BAR + MARGIN + f64::from(u16::try_from(row).expect("a terminal's rows")) * HEIGHT
}

/// What SVG has for a cell's looks.
fn style(cell: &Cell) -> String {
    let mut style = String::new();
    let pen = cell.pen();
    match pen.foreground() {
        Some(Color::Indexed(index)) if index < 16 => {
            let _ = write!(style, " fill=\"{}\"", PALETTE[usize::from(index)]);
        }
        Some(Color::RGB(colour)) => {
            let (red, green, blue) = (colour.r, colour.g, colour.b);
            let _ = write!(style, " fill=\"#{red:02x}{green:02x}{blue:02x}\"");
        }
        // The client has no others.
        Some(Color::Indexed(_)) | None => {}
    }
    for (is_so, what) in [
        (pen.is_bold(), " font-weight=\"bold\""),
        (pen.is_faint(), " opacity=\"0.6\""),
        (pen.is_italic(), " font-style=\"italic\""),
        (pen.is_underline(), " text-decoration=\"underline\""),
    ] {
        if is_so {
            style += what;
        }
    }
    style
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
