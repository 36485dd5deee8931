//! The store's word that *this* request created the object: what only a store can say.
//!
//! A proxy, a load balancer or a captive portal answers `200` to anything, mostly with a page.
//! So a success alone is no proof, and without one the object stays doubtful.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::ids::kept;
use super::{Object, PutError, PutErrorKind, StoreIds};

/// The store's word that *this* request created the object. Nothing makes one without the
/// proof that its kind of store gives.
#[derive(Debug)]
pub struct Created(StoreIds);

/// What an answer of S3 says beside its code and message.
#[derive(Debug, Clone, Default)]
pub struct S3Facts {
    /// The HTTP status.
    pub status: u16,
    /// The value of `ETag`.
    pub etag: String,
    /// Whether a page for people came with it.
    pub page: bool,
    /// Whether it confirms another checksum than the one that was sent.
    pub other_checksum: bool,
    /// Whether it has a header that begins with `x-amz-`.
    pub amz_header: bool,
}

impl Created {
    /// S3: 200 with an `ETag`, without a page, and without a checksum of other bytes.
    ///
    /// # Errors
    /// [`PutErrorKind::Unknown`], with what is missing.
    pub fn by_s3(facts: &S3Facts) -> Result<Self, PutError> {
        let problem = match facts {
            S3Facts { status: 200, .. } if facts.page => "with a web page",
            S3Facts { status: 200, .. } if facts.other_checksum => "with the checksum of other bytes",
            S3Facts { status: 200, etag, .. } if !etag.is_empty() => return Ok(Self::of(etag)),
            S3Facts { status: 200, .. } => "without an ETag",
            _ => "instead of 200 with an ETag",
        };
        Err(unproved(facts.status, problem))
    }

    /// Azure: 201 with `ETag` and `Last-Modified`, and no `Content-MD5` of other bytes.
    ///
    /// # Errors
    /// [`PutErrorKind::Unknown`], with what is missing.
    pub fn by_azure(
        status: u16,
        etag: Option<&str>,
        last_modified: bool,
        other_md5: bool,
    ) -> Result<Self, PutError> {
        let problem = match (status, etag.is_some_and(|etag| !etag.is_empty()), last_modified) {
            (201, true, true) if other_md5 => "with the Content-MD5 of other bytes",
            (201, true, true) => return Ok(Self::of(etag.unwrap_or_default())),
            (201, false, _) => "without an ETag",
            (201, true, false) => "without Last-Modified",
            _ => "instead of 201 with ETag and Last-Modified",
        };
        Err(unproved(status, problem))
    }

    /// Google: 200 with the object's resource: its name, a generation, and the size or the CRC32C
    /// of what was sent.
    ///
    /// # Errors
    /// [`PutErrorKind::Unknown`], with what is missing.
    pub fn by_gcs(status: u16, resource: &Value, sent: &Object) -> Result<Self, PutError> {
        let problem = match GcsObject::read(resource) {
            _ if status != 200 => "instead of 200 with the object's resource",
            None => "without the object's generation",
            Some(object) if object.name.is_some_and(|name| name != sent.key.as_str()) => {
                "with the resource of another object"
            }
            Some(object) => {
                let size = object.size.map(|size| u64::try_from(sent.body.len()) == Ok(size));
                let crc32c = object.crc32c.map(|sum| sum == crc32c_text(&sent.body));
                match (size, crc32c) {
                    (Some(false), _) | (_, Some(false)) => "with the size or the CRC32C of other bytes",
                    (None, None) => "without the object's size and CRC32C",
                    _ => return Ok(Self::of(&object.generation.to_string())),
                }
            }
        };
        Err(unproved(status, problem))
    }

    /// The store in memory has just inserted it.
    pub(super) fn in_memory() -> Self {
        Self::of("in memory")
    }

    fn of(version: &str) -> Self {
        Self(StoreIds { version: kept(version), request_id: None })
    }

    /// With the store's id of the request.
    pub(super) fn with_request_id(mut self, id: Option<&str>) -> Self {
        self.0.request_id = id.and_then(kept);
        self
    }

    /// What the store called the object and the request.
    #[must_use]
    pub fn into_ids(self) -> StoreIds {
        self.0
    }
}

/// What Google says of an object.
pub struct GcsObject<'a> {
    /// Its name, where that is given.
    pub name: Option<&'a str>,
    /// Which object of its name it is.
    generation: u64,
    /// Its length.
    pub size: Option<u64>,
    /// The CRC32C of its bytes, in Base64.
    crc32c: Option<&'a str>,
}

