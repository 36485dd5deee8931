//! `/console/deliveries`: the history of objects, and each of them with its tries.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::account::{TriedRow, Words as AccountWords, tried};
use super::links::{account_path, delivery_path};
use super::paging::{PAGE, Paging};
use super::{Answer, Around, Needs, Section, Visit, guarded};
use crate::http::api::Api;
use crate::http::api::problem::Problem;
use crate::http::pages::frame::page;
use crate::http::pages::parts::{Clock, Html, Tone, badge, breaking, hash};
use crate::http::pages::words::{number, words};
use crate::http::sign_in::SignIn;
use crate::ledger::{DeliveryCursor, DeliveryFilter, DeliveryRow};
use crate::operations::deliveries::DeliveryView;
use auditferry_core::model::access::Permission;
use auditferry_core::model::account::AccountId;

words! {
    /// The words of the pages.
    Words {
        title(): "Deliveries", "Lieferungen";
        lead(): "Every file that was delivered, or is about to be, the newest first. Times are in UTC.",
            "Jede Datei, die geliefert wurde oder gleich wird, die neueste zuerst. Zeiten in UTC.";
        account(): "Account id", "Konto-ID";
        key(): "File", "Datei";
        key_hint(): "Whole key or name", "Ganzer Schlüssel oder Name";
        only_open(): "only what is not delivered yet", "nur was noch nicht geliefert ist";
        show(): "Show", "Zeigen";
        filters(): "Filters", "Filter";
        slot(): "Slot", "Termin";
        state(): "State", "Zustand";
        records(): "Records", "Einträge";
        bytes(): "Bytes", "Bytes";
        tries(): "Tries", "Versuche";
        sha(): "SHA-256", "SHA-256";
        delivered(): "Delivered", "Geliefert";
        waiting(): "Not yet", "Noch nicht";
        nothing(): "No file is like that", "Keine Datei passt dazu";
        nothing_hint(): "Files are listed as soon as they are sealed for their slot.",
            "Dateien stehen hier, sobald sie für ihren Termin versiegelt sind.";
        clear(): "Clear the filters", "Filter löschen";
        one(): "Delivery", "Lieferung";
        window(): "Window", "Fenster";
        part(ordinal: u32): "part {ordinal}", "Teil {ordinal}";
        content(): "Content", "Inhalt";
        content_bytes(bytes: &str): "{bytes} bytes of JSON", "{bytes} Bytes JSON";
        object(): "Object", "Objekt";
        object_bytes(bytes: &str): "{bytes} bytes", "{bytes} Bytes";
        sealed_at(): "Sealed", "Versiegelt";
        delivered_at(): "Receipt stored", "Quittung gespeichert";
        attempts(): "Tries", "Versuche";
        no_attempts(): "It was not put yet.", "Sie wurde noch nicht abgelegt.";
        replays(): "Put again", "Wieder abgelegt";
        no_replays(): "It was never put again.", "Sie wurde nie wieder abgelegt.";
        last_error(): "Last error", "Letzter Fehler";
    }
}

struct Row {
    href: String,
    name: Html,
    account: (String, Html),
    slot: Html,
    badge: Html,
    records: String,
    bytes: String,
    sha: Html,
    attempts: u32,
    delivered: Option<Html>,
}

#[derive(Template)]
#[template(path = "console/deliveries.html")]
struct List {
    a: Around,
    w: Words,
    account: String,
    key: String,
    open: bool,
    rows: Vec<Row>,
    paging: Paging,
}

struct ReplayedRow {
    replay: u64,
    put_as: Html,
    state: String,
    at: Html,
    by: String,
}

#[derive(Template)]
#[template(path = "console/delivery.html")]
struct One {
    a: Around,
    w: Words,
    name: String,
    key: Html,
    account: (String, Html),
    badge: Html,
    facts: Vec<(String, Html)>,
    error: Option<String>,
    attempts: Vec<TriedRow>,
    replays: Vec<ReplayedRow>,
}

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    let needs = Needs::Listing(Permission::ReadDeliveries);
    guarded(sign_in, needs, "/console/deliveries", get(list)).merge(guarded(
        sign_in,
        Needs::Account(Permission::ReadDeliveries),
        "/console/accounts/{account}/delivery",
        get(one),
    ))
}

