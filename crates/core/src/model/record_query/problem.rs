//! What is wrong with a query, so that a page can say it in its own language beside the field.

use std::fmt;

use super::{MAX_TEXT_CHARS, MOST_DAYS};

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The date range: a preset, or from and to.
    Range,
    /// The first day.
    From,
    /// The last day.
    To,
    /// Who did it.
    User,
    /// What was done.
    Action,
    /// The vendor's id of the action.
    ActionId,
    /// From where it was done.
    Ip,
    /// The text that is looked for.
    Text,
    /// How many records are on a page.
    Rows,
    /// Where a page goes on.
    Place,
}

impl Field {
    /// Its name in the URL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::From => "from",
            Self::To => "to",
            Self::User => "user",
            Self::Action => "action",
            Self::ActionId => "id",
            Self::Ip => "ip",
            Self::Text => "q",
            Self::Rows => "rows",
            Self::Place => "older",
        }
    }
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// It is none of the ranges.
    UnknownRange,
    /// It is no date.
    NotADate,
    /// It is needed with a range from and to.
    DateNeeded,
    /// The last day is before the first.
    EndsBeforeItBegins,
    /// It spans more than [`MOST_DAYS`] days.
    TooLong,
    /// It is longer than [`MAX_TEXT_CHARS`].
    TooManyCharacters,
    /// It is no address, and no net that ends at a full stop.
    NotAnAddress,
    /// It is none of the sizes.
    UnknownSize,
    /// It is no place of a record, or both directions are asked for.
    NotAPlace,
    /// It holds a character that no text has.
    Unprintable,
}

/// A field whose value cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldProblem {
    /// Which field.
    pub field: Field,
    /// What is wrong.
    pub problem: Problem,
}

impl Problem {
    /// What is wrong, and what to do.
    #[must_use]
    pub fn words(self) -> (String, String) {
        let (problem, fix): (&str, String) = match self {
            Self::UnknownRange => ("it is no range of the list", "use 24h, 7d, 30d, 93d or dates".into()),
            Self::NotADate => ("it is no date", "write it as year, month and day: 2026-11-30".into()),
            Self::DateNeeded => ("it is empty", "give the first and the last day".into()),
            Self::EndsBeforeItBegins => {
                ("it is before the first day", "give the same day or a later one".into())
            }
            Self::TooLong => ("the view is too long", format!("choose at most {MOST_DAYS} days")),
            Self::TooManyCharacters => ("it is too long", format!("use at most {MAX_TEXT_CHARS} characters")),
            Self::NotAnAddress => (
                "it is no address and no net",
                "write an address, or a net with /8, /16 or /24, such as 203.0.113.0/24".into(),
            ),
            Self::UnknownSize => ("it is no size of the list", "use 20, 50 or 200".into()),
            Self::NotAPlace => ("it is no place of a record", "open the page without it".into()),
            Self::Unprintable => ("it holds a character that no text has", "leave it out".into()),
        };
        (problem.to_owned(), fix)
    }
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (problem, fix) = self.problem.words();
        write!(f, "{}: {problem}; {fix}", self.field.name())
    }
}
