//! `/console`: what needs a person, first; then how all accounts are, what ends soon, who works.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::labels::tone;
use super::links::{account_path, accounts_of};
use super::{Answer, Around, Needs, Section, Visit, guarded};
use crate::http::api::Api;
use crate::http::pages::frame::page;
use crate::http::pages::parts::{Clock, Html, Tone, badge, breaking, coded};
use crate::http::pages::words::{number, words};
use crate::http::sign_in::SignIn;
use crate::operations::status::{EndingSoon, Ends, HealthCount, Status, WorkerState, WorkerStatus};
use auditferry_core::model::access::Permission;
use auditferry_core::model::worker::ChoreReport;

/// Up to so many accounts, each is a square.
const MOST_SQUARES: u64 = 34;

words! {
    /// The words of the page.
    Words {
        title(): "Home", "Übersicht";
        all_well(count: &str): "All {count} accounts run", "Alle {count} Konten laufen";
        no_accounts(): "No account yet", "Noch kein Konto";
        need(failing: &str, count: &str): "{failing} of {count} accounts need a look", "{failing} von {count} Konten brauchen einen Blick";
        one_needs(count: &str): "1 of {count} accounts needs a look", "1 von {count} Konten braucht einen Blick";
        at(): "At", "Um";
        next(): "Next slot:", "Nächster Termin:";
        of_accounts(count: &str): "{count} accounts", "{count} Konten";
        of_one(): "1 account", "1 Konto";
        oldest(): "Waits for the longest:", "Wartet am längsten:";
        find(): "Find an account", "Konto suchen";
        find_go(): "Find", "Suchen";
        find_hint(): "Account id or part of it", "Konto-ID oder ein Teil davon";
        failing(): "Failing first", "Was fehlschlägt";
        failing_hint(): "what needs a decision, then the longest wait", "erst was zu entscheiden ist, dann was am längsten wartet";
        failing_caption(): "Accounts whose export does not run", "Konten, deren Export nicht läuft";
        nothing_fails(): "Nothing fails", "Nichts schlägt fehl";
        nothing_fails_hint(): "Files arrive as they should. What goes wrong stands here first.",
            "Die Dateien kommen an, wie sie sollen. Was schiefgeht, steht zuerst hier.";
        failing_since(): "Failing since", "Schlägt fehl seit";
        by_health(): "Accounts by health", "Konten nach Zustand";
        ends_soon(): "Ends soon", "Endet bald";
        thirty_days(): "30 days", "30 Tage";
        ends_caption(): "Add-ons and credentials that end within 30 days", "Zusatzleistungen und Zugangsdaten, die in 30 Tagen enden";
        nothing_ends(): "Nothing ends within 30 days.", "In den nächsten 30 Tagen endet nichts.";
        what(): "What", "Was";
        ends(): "Ends", "Endet";
        add_on(): "Add-on", "Zusatzleistung";
        credentials(): "Credentials", "Zugangsdaten";
        workers(): "Workers", "Worker";
        worker(): "Worker", "Worker";
        state(): "State", "Zustand";
        seen(): "Seen", "Gesehen";
        doing(): "Exports", "Exporte";
        clock(): "Clock", "Uhr";
        running(): "Running", "Läuft";
        silent(): "Silent", "Stumm";
        ended(): "Ended", "Beendet";
        no_workers(): "No worker has run yet. Start one with “auditferry run”.",
            "Noch ist kein Worker gelaufen. Starten Sie einen mit „auditferry run“.";
        chores(): "Chores", "Nebenaufgaben";
        chore(): "Chore", "Aufgabe";
        last(): "Last success", "Letzter Erfolg";
        done(): "Done", "Erledigt";
        failed(): "Failed", "Fehlgeschlagen";
        waiting(): "Not yet", "Noch nicht";
        no_chores(): "No worker has told of its chores yet.", "Noch hat kein Worker von seinen Nebenaufgaben berichtet.";
        never(): "never", "nie";
    }
}

struct Failing {
    account: Html,
    href: String,
    health: Html,
    reason: Html,
    fix: Html,
    since: Option<Html>,
}

struct OfHealth {
    href: String,
    tone: &'static str,
    badge: Html,
    hint: String,
    count: String,
    squares: Vec<u64>,
}

struct Ending {
    account: Html,
    href: String,
    what: String,
    at: Html,
}

struct Working {
    id: Html,
    badge: Html,
    seen: Html,
    exports: u64,
    clock: String,
    problem: Option<String>,
}

/// A chore of a worker.
pub(super) struct Chore {
    pub(super) name: String,
    worker: Html,
    pub(super) badge: Html,
    pub(super) last: Option<Html>,
    pub(super) error: Option<String>,
}

#[derive(Template)]
#[template(path = "console/home.html")]
struct Home {
    a: Around,
    w: Words,
    headline: String,
    at: Html,
    next: Option<(Html, String)>,
    oldest: Option<(String, Html)>,
    no_worker: Option<Html>,
    failing: Vec<Failing>,
    failing_total: u64,
    more_failing: Option<String>,
    of_health: Vec<OfHealth>,
    ending: Vec<Ending>,
    workers: Vec<Working>,
    several_workers: bool,
    chores: Vec<Chore>,
}

