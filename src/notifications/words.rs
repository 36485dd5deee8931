//! What notices say, in each language. A language is a file; what it does not say does not compile.

mod english;
mod german;

use jiff::Timestamp;

use auditferry_core::model::notification::{Item, Language};
use auditferry_core::store::PutErrorKind;

/// Something that is said. A text that says nothing is left out.
#[derive(Clone, Copy)]
pub(super) enum Phrase<'a> {
    /// One line over several things.
    Title {
        /// How many are wrong, of those that are listed.
        troubles: u64,
        /// How many are over.
        over: u64,
        /// How many are not listed.
        more: u64,
    },
    /// What it is.
    Headline {
        /// The thing.
        item: &'a Item,
        /// Whether the operator reads it.
        operator: bool,
    },
    /// Why, by the kind of a failure.
    Reason {
        /// The kind, as in the metrics.
        kind: &'a str,
    },
    /// What its reader can do.
    Fix {
        /// The thing.
        item: &'a Item,
        /// Whether the operator reads it.
        operator: bool,
    },
    /// What exactly happened.
    Message {
        /// In the words of who said it.
        message: &'a str,
    },
    /// What to do, in the words of the command line.
    Command {
        /// Those words, which are English.
        fix: &'a str,
    },
    /// How many there are that are not listed.
    More {
        /// How many.
        more: u64,
    },
    /// What is true of every failure.
    Closing {
        /// Whether the operator reads it.
        operator: bool,
    },
    /// Of a message that tries a channel.
    TestTitle,
    /// Of the same.
    TestBody,
}

/// Says it.
pub(super) fn said(language: Language, phrase: Phrase<'_>) -> String {
    match language {
        Language::En => english::said(phrase),
        Language::De => german::said(phrase),
    }
}

/// Why a destination's store refuses, and what its owner can do, where that is not said in English. The remedies of a
/// cloud are in its own words, which are English.
#[must_use]
pub fn advice(language: Language, kind: &str) -> Option<String> {
    match language {
        Language::En => None,
        Language::De => PutErrorKind::parse(kind).map(german::advice),
    }
}

/// An instant as a person reads it.
fn day_and_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
