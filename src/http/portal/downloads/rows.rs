//! Downloads as rows.

use super::super::logs::Zone;
use super::words::{Words, size};
use crate::http::pages::parts::{Clock, Html, escaped, hash, icon};
use crate::http::pages::words::number;
use auditferry_core::model::download::{Download, DownloadState};
use auditferry_core::model::record_query::{RecordFilter, Wanted};
use jiff::SignedDuration;

/// A download.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) filters: String,
    pub(super) format: String,
    pub(super) range: (String, String),
    pub(super) rows: String,
    pub(super) size: String,
    pub(super) badge: Html,
    /// Of one that is being made: how much of it is, in percent.
    pub(super) percent: Option<u32>,
    pub(super) why: Option<String>,
    /// How the mail about it is.
    pub(super) mailed: Option<String>,
    /// Until when it is kept, or when its file was removed.
    pub(super) kept: Option<(String, Html)>,
    /// The whole hash, and as it is shown.
    pub(super) sha: Option<(String, Html)>,
    pub(super) fetch: bool,
    pub(super) again: Option<String>,
    pub(super) remove: String,
}

/// What is filtered for, in words.
fn filters(w: Words, filter: &RecordFilter) -> String {
    let wanted = |wanted: &Wanted| match wanted {
        Wanted::Exact(text) => text.clone(),
        Wanted::Prefix(text) => format!("{text}*"),
    };
    let parts = [
        (w.user(), filter.user.as_ref().map(wanted)),
        (w.action(), filter.action.clone()),
        (w.action_id(), filter.action_id.clone()),
        (w.ip(), filter.ip.as_ref().map(wanted)),
        (w.text(), filter.text.as_ref().map(|text| format!("“{text}”"))),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter_map(|(name, value)| Some(format!("{name}: {}", value?))).collect();
    if parts.is_empty() { w.no_filter() } else { parts.join(" · ") }
}

fn badge(w: Words, state: DownloadState) -> Html {
    let (tone, drawing) = match state {
        DownloadState::Waiting => ("busy", "clock"),
        DownloadState::Running => ("busy", "run"),
        DownloadState::Completed => ("ok", "okc"),
        DownloadState::Failed => ("bad", "fail"),
        DownloadState::Expired => ("", "clock"),
    };
    let word = escaped(&w.of_state(state));
    Html::joined(format!(r#"<span class="badge {tone}">{}{word}</span>"#, icon(drawing)))
}

impl Row {
    pub(super) fn new(w: Words, clock: &Clock, zone: &Zone, download: &Download) -> Self {
        let Download { new, state, made, .. } = download;
        let day = |at: jiff::Timestamp| at.to_zoned(zone.rules().clone()).date().to_string();
        let last = new.wish.span.to.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(new.wish.span.to);
        let is = |wanted: DownloadState| *state == wanted;
        let known =
            made.as_ref().filter(|_| matches!(state, DownloadState::Completed | DownloadState::Expired));
        let kept = download.kept_until.map(|at| match state {
            DownloadState::Expired => (w.removed(), clock.minute(at)),
            _ => (w.kept_until(), clock.minute(at)),
        });
        Self {
            id: new.id.clone(),
            name: new.name.clone(),
            filters: filters(w, &new.wish.filter),
            format: new.wish.format.as_str().to_uppercase(),
            range: (day(new.wish.span.from), day(last)),
            rows: match state {
                DownloadState::Waiting | DownloadState::Failed => String::new(),
                _ => number(w.0, download.records),
            },
            size: known.map(|made| size(w.0, made.bytes)).unwrap_or_default(),
            badge: badge(w, *state),
            percent: is(DownloadState::Running).then_some(download.percent),
            why: match state {
                DownloadState::Waiting => Some(w.waiting_hint()),
                DownloadState::Running => Some(w.running_hint(download.percent)),
                DownloadState::Failed => download.problem.map(|problem| w.problem(problem)),
                DownloadState::Completed | DownloadState::Expired => None,
            },
            mailed: download
                .mailed
                .zip(new.mail.as_ref())
                .map(|(state, mail)| w.mail(state, &mail.actor.email)),
            kept: kept.filter(|_| known.is_some()),
            sha: known
                .filter(|_| is(DownloadState::Completed))
                .map(|made| (made.sha256.clone(), hash(&made.sha256))),
            fetch: is(DownloadState::Completed),
            again: match state {
                DownloadState::Failed => Some(w.start_again()),
                DownloadState::Expired => Some(w.make_again()),
                _ => None,
            },
            remove: match state {
                DownloadState::Waiting | DownloadState::Running => w.cancel(),
                _ => w.delete(),
            },
        }
    }
}
