//! How an export's objects are made: container, layout, records, path, limits.

use serde::{Deserialize, Deserializer, Serialize, de};

pub use crate::model::path_layout::PathLayout;
use crate::model::record::CONTENT_VERSION;
pub use crate::model::siem::Siem;
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
    /// A Parquet file, for records in OCSF.
    Parquet,
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

/// How one record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordFormat {
    /// JSON with the names that people read: `Date`, `Action ID`.
    #[default]
    Display,
    /// JSON with names for programs: `date`, `action_id`.
    SnakeCase,
    /// Open Cybersecurity Schema Framework 1.8.0, API Activity.
    Ocsf,
    /// Elastic Common Schema 9.4.
    Ecs,
    /// Common Event Format of ArcSight.
    Cef,
    /// Log Event Extended Format 2.0 of QRadar.
    Leef,
    /// Unified Data Model of Google Security Operations.
    Udm,
    /// Advanced Security Information Model of Microsoft Sentinel, AuditEvent.
    Asim,
    /// Common Information Model of Splunk, Change.
    Cim,
}

impl RecordFormat {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Display,
        Self::SnakeCase,
        Self::Ocsf,
        Self::Ecs,
        Self::Cef,
        Self::Leef,
        Self::Udm,
        Self::Asim,
        Self::Cim,
    ];

    /// The ending of its files, where they are not JSON.
    fn text_ending(self) -> Option<&'static str> {
        match self {
            Self::Cef => Some("cef"),
            Self::Leef => Some("leef"),
            _ => None,
        }
    }
}

/// What a field without a value gives, in a record format that is JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Absent {
    /// The field with `null`.
    #[default]
    Null,
    /// No field.
    Omit,
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
    /// How one record is written.
    pub record_format: RecordFormat,
    /// Whether each record says its own id, its account, its window and its source.
    pub envelope: bool,
    /// What a field without a value gives.
    pub absent: Absent,
    /// Most bytes of one value, before it is escaped; what is longer is cut, with a mark. 0: as long as it is.
    pub max_field_bytes: u64,
    /// Which folders an object lies in.
    pub path: PathLayout,
    /// Whose records they are: the name of the product, for record formats and paths that name one.
    pub source: String,
    /// The preset that set the options; it decides no byte.
    pub siem: Siem,
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

/// The names of values as files, options and answers have them.
macro_rules! names {
    ($($type:ident { $($value:ident => $name:literal),+ })+) => {$(
        impl $type {
            /// Its name in files, options and answers.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $name),+
                }
            }
        }
    )+};
}

names! {
    Container { Zip => "zip", Gzip => "gzip", Zstd => "zstd", Parquet => "parquet", None => "none" }
    Layout { Lines => "lines", Array => "array" }
    RecordFormat {
        Display => "display", SnakeCase => "snake_case", Ocsf => "ocsf", Ecs => "ecs", Cef => "cef", Leef => "leef",
        Udm => "udm", Asim => "asim", Cim => "cim"
    }
    PathLayout { Contract => "contract", Hive => "hive", Dates => "dates", SecurityLake => "security-lake" }
}

/// What somebody wants to be different about a format; the rest stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Format")]
pub struct FormatPatch {
    pub container: Option<Container>,
    pub layout: Option<Layout>,
    pub empty_windows: Option<EmptyWindows>,
    pub max_records: Option<u64>,
    pub max_bytes: Option<u64>,
    pub compression: Option<u32>,
    pub record_format: Option<RecordFormat>,
    pub envelope: Option<bool>,
    pub absent: Option<Absent>,
    pub max_field_bytes: Option<u64>,
    pub path: Option<PathLayout>,
    pub source: Option<String>,
    pub siem: Option<Siem>,
}

/// The patch of a value that has its fields beside others: of a file, a request or a command. Serde cannot refuse unknown
/// fields of a struct that holds another one flattened, so each of them names the fields itself.
#[macro_export]
macro_rules! format_patch {
    ($of:expr) => {
        $crate::model::format::FormatPatch {
            container: $of.container,
            layout: $of.layout,
            empty_windows: $of.empty_windows,
            max_records: $of.max_records,
            max_bytes: $of.max_bytes,
            compression: $of.compression,
            record_format: $of.record_format,
            envelope: $of.envelope,
            absent: $of.absent,
            max_field_bytes: $of.max_field_bytes,
            path: $of.path,
            source: $of.source.clone(),
            siem: $of.siem,
        }
    };
}

