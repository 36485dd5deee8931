//! `/console/accounts`: accounts by health, by a part of their id, by what ends soon.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::links::account_path;
use super::paging::{PAGE, Paging};
use super::{Answer, Around, Needs, Section, Visit, guarded};
use crate::http::api::Api;
use crate::http::api::problem::Problem;
use crate::http::pages::frame::page;
use crate::http::pages::parts::{Clock, Html, breaking};
use crate::http::pages::words::{number, words};
use crate::http::sign_in::SignIn;
use crate::ledger::{AccountCursor, AccountFilter, AccountOrder, AccountPage, Health, JudgedAccount};
use crate::operations::listing::AccountRow;
use auditferry_core::model::access::Permission;

words! {
    /// The words of the page.
    Words {
        title(): "Accounts", "Konten";
        found(count: &str): "{count} accounts", "{count} Konten";
        one_found(): "1 account", "1 Konto";
        zone(): "Zone", "Zeitzone";
        next(): "Next slot", "Nächster Termin";
        windows(): "Windows", "Fenster";
        until(): "Add-on until", "Zusatzleistung bis";
        error(): "Last error", "Letzter Fehler";
        text(): "Account id", "Konto-ID";
        health_filter(): "Health", "Zustand";
        any(): "any", "jeder";
        failing(): "all that fail", "alles, was fehlschlägt";
        order(): "Order", "Reihenfolge";
        by_id(): "by id", "nach ID";
        oldest(): "longest in this state first", "am längsten in diesem Zustand zuerst";
        show(): "Show", "Zeigen";
        nothing(): "No account is like that", "Kein Konto passt dazu";
        nothing_hint(): "Accounts are added with “auditferry account add” or over the API.",
            "Konten kommen mit „auditferry account add“ oder über die API dazu.";
        clear(): "Clear the filters", "Filter löschen";
        filters(): "Filters", "Filter";
    }
}

struct Row {
    href: String,
    account: Html,
    health: Html,
    since: Option<Html>,
    zone: String,
    next: Option<Html>,
    until: Option<Html>,
    windows: String,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "console/accounts.html")]
struct Page {
    a: Around,
    w: Words,
    headline: String,
    text: String,
    chosen: String,
    oldest: bool,
    choices: Vec<(&'static str, String)>,
    filtered: bool,
    rows: Vec<Row>,
    paging: Paging,
}

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    guarded(sign_in, Needs::Listing(Permission::ReadAccounts), "/console/accounts", get(list))
}

fn health(text: &str) -> Result<Vec<Health>, Problem> {
    match text {
        "" => Ok(Vec::new()),
        "failing" => Ok(Health::FAILING.to_vec()),
        word => Health::parse(word).map(|health| vec![health]).ok_or_else(|| {
            Problem::invalid("health", "it names no state of health").fix("choose one of the list")
        }),
    }
}

async fn list(State(api): State<Api>, visit: Visit) -> Answer {
    let text = visit.asked("text").unwrap_or_default();
    // Somebody who types a whole id wants that account.
    if let Ok(id) = text.parse()
        && visit.viewer.may(Permission::ReadAccounts, Some(&id))
        && api.admin.ledger.revision(&id).await.is_ok()
    {
        return Ok(crate::http::pages::to(&account_path(&id)));
    }
    let chosen = visit.asked("health").unwrap_or_default();
    let oldest = visit.asked("order").as_deref() == Some("oldest");
    let filter = AccountFilter {
        health: health(&chosen)?,
        text: Some(text.clone()).filter(|text| !text.is_empty()),
        only: visit.viewer.listed(Permission::ReadAccounts)?,
        order: if oldest { AccountOrder::Oldest } else { AccountOrder::Id },
        ..AccountFilter::default()
    };
    let after = visit.cursor::<(auditferry_core::model::account::AccountId, Option<jiff::Timestamp>)>()?;
    let after = after.map(|(account, since)| AccountCursor { account, since });
    let around = api.admin.circumstances().await?;
    let asked = AccountPage { filter, after, limit: PAGE + 1 };
    let rows = api.admin.ledger.judged_accounts(around, &asked).await?;
    let count = api.admin.ledger.count_accounts(around, &asked.filter).await?;
    let a = visit.around(Section::Accounts);
    let (language, clock, w) = (a.frame.language, Clock::utc(), Words(a.frame.language));
    let (rows, paging) = visit.paged(rows, |row: &JudgedAccount| {
        let AccountCursor { account, since } = row.cursor();
        (account, since)
    });
    let rows = rows.into_iter().map(AccountRow::from).map(|row| Row {
        href: account_path(&row.account),
        account: breaking(row.account.as_str()),
        health: a.w.health_badge(row.health),
        since: row.since.map(|at| clock.minute(at)),
        zone: row.zone,
        next: row.next_slot.map(|at| clock.minute(at)),
        until: row.addon_until.map(|at| clock.minute(at)),
        windows: number(language, row.windows),
        error: row.error,
    });
    let choices = [("", w.any()), ("failing", w.failing())].into_iter();
    let choices =
        choices.chain(Health::ALL.into_iter().map(|health| (health.as_str(), a.w.of_health(health).0)));
    let headline = if count == 1 { w.one_found() } else { w.found(&number(language, count)) };
    Ok(page(&Page {
        w,
        headline,
        filtered: !(text.is_empty() && chosen.is_empty()),
        text,
        chosen,
        oldest,
        choices: choices.collect(),
        rows: rows.collect(),
        paging,
        a,
    }))
}
