//! What people and programs read: the one place that writes to standard output.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;

use crate::operations::listing::Listing;
use crate::operations::timeline::SlotState;
use auditferry_core::model::instant::span_text;

pub(crate) mod paint;
mod table;

pub(crate) use table::Column;

/// Writes a text as it is. A reader that has gone away is not our problem.
pub(crate) fn text(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes a line.
pub(crate) fn line(line: impl AsRef<str>) {
    text(&format!("{}\n", line.as_ref()));
}

/// Writes an error where errors go.
pub(crate) fn error(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "auditferry: {message}");
}

/// Writes a line for a person beside what a program reads.
pub(crate) fn note(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{message}");
}

/// Asks a person on the terminal; anything but yes is no.
pub(crate) fn ask(question: &str) -> Result<bool, super::CliError> {
    let _ = write!(std::io::stderr().lock(), "{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| super::CliError::Usage(format!("the answer cannot be read: {error}")))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// The step that is being made, where a person sees it: as a line that passes on a terminal, as lines
/// of standard error elsewhere.
pub(crate) struct Steps(ProgressBar);

impl Steps {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// A step begins.
    pub(crate) fn begin(&self, step: &str) {
        if std::io::stderr().is_terminal() {
            self.0.set_message(format!("{step} …"));
        } else {
            note(&format!("  …       {step}"));
        }
    }

    /// All of them are over.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// How far many of one kind have come; nothing is shown where nobody watches.
pub(crate) fn progress(all: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(all);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {elapsed}") {
        bar.set_style(style);
    }
    bar.with_message(what)
}

/// Writes a value for a program.
pub(crate) fn json<T: Serialize>(value: &T) {
    match serde_json::to_string_pretty(value) {
        Ok(json) => line(json),
        Err(problem) => error(&problem.to_string()),
    }
}

/// Writes a table for a person, or what to say when it is empty.
pub(crate) fn table(columns: &[Column], rows: &[Vec<String>], empty: &str) {
    if rows.is_empty() {
        return line(empty);
    }
    for row in table::lines(columns, rows, width(), paint::colours()) {
        line(row);
    }
}

/// Says that a listing was cut: below the table for a person, on standard error beside what a program reads.
pub(crate) fn rest<T>(listing: &Listing<T>, json: bool) {
    match listing.rest() {
        Some(rest) if json => note(&format!("auditferry: {rest}")),
        Some(rest) => line(rest),
        None => {}
    }
}

/// How wide the terminal is; `COLUMNS` counts first. None where the output goes elsewhere.
fn width() -> Option<usize> {
    let given = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    given
        .or_else(|| {
            let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
            Some(usize::from(size.ws_col))
        })
        .filter(|width| *width > 0)
}

/// Writes `name: value` lines, aligned.
pub(crate) fn facts(facts: &[(&str, String)]) {
    let names = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let room = width().map_or(usize::MAX, |width| width.saturating_sub(names + 2).max(40));
    for (name, value) in facts {
        let paint: Option<paint::Paint> = match *name {
            "health" => Some(paint::health),
            "state" => Some(paint::state),
            _ => None,
        };
        for (number, part) in table::wrapped(value, room).iter().enumerate() {
            let name = if number == 0 { *name } else { "" };
            match paint.filter(|_| paint::colours()) {
                Some(paint) => line(format!("{name:names$}  {}", paint::painted(paint, part))),
                None => line(format!("{name:names$}  {part}")),
            }
        }
    }
}

/// Writes what a check or a test has found: `ok`, `note` or `FAILED`, and what.
pub(crate) fn finding(mark: &str, text: impl AsRef<str>) {
    let mark = format!("{mark:6}");
    let mark = if paint::colours() { paint::painted(paint::mark, &mark) } else { mark };
    line(format!("{mark}  {}", text.as_ref()));
}

/// The sign of a slot's state, in its colour.
pub(crate) fn sign(state: SlotState) -> String {
    let sign = state.sign().to_string();
    match paint::slot(state).filter(|_| paint::colours()) {
        Some(colour) => paint::coloured(colour, &sign),
        None => sign,
    }
}

/// An instant to the second, in UTC.
pub(crate) fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// How long ago an instant was, or how long it is until it comes.
pub(crate) fn relative(at: Timestamp, now: Timestamp) -> String {
    let since = now.duration_since(at);
    if since.is_negative() { format!("in {}", span_text(since)) } else { format!("{} ago", span_text(since)) }
}

/// An instant or a dash.
pub(crate) fn maybe_utc(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), utc)
}

/// Bytes, for a person.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}
