//! The live tail: server-sent events that tell how many records have come, which pass the filters of the page. They wait
//! there to be pressed.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

use super::address::{LogsAddress, Zone};
use crate::http::api::problem::Problem;
use crate::http::portal::Portal;
use crate::http::portal::visitor::{Answer, Visitor};
use crate::operations::tail::Tail;
use crate::source::{Look, SourceError};
use auditferry_core::model::portal::Capability;
use auditferry_core::model::record_query::{Place, RecordFilter, RecordQuery, Turn};

/// How often a sign of life is sent, and the session is looked at again.
const PING: Duration = Duration::from_secs(15);

/// How long a browser waits before it asks again, in milliseconds.
const RETRY: u32 = 5_000;

/// Most records that are counted of what came while a browser was away.
const CAUGHT_UP: u32 = 200;

/// What is sent first: when to ask again, and what came while nobody listened.
struct Watching {
    portal: Portal,
    visitor: Visitor,
    headers: HeaderMap,
    filter: RecordFilter,
    tail: Tail,
    first: Option<String>,
}

/// `GET /portal/logs/tail`.
pub(super) async fn stream(State(portal): State<Portal>, visitor: Visitor, headers: HeaderMap) -> Answer {
    let api = portal.sign_in.api.clone();
    let account = api.admin.ledger.account(visitor.account()).await?;
    let at = LogsAddress::of(&visitor);
    let zone = Zone::of(&api.admin.zones, &account.zone, at.zone.as_deref())?;
    let query = at.raw.parse(api.admin.clock.now(), zone.rules());
    let query = query.map_err(|problems| {
        let words = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Problem::invalid("range", words)
    })?;
    // First one looks, then one counts what has come since the page: what comes in between is told.
    let Some(tail) = api.tails.look(visitor.account()) else { return Ok(full()) };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let after = last.or_else(|| visitor.asked("after")).filter(|place| !place.is_empty());
    let mut first = format!("retry: {RETRY}\n\n");
    if let Some(after) = after {
        first.push_str(&missed(&portal, &visitor, &query, &Place(after)).await?.unwrap_or_default());
    }
    let filter = query.filter;
    let watching = Watching { portal, visitor, headers, filter, tail, first: Some(first) };
    let events = stream::unfold(watching, |mut watching| async move {
        let event = watching.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(event)), watching))
    });
    let mut response = Body::from_stream(events).into_response();
    let all = response.headers_mut();
    all.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    all.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    // Else a proxy would keep the events until there are many.
    all.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// That as many look as may. A browser that gets no stream asks no more.
fn full() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// What has come since a place, as an event.
async fn missed(
    portal: &Portal,
    visitor: &Visitor,
    query: &RecordQuery,
    after: &Place,
) -> Result<Option<String>, Problem> {
    let look = Look { span: query.span, filter: &query.filter };
    let browser = &portal.sign_in.api.records.browser;
    let turn = Turn::Newer(after.clone());
    match browser.page(visitor.account(), &look, &turn, CAUGHT_UP).await {
        Ok(page) => Ok(page.records.first().map(|(newest, _)| event(page.records.len(), page.newer, newest))),
        // The page tells what is wrong with it.
        Err(SourceError::NoPlace | SourceError::TooSlow(_)) => Ok(None),
        Err(error) => Err(crate::operations::admin::AdminError::from(error).into()),
    }
}

/// So many have come, or more.
fn event(count: usize, more: bool, newest: &Place) -> String {
    format!("id: {newest}\nevent: news\ndata: {{\"count\":{count},\"more\":{more}}}\n\n")
}

impl Watching {
    /// The next event; none: the stream ends.
    async fn next(&mut self) -> Option<String> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let stop = self.portal.sign_in.api.closing.clone();
            tokio::select! {
                () = stop.cancelled() => return None,
                news = self.tail.next() => match news {
                    Some(news) => {
                        let count = news.matching(&self.filter);
                        if let Some(newest) = news.newest().filter(|_| count > 0) {
                            return Some(event(count, news.more, newest));
                        }
                    }
                    // It was told too much at once: the browser asks again, with what it has heard last.
                    None => return None,
                },
                () = tokio::time::sleep(PING) => {
                    return if self.may_look().await { Some(": ping\n\n".to_owned()) } else { None };
                }
            }
        }
    }

    /// Whether the session is still open and shows records: it is read again, as at each request.
    async fn may_look(&self) -> bool {
        let held = self.portal.session(&self.headers).await;
        matches!(held, Ok(Some((_, session))) if session.id == self.visitor.session_id()
            && session.may(Capability::RecordsRead))
    }
}
