//! `/console/replays`: what was put again.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::links::{account_path, delivery_path};
use super::paging::{PAGE, Paging};
use super::{Answer, Around, Needs, Section, Visit, guarded};
use crate::http::api::Api;
use crate::http::api::problem::Problem;
use crate::http::pages::frame::page;
use crate::http::pages::parts::{Clock, Html, Tone, badge, breaking};
use crate::http::pages::words::words;
use crate::http::sign_in::SignIn;
use crate::ledger::{ReplayCursor, ReplayFilter, ReplayRow};
use auditferry_core::model::access::Permission;

words! {
    /// The words of the page.
    Words {
        title(): "Replays", "Wiederholungen";
        lead(): "Files that were put again, the newest first. Times are in UTC.",
            "Dateien, die wieder abgelegt wurden, die neueste zuerst. Zeiten in UTC.";
        nothing(): "Nothing was put again yet", "Noch wurde nichts wieder abgelegt";
        nothing_hint(): "A replay begins on the page of an account.", "Eine Wiederholung beginnt auf der Seite eines Kontos.";
        file(): "File", "Datei";
        put_as(): "Put as", "Abgelegt als";
        outcome(): "Outcome", "Ergebnis";
        by(): "By", "Von";
        at(): "Begun", "Begonnen";
        account(): "Account id", "Konto-ID";
        key(): "File", "Datei";
        show(): "Show", "Zeigen";
        filters(): "Filters", "Filter";
        unknown(): "unknown", "unbekannt";
    }
}

struct Row {
    href: String,
    name: Html,
    account: (String, Html),
    put_as: Html,
    badge: Html,
    message: Option<String>,
    by: Html,
    at: Html,
}

#[derive(Template)]
#[template(path = "console/replays.html")]
struct Page {
    a: Around,
    w: Words,
    account: String,
    key: String,
    rows: Vec<Row>,
    paging: Paging,
}

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    guarded(sign_in, Needs::Listing(Permission::ReadChanges), "/console/replays", get(list))
}

fn name(key: &str) -> Html {
    breaking(key.rsplit('/').next().unwrap_or(key))
}

async fn list(State(api): State<Api>, visit: Visit) -> Answer {
    let account = visit.account_asked(Permission::ReadChanges)?;
    let key = visit.asked("key");
    let after = visit.cursor::<ReplayCursor>()?;
    if after.as_ref().is_some_and(|after| i64::try_from(after.replay.max(after.window)).is_err()) {
        return Err(Problem::not_found().into());
    }
    let filter = ReplayFilter { account: account.clone(), key: key.clone(), after, limit: PAGE + 1 };
    let rows = api.admin.ledger.replays(&filter).await?;
    let (rows, paging) = visit.paged(rows, ReplayRow::cursor);
    let a = visit.around(Section::Replays);
    let (w, clock) = (Words(a.frame.language), Clock::utc());
    let rows = rows.into_iter().map(|row| {
        let tone = match row.outcome.as_deref() {
            Some("restored" | "created" | "exists") => Tone::Ok,
            Some(_) => Tone::Bad,
            None => Tone::Off,
        };
        Row {
            href: delivery_path(&row.account, &row.key),
            name: name(&row.key),
            account: (account_path(&row.account), breaking(row.account.as_str())),
            put_as: name(&row.put_as),
            badge: badge(tone, &row.outcome.map_or_else(|| w.unknown(), |outcome| outcome.replace('_', " "))),
            message: row.message,
            by: breaking(&row.operator),
            at: clock.second(row.started_at),
        }
    });
    Ok(page(&Page {
        w,
        account: account.map(|id| id.to_string()).unwrap_or_default(),
        key: key.unwrap_or_default(),
        rows: rows.collect(),
        paging,
        a,
    }))
}
