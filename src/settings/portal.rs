//! `[portal]`: which sites may show the portal, and to which its people go back.

use serde::Deserialize;

use super::SettingsError;
use auditferry_core::model::actor::words;
use auditferry_core::model::portal::Origin;

/// See `config/default.toml`, `[portal]`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct PortalSettings {
    pub frame_ancestors: Vec<String>,
    pub return_urls: Vec<String>,
    pub contact: String,
}

/// The sites that can be read; all of them, once the settings are checked.
fn origins(texts: &[String]) -> Vec<Origin> {
    texts.iter().filter_map(|text| Origin::parse(text).ok()).collect()
}

impl PortalSettings {
    /// The sites that may show it in a frame.
    #[must_use]
    pub fn frame_ancestors(&self) -> Vec<Origin> {
        origins(&self.frame_ancestors)
    }

    /// The sites to which people may be sent back.
    #[must_use]
    pub fn return_urls(&self) -> Vec<Origin> {
        origins(&self.return_urls)
    }

    pub(super) fn validate(&self) -> Result<(), SettingsError> {
        for (key, texts) in
            [("portal.frame_ancestors", &self.frame_ancestors), ("portal.return_urls", &self.return_urls)]
        {
            for text in texts {
                Origin::parse(text).map_err(|problem| SettingsError::Invalid { key, problem })?;
            }
        }
        if !self.contact.is_empty() && words(&self.contact).is_err() {
            let problem = "it is no line of plain text; write it like support@vendor.example".to_owned();
            return Err(SettingsError::Invalid { key: "portal.contact", problem });
        }
        Ok(())
    }
}
