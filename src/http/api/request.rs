//! Parts of requests and answers that the resources share: bodies, pages, and the conditions of changes.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use auditferry_core::text::unquoted::without_values;

/// How many items a page has, and at most.
pub(super) const PAGE: u32 = 50;
pub(super) const MAX_PAGE: u32 = 200;

/// A body of JSON.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let declared = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = declared.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Problem::not_json());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                Problem::body_too_large()
            }
            BytesRejection::FailedToBufferBody(_) => Problem::body_incomplete(),
            _ => Problem::internal(),
        })?;
        parse(&bytes).map(Self)
    }
}

/// Reads JSON. What stands in it is not quoted: it may be a secret in the wrong place.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let problem = without_values(&error.into_inner().to_string());
        Problem::invalid(if path == "." { "body" } else { &path }, problem)
            .fix("see /api/v1/openapi.json for the form of this request")
    })?;
    reader.end().map_err(|_| Problem::invalid("body", "something stands behind the JSON value"))?;
    Ok(value)
}

/// The query of a listing.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                let problem = without_values(&error.body_text());
                Err(Problem::invalid("query", problem).fix("see /api/v1/openapi.json for the parameters"))
            }
            Err(_) => Err(Problem::internal()),
        }
    }
}

/// A page of a listing.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Page<T> {
    /// What is listed.
    pub(super) items: Vec<T>,
    /// Where the next page begins: the parameter `cursor`. Absent: this is the last one.
    pub(super) next: Option<String>,
    /// How many there are on all pages, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<u64>,
}

impl<T> Page<T> {
    /// A page of what was read: one more than fits, if there is more. `cursor`: where the next one begins.
    pub(super) fn of<R, C: Serialize>(
        mut rows: Vec<R>,
        limit: u32,
        cursor: impl Fn(&R) -> C,
        item: impl Fn(R) -> T,
    ) -> Self {
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows.last().filter(|_| more).map(|last| write_cursor(&cursor(last)));
        Self { items: rows.into_iter().map(item).collect(), next, total: None }
    }
}

/// How many items were asked for.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(PAGE) {
        fits @ 1..=MAX_PAGE => Ok(fits),
        other => Err(Problem::invalid("limit", format!("{other} is not a size of a page"))
            .fix(format!("give 1 to {MAX_PAGE}"))),
    }
}

fn write_cursor<C: Serialize>(cursor: &C) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(cursor).unwrap_or_default())
}

/// Reads a cursor that an earlier page gave.
pub(super) fn read_cursor<C: DeserializeOwned>(text: Option<&str>) -> Result<Option<C>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let decoded = URL_SAFE_NO_PAD.decode(text).ok();
    decoded.and_then(|json| serde_json::from_slice(&json).ok()).map(Some).ok_or_else(|| {
        Problem::invalid("cursor", "it is none that a page of this listing has given")
            .fix("give the value of `next` as it came, or leave it out")
    })
}

/// What a client has seen of a resource that it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing is said.
    Nothing,
    /// Whatever there is.
    Anything,
    /// This revision.
    Revision(u64),
    /// That there is none.
    Absent,
}

/// The ETag of a revision.
pub(super) fn etag(revision: u64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"r{revision}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

impl Seen {
    /// By `If-Match` and `If-None-Match`.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        if let Some(value) = headers.get(header::IF_NONE_MATCH) {
            return if value == "*" {
                Ok(Self::Absent)
            } else {
                Err(Problem::invalid("If-None-Match", "only * is understood here"))
            };
        }
        let Some(value) = headers.get(header::IF_MATCH) else { return Ok(Self::Nothing) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self::Anything);
        }
        let revision = text.strip_prefix("\"r").and_then(|rest| rest.strip_suffix('"'));
        revision.and_then(|number| number.parse().ok()).map(Self::Revision).ok_or_else(|| {
            Problem::invalid("If-Match", "it is no ETag of this API")
                .fix("send the ETag as it came with the resource, with its quotes, or *")
        })
    }

    /// The revision that a change expects of what is there.
    pub(super) fn expected(self) -> Result<Option<u64>, Problem> {
        match self {
            Self::Nothing => Err(Problem::precondition_required()),
            Self::Anything => Ok(None),
            Self::Revision(revision) => Ok(Some(revision)),
            Self::Absent => Err(Problem::precondition_failed()),
        }
    }

    /// The same, where a condition may be left out.
    pub(super) fn expected_if_any(self) -> Result<Option<u64>, Problem> {
        if self == Self::Nothing { Ok(None) } else { self.expected() }
    }
}

/// An answer with the ETag of its revision.
pub(super) fn revised<T: Serialize>(status: StatusCode, revision: u64, body: &T) -> Response {
    (status, [(header::ETAG, etag(revision))], axum::Json(body)).into_response()
}

/// Where a listing goes on.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// How many items: 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    pub(super) limit: Option<u32>,
    /// The `next` of the page before.
    pub(super) cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_the_wrong_place_is_not_quoted() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Thing {
            #[expect(dead_code, reason = "only read")]
            number: u32,
        }
        let told = |json: &str| format!("{:?}", parse::<Thing>(json.as_bytes()).expect_err("refused"));
        for json in [r#"{"number": "hunter2"}"#, r#"{"number": 1, "hunter2": 3}"#, r#""hunter2""#] {
            assert!(
                !told(json).replace("field: Some(\"hunter2\")", "").contains("hunter2\\\""),
                "{}",
                told(json)
            );
        }
        assert!(told(r#"{"number": "x"}"#).contains("number"));
        assert!(told(r#"{"number": 1} x"#).contains("behind"));
    }

    #[test]
    fn a_cursor_is_read_again() {
        let text = write_cursor(&("acme", 7));
        assert_eq!(read_cursor::<(String, u32)>(Some(&text)).expect("cursor"), Some(("acme".to_owned(), 7)));
        assert!(read_cursor::<(String, u32)>(Some("!")).is_err());
        assert!(read_cursor::<(String, u32)>(Some(&write_cursor(&1))).is_err());
    }

    #[test]
    fn conditions_are_read() {
        let seen = |name: header::HeaderName, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("value"));
            Seen::of(&headers)
        };
        assert_eq!(seen(header::IF_MATCH, "\"r12\"").expect("seen"), Seen::Revision(12));
        assert_eq!(seen(header::IF_MATCH, "*").expect("seen"), Seen::Anything);
        assert_eq!(seen(header::IF_NONE_MATCH, "*").expect("seen"), Seen::Absent);
        assert!(seen(header::IF_MATCH, "\"x\"").is_err() && seen(header::IF_MATCH, "r12").is_err());
        assert!(Seen::of(&HeaderMap::new()).expect("seen").expected().is_err());
    }
}