/// Whether an object is delivered, or what went wrong with it.
pub(super) fn state(w: Words, row: &DeliveryRow) -> Html {
    match (&row.delivered_at, &row.error_kind) {
        (Some(_), _) => badge(Tone::Ok, &w.delivered()),
        (None, Some(kind)) => badge(Tone::Bad, &kind.replace('_', " ")),
        (None, None) => badge(Tone::Busy, &w.waiting()),
    }
}

async fn list(State(api): State<Api>, visit: Visit) -> Answer {
    let account = visit.account_asked(Permission::ReadDeliveries)?;
    let (key, open) = (visit.asked("key"), visit.asked("open").is_some());
    let after = visit.cursor::<DeliveryCursor>()?;
    if after.as_ref().is_some_and(|after| i64::try_from(after.window).is_err()) {
        return Err(Problem::not_found().into());
    }
    let filter = DeliveryFilter {
        account: account.clone(),
        key: key.clone(),
        window: None,
        undelivered: open,
        after,
        limit: PAGE + 1,
    };
    let rows = api.admin.ledger.deliveries(&filter).await?;
    let (rows, paging) = visit.paged(rows, DeliveryRow::cursor);
    let a = visit.around(Section::Deliveries);
    let (w, clock, language) = (Words(a.frame.language), Clock::utc(), a.frame.language);
    let rows = rows.into_iter().map(|row| Row {
        href: delivery_path(&row.account, &row.key),
        name: breaking(row.key.rsplit('/').next().unwrap_or(&row.key)),
        badge: state(w, &row),
        account: (account_path(&row.account), breaking(row.account.as_str())),
        slot: clock.minute(row.slot),
        records: number(language, row.records),
        bytes: number(language, row.object_bytes),
        sha: hash(&row.object_sha256),
        attempts: row.attempts,
        delivered: row.delivered_at.map(|at| clock.second(at)),
    });
    Ok(page(&List {
        w,
        account: account.map(|id| id.to_string()).unwrap_or_default(),
        key: key.unwrap_or_default(),
        open,
        rows: rows.collect(),
        paging,
        a,
    }))
}

async fn one(
    State(api): State<Api>,
    axum::extract::Path(account): axum::extract::Path<AccountId>,
    visit: Visit,
) -> Answer {
    let key = visit.asked("key").ok_or_else(Problem::not_found)?;
    let DeliveryView { delivery, attempts, replays } = api.admin.delivery(&account, &key).await?;
    let a = visit.around(Section::Deliveries);
    let (w, clock, language) = (Words(a.frame.language), Clock::utc(), a.frame.language);
    let n = |count: u64| number(language, count);
    let text = |text: String| breaking(&text);
    let mut facts = vec![
        (w.slot(), clock.second(delivery.slot)),
        (w.window(), text(format!("{}, {}", delivery.window, w.part(delivery.ordinal)))),
        (w.records(), text(n(delivery.records))),
        (
            w.content(),
            Html::joined(format!(
                "{}<br>{}",
                w.content_bytes(&n(delivery.content_bytes)),
                hash(&delivery.content_sha256)
            )),
        ),
        (
            w.object(),
            Html::joined(format!(
                "{}<br>{}",
                w.object_bytes(&n(delivery.object_bytes)),
                hash(&delivery.object_sha256)
            )),
        ),
        (w.sealed_at(), clock.second(delivery.sealed_at)),
    ];
    if let Some(at) = delivery.delivered_at {
        facts.push((w.delivered_at(), clock.second(at)));
    }
    let shared = AccountWords(language);
    Ok(page(&One {
        badge: state(w, &delivery),
        name: delivery.key.rsplit('/').next().unwrap_or(&delivery.key).to_owned(),
        key: breaking(&delivery.key),
        account: (account_path(&delivery.account), breaking(delivery.account.as_str())),
        facts,
        error: delivery.error.filter(|_| delivery.delivered_at.is_none()),
        attempts: attempts.iter().rev().map(|attempt| tried(shared, &clock, attempt)).collect(),
        replays: replays
            .into_iter()
            .map(|replay| ReplayedRow {
                replay: replay.replay,
                put_as: breaking(&replay.put_as),
                state: replay.outcome.unwrap_or_else(|| "?".to_owned()),
                at: clock.second(replay.started_at),
                by: replay.operator,
            })
            .collect(),
        w,
        a,
    }))
}
