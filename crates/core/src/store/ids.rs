//! What a store calls an object and a request: what its support asks for first.

use super::{Created, PutError};
use crate::text::one_line::one_line;

/// Longest that is kept of either. S3's two ids of a request have some 110 characters together.
const MAX_CHARS: usize = 200;

/// The store's own names of what an attempt has put.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreIds {
    /// The object's version: its `ETag` (S3, Azure) or generation (Google).
    pub version: Option<String>,
    /// The id of the request that was answered.
    pub request_id: Option<String>,
}

/// An id as it is kept: whoever answered wrote it.
pub(super) fn kept(id: &str) -> Option<String> {
    let id = one_line(id.trim_matches(['"', ' ']), MAX_CHARS);
    (!id.is_empty()).then_some(id)
}

/// What became of a put, with the id that the answer gives the request.
///
/// # Errors
/// Those of the put.
pub fn with_request_id(put: Result<Created, PutError>, id: Option<&str>) -> Result<Created, PutError> {
    match put {
        Ok(created) => Ok(created.with_request_id(id)),
        Err(error) => Err(error.with_request_id(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_line_of_bounded_length_and_never_empty() {
        assert_eq!(kept("\"0x8D4BCC2E4835CD0\"").as_deref(), Some("0x8D4BCC2E4835CD0"));
        assert_eq!(kept("a\nb\u{1b}[2J").as_deref(), Some("a\u{fffd}b\u{fffd}[2J"));
        assert_eq!(kept(&"x".repeat(9_999)).map(|id| id.chars().count()), Some(MAX_CHARS));
        for nothing in ["", "\"\"", " "] {
            assert_eq!(kept(nothing), None);
        }
    }
}
