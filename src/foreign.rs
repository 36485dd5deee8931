//! Every parser of bytes that others give, and the compressor of our own, each behind a function
//! that a fuzzer calls (`fuzz/`) and that a test calls with what the fuzzers have found so far.
//!
//! Each function says whether the bytes were accepted, and panics when a promise is broken.

#![allow(clippy::expect_used, reason = "these are tests")]

use std::collections::HashMap;
use std::io::Read as _;
use std::net::IpAddr;
use std::sync::LazyLock;

use futures_util::FutureExt as _;
use jiff::tz::TimeZoneDatabase;
use jiff::{SignedDuration, Timestamp};
use url::Host;

use crate::operations::exports;
use crate::secrets::Secret;
use crate::secrets::keys::{Binding, KeyRing, SealedSecret, WrappedKey};
use crate::settings::Settings;
use crate::source::copy::{Copy, CopyError, Row};
use crate::source::file::{FileForm, records};
use crate::store::foreign::check_message;
use auditferry_core::archive::{frame, swiftly};
use auditferry_core::format::json::{Empty, JsonWriter};
use auditferry_core::format::writer::Writer;
use auditferry_core::model::bound::{Bound, RecordSet};
use auditferry_core::model::destination::{SealedId, SecretRef};
use auditferry_core::model::format::{Absent, Format, RecordFormat};
use auditferry_core::model::network::Network;
use auditferry_core::model::record::{CONTENT_VERSION, Record, RecordKey, RecordRef};
use auditferry_core::model::schedule::{Schedule, Zone};
use auditferry_core::model::window::Window;

pub use crate::store::foreign::{azure_credentials, service_account, store_answer};

/// A function that takes foreign bytes.
pub type Target = fn(&[u8]) -> bool;

/// All of them, by the names of their fuzz targets.
pub const TARGETS: [(&str, Target); 12] = [
    ("azure_credentials", azure_credentials),
    ("copy_data", copy_data),
    ("deflated", deflated),
    ("endpoint", endpoint),
    ("exports_file", exports_file),
    ("import_file", import_file),
    ("record_formats", record_formats),
    ("schedule", schedule),
    ("sealed_secret", sealed_secret),
    ("service_account", service_account),
    ("store_answer", store_answer),
    ("zstandard", zstandard),
];

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// What stands for a secret in the corpus.
const CANARY: &str = "HUSH";

/// A binary COPY of three fields: what was read, written again, is what came.
pub fn copy_data(data: &[u8]) -> bool {
    let Ok(whole) = copied(&[data]) else { return false };
    // The header's flags and its extension are for others.
    let header = 11 + 4 + 4 + u32::from_be_bytes(data[15..19].try_into().expect("a length")) as usize;
    assert_eq!(&data[header..], [whole, vec![0xff, 0xff]].concat(), "rows were misread");
    let cut = data.len() - 1;
    assert!(copied(&[&data[..cut]]).is_err(), "a part passes for the whole");
    let parts = copied(&[&data[..header], &data[header..]]);
    assert_eq!(parts.as_deref().ok(), Some(&data[header..data.len() - 2]), "messages matter");
    true
}

/// The rows of a COPY as the format has them.
fn copied(messages: &[&[u8]]) -> Result<Vec<u8>, CopyError> {
    let (mut copy, mut out) = (Copy::default(), Vec::new());
    for message in messages {
        let mut rows = copy.rows::<3>(message)?;
        while let Some(row) = rows.next_row()? {
            out.extend(3_i16.to_be_bytes());
            (0..3).for_each(|place| write_field(&row, place, &mut out));
        }
    }
    copy.end().map(|()| out)
}

fn write_field(row: &Row<'_, 3>, place: usize, out: &mut Vec<u8>) {
    let (text, number) = (row.optional_text(place), row.bigint(place));
    if let (Ok(number), Ok(unsigned)) = (number, row.unsigned(place)) {
        assert_eq!(number.to_be_bytes(), unsigned.to_be_bytes());
    }
    let field = row.bytes(place);
    assert!(!matches!(text, Ok(text) if text.map(str::as_bytes) != field));
    match field {
        None => out.extend((-1_i32).to_be_bytes()),
        Some(bytes) => {
            out.extend(u32::try_from(bytes.len()).expect("a length").to_be_bytes());
            out.extend(bytes);
        }
    }
}