impl Home {
    fn of(a: Around, status: Status) -> Self {
        let language = a.frame.language;
        let (w, clock, shared) = (Words(language), Clock::utc(), a.w);
        let n = |count: u64| number(language, count);
        let all: u64 = status.accounts.iter().map(|count| count.accounts).sum();
        let headline = match status.failing.total {
            _ if all == 0 => w.no_accounts(),
            0 => w.all_well(&n(all)),
            1 => w.one_needs(&n(all)),
            failing => w.need(&n(failing), &n(all)),
        };
        let shown = status.failing.first.len() as u64;
        let failing = status.failing.first.into_iter().map(|one| Failing {
            href: account_path(&one.account),
            account: breaking(one.account.as_str()),
            health: shared.health_badge(one.health),
            reason: coded(&one.reason.unwrap_or_default()),
            fix: coded(&one.fix.unwrap_or_default()),
            since: one.since.map(|at| clock.minute(at)),
        });
        let of_health = status.accounts.iter().map(|HealthCount { health, accounts }| OfHealth {
            href: accounts_of(*health),
            tone: tone(*health).class(),
            badge: shared.health_badge(*health),
            hint: shared.of_health(*health).1,
            count: n(*accounts),
            squares: if *accounts <= MOST_SQUARES {
                (0..*accounts).map(|place| place * 10).collect()
            } else {
                Vec::new()
            },
        });
        let ending = status.ending.first.into_iter().map(|EndingSoon { account, what, at }| Ending {
            href: account_path(&account),
            account: breaking(account.as_str()),
            what: match what {
                Ends::AddOn => w.add_on(),
                Ends::Credentials => w.credentials(),
            },
            at: clock.minute(at),
        });
        let first = status.next_slots.first();
        Self {
            w,
            headline,
            at: clock.minute(status.at),
            next: first.map(|slot| {
                let count = if slot.accounts == 1 { w.of_one() } else { w.of_accounts(&n(slot.accounts)) };
                (clock.minute(slot.at), count)
            }),
            oldest: status
                .oldest_undelivered
                .as_ref()
                .map(|one| (one.account.to_string(), clock.minute(one.slot))),
            no_worker: status.no_worker.as_deref().map(coded),
            failing: failing.collect(),
            failing_total: status.failing.total,
            more_failing: (status.failing.total > shown).then(|| n(status.failing.total)),
            of_health: of_health.collect(),
            ending: ending.collect(),
            several_workers: status.workers.iter().filter(|one| one.state == WorkerState::Running).count()
                > 1,
            chores: status.workers.iter().flat_map(|worker| chores(w, &clock, worker)).collect(),
            workers: shown_workers(&status.workers).map(|worker| working(w, &clock, worker)).collect(),
            a,
        }
    }
}

/// Those that matter: of what has ended, the latest one where nothing else is.
fn shown_workers(workers: &[WorkerStatus]) -> impl Iterator<Item = &WorkerStatus> {
    let none = workers.iter().all(|worker| worker.state == WorkerState::Ended);
    let seen = workers.iter().filter(|worker| worker.state != WorkerState::Ended);
    seen.chain(workers.iter().take(usize::from(none)))
}

/// Whether a worker runs.
pub(super) fn worker_badge(w: Words, state: WorkerState) -> Html {
    match state {
        WorkerState::Running => badge(Tone::Ok, &w.running()),
        WorkerState::Silent => badge(Tone::Late, &w.silent()),
        WorkerState::Ended => badge(Tone::Off, &w.ended()),
    }
}

fn working(w: Words, clock: &Clock, worker: &WorkerStatus) -> Working {
    Working {
        id: breaking(&worker.id),
        badge: worker_badge(w, worker.state),
        seen: clock.second(worker.seen_at),
        exports: worker.exports,
        clock: format!("{:+} s", worker.clock_ahead_seconds),
        problem: worker.problem.clone(),
    }
}

/// The chores of a worker that runs, those that fail first.
pub(super) fn chores(w: Words, clock: &Clock, worker: &WorkerStatus) -> Vec<Chore> {
    if worker.state != WorkerState::Running {
        return Vec::new();
    }
    let mut reports: Vec<&ChoreReport> = worker.chores.iter().collect();
    reports.sort_by_key(|report| report.error.is_none());
    let told = reports.into_iter().map(|report| {
        let (tone, word) = match (&report.error, report.last_success) {
            (Some(_), _) => (Tone::Bad, w.failed()),
            (None, Some(_)) => (Tone::Ok, w.done()),
            (None, None) => (Tone::Off, w.waiting()),
        };
        Chore {
            name: report.name.replace('_', " "),
            worker: breaking(&worker.id),
            badge: badge(tone, &word),
            last: report.last_success.map(|at| clock.minute(at)),
            error: report.error.clone(),
        }
    });
    told.collect()
}

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    guarded(sign_in, Needs::Installation(Permission::ReadStatus), "/console", get(shown))
}

async fn shown(State(api): State<Api>, visit: Visit) -> Answer {
    let status = api.admin.status().await?;
    Ok(page(&Home::of(visit.around(Section::Home), status)))
}