impl<'a> GcsObject<'a> {
    /// Reads a resource; there is none without a generation, which Google alone gives. Numbers are texts there.
    pub fn read(resource: &'a Value) -> Option<Self> {
        let text = |name: &str| resource.get(name).and_then(Value::as_str);
        let number = |name: &str| match resource.get(name)? {
            Value::String(text) => text.parse::<u64>().ok(),
            other => other.as_u64(),
        };
        let generation = number("generation").filter(|generation| *generation > 0)?;
        Some(Self { name: text("name"), generation, size: number("size"), crc32c: text("crc32c") })
    }
}

/// The CRC32C of bytes as Google writes it.
#[must_use]
pub fn crc32c_text(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(crc32c::crc32c(bytes).to_be_bytes())
}

/// A success that proves nothing: the object may be there, or the request never reached the store.
pub fn unproved(status: u16, problem: &str) -> PutError {
    PutError::new(
        PutErrorKind::Unknown,
        format!(
            "HTTP {status} {problem}: nothing says that the store has carried the request out; a proxy, a load balancer \
             or a captive portal may have answered in its place"
        ),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::model::object_key::ObjectKey;

    fn version(created: Result<Created, PutError>) -> String {
        created.expect("created").into_ids().version.expect("a version")
    }

    #[test]
    fn s3_proves_by_an_etag() {
        let proof = S3Facts { status: 200, etag: "\"e\"".to_owned(), ..S3Facts::default() };
        assert_eq!(version(Created::by_s3(&proof)), "e");
        for (facts, says) in [
            (S3Facts { etag: String::new(), ..proof.clone() }, "HTTP 200 without an ETag"),
            (S3Facts { status: 204, ..proof.clone() }, "HTTP 204 instead of 200"),
            (S3Facts { page: true, ..proof.clone() }, "HTTP 200 with a web page"),
            (S3Facts { other_checksum: true, ..proof.clone() }, "HTTP 200 with the checksum of other"),
        ] {
            let error = Created::by_s3(&facts).expect_err(says);
            assert!(error.kind == PutErrorKind::Unknown && error.message.starts_with(says), "{error}");
            assert!(error.message.contains("captive portal"), "{error}");
        }
    }

    #[test]
    fn azure_proves_by_etag_and_time() {
        assert_eq!(version(Created::by_azure(201, Some("\"e\""), true, false)), "e");
        for (status, etag, modified, other_md5) in [
            (200, Some("\"e\""), true, false),
            (202, Some("\"e\""), true, false),
            (201, None, true, false),
            (201, Some(""), true, false),
            (201, Some("\"e\""), false, false),
            (201, Some("\"e\""), true, true),
        ] {
            let answer = Created::by_azure(status, etag, modified, other_md5);
            assert_eq!(answer.expect_err("no proof").kind, PutErrorKind::Unknown, "{status} {etag:?}");
        }
    }

    #[test]
    fn google_proves_by_a_generation_and_what_it_has_kept() {
        let sent = Object {
            key: ObjectKey::stored("audit/a/b.zip".to_owned()),
            body: Bytes::from_static(b"seven b"),
            content_type: "application/zip",
            metadata: Vec::new(),
        };
        let sum = crc32c_text(&sent.body);
        let proof = json!({ "name": "audit/a/b.zip", "generation": "17", "size": "7", "crc32c": sum });
        let of = |name: &str, value: Value| {
            let mut changed = proof.clone();
            changed[name] = value;
            Created::by_gcs(200, &changed, &sent).map_err(|error| error.kind)
        };
        assert!(of("generation", "17".into()).is_ok() && of("generation", 17.into()).is_ok());
        assert_eq!(version(Created::by_gcs(200, &proof, &sent)), "17");
        assert!(of("size", Value::Null).is_ok() && of("crc32c", Value::Null).is_ok());
        assert!(of("name", Value::Null).is_ok());
        for (name, value) in [
            ("generation", Value::Null),
            ("generation", "0".into()),
            ("generation", "-1".into()),
            ("generation", "x".into()),
            ("name", "audit/a/c.zip".into()),
            ("size", "8".into()),
            ("crc32c", "AAAAAA==".into()),
        ] {
            let error = of(name, value.clone()).expect_err("no proof");
            assert_eq!(error, PutErrorKind::Unknown, "{name} {value}");
        }
        let bare = json!({ "generation": "17" });
        assert!(Created::by_gcs(200, &bare, &sent).is_err(), "nothing of what was kept");
        assert!(
            Created::by_gcs(201, &proof, &sent).is_err() && Created::by_gcs(200, &json!("x"), &sent).is_err()
        );
    }
}
