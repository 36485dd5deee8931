//! The exports file: accounts, destinations and add-ons, declared in TOML.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::ledger::ExportOptions;
use crate::settings::ExportDefaults;
use auditferry_core::format_patch;
use auditferry_core::model::account::{AccountId, AddOn};
use auditferry_core::model::destination::{Destination, SecretRef};
use auditferry_core::model::format::{
    Absent, Container, EmptyWindows, FormatPatch, Layout, PathLayout, RecordFormat, Siem, optional_level,
};
use auditferry_core::model::start::Start;
use auditferry_core::text::one_line::one_line;

/// Longest part of what TOML's parser says, which quotes names from the file.
const MAX_PROBLEM_CHARS: usize = 300;

/// Why an exports file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExportsError {
    /// It is not TOML, or not of this form.
    #[error("{0}")]
    Parse(String),
    /// It declares nothing: that never means "nobody".
    #[error(
        "it declares no [[export]]; a file without exports is refused, so that it never means \"nobody\""
    )]
    Empty,
    /// A secret is named as if the ledger held it.
    #[error(
        "account {0}: a secret is {{ sealed = … }}, which only the ledger can say; write {{ file = … }} or          {{ env = … }}, or leave the destination out here and set it with `auditferry destination set`"
    )]
    Sealed(AccountId),
    /// Two exports are of one account.
    #[error("account {0} is declared twice; an account has one export: merge the two")]
    Twice(AccountId),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportsFile {
    #[serde(default)]
    export: Vec<Export>,
}

/// One `[[export]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/exports.example.toml documents each key")]
pub struct Export {
    pub account: AccountId,
    pub zone: String,
    pub schedule: Option<String>,
    #[serde(default)]
    pub start: Start,
    pub container: Option<Container>,
    pub layout: Option<Layout>,
    pub empty_windows: Option<EmptyWindows>,
    pub max_records: Option<u64>,
    pub max_bytes: Option<u64>,
    #[serde(default, deserialize_with = "optional_level")]
    pub compression: Option<u32>,
    pub record_format: Option<RecordFormat>,
    pub envelope: Option<bool>,
    pub absent: Option<Absent>,
    pub max_field_bytes: Option<u64>,
    pub path: Option<PathLayout>,
    pub source: Option<String>,
    pub siem: Option<Siem>,
    pub addon: Option<AddOn>,
    pub destination: Option<Destination>,
}

impl Export {
    /// Its options, with the defaults where it says nothing.
    #[must_use]
    pub fn options(&self, defaults: &ExportDefaults) -> ExportOptions {
        ExportOptions {
            zone: self.zone.clone(),
            schedule: self.schedule.clone().unwrap_or_else(|| defaults.schedule.clone()),
            format: self.format().over(&defaults.format),
        }
    }

    fn format(&self) -> FormatPatch {
        format_patch!(self)
    }
}

/// Reads an exports file.
///
/// # Errors
/// When it does not parse, is empty, or declares an account twice.
pub fn parse(text: &str) -> Result<Vec<Export>, ExportsError> {
    let file: ExportsFile =
        toml::from_str(text).map_err(|error| ExportsError::Parse(toml_problem(text, &error)))?;
    if file.export.is_empty() {
        return Err(ExportsError::Empty);
    }
    let mut seen = BTreeSet::new();
    for export in &file.export {
        if !seen.insert(&export.account) {
            return Err(ExportsError::Twice(export.account.clone()));
        }
        let secrets = export.destination.iter().flat_map(Destination::secrets);
        if secrets.map(|(_, secret)| secret).any(|secret| matches!(secret, SecretRef::Sealed(_))) {
            return Err(ExportsError::Sealed(export.account.clone()));
        }
    }
    Ok(file.export)
}

/// Where and what, without the line itself, in which a secret may have been pasted.
fn toml_problem(text: &str, error: &toml::de::Error) -> String {
    let problem = one_line(error.message(), MAX_PROBLEM_CHARS);
    match error.span().and_then(|span| text.get(..span.start)) {
        None => problem,
        Some(before) => {
            let line = before.rsplit('\n').next().unwrap_or_default();
            let (row, column) = (before.matches('\n').count() + 1, line.chars().count() + 1);
            format!("line {row}, column {column}: {problem}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_never_means_nobody() {
        assert!(matches!(parse(""), Err(ExportsError::Empty)));
        assert!(matches!(parse("# nothing"), Err(ExportsError::Empty)));
    }

    #[test]
    fn an_account_is_declared_once() {
        let text =
            "[[export]]\naccount = \"a\"\nzone = \"UTC\"\n[[export]]\naccount = \"a\"\nzone = \"UTC\"\n";
        assert!(parse(text).expect_err("refused").to_string().contains("account a is declared twice"));
    }

    #[test]
    fn a_file_cannot_name_a_sealed_secret() {
        let text = "[[export]]\naccount = \"a\"\nzone = \"UTC\"\ndestination = { kind = \"gcs\", \
                    bucket = \"abc\", credentials = { service_account = { sealed = \"x\" } } }\n";
        assert!(matches!(parse(text), Err(ExportsError::Sealed(_))));
    }

    #[test]
    fn errors_name_the_line_and_the_key() {
        let error =
            parse("[[export]]\naccount = \"a\"\nzone = \"UTC\"\nshedule = \"x\"\n").expect_err("refused");
        assert!(error.to_string().contains("line 4") && error.to_string().contains("shedule"), "{error}");
        let long = format!("[[export]]\naccount = \"{}\"\nzone = \"UTC\"\n", "x".repeat(300));
        assert!(parse(&long).expect_err("refused").to_string().contains("300 bytes"));
    }
}