/// Content, as often as its first byte says: deflated by ourselves and inflated by others it is
/// what it was. It is accepted if it becomes smaller.
pub fn deflated(data: &[u8]) -> bool {
    let Some((times, content)) = data.split_first() else { return false };
    let content = content.repeat((*times).into());
    let stream = swiftly(&content);
    let mut whole = vec![0; content.len()];
    let length = libdeflater::Decompressor::new().deflate_decompress(&stream, &mut whole);
    assert!(length == Ok(content.len()) && whole == content, "it does not come back");
    let mut reader = flate2::bufread::DeflateDecoder::new(&stream[..]);
    let mut streamed = Vec::new();
    reader.read_to_end(&mut streamed).expect("a stream");
    assert!(streamed == content && reader.into_inner().is_empty(), "another reader reads it otherwise");
    stream.len() < content.len()
}

/// Content, as often as its first byte says, at the level that the second says: one frame, and both readers of
/// zstd read it as what it was. It is accepted if it becomes smaller.
pub fn zstandard(data: &[u8]) -> bool {
    let Some(([times, level], content)) = data.split_first_chunk() else { return false };
    let content = content.repeat((*times).into());
    let frame = frame(&content, u32::from(level % 9) + 1).expect("a frame");
    assert_eq!(zstd::zstd_safe::find_frame_compressed_size(&frame), Ok(frame.len()), "more than a frame");
    let whole = zstd::bulk::decompress(&frame, content.len());
    assert!(whole.is_ok_and(|whole| whole == content), "it does not come back");
    let streamed = zstd::stream::decode_all(&frame[..]);
    assert!(streamed.is_ok_and(|streamed| streamed == content), "another reader reads it otherwise");
    frame.len() < content.len()
}

/// A text as an endpoint: what is accepted leads to no address that is not public, and
/// nobody can read it in another way.
pub fn endpoint(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let _ = Network::parse(text.split(','));
    let public = Network::default();
    let url = match public.endpoint(text) {
        Ok(url) => url,
        Err(error) => {
            check_message(&error.to_string());
            return false;
        }
    };
    assert!(url.username().is_empty() && url.password().is_none(), "{url} names a user");
    assert!(url.query().is_none() && url.fragment().is_none(), "{url} has more than a path");
    let again = public.endpoint(url.as_str());
    assert_eq!(again.as_ref().map(url::Url::as_str).ok(), Some(url.as_str()), "it changes");
    let address: Option<IpAddr> = match url.host().expect("a host") {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(name) => name.trim_end_matches('.').parse().ok(),
    };
    if let Some(address) = address {
        let inside = address.is_loopback()
            || address.is_unspecified()
            || address.is_multicast()
            || matches!(address, IpAddr::V4(v4) if v4.is_private() || v4.is_link_local())
            || matches!(address, IpAddr::V6(v6) if v6.to_ipv4().is_some());
        assert!(!inside, "{url} leads inside");
        assert!(public.admit(url.host_str().unwrap_or_default(), &[address]).is_ok());
    }
    true
}

/// A text as an exports file: what it declares is checked, and a refusal shows no secret.
pub fn exports_file(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    static SETTINGS: LazyLock<Settings> =
        LazyLock::new(|| Settings::load_with(None, HashMap::new()).expect("the defaults"));
    match exports::parse(text) {
        Ok(all) => {
            assert!(!all.is_empty(), "an empty file means nobody");
            for export in &all {
                let _ = export.options(&SETTINGS.export);
                let Some(destination) = &export.destination else { continue };
                if let Err(error) = destination.validate() {
                    check_message(&error.to_string());
                }
                let sealed = |(_, secret): &(_, &SecretRef)| matches!(secret, SecretRef::Sealed(_));
                assert!(!destination.secrets().iter().any(sealed), "a file names a sealed secret");
            }
            true
        }
        Err(error) => {
            // In the corpus it stands where the secret itself was pasted for its reference.
            let pasted = text.lines().all(|line| !line.contains(CANARY) || pastes_secret(line));
            let message = error.to_string();
            assert!(message.chars().count() <= 2_000, "too long: {message}");
            assert!(!(pasted && message.contains(CANARY)), "it is echoed: {message}");
            false
        }
    }
}

