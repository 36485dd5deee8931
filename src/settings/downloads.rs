//! `[downloads]`: files of records that an account's people ask for.

use std::path::PathBuf;

use serde::Deserialize;

use super::{SettingsError, Span};

/// Files are copies of audit records: they are not to lie about for years.
const MAX_KEEP: std::time::Duration = std::time::Duration::from_secs(90 * 24 * 3600);

/// See `config/default.toml`, `[downloads]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct DownloadSettings {
    pub store: PathBuf,
    pub bucket_file: PathBuf,
    pub keep: Span,
    pub at_once: usize,
}

impl DownloadSettings {
    /// The file that says in which bucket the files are; none: they are in none.
    #[must_use]
    pub fn bucket(&self) -> Option<&PathBuf> {
        Some(&self.bucket_file).filter(|file| !file.as_os_str().is_empty())
    }

    /// The folder of the files; none: they are in none.
    #[must_use]
    pub fn folder(&self) -> Option<&PathBuf> {
        Some(&self.store).filter(|store| !store.as_os_str().is_empty())
    }

    pub(super) fn validate(&self) -> Result<(), SettingsError> {
        let invalid = |key, problem: String| Err(SettingsError::Invalid { key, problem });
        let store = self.store.to_string_lossy();
        if store.chars().any(char::is_control) {
            return invalid("downloads.store", "it holds control characters; name a folder".to_owned());
        }
        if self.bucket_file.to_string_lossy().chars().any(char::is_control) {
            return invalid("downloads.bucket_file", "it holds control characters; name a file".to_owned());
        }
        if store.contains("://") {
            return invalid(
                "downloads.store",
                format!(
                    "{store:?} is a URL; name a folder, one that all replicas share where there are several, or a bucket with \
                     downloads.bucket_file"
                ),
            );
        }
        if self.folder().is_some() && self.bucket().is_some() {
            return invalid(
                "downloads.bucket_file",
                "downloads.store is set too; set one of the two, where the files are".to_owned(),
            );
        }
        if self.keep.0 > MAX_KEEP {
            return invalid("downloads.keep", "it is more than 2160h (90 days); write less".to_owned());
        }
        if self.at_once == 0 {
            return invalid("downloads.at_once", "it is 0; write at least 1".to_owned());
        }
        Ok(())
    }
}
