//! What `check` has found: printed as it is found, or collected for a program.

use serde::Serialize;

use crate::cli::output;

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Mark {
    Ok,
    Note,
    Failed,
}

#[derive(Serialize)]
pub(super) struct Finding {
    result: Mark,
    text: String,
}

/// Findings so far.
pub(super) struct Findings {
    all: Vec<Finding>,
    quiet: bool,
}

impl Findings {
    /// None yet; `quiet`: they are not printed.
    pub(super) fn new(quiet: bool) -> Self {
        Self { all: Vec::new(), quiet }
    }

    pub(super) fn ok(&mut self, text: impl Into<String>) {
        self.add(Mark::Ok, text.into());
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.add(Mark::Note, text.into());
    }

    pub(super) fn failed(&mut self, text: impl Into<String>) {
        self.add(Mark::Failed, text.into());
    }

    fn add(&mut self, result: Mark, text: String) {
        if !self.quiet {
            let word = match result {
                Mark::Ok => "ok",
                Mark::Note => "note",
                Mark::Failed => "FAILED",
            };
            output::finding(word, &text);
        }
        self.all.push(Finding { result, text });
    }

    /// Whether something failed.
    pub(super) fn have_failed(&self) -> bool {
        self.all.iter().any(|finding| finding.result == Mark::Failed)
    }

    pub(super) fn all(&self) -> &[Finding] {
        &self.all
    }
}