impl FormatPatch {
    /// The format with these differences: first the preset, then single options.
    #[must_use]
    pub fn over(self, format: &Format) -> Format {
        let format = &self.siem.map_or_else(|| format.clone(), |siem| siem.over(format));
        Format {
            container: self.container.unwrap_or(format.container),
            layout: self.layout.unwrap_or(format.layout),
            empty_windows: self.empty_windows.unwrap_or(format.empty_windows),
            max_records: self.max_records.unwrap_or(format.max_records),
            max_bytes: self.max_bytes.unwrap_or(format.max_bytes),
            compression: self.compression.unwrap_or(format.compression),
            record_format: self.record_format.unwrap_or(format.record_format),
            envelope: self.envelope.unwrap_or(format.envelope),
            absent: self.absent.unwrap_or(format.absent),
            max_field_bytes: self.max_field_bytes.unwrap_or(format.max_field_bytes),
            path: self.path.unwrap_or(format.path),
            source: self.source.unwrap_or_else(|| format.source.clone()),
            siem: format.siem,
        }
    }
}

/// Most bytes of JSON that one object may have: it is built in memory.
const MAX_OBJECT_BYTES: u64 = 256 * 1024 * 1024;

/// Most bytes of the name of a source: what CEF's readers keep of a vendor (63 in ArcSight's schema) and more.
const MAX_SOURCE_BYTES: usize = 63;

/// Least that a value may be cut to: room for the mark and something before it.
const MIN_FIELD_BYTES: u64 = 64;

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
        if (1..MIN_FIELD_BYTES).contains(&self.max_field_bytes) {
            let problem = format!("{} leaves no room beside the mark of what was cut", self.max_field_bytes);
            let fix = format!("write at least {MIN_FIELD_BYTES}, or 0 to cut nothing");
            return Err(refuse("max_field_bytes", problem).fix(fix));
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b" ._-".contains(&byte);
        if !(1..=MAX_SOURCE_BYTES).contains(&self.source.len()) || !self.source.bytes().all(fits) {
            let fix = format!(
                "write 1 to {MAX_SOURCE_BYTES} letters, digits, spaces, dots, underscores or hyphens of ASCII"
            );
            return Err(
                refuse("source", format!("{:?} is not a name that every reader takes", self.source)).fix(fix)
            );
        }
        if let (Some(name), Layout::Array) = (self.record_format.text_ending(), self.layout) {
            let refusal = refuse("layout", format!("records in {name} are lines, and no array of JSON"));
            return Err(refusal.fix("write the layout \"lines\""));
        }
        if matches!(self.container, Container::Zstd | Container::Parquet) {
            self.check_whole()?;
        }
        if self.container == Container::Parquet
            && (self.record_format, self.layout) != (RecordFormat::Ocsf, Layout::Lines)
        {
            let problem =
                format!("a Parquet file holds lines of ocsf, and not {}", self.record_format.as_str());
            return Err(refuse("record_format", problem)
                .fix("write record_format = \"ocsf\" and layout = \"lines\", or take another container"));
        }
        Ok(())
    }

    /// That an object can be made at once: many readers end after the first frame of zstd, and a column of
    /// Parquet needs all of its lines.
    fn check_whole(&self) -> Result<(), Refusal> {
        let refuse = |field, problem: &str| Refusal::field(field, RefusalCode::InvalidValue, problem);
        if self.compression == 0 {
            let refusal = refuse("compression", "zstd has no level 0, which stores");
            return Err(refusal.fix("write 1 to 9, \"fast\" or \"best\", or take the container \"none\""));
        }
        if self.max_bytes > MAX_WHOLE {
            let problem = format!("{} is more than is compressed at once", self.max_bytes);
            return Err(
                refuse("max_bytes", &problem).fix(format!("write at most {MAX_WHOLE}, or take gzip or zip"))
            );
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
            record_format: Default::default(),
            envelope: false,
            absent: Default::default(),
            max_field_bytes: 0,
            path: Default::default(),
            source: "auditferry".to_owned(),
            siem: Default::default(),
        }
    }
}

impl Format {
    /// The content version of windows that are planned now. It is raised only for formats that
    /// the versions before cannot write: an older auditferry in the same fleet leaves those windows alone,
    /// and goes on with the others.
    #[must_use]
    pub fn content_version(&self) -> u32 {
        let Self { record_format, envelope, absent, max_field_bytes, path, .. } = self;
        let plain = *record_format == RecordFormat::Display && !envelope && *absent == Absent::Null;
        let known = self.container != Container::Zstd;
        if plain && known && *max_field_bytes == 0 && *path == PathLayout::Contract {
            2
        } else {
            CONTENT_VERSION
        }
    }

