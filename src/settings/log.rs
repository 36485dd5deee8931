//! `[log]`: what is logged, and how lines are written.

use std::str::FromStr as _;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// See `config/default.toml`, `[log]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct LogSettings {
    pub level: String,
    pub format: LogFormat,
}

impl LogSettings {
    /// What is logged.
    ///
    /// # Errors
    /// A sentence with the words that are read.
    pub fn filter(&self) -> Result<EnvFilter, String> {
        let refuse =
            |problem: &str| format!("{:?} {problem}; write error, warn, info, debug or trace", self.level);
        // A word that is no level would be the name of a module, and switch off everything else.
        let is_level = |part: &str| part.contains(['=', '[']) || LevelFilter::from_str(part.trim()).is_ok();
        if let Some(word) = self.level.split(',').find(|part| !is_level(part)) {
            return Err(refuse(&format!("has a word that is not a level: {word:?}")));
        }
        EnvFilter::try_new(&self.level).map_err(|error| refuse(&error.to_string()))
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
