//! How an export's objects are made: container, layout, limits.

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::refusal::{Refusal, RefusalCode};

/// How the records of a window are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// A zip with one deflated entry.
    #[default]
    Zip,
    /// A gzip member.
    Gzip,
    /// One frame of Zstandard.
    Zstd,
    /// The bare text.
    None,
}

/// How the records of a window follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One JSON object per line.
    #[default]
    Lines,
    /// A JSON array, still one record per line.
    Array,
}

/// What a window without records gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EmptyWindows {
    /// Nothing but its place in the history.
    #[default]
    Skip,
    /// An object with an empty entry.
    Object,
}

/// Everything that decides the bytes of a window's objects, besides its records.
///
/// A stored one may lack a field that was added later. So a new field's default is what was done
/// before there was a choice: windows of that time must come out the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Format {
    /// The wrapping.
    pub container: Container,
    /// The order of records within it.
    pub layout: Layout,
    /// What to do when there is no record.
    pub empty_windows: EmptyWindows,
    /// Most records of one object.
    pub max_records: u64,
    /// Most bytes of JSON of one object; a single larger record still gets its own.
    pub max_bytes: u64,
    /// Level of deflate, 0 to 9, or of zstd, 1 to 9.
    #[serde(deserialize_with = "level")]
    pub compression: u32,
}

/// Objects of at most so many bytes of JSON are deflated whole: quicker and smaller, but all
/// of their content is in memory at once.
pub const MAX_WHOLE: u64 = 16 << 20;

/// The names of two levels: the quickest, and the smallest for every object: above
/// [`MAX_WHOLE`], where another compressor works, 9 mostly gives more bytes than 8.
const LEVELS: [(&str, u32); 2] = [("fast", 1), ("best", 8)];

/// The deflate level that a text is: a number, `fast` or `best`.
///
/// # Errors
/// A sentence with the fix.
pub fn compression_level(text: &str) -> Result<u32, String> {
    let named = LEVELS.iter().find(|(name, _)| *name == text).map(|(_, level)| *level);
    named
        .or_else(|| text.parse().ok())
        .ok_or_else(|| format!("{text:?} is not a deflate level; write 0 to 9, \"fast\" or \"best\""))
}

/// A level in a file: a number or a name.
fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u32),
        Name(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(level) => Ok(level),
        Written::Name(name) => compression_level(&name).map_err(de::Error::custom),
    }
}

/// The format of an account that says nothing about it.
/// What somebody wants to be different about a format; the rest stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Format")]
pub struct FormatPatch {
    pub container: Option<Container>,
    pub layout: Option<Layout>,
    pub empty_windows: Option<EmptyWindows>,
    pub max_records: Option<u64>,
    pub max_bytes: Option<u64>,
    pub compression: Option<u32>,
}

impl FormatPatch {
    /// The format with these differences.
    #[must_use]
    pub fn over(self, format: &Format) -> Format {
        Format {
            container: self.container.unwrap_or(format.container),
            layout: self.layout.unwrap_or(format.layout),
            empty_windows: self.empty_windows.unwrap_or(format.empty_windows),
            max_records: self.max_records.unwrap_or(format.max_records),
            max_bytes: self.max_bytes.unwrap_or(format.max_bytes),
            compression: self.compression.unwrap_or(format.compression),
        }
    }
}

/// Most bytes of JSON that one object may have: it is built in memory.
const MAX_OBJECT_BYTES: u64 = 256 * 1024 * 1024;

impl Format {
    /// That the limits can work.
    ///
    /// # Errors
    /// The field, its problem and the fix.
    pub fn check(&self) -> Result<(), Refusal> {
        let refuse = |field, problem: String| Refusal::field(field, RefusalCode::InvalidValue, problem);
        if self.max_records == 0 {
            return Err(refuse("max_records", "it is 0".to_owned()).fix("write at least 1"));
        }
        if !(1..=MAX_OBJECT_BYTES).contains(&self.max_bytes) {
            let problem = format!("{} is not between 1 and {MAX_OBJECT_BYTES}", self.max_bytes);
            return Err(refuse("max_bytes", problem).fix("objects are built in memory"));
        }
        if self.compression > 9 {
            let problem = format!("{} is not a deflate level", self.compression);
            return Err(refuse("compression", problem).fix("write 0 to 9, \"fast\" or \"best\""));
        }
        if self.container == Container::Zstd {
            self.check_zstd()?;
        }
        Ok(())
    }

    /// That one frame can hold each object: many readers end after the first.
    fn check_zstd(&self) -> Result<(), Refusal> {
        let refuse = |field, problem: &str| Refusal::field(field, RefusalCode::InvalidValue, problem);
        if self.compression == 0 {
            let refusal = refuse("compression", "zstd has no level 0, which stores");
            return Err(refusal.fix("write 1 to 9, \"fast\" or \"best\", or take the container \"none\""));
        }
        if self.max_bytes > MAX_WHOLE {
            let problem = format!("{} is more than one frame of zstd is made of", self.max_bytes);
            return Err(refuse("max_bytes", &problem).fix(format!("write at most {MAX_WHOLE}, or take gzip or zip")));
        }
        Ok(())
    }
}

impl Default for Format {
    fn default() -> Self {
        Self {
            container: Default::default(),
            layout: Default::default(),
            empty_windows: Default::default(),
            max_records: 100_000,
            max_bytes: MAX_WHOLE,
            compression: 5,
        }
    }
}

impl Format {
    /// Media type of the object, as the SIEMs' readers expect it.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match (self.container, self.layout) {
            (Container::Zip, _) => "application/zip",
            (Container::Gzip, _) => "application/x-gzip",
            // RFC 8878, section 7.1.
            (Container::Zstd, _) => "application/zstd",
            (Container::None, Layout::Lines) => "application/x-ndjson",
            (Container::None, Layout::Array) => "application/json",
        }
    }

    pub(super) fn extension(&self) -> &'static str {
        match (self.container, self.layout) {
            (Container::Zip, _) => ".zip",
            (Container::Gzip, Layout::Lines) => ".jsonl.gz",
            (Container::Gzip, Layout::Array) => ".json.gz",
            (Container::Zstd, Layout::Lines) => ".jsonl.zst",
            (Container::Zstd, Layout::Array) => ".json.zst",
            (Container::None, Layout::Lines) => ".jsonl",
            (Container::None, Layout::Array) => ".json",
        }
    }
}

/// As [`level`], where there may be none.
pub fn optional_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    level(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_format_may_lack_what_was_added_later() {
        let stored: Format = serde_json::from_str(r#"{"container":"gzip","max_records":7}"#).expect("reads");
        assert_eq!(stored, Format { container: Container::Gzip, max_records: 7, ..Format::default() });
    }
}