/// Whether a line is `secret = "…"` with the canary there and nowhere else.
fn pastes_secret(line: &str) -> bool {
    let names = ["secret", "session_token", "service_account", "connection_string", "sas"];
    line.trim().split_once(" = ").is_some_and(|(name, value)| {
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let plain = |c: char| c.is_ascii_alphanumeric();
        names.contains(&name) && value.is_some_and(|value| value.chars().all(plain))
    })
}

/// A file of records: what is read is written as our JSON and read again as the same.
pub fn import_file(data: &[u8]) -> bool {
    static ZONES: LazyLock<Vec<Zone>> = LazyLock::new(|| {
        let names = ["UTC", "Asia/Kolkata", "Africa/Cairo", "America/St_Johns"];
        names.iter().map(|name| Zone::find(&DATABASE, name).expect("zone")).collect()
    });
    let Some((first, data)) = data.split_first() else { return false };
    let form = if first & 1 == 0 { FileForm::JsonLines } else { FileForm::Csv };
    let zone = &ZONES[usize::from(first >> 1) % ZONES.len()];
    let mut writer = JsonWriter::new(zone.rules().clone(), Empty::Null);
    let mut count = 0;
    for record in records(form, data) {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                check_message(&error.to_string());
                return false;
            }
        };
        let mut line = Vec::new();
        writer.write(&record.borrow(), &mut line);
        assert!(!line.iter().any(|byte| *byte < 0x20), "a line is cut");
        let text = std::str::from_utf8(&line).expect("UTF-8");
        assert!(!text.contains(['\u{85}', '\u{2028}', '\u{2029}']), "a line is cut");
        let again = records(FileForm::JsonLines, &line[..]).next().expect("a record").expect("ours is read");
        assert_eq!(again, as_in_objects(record));
        count += 1;
    }
    count > 0
}

/// A record as objects have it: its time cut, not rounded, and an empty text absent.
fn as_in_objects(record: Record) -> Record {
    let cut = record.occurred_at.as_nanosecond().div_euclid(1_000_000) * 1_000_000;
    let known = |text: Option<String>| text.filter(|text| !text.is_empty());
    Record {
        occurred_at: Timestamp::from_nanosecond(cut).expect("an instant"),
        action_id: known(record.action_id),
        ip_address: known(record.ip_address),
        ..record
    }
}

/// What no line may hold: some reader ends one there.
const LINE_ENDS: [char; 10] =
    ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

/// The texts of a record, key first, between U+001F, and before them a byte of options: each record format gives one line, and
/// those of JSON are JSON.
pub fn record_formats(data: &[u8]) -> bool {
    let Some((options, data)) = data.split_first() else { return false };
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let mut texts = text.splitn(6, '\u{1f}');
    let mut next = || texts.next();
    let (Some(key), Some(email), Some(action)) = (next(), next(), next()) else { return false };
    let (action_id, description, ip_address) = (next(), next().unwrap_or_default(), next());
    let record = RecordRef {
        key: RecordKey::Text(key),
        occurred_at: Timestamp::constant(1_795_233_600, 123_900_000),
        email,
        action,
        action_id,
        description,
        ip_address,
    };
    let most = if options & 1 == 0 { 0 } else { 64 };
    for record_format in RecordFormat::ALL {
        let absent = if options & 2 == 0 { Absent::Null } else { Absent::Omit };
        let format = Format {
            record_format,
            absent,
            envelope: options & 4 == 0,
            max_field_bytes: most,
            ..Format::default()
        };
        let mut line = Vec::new();
        written(format, &record, &mut line);
        let line = std::str::from_utf8(&line).expect("UTF-8");
        assert!(!line.contains(LINE_ENDS), "a line of {record_format:?} is cut");
        match record_format {
            RecordFormat::Cef => {
                assert!(line.starts_with("CEF:0|auditferry|Audit Log|3|"), "no header of CEF");
            }
            RecordFormat::Leef => {
                assert_eq!(line.split('|').nth(5), Some("x09"), "no header of LEEF");
                assert!(line.split('\t').all(|pair| pair.contains('=')), "an attribute without a name");
            }
            _ => {
                let json: serde_json::Value = serde_json::from_str(line).expect("JSON");
                assert!(json.is_object(), "no object");
            }
        }
    }
    true
}