    /// Media type of the object, as the SIEMs' readers expect it.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match (self.container, self.layout) {
            (Container::Zip, _) => "application/zip",
            (Container::Gzip, _) => "application/x-gzip",
            // RFC 8878, section 7.1.
            (Container::Zstd, _) => "application/zstd",
            // As IANA has it.
            (Container::Parquet, _) => "application/vnd.apache.parquet",
            (Container::None, _) if self.record_format.text_ending().is_some() => "text/plain",
            (Container::None, Layout::Lines) => "application/x-ndjson",
            (Container::None, Layout::Array) => "application/json",
        }
    }

    /// The ending of a zip's entry.
    pub(crate) fn entry_ending(&self) -> &'static str {
        self.record_format.text_ending().unwrap_or("json")
    }

    /// What it makes, in the words of its options: `zip, lines, display`, and what is not as usual.
    #[must_use]
    pub fn words(&self) -> String {
        let packed = [self.container.as_str(), self.layout.as_str(), self.record_format.as_str()];
        let mut words: Vec<String> = packed.map(str::to_owned).into();
        if self.envelope {
            words.push("envelope".to_owned());
        }
        if self.absent == Absent::Omit {
            words.push("absent values are left out".to_owned());
        }
        if self.max_field_bytes > 0 {
            words.push(format!("values of at most {} bytes", self.max_field_bytes));
        }
        if self.path != PathLayout::Contract {
            words.push(format!("path {}", self.path.as_str()));
        }
        if self.siem != Siem::None {
            words.push(format!("for {}", self.siem));
        }
        words.join(", ")
    }

    pub(super) fn extension(&self) -> String {
        let inner = self.record_format.text_ending().unwrap_or(match self.layout {
            Layout::Lines => "jsonl",
            Layout::Array => "json",
        });
        match self.container {
            Container::Zip => ".zip".to_owned(),
            Container::Gzip => format!(".{inner}.gz"),
            Container::Zstd => format!(".{inner}.zst"),
            Container::Parquet => ".parquet".to_owned(),
            Container::None => format!(".{inner}"),
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
    fn a_name_is_as_files_have_it() {
        fn named<T: Serialize + Copy>(value: T, name: &str) {
            assert_eq!(serde_json::to_value(value).expect("JSON"), name);
        }
        for value in [Container::Zip, Container::Gzip, Container::Zstd, Container::Parquet, Container::None] {
            named(value, value.as_str());
        }
        for value in [Layout::Lines, Layout::Array] {
            named(value, value.as_str());
        }
        for value in RecordFormat::ALL {
            named(value, value.as_str());
        }
        for value in [PathLayout::Contract, PathLayout::Hive, PathLayout::Dates, PathLayout::SecurityLake] {
            named(value, value.as_str());
        }
    }

    #[test]
    fn only_what_version_2_cannot_write_asks_for_version_3() {
        let usual = Format::default();
        let with = |patch: FormatPatch| patch.over(&usual).content_version();
        assert_eq!(usual.content_version(), 2);
        let packed =
            FormatPatch { container: Some(Container::Gzip), max_records: Some(7), ..FormatPatch::default() };
        assert_eq!(with(packed), 2);
        let absent = FormatPatch { absent: Some(Absent::Omit), ..FormatPatch::default() };
        assert_eq!(with(absent), 3);
        let names = FormatPatch { record_format: Some(RecordFormat::SnakeCase), ..FormatPatch::default() };
        assert_eq!(with(names), 3);
        assert_eq!(with(FormatPatch { envelope: Some(true), ..FormatPatch::default() }), 3);
        assert_eq!(with(FormatPatch { max_field_bytes: Some(100), ..FormatPatch::default() }), 3);
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_field() {
        let refused =
            |patch: FormatPatch| patch.over(&Format::default()).check().expect_err("refused").to_string();
        let short = refused(FormatPatch { max_field_bytes: Some(63), ..FormatPatch::default() });
        assert!(short.contains("max_field_bytes") && short.contains("at least 64"), "{short}");
        for name in ["", "Acme|Dashboard", "Acme\n", "Ä", &"x".repeat(64)] {
            let wrong = refused(FormatPatch { source: Some(name.to_owned()), ..FormatPatch::default() });
            assert!(wrong.contains("source") && wrong.contains("letters"), "{wrong}");
        }
        let named = FormatPatch { source: Some("Acme Dashboard 2.0".to_owned()), ..FormatPatch::default() };
        assert_eq!(named.over(&Format::default()).check(), Ok(()));
    }

    #[test]
    fn a_stored_format_may_lack_what_was_added_later() {
        let stored: Format = serde_json::from_str(r#"{"container":"gzip","max_records":7}"#).expect("reads");
        assert_eq!(stored, Format { container: Container::Gzip, max_records: 7, ..Format::default() });
    }
}
