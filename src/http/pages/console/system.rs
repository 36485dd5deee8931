//! `/console/system`: workers with what they do, their chores, and the keys that seal secrets.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::home::{Chore, Words as HomeWords, chores, worker_badge};
use super::{Answer, Around, Needs, Section, Visit, guarded};
use crate::http::api::Api;
use crate::http::pages::frame::page;
use crate::http::pages::parts::{Clock, Html, breaking};
use crate::http::pages::words::{number, words};
use crate::http::sign_in::SignIn;
use crate::operations::status::{WorkerState, WorkerStatus};
use auditferry_core::model::access::Permission;

words! {
    /// The words of the page.
    Words {
        title(): "System", "System";
        lead(version: &str): "Version {version} answers here. Times are in UTC.", "Hier antwortet Version {version}. Zeiten in UTC.";
        have_ended(): "Have ended", "Haben geendet";
        version(): "Version", "Version";
        host(): "Host", "Rechner";
        started(): "Started", "Gestartet";
        accounts(): "Exports now", "Exportiert gerade";
        leases(): "Leases", "Belegungen";
        planning(): "Plans", "Plant";
        yes(): "yes", "ja";
        no(): "no", "nein";
        problem(): "Problem", "Problem";
        clock(): "Clock", "Uhr";
        keys(): "Keys that seal secrets", "Schlüssel, die Geheimnisse versiegeln";
        no_keys(): "None: destinations can only refer to secrets in files and variables. “auditferry keys generate” makes one.",
            "Keine: Ziele können nur auf Geheimnisse in Dateien und Variablen verweisen. „auditferry keys generate“ erzeugt einen.";
        key(): "Key", "Schlüssel";
        seals(): "Seals", "Versiegelt";
        secrets(): "Secrets", "Geheimnisse";
        source(): "Where", "Wo";
        absent(): "not in keys.ring here", "nicht in keys.ring hier";
    }
}

struct Worker {
    id: Html,
    badge: Html,
    ended: bool,
    seen: Html,
    facts: Vec<(String, Html)>,
    chores: Vec<Chore>,
}

struct Key {
    id: String,
    source: String,
    seals: String,
    secrets: String,
}

#[derive(Template)]
#[template(path = "console/system.html")]
struct Page {
    a: Around,
    w: Words,
    h: HomeWords,
    workers: Vec<Worker>,
    some_ended: bool,
    keys: Option<Vec<Key>>,
}

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    guarded(sign_in, Needs::Installation(Permission::ReadStatus), "/console/system", get(show))
}

fn worker(w: Words, h: HomeWords, clock: &Clock, worker: &WorkerStatus) -> Worker {
    let text = |text: &str| breaking(text);
    let mut facts = vec![
        (w.host(), text(&worker.host)),
        (w.version(), text(&worker.version)),
        (w.started(), clock.second(worker.since)),
        (h.seen(), clock.second(worker.seen_at)),
        (w.leases(), text(&worker.leases.to_string())),
        (w.planning(), text(&if worker.planning { w.yes() } else { w.no() })),
        (w.clock(), text(&format!("{:+} s", worker.clock_ahead_seconds))),
    ];
    if worker.exports > 0 {
        facts.push((w.accounts(), text(&format!("{}: {}", worker.exports, worker.accounts.join(", ")))));
    }
    if let Some(problem) = &worker.problem {
        facts.push((w.problem(), text(problem)));
    }
    Worker {
        id: breaking(&worker.id),
        badge: worker_badge(h, worker.state),
        ended: worker.state == WorkerState::Ended,
        seen: clock.second(worker.seen_at),
        facts,
        chores: chores(h, clock, worker),
    }
}

async fn show(State(api): State<Api>, visit: Visit) -> Answer {
    let status = api.admin.status().await?;
    let a = visit.around(Section::System);
    let (language, clock) = (a.frame.language, Clock::utc());
    let (w, h) = (Words(language), HomeWords(language));
    let keys = if a.viewer.may(Permission::ManageTokens, None) {
        let keys = api.vault.states().await?.into_iter().map(|key| Key {
            id: key.key,
            source: key.source.unwrap_or_else(|| w.absent()),
            seals: if key.seals { w.yes() } else { w.no() },
            secrets: number(language, key.secrets),
        });
        Some(keys.collect())
    } else {
        None
    };
    let workers: Vec<Worker> = status.workers.iter().map(|one| worker(w, h, &clock, one)).collect();
    let some_ended = workers.iter().any(|one| one.ended);
    Ok(page(&Page { a, w, h, workers, some_ended, keys }))
}