/// A record as a window of a format has it.
fn written(format: Format, record: &RecordRef<'_>, line: &mut Vec<u8>) {
    let at = record.occurred_at;
    let window = Window {
        account: "acme".parse().expect("an id"),
        number: 1,
        slot: at,
        set: RecordSet::between(Bound("0".to_owned()), Bound("1".to_owned())),
        from: at,
        to: at,
        zone: "UTC".to_owned(),
        format,
        prefix: String::new(),
        destination_version: 1,
        content_version: CONTENT_VERSION,
        generation: 1,
    };
    Writer::of(&window, jiff::tz::TimeZone::UTC).expect("the newest version").write(record, line);
}

/// A zone and a cron expression: slots go forward, and back to where they came from.
pub fn schedule(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Some((zone, text)) = text.split_once('\n') else { return false };
    let zone = match Zone::find(&DATABASE, zone) {
        Ok(zone) => zone,
        Err(error) => {
            check_message(&error.to_string());
            return false;
        }
    };
    let schedule = match Schedule::parse(text) {
        Ok(schedule) => schedule,
        Err(error) => {
            check_message(&error.to_string());
            return false;
        }
    };
    let mut at: Timestamp = "2026-10-24T22:00:00Z".parse().expect("an instant");
    for _ in 0..4 {
        let Some(next) = schedule.next_after(zone.rules(), at) else { break };
        assert!(next > at, "{next} after {at}");
        assert_eq!(schedule.newest_at(zone.rules(), next), Some(next), "it is the newest when it comes");
        let before = next - SignedDuration::from_nanos(1);
        assert!(schedule.newest_at(zone.rules(), before).is_none_or(|slot| slot <= at), "one was left out");
        at = next;
    }
    true
}

/// The secret that the corpus holds sealed, and the key that opens it.
const SEALED: (&str, &str) = ("HUSH", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");

/// A sealed secret as the ledger holds it, its data key before its text: either it opens
/// as what was sealed, or not at all.
pub fn sealed_secret(data: &[u8]) -> bool {
    let Some((length, rest)) = data.split_first() else { return false };
    let Some((data_key, ciphertext)) = rest.split_at_checked((*length).into()) else { return false };
    let ring = KeyRing::of("k", &Secret::new(SEALED.1.to_owned())).expect("a key");
    let wrapped = WrappedKey { key: "k".to_owned(), data_key: data_key.to_vec() };
    let binding = Binding::of(&[("account", "acme"), ("field", "sas")]);
    let sealed = SealedSecret { id: SealedId("s".into()), wrapped, ciphertext: ciphertext.to_vec() };
    // A key of KMS is waited for, this one is not.
    match ring.open(&sealed, &binding).now_or_never().expect("ready") {
        Ok(secret) => {
            assert_eq!(secret.expose(), SEALED.0, "another secret opens");
            true
        }
        Err(error) => {
            check_message(&error.to_string());
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What the fuzzers have found so far, and where they began.
    #[test]
    fn the_corpus_of_every_fuzz_target_is_read_as_it_must() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        for (name, target) in TARGETS {
            let (mut accepted, mut refused) = (0, 0);
            let files = std::fs::read_dir(corpus.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
            for file in files {
                let path = file.expect("an entry").path();
                let bytes = std::fs::read(&path).expect("a file");
                let took = std::panic::catch_unwind(|| target(&bytes));
                let taken = took.unwrap_or_else(|_| panic!("{} breaks a promise", path.display()));
                *if taken { &mut accepted } else { &mut refused } += 1;
            }
            assert!(accepted > 0 && refused > 0, "{name}: {accepted} accepted, {refused} refused");
        }
    }

    #[test]
    fn every_target_is_fuzzed() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).expect("fuzz/Cargo.toml");
        for (name, _) in TARGETS {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
            let target = fuzz.join("fuzz_targets").join(format!("{name}.rs"));
            let text = std::fs::read_to_string(&target).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(text.contains(&format!("foreign::{name}(")), "{}", target.display());
        }
    }
}
