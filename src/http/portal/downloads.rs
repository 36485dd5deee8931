//! Export History: files of records that are made in the background, and fetched when they are there.

use askama::Template;
use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::stream;

mod form;
mod rows;
#[cfg(test)]
mod tests;
mod words;

use self::form::{Dialog, wish};
use self::rows::Row;
use self::words::Words;
use super::Portal;
use super::around::{Around, Section};
use super::logs::{Zone, onlooker};
use super::visitor::{Answer, Needs, Visitor};
use crate::http::api::address::ClientAddress;
use crate::http::api::problem::Problem;
use crate::http::pages::frame::rendered;
use crate::http::pages::parts::Clock;
use crate::http::pages::to;
use crate::operations::admin::AdminError;
use crate::operations::downloads::{DownloadDesk, Fetched};
use crate::operations::records::Viewing;
use auditferry_core::model::download::{Download, DownloadState, MOST_AT_ONCE, MailWish};
use auditferry_core::model::portal::Capability;

/// Where it is.
const PATH: &str = "/portal/downloads";

pub(super) fn routes(portal: &Portal) -> Router<Portal> {
    let needs = Needs::Capability(Capability::RecordsDownload);
    Router::new()
        .merge(portal.guarded(needs, PATH, get(show).post(ask)))
        .merge(portal.guarded(needs, "/portal/downloads/{id}/file", get(fetch)))
        .merge(portal.guarded(needs, "/portal/downloads/{id}/delete", post(delete)))
        .merge(portal.guarded(needs, "/portal/downloads/{id}/again", post(again)))
}

#[derive(Template)]
#[template(path = "portal/downloads.html")]
struct Page {
    a: Around,
    w: Words,
    lead: String,
    rows: Vec<Row>,
    foot: String,
    /// What was asked for just now.
    asked: Option<String>,
    dialog: Option<Dialog>,
    /// Why nothing can be asked for.
    off: bool,
    /// Whether something is still being made.
    moves: bool,
}

struct Shown {
    rows: Vec<Download>,
    clock: Clock,
    zone: Zone,
    account_zone: String,
}

async fn shown(portal: &Portal, visitor: &Visitor) -> Result<Shown, Problem> {
    let api = &portal.sign_in.api;
    let account = api.admin.ledger.account(visitor.account()).await.map_err(AdminError::from)?;
    let zone = Zone::of(&api.admin.zones, &account.zone, None)?;
    let rows = match &api.desk {
        Some(desk) => desk.list(&api.admin, visitor.account()).await?,
        None => Vec::new(),
    };
    Ok(Shown { rows, clock: zone.clock(), zone, account_zone: account.zone })
}

fn render(
    portal: &Portal,
    visitor: &Visitor,
    shown: &Shown,
    (status, dialog): (StatusCode, Option<Dialog>),
) -> Response {
    let api = &portal.sign_in.api;
    let a = Around::new(visitor, Section::Downloads, shown.clock.clone());
    let w = Words(a.frame.language);
    let running = shown.rows.iter().filter(|row| row.state == DownloadState::Running).count();
    let asked = visitor.asked("asked").and_then(|id| shown.rows.iter().find(|row| row.new.id == id));
    let keep = api.desk.as_ref().map_or(0, |desk| desk.keep.as_hours());
    let page = Page {
        lead: w.lead(&w.span(keep), &shown.account_zone),
        foot: w.foot(shown.rows.len(), running, MOST_AT_ONCE),
        asked: asked.filter(|row| row.state == DownloadState::Waiting).map(|row| row.new.name.clone()),
        moves: shown
            .rows
            .iter()
            .any(|row| matches!(row.state, DownloadState::Waiting | DownloadState::Running)),
        rows: shown.rows.iter().map(|row| Row::new(w, &shown.clock, &shown.zone, row)).collect(),
        off: api.desk.is_none(),
        dialog: dialog.filter(|_| api.desk.is_some()),
        w,
        a,
    };
    rendered(status, &page)
}

async fn show(State(portal): State<Portal>, visitor: Visitor) -> Answer {
    let shown = shown(&portal, &visitor).await?;
    let dialog = match visitor.asked("new") {
        Some(kind) => Some(Dialog::asked(&portal, &visitor, &kind).await?),
        None => None,
    };
    Ok(render(&portal, &visitor, &shown, (StatusCode::OK, dialog)))
}

/// Whether people may be told by mail: there is a mail server.
fn can_mail(portal: &Portal) -> bool {
    !portal.sign_in.api.sender.email().host.is_empty()
}

/// Who is told by mail when the download of a form has ended.
fn mail_wish(portal: &Portal, visitor: &Visitor) -> Option<MailWish> {
    (can_mail(portal) && visitor.form.ticked("mail")).then(|| MailWish {
        session: visitor.session_id().to_owned(),
        actor: visitor.actor().clone(),
        language: visitor.frame.language,
        theme: visitor.session().theme,
    })
}

