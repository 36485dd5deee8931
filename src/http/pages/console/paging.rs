//! Pages of a listing: forward by the address of the next one, back by the browser or to the first.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Visit;
use crate::http::api::problem::Problem;

/// How many rows a page has.
pub(super) const PAGE: u32 = 50;

/// Where the other pages of a listing are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Paging {
    /// The first, unless this is it.
    pub(super) first: Option<String>,
    /// The next, if there is one.
    pub(super) next: Option<String>,
}

impl Visit {
    /// Where this page begins; none: it is the first.
    pub(super) fn cursor<C: DeserializeOwned>(&self) -> Result<Option<C>, Problem> {
        let Some(text) = self.asked("cursor") else { return Ok(None) };
        let decoded = URL_SAFE_NO_PAD.decode(text).ok();
        decoded.and_then(|json| serde_json::from_slice(&json).ok()).map(Some).ok_or_else(|| {
            Problem::invalid("cursor", "this address is none that a page has given")
                .fix("begin at the first page")
        })
    }

    /// The rows of a page, of one more than fits; and where the others are, with the same filters.
    pub(super) fn paged<R, C: Serialize>(
        &self,
        mut rows: Vec<R>,
        cursor: impl Fn(&R) -> C,
    ) -> (Vec<R>, Paging) {
        let more = rows.len() > PAGE as usize;
        rows.truncate(PAGE as usize);
        let next = rows.last().filter(|_| more).map(|last| {
            let cursor = serde_json::to_vec(&cursor(last)).unwrap_or_default();
            self.here_with("cursor", Some(&URL_SAFE_NO_PAD.encode(cursor)))
        });
        let first = self.asked("cursor").map(|_| self.here_with("cursor", None));
        (rows, Paging { first, next })
    }

    /// This address with another value of a parameter, or without it.
    pub(super) fn here_with(&self, name: &str, value: Option<&str>) -> String {
        let path = self.here.split('?').next().unwrap_or_default();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (other, kept) in url::form_urlencoded::parse(self.query.as_bytes()) {
            if other != name && !kept.is_empty() {
                query.append_pair(&other, &kept);
            }
        }
        if let Some(value) = value {
            query.append_pair(name, value);
        }
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }
}
