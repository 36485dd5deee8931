//! Presets: the options of an export that a SIEM's reader needs.
//!
//! A preset that was released never changes, so that the same exports file asks for the same objects after an
//! upgrade (`tests/pure/golden/presets.json`). One that proves wrong gets a successor with another name.
//!
//! Source: what the readers were seen to read, `docs/book/src/siem/index.md`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::format::{Container, EmptyWindows, Format, Layout, PathLayout, RecordFormat};

/// Who reads the objects of an export. It sets the options of a format, which are stored one by one: from then
/// on only they decide the bytes, and the name tells why they are so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Siem {
    /// Nobody in particular.
    #[default]
    None,
    /// Splunk Add-on for AWS.
    SplunkAws,
    /// Splunk Add-on for Microsoft Cloud Services.
    SplunkAzure,
    /// Splunk Add-on for Google Cloud Platform.
    SplunkGcp,
    /// IBM QRadar, Amazon AWS S3 REST API.
    Qradar,
    /// Microsoft Sentinel, codeless connector for blobs.
    Sentinel,
    /// Microsoft Sentinel, the function of the AWS S3 connector.
    SentinelFunction,
    /// Filebeat, Elastic Agent and Logstash.
    Elastic,
    /// Wazuh, SQS subscriber.
    Wazuh,
    /// Datadog Forwarder.
    Datadog,
    /// Datadog's function for Azure blobs.
    DatadogAzure,
    /// A feed of Google SecOps.
    Chronicle,
    /// The ingestion script of Google SecOps.
    ChronicleScript,
    /// Sumo Logic.
    Sumo,
    /// New Relic's function for S3.
    Newrelic,
    /// Vector.
    Vector,
    /// Fluentd.
    Fluentd,
    /// Falcon LogScale.
    Logscale,
    /// Tenzir.
    Tenzir,
    /// Amazon Athena.
    Athena,
    /// A custom source of Amazon Security Lake.
    SecurityLake,
}

/// All of them, with the name in files and options, and the kinds of destination that the reader reads.
const ALL: [(Siem, &str, &[&str]); 21] = [
    (Siem::None, "none", &["s3", "gcs", "azure"]),
    (Siem::SplunkAws, "splunk-aws", &["s3"]),
    (Siem::SplunkAzure, "splunk-azure", &["azure"]),
    (Siem::SplunkGcp, "splunk-gcp", &["gcs"]),
    (Siem::Qradar, "qradar", &["s3"]),
    (Siem::Sentinel, "sentinel", &["azure"]),
    (Siem::SentinelFunction, "sentinel-function", &["s3"]),
    (Siem::Elastic, "elastic", &["s3", "gcs", "azure"]),
    (Siem::Wazuh, "wazuh", &["s3"]),
    (Siem::Datadog, "datadog", &["s3"]),
    (Siem::DatadogAzure, "datadog-azure", &["azure"]),
    (Siem::Chronicle, "chronicle", &["s3", "gcs", "azure"]),
    (Siem::ChronicleScript, "chronicle-script", &["gcs"]),
    (Siem::Sumo, "sumo", &["s3"]),
    (Siem::Newrelic, "newrelic", &["s3"]),
    (Siem::Vector, "vector", &["s3"]),
    (Siem::Fluentd, "fluentd", &["s3"]),
    (Siem::Logscale, "logscale", &["s3"]),
    (Siem::Tenzir, "tenzir", &["s3", "gcs", "azure"]),
    (Siem::Athena, "athena", &["s3"]),
    (Siem::SecurityLake, "security-lake", &["s3"]),
];

impl Siem {
    /// All presets, with `none`.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.iter().map(|(siem, ..)| *siem)
    }

    fn row(self) -> Option<&'static (Self, &'static str, &'static [&'static str])> {
        ALL.iter().find(|(siem, ..)| *siem == self)
    }

    /// Its name in files, options and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().map_or("none", |(_, name, _)| name)
    }

    /// The kinds of destination that its reader reads.
    #[must_use]
    pub fn kinds(self) -> &'static [&'static str] {
        self.row().map_or(&[], |(.., kinds)| kinds)
    }

    /// A format with its options in the place of those that it decides; the limits of objects and the level stay. `none` decides
    /// nothing.
    #[must_use]
    pub fn over(self, format: &Format) -> Format {
        let format = Format { siem: self, ..format.clone() };
        let container = match self {
            Self::None => return format,
            // They do not unpack.
            Self::SplunkGcp | Self::SentinelFunction | Self::DatadogAzure | Self::ChronicleScript => {
                Container::None
            }
            Self::SecurityLake => Container::Parquet,
            _ => Container::Gzip,
        };
        let (record_format, path) = match self {
            // Names of columns have no spaces there, and days are partitions.
            Self::Athena => (RecordFormat::SnakeCase, PathLayout::Hive),
            Self::SecurityLake => (RecordFormat::Ocsf, PathLayout::SecurityLake),
            Self::Sentinel | Self::SentinelFunction => (RecordFormat::SnakeCase, PathLayout::Contract),
            _ => (RecordFormat::Display, PathLayout::Contract),
        };
        // Five texts, each of which may take six times its bytes when all of it is escaped, and what stands around
        // them: a line of less than 64 KiB, 256,000 bytes and 1,000,000 bytes.
        let max_field_bytes = match self {
            Self::Wazuh => 2_048,
            Self::DatadogAzure | Self::Newrelic => 8_192,
            Self::Datadog => 32_000,
            _ => 0,
        };
        let (layout, empty_windows) = (Layout::Lines, EmptyWindows::Skip);
        Format { container, layout, record_format, path, empty_windows, max_field_bytes, ..format }
    }
}

impl fmt::Display for Siem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::format::FormatPatch;

    #[test]
    fn names_are_those_of_files_and_every_preset_can_work() {
        for siem in Siem::all() {
            assert_eq!(serde_json::to_value(siem).expect("JSON"), siem.as_str());
            let format = siem.over(&Format::default());
            assert_eq!((format.siem, format.check()), (siem, Ok(())));
            assert!(!siem.kinds().is_empty(), "{siem}");
        }
    }

    #[test]
    fn single_options_override_a_preset_whatever_was_before() {
        let before = Format { container: Container::Zstd, layout: Layout::Array, ..Format::default() };
        let patch = FormatPatch { siem: Some(Siem::Wazuh), ..FormatPatch::default() };
        let expanded = patch.clone().over(&before);
        assert_eq!((expanded.container, expanded.layout), (Container::Gzip, Layout::Lines));
        let patch = FormatPatch { container: Some(Container::Zip), max_records: Some(7), ..patch };
        let format = patch.over(&before);
        assert_eq!((format.siem, format.container, format.max_records), (Siem::Wazuh, Container::Zip, 7));
        let named = FormatPatch { siem: Some(Siem::None), ..FormatPatch::default() }.over(&expanded);
        assert_eq!(named, Format { siem: Siem::None, ..expanded });
    }
}
