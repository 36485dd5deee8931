//! The options of an export: schedule and format.

use clap::Args;

use crate::cli::service::OptionPatch;
use auditferry_core::format_patch;
use auditferry_core::model::format::{
    Absent, Container, EmptyWindows, Layout, PathLayout, RecordFormat, Siem, compression_level,
};

#[derive(Args)]
pub(in crate::cli) struct OptionArgs {
    /// A cron expression in local time: minute hour day month weekday (0 and 7 are Sunday), optionally with
    /// the second before them; or @daily and the like.
    #[arg(long)]
    schedule: Option<String>,
    /// The container: zip, gzip, zstd, parquet or none.
    #[arg(long, value_parser = word::<Container>)]
    container: Option<Container>,
    /// The layout: lines or array.
    #[arg(long, value_parser = word::<Layout>)]
    layout: Option<Layout>,
    /// What becomes of an empty window: skip it, or put an object.
    #[arg(long, value_parser = word::<EmptyWindows>)]
    empty_windows: Option<EmptyWindows>,
    /// The maximum number of records in one object.
    #[arg(long)]
    max_records: Option<u64>,
    /// The maximum number of bytes of JSON in one object.
    #[arg(long)]
    max_bytes: Option<u64>,
    /// Deflate level: 0 to 9, fast or best.
    #[arg(long, value_parser = compression_level)]
    compression: Option<u32>,
    /// The record format: display, snake_case, ocsf, ecs, cef, leef, udm, asim or cim.
    #[arg(long, value_parser = word::<RecordFormat>)]
    record_format: Option<RecordFormat>,
    /// Whether each record says its own id, its account, its window and its source.
    #[arg(long)]
    envelope: Option<bool>,
    /// What a field without a value gives in JSON: null, or omit it.
    #[arg(long, value_parser = word::<Absent>)]
    absent: Option<Absent>,
    /// The maximum number of bytes of one value; a longer one is cut, with a mark. 0 cuts nothing.
    #[arg(long)]
    max_field_bytes: Option<u64>,
    /// The folders that objects lie in: contract, hive, dates or security-lake.
    #[arg(long, value_parser = word::<PathLayout>)]
    path: Option<PathLayout>,
    /// Whose records they are: the name of the product, for record formats and paths that name one.
    #[arg(long)]
    source: Option<String>,
    /// The SIEM that reads the objects: it sets the options that its reader needs, and single ones override it. none
    /// forgets it and leaves the options as they are.
    #[arg(long, value_parser = word::<Siem>)]
    siem: Option<Siem>,
}

impl OptionArgs {
    /// What is asked for, with a zone.
    pub(super) fn patch(&self, zone: Option<String>) -> OptionPatch {
        let format = format_patch!(self);
        OptionPatch { zone, schedule: self.schedule.clone(), format }
    }
}

/// Parses one of an enum's values as the exports file spells it.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|error| error.to_string())
}
