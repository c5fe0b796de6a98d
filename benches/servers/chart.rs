//! The results as a picture: a panel of bars for each work that is drawn, readable on light and on dark.

use crate::Results;
use crate::peers::{FLOOR, OURS};
use crate::table::shown;
use crate::works::Work;
use std::fmt::Write;

/// What is drawn, in reading order; the table has the rest.
const DRAWN: [&str; 8] = [
    "down-1", "up-8", "fetch-16", "store-16", "login-16", "list", "tls-down", "idle",
];
const COLUMNS: usize = 2;
const PANEL: usize = 430;
/// Where the bars of a panel begin, and how long the longest may be.
const LEFT: usize = 78;
const LONGEST: f64 = 260.0;
const LINE: usize = 17;
const TITLE: usize = 30;
const GAP: usize = 16;

/// No fonts and no scripts of others; the colours of text are those of the reader's theme.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}\
    .ours{fill:#0969da}.floor{fill:#afb8c1}.other{fill:#8c959f}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#4493f8}.floor{fill:#484f58}.other{fill:#6e7681}}";

/// The whole picture.
pub(crate) fn draw(results: &Results) -> String {
    let panels: Vec<usize> = DRAWN
        .iter()
        .filter_map(|key| results.works.iter().position(|work| work.key == *key))
        .collect();
    let height = TITLE + results.peers.len() * LINE + GAP;
    let (width, total) = (PANEL * COLUMNS, height * panels.len().div_ceil(COLUMNS));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{total}\" \
         viewBox=\"0 0 {width} {total}\" role=\"img\" aria-label=\"FTP servers compared\">\n<style>{STYLE}</style>\n"
    );
    for (number, &at) in panels.iter().enumerate() {
        let (x, y) = (number % COLUMNS * PANEL, number / COLUMNS * height);
        panel(&mut svg, results, at, x, y);
    }
    svg += "</svg>\n";
    svg
}

fn panel(svg: &mut String, results: &Results, at: usize, x: usize, y: usize) {
    let work = results.works[at];
    let _ = writeln!(
        svg,
        "<text class=\"title\" x=\"{}\" y=\"{}\">{}</text>",
        x + 8,
        y + 18,
        title(work)
    );
    let values: Vec<Option<f64>> = (0..results.peers.len())
        .map(|who| results.median(at, who).map(|sample| sample.value))
        .collect();
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    for (who, value) in values.iter().enumerate() {
        let name = results.peers[who].name;
        let top = y + TITLE + who * LINE;
        let class = match name {
            OURS => "ours",
            FLOOR => "floor",
            _ => "other",
        };
        let (length, label) = value.map_or((0.0, "–".to_owned()), |value| {
            (LONGEST * value / most, shown(value))
        });
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{length:.1}\" height=\"12\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{}\">{label}</text>",
            x + LEFT - 6,
            top + 10,
            x + LEFT,
            top,
            f64::from(u32::try_from(x + LEFT + 5).unwrap_or_default()) + length,
            top + 10
        );
    }
}

fn title(work: &Work) -> String {
    let less = if work.is_cost { ", less is better" } else { "" };
    format!("{}, {}{less}", work.name.replace('`', ""), work.unit)
}
