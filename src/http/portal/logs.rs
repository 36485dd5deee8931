//! Audit Logs: the records of the account by time, with filters that all stand in the address.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

mod address;
mod drawer;
mod filters;
mod table;
mod tail;
#[cfg(test)]
mod tests;
mod words;

use self::address::ZoneKind;
pub(super) use self::address::{LogsAddress, Zone};
use self::drawer::{Drawer, Object};
use self::filters::Filters;
pub(super) use self::filters::chips;
use self::table::Table;
pub(super) use self::words::{Problems, Words};
use super::Portal;
use super::around::{Around, Section};
use super::visitor::{Answer, Needs, Visitor};
use crate::http::api::address::ClientAddress;
use crate::http::pages::assets::assets;
use crate::http::pages::frame::rendered;
use crate::http::pages::parts::{Clock, Html};
use crate::http::pages::words::number;
use crate::operations::admin::AdminError;
use crate::operations::records::{Counted, Onlooker, Viewing};
use crate::source::SourceError;
use auditferry_core::model::portal::Capability;
use auditferry_core::model::record_query::Place;

/// Where it is.
pub(super) const PATH: &str = "/portal/logs";

pub(super) fn routes(portal: &Portal) -> Router<Portal> {
    let needs = Needs::Capability(Capability::RecordsRead);
    Router::new().merge(portal.guarded(needs, PATH, get(show))).merge(portal.guarded(
        needs,
        "/portal/logs/tail",
        get(tail::stream),
    ))
}

/// What stands where the records would.
enum Body {
    /// The records.
    Table(Box<Table>),
    /// Something in the filters cannot be used.
    Wrong,
    /// The search took too long: so many seconds.
    Slow(u64),
}

#[derive(Template)]
#[template(path = "portal/logs.html")]
struct Page {
    a: Around,
    w: Words,
    filters: Filters,
    zones: Vec<ZoneLink>,
    body: Body,
    drawer: Option<Drawer>,
    /// That the record of the address is not there.
    lost: bool,
    downloads: Option<DownloadLinks>,
    script: String,
}

/// A zone that can be chosen.
struct ZoneLink {
    href: String,
    label: String,
    offset: Option<Html>,
    current: bool,
    /// What a script puts there.
    browser: bool,
}

/// Where downloads are asked for.
struct DownloadLinks {
    csv: String,
    json: String,
    all: String,
    /// How many records the view has.
    count: Option<String>,
}

/// Who looks, for the account's own audit log.
pub(super) fn onlooker(visitor: &Visitor, address: Option<ClientAddress>) -> Onlooker {
    Onlooker {
        session: visitor.session_id().to_owned(),
        email: visitor.actor().email.clone(),
        ip_address: address.map(|ClientAddress(address)| address.to_canonical().to_string()),
    }
}

async fn show(
    State(portal): State<Portal>,
    visitor: Visitor,
    address: Option<axum::Extension<ClientAddress>>,
) -> Answer {
    let api = &portal.sign_in.api;
    let account = api.admin.ledger.account(visitor.account()).await?;
    let at = LogsAddress::of(&visitor);
    let zone = Zone::of(&api.admin.zones, &account.zone, at.zone.as_deref())?;
    let now = api.admin.clock.now();
    let parsed = at.raw.parse(now, zone.rules());
    // Whoever sees records has been seen before.
    let who = onlooker(&visitor, address.map(|axum::Extension(address)| address));
    api.records.note(&api.admin, visitor.account(), &who, &Viewing::Opened).await?;
    let a = Around::new(&visitor, Section::Logs, Clock::of(Zone::account(&api.admin.zones, &account.zone)?));
    let w = Words(a.frame.language);
    let filters = Filters::new(w, &at, &zone, now, (parsed.as_ref(), api.records.retention));
    let zones = zone_links(w, &at, &zone, &account.zone, now);
    let script = assets().logs.path();
    let query = match &parsed {
        Ok(query) => query,
        Err(_) => {
            let (body, drawer, downloads) = (Body::Wrong, None, None);
            let page = Page { a, w, filters, zones, body, drawer, lost: false, downloads, script };
            return Ok(rendered(StatusCode::UNPROCESSABLE_ENTITY, &page));
        }
    };
    let (status, body, count) = match api.records.list(&api.admin, visitor.account(), query).await {
        Ok(listing) => {
            let count = listing.count;
            (StatusCode::OK, Body::Table(Box::new(Table::new(w, &at, &zone, query, &listing))), count)
        }
        Err(AdminError::Source(SourceError::TooSlow(patience))) => {
            (StatusCode::SERVICE_UNAVAILABLE, Body::Slow(patience.as_secs()), Counted::Unknown)
        }
        Err(error) => return Err(error.into()),
    };
    let drawer = match &at.record {
        None => None,
        Some(place) => {
            let place = Place(place.clone());
            match api.records.one(&api.admin, visitor.account(), &place, query).await {
                Ok(view) => view.map(|view| Drawer::new(w, &at, &zone, &view, &body)),
                Err(AdminError::Refused(_)) => None,
                Err(error) => return Err(error.into()),
            }
        }
    };
    let lost = at.record.is_some() && drawer.is_none();
    let downloads = (visitor.may(Capability::RecordsDownload) && api.desk.is_some()).then(|| DownloadLinks {
        csv: at.download("csv"),
        json: at.download("json"),
        all: "/portal/downloads?new=all#new".to_owned(),
        count: match count {
            Counted::Exactly(count) => Some(number(a.frame.language, count)),
            Counted::MoreThan(_) | Counted::Unknown => None,
        },
    });
    let page = Page { a, w, filters, zones, body, drawer, lost, downloads, script };
    Ok(rendered(status, &page))
}

fn zone_links(w: Words, at: &LogsAddress, zone: &Zone, account: &str, now: jiff::Timestamp) -> Vec<ZoneLink> {
    let choice = |word: Option<&str>, label: String, current: bool| ZoneLink {
        href: at.with_zone(word),
        label,
        offset: current.then(|| zone.offset(now)),
        current,
        browser: false,
    };
    let mut links = vec![
        choice(None, account.to_owned(), zone.kind == ZoneKind::Account),
        choice(Some("utc"), "UTC".to_owned(), zone.kind == ZoneKind::Utc),
    ];
    let other = match &zone.kind {
        ZoneKind::Other(name) => choice(Some(name), name.clone(), true),
        // Its address is known to the browser alone.
        ZoneKind::Account | ZoneKind::Utc => {
            ZoneLink { browser: true, ..choice(Some("browser"), w.this_browser(), false) }
        }
    };
    links.push(other);
    links
}
