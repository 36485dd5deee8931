//! Colours, where standard output is a terminal: red waits for a person, yellow goes on by itself, green is well.

use anstyle::{AnsiColor, Style};

use crate::operations::timeline::SlotState;

/// How a value is painted.
pub(crate) type Paint = fn(&str) -> Option<AnsiColor>;

/// Whether colours are shown: NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM are asked, then the terminal.
pub(super) fn colours() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// A value in its colour.
pub(super) fn painted(paint: Paint, text: &str) -> String {
    match paint(text) {
        None => text.to_owned(),
        Some(colour) => coloured(colour, text),
    }
}

/// A text in a colour.
pub(super) fn coloured(colour: AnsiColor, text: &str) -> String {
    let style = Style::new().fg_color(Some(colour.into()));
    format!("{style}{text}{style:#}")
}

/// What became of a slot.
pub(super) fn slot(state: SlotState) -> Option<AnsiColor> {
    match state {
        SlotState::Delivered => Some(AnsiColor::Green),
        SlotState::Late | SlotState::Open | SlotState::Merged | SlotState::GivenUp | SlotState::Paused => {
            Some(AnsiColor::Yellow)
        }
        SlotState::Failing | SlotState::Skipped => Some(AnsiColor::Red),
        SlotState::Empty | SlotState::NoDestination | SlotState::Expired | SlotState::Disabled => None,
    }
}

/// The health of an account.
pub(crate) fn health(text: &str) -> Option<AnsiColor> {
    match text {
        "running" => Some(AnsiColor::Green),
        "retrying" | "suspended" | "paused" => Some(AnsiColor::Yellow),
        "held" | "clock_ahead" | "unattended" | "no_worker" => Some(AnsiColor::Red),
        _ => None,
    }
}

/// The state of an object or a window, or what became of a replayed one.
pub(crate) fn state(text: &str) -> Option<AnsiColor> {
    match text {
        "delivered" | "restored" | "created" | "exists" | "reproducible" => Some(AnsiColor::Green),
        "sealed" | "open" | "in_delivery" | "not_tried" | "skipped" | "abandoned" => Some(AnsiColor::Yellow),
        "missing" | "differs" | "failed" | "unknown" => Some(AnsiColor::Red),
        _ => None,
    }
}

/// The state of a worker.
pub(crate) fn worker(text: &str) -> Option<AnsiColor> {
    match text {
        "running" => Some(AnsiColor::Green),
        "silent" => Some(AnsiColor::Red),
        _ => None,
    }
}

/// The mark before what a check or a test has found.
pub(crate) fn mark(text: &str) -> Option<AnsiColor> {
    match text.trim() {
        "ok" => Some(AnsiColor::Green),
        "note" => Some(AnsiColor::Yellow),
        "FAILED" => Some(AnsiColor::Red),
        _ => None,
    }
}
