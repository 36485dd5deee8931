//! `/console/changes`: who changed what, with before and after.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::links::account_path;
use super::paging::{PAGE, Paging};
use super::{Answer, Around, Needs, Section, Visit, guarded};
use crate::http::api::Api;
use crate::http::pages::frame::page;
use crate::http::pages::parts::{Clock, Html, breaking};
use crate::http::pages::words::words;
use crate::http::sign_in::SignIn;
use crate::ledger::{Change, ChangeFilter};
use auditferry_core::model::access::Permission;

words! {
    /// The words of the page.
    Words {
        title(): "Changes", "Änderungen";
        lead(): "What people and programs changed, the newest first. Times are in UTC.",
            "Was Menschen und Programme geändert haben, das Neueste zuerst. Zeiten in UTC.";
        when(): "When", "Wann";
        who(): "Who", "Wer";
        what(): "What", "Was";
        before_after(): "Before and after", "Vorher und nachher";
        by(): "By", "Von";
        by_hint(): "Part of a name", "Teil eines Namens";
        account(): "Account id", "Konto-ID";
        show(): "Show", "Zeigen";
        nothing(): "Nothing was changed", "Nichts wurde geändert";
        nothing_hint(): "Add-ons, destinations, pauses and tokens leave a line here when they change.",
            "Zusatzleistungen, Ziele, Pausen und Tokens hinterlassen hier eine Zeile, wenn sie sich ändern.";
        clear(): "Clear the filters", "Filter löschen";
        filters(): "Filters", "Filter";
    }
}

/// How many fields of a change stand on the page of an account.
const FEW: usize = 4;

/// A field that has another value since.
pub(super) struct FieldRow {
    pub(super) name: String,
    pub(super) was: Option<String>,
    pub(super) is: Option<String>,
}

/// A change.
pub(super) struct ChangeRow {
    pub(super) at: Html,
    pub(super) by: Html,
    pub(super) channel: Option<&'static str>,
    pub(super) account: Option<(String, Html)>,
    pub(super) action: String,
    pub(super) reason: Option<String>,
    pub(super) fields: Vec<FieldRow>,
    /// How many fields are not among them.
    pub(super) more: usize,
}

impl ChangeRow {
    pub(super) fn of(change: Change, clock: &Clock) -> Self {
        let value = |value: serde_json::Value| match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        let fields = change.fields.into_iter().map(|field| FieldRow {
            name: field.field,
            was: value(field.from),
            is: value(field.to),
        });
        Self {
            at: clock.minute(change.at),
            by: breaking(&change.by),
            channel: change.channel.map(auditferry_core::model::actor::Channel::as_str),
            account: change.account.map(|id| (account_path(&id), breaking(id.as_str()))),
            action: change.action,
            reason: change.reason,
            fields: fields.collect(),
            more: 0,
        }
    }

    /// With few of its fields.
    pub(super) fn short(mut self) -> Self {
        self.more = self.fields.len().saturating_sub(FEW);
        self.fields.truncate(FEW);
        self
    }
}

#[derive(Template)]
#[template(path = "console/changes.html")]
struct Page {
    a: Around,
    w: Words,
    account: String,
    by: String,
    changes: Vec<ChangeRow>,
    paging: Paging,
}

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    guarded(sign_in, Needs::Listing(Permission::ReadChanges), "/console/changes", get(list))
}

async fn list(State(api): State<Api>, visit: Visit) -> Answer {
    let account = visit.account_asked(Permission::ReadChanges)?;
    let filter = ChangeFilter {
        account: account.clone(),
        by: visit.asked("by"),
        before: visit.cursor::<u32>()?.map(u64::from),
        limit: PAGE + 1,
        ..ChangeFilter::default()
    };
    let rows = api.admin.ledger.changes(&filter).await?;
    let (rows, paging) = visit.paged(rows, |change| change.number);
    let clock = Clock::utc();
    let a = visit.around(Section::Changes);
    Ok(page(&Page {
        w: Words(a.frame.language),
        account: account.map(|id| id.to_string()).unwrap_or_default(),
        by: visit.asked("by").unwrap_or_default(),
        changes: rows.into_iter().map(|change| ChangeRow::of(change, &clock)).collect(),
        paging,
        a,
    }))
}
