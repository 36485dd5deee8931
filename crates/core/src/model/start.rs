//! From where an export takes records.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// From where a new or re-enabled export takes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// What commits once the add-on is enabled for the first time.
    #[default]
    Enabled,
    /// What commits from now on.
    Now,
    /// Everything that the source holds.
    Beginning,
    /// What occurred at or after an instant.
    At(Timestamp),
}

/// Why a text is not a start.
#[derive(Debug, thiserror::Error)]
#[error(
    "start: {0:?} is neither \"enabled\", \"now\", \"beginning\" nor an instant; write one, such as 2026-11-21 or 2026-11-21T00:00:00Z"
)]
pub struct StartError(String);

impl FromStr for Start {
    type Err = StartError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "enabled" => Ok(Self::Enabled),
            "now" => Ok(Self::Now),
            "beginning" => Ok(Self::Beginning),
            _ => crate::model::instant::parse(text).map(Self::At).map_err(|_| StartError(text.to_owned())),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enabled => f.write_str("enabled"),
            Self::Now => f.write_str("now"),
            Self::Beginning => f.write_str("beginning"),
            Self::At(at) => at.fmt(f),
        }
    }
}

impl Serialize for Start {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::model::instant::text(
            deserializer,
            "\"enabled\", \"now\", \"beginning\" or an instant, in quotes",
        )
    }
}