fn desk(portal: &Portal) -> Result<DownloadDesk, Problem> {
    portal.sign_in.api.desk.clone().ok_or_else(Problem::not_found)
}

async fn ask(
    State(portal): State<Portal>,
    visitor: Visitor,
    address: Option<axum::Extension<ClientAddress>>,
) -> Answer {
    let (api, desk) = (&portal.sign_in.api, desk(&portal)?);
    let language = visitor.frame.language;
    let (name, wish) = match wish(&portal, &visitor).await? {
        Ok(asked) => asked,
        Err(problems) => {
            let dialog = Dialog::again(&portal, &visitor, problems);
            let shown = shown(&portal, &visitor).await?;
            return Ok(render(&portal, &visitor, &shown, (StatusCode::UNPROCESSABLE_ENTITY, Some(dialog))));
        }
    };
    let email = visitor.actor().email.clone();
    let what = format!("{name}, {}, {} to {}", wish.format.as_str(), wish.span.from, wish.span.to);
    match desk.ask(&api.admin, visitor.account(), &email, (&name, wish), mail_wish(&portal, &visitor)).await {
        Ok(id) => {
            let who = onlooker(&visitor, address.map(|axum::Extension(address)| address));
            api.records.note(&api.admin, visitor.account(), &who, &Viewing::Asked(id.clone(), what)).await?;
            Ok(to(&format!("{PATH}?asked={id}")))
        }
        Err(AdminError::Refused(refusal)) => {
            let w = Words(language);
            let words = match refusal.field {
                Some("name") => w.wrong_name(),
                _ => w.too_many(),
            };
            let field = refusal.field.unwrap_or("name");
            let dialog = Dialog::again(&portal, &visitor, vec![(field, words)]);
            let shown = shown(&portal, &visitor).await?;
            Ok(render(&portal, &visitor, &shown, (StatusCode::UNPROCESSABLE_ENTITY, Some(dialog))))
        }
        Err(error) => Err(error.into()),
    }
}

async fn again(
    State(portal): State<Portal>,
    Path(id): Path<String>,
    visitor: Visitor,
    address: Option<axum::Extension<ClientAddress>>,
) -> Answer {
    let (api, desk) = (&portal.sign_in.api, desk(&portal)?);
    let email = visitor.actor().email.clone();
    let asked = desk.again(&api.admin, visitor.account(), &email, &id).await?;
    let new = asked.ok_or_else(Problem::not_found)?;
    let who = onlooker(&visitor, address.map(|axum::Extension(address)| address));
    let what = Viewing::Asked(new.clone(), format!("the same as {id}"));
    api.records.note(&api.admin, visitor.account(), &who, &what).await?;
    Ok(to(&format!("{PATH}?asked={new}")))
}

async fn delete(State(portal): State<Portal>, Path(id): Path<String>, visitor: Visitor) -> Answer {
    let (api, desk) = (&portal.sign_in.api, desk(&portal)?);
    if desk.delete(&api.admin, visitor.account(), &id).await? {
        tracing::info!(download = id, account = %visitor.account(), "a download is deleted");
        Ok(to(PATH))
    } else {
        Err(Problem::not_found().into())
    }
}

async fn fetch(
    State(portal): State<Portal>,
    Path(id): Path<String>,
    visitor: Visitor,
    address: Option<axum::Extension<ClientAddress>>,
) -> Answer {
    let (api, desk) = (&portal.sign_in.api, desk(&portal)?);
    let fetched = desk.open(&api.admin, visitor.account(), &id).await?;
    let Fetched { download, opened } = fetched.ok_or_else(Problem::not_found)?;
    let format = download.new.wish.format;
    let name = format!("{}.{}", download.new.name, format.as_str());
    let who = onlooker(&visitor, address.map(|axum::Extension(address)| address));
    api.records.note(&api.admin, visitor.account(), &who, &Viewing::Fetched(id, name.clone())).await?;
    let bytes = opened.bytes;
    let file = stream::try_unfold(opened, |mut file| async move {
        let chunk = file.next().await.inspect_err(|error| {
            tracing::error!(error = %error, "the file of a download cannot be read");
        })?;
        Ok::<_, std::io::Error>(chunk.map(|chunk| (chunk, file)))
    });
    let mut response = HttpBody::from_stream(file).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    if let Ok(value) = HeaderValue::from_str(&disposition(&name)) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// That a file is saved, and under which name: RFC 6266, with the name in UTF-8 and a plain one beside it.
fn disposition(name: &str) -> String {
    let plain: String =
        name.chars()
            .map(|sign| {
                if sign.is_ascii_alphanumeric() || matches!(sign, '.' | '-' | '_' | ' ') { sign } else { '_' }
            })
            .collect();
    let whole = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}
