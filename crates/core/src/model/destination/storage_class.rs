//! In which storage class S3 keeps new objects.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The classes in which an object can be read at once, by the names of AWS.
///
/// Source: "Understanding and managing Amazon S3 storage classes", Amazon S3 User Guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum StorageClass {
    /// Three availability zones, no retrieval fee.
    Standard,
    /// Moves what nobody reads to cheaper tiers by itself.
    IntelligentTiering,
    /// Three availability zones; billed for 30 days and 128 KiB at least.
    StandardIa,
    /// As above, in one availability zone.
    OneZoneIa,
    /// For what is read once a quarter; billed for 90 days and 128 KiB at least.
    GlacierIr,
}

impl StorageClass {
    const ALL: [Self; 5] =
        [Self::Standard, Self::IntelligentTiering, Self::StandardIa, Self::OneZoneIa, Self::GlacierIr];

    /// The name by which S3 knows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::StandardIa => "STANDARD_IA",
            Self::OneZoneIa => "ONEZONE_IA",
            Self::GlacierIr => "GLACIER_IR",
        }
    }
}

impl From<StorageClass> for &'static str {
    fn from(class: StorageClass) -> Self {
        class.as_str()
    }
}

impl TryFrom<String> for StorageClass {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl FromStr for StorageClass {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if let Some(class) = Self::ALL.into_iter().find(|class| class.as_str() == name) {
            return Ok(class);
        }
        let why = match name {
            "GLACIER" | "DEEP_ARCHIVE" => {
                "is an archive: a SIEM cannot read an object there before somebody restores it; let a lifecycle rule \
                 of the bucket move objects there once they have been read, and"
            }
            "REDUCED_REDUNDANCY" => "loses objects more often than the others, and AWS advises against it;",
            _ => "is no storage class in which objects can be put and read at once;",
        };
        let names = Self::ALL.map(Self::as_str).join(", ");
        Err(format!("storage class {name:?} {why} write one of {names}, or leave it out"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_written_as_aws_does() {
        for class in StorageClass::ALL {
            assert_eq!(class.as_str().parse(), Ok(class));
            let json = serde_json::to_string(&class).expect("writes");
            assert_eq!(json, format!("\"{}\"", class.as_str()));
            assert_eq!(serde_json::from_str::<StorageClass>(&json).expect("reads"), class);
        }
    }

    #[test]
    fn an_archive_is_refused_with_the_reason() {
        for (name, why) in [
            ("GLACIER", "cannot read an object there before somebody restores it"),
            ("DEEP_ARCHIVE", "lifecycle rule"),
            ("REDUCED_REDUNDANCY", "advises against"),
            ("standard", "is no storage class"),
            ("EXPRESS_ONEZONE", "is no storage class"),
        ] {
            let error = name.parse::<StorageClass>().expect_err(name);
            assert!(error.contains(why) && error.contains("GLACIER_IR"), "{name}: {error}");
        }
    }
}
