//! A time zone by its name.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::MAX_SHOWN_CHARS;
use crate::text::one_line::one_line;

/// A time zone by its IANA name.
#[derive(Debug, Clone)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// A name that the time zone database does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("zone: {name:?} is not an IANA time zone{near}; names look like Europe/Berlin")]
pub struct ZoneError {
    name: String,
    near: String,
}

impl Zone {
    /// Looks a zone up.
    ///
    /// # Errors
    /// When there is no such zone; the error names the nearest ones.
    pub fn find(database: &TimeZoneDatabase, name: &str) -> Result<Self, ZoneError> {
        match database.get(name) {
            Ok(rules) => Ok(Self { name: rules.iana_name().unwrap_or(name).to_owned(), rules }),
            Err(_) => {
                let names: Vec<String> = database.available().map(|n| n.as_str().to_owned()).collect();
                Err(ZoneError {
                    name: one_line(name, MAX_SHOWN_CHARS),
                    near: crate::text::nearest::hint_by_last_part(name, &names),
                })
            }
        }
    }

    /// The IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The offsets and transitions.
    #[must_use]
    pub fn rules(&self) -> &TimeZone {
        &self.rules
    }
}
