//! Probes and replays of an account: what runs, step by step, and what came of it.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;

use super::links::{account_path, delivery_path};
use super::{Answer, Around, Needs, Section, Visit, acts, guarded};
use crate::http::api::Api;
use crate::http::api::jobs::{Asker, Shown, one};
use crate::http::pages::frame::page;
use crate::http::pages::parts::{Clock, Html, Tone, badge, breaking, coded};
use crate::http::pages::words::{number, words};
use crate::http::sign_in::SignIn;
use crate::ledger::JobFilter;
use crate::operations::job_view::{JobHead, ProbeJob, ReplayJob};
use crate::operations::probes::ProbeStep;
use auditferry_core::model::access::Permission;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::job::JobState;
use auditferry_core::model::object_key::slot_name;

/// How many jobs of each kind are listed.
const SHOWN: u32 = 25;

words! {
    /// The words of the pages.
    Words {
        probe(): "Probe", "Prüfung";
        replay(): "Replay", "Wiederholung";
        dry_run(): "Dry run", "Probelauf";
        probes(): "Probes", "Prüfungen";
        replays(): "Replays", "Wiederholungen";
        title(): "Probes and replays", "Prüfungen und Wiederholungen";
        lead(): "Of the last 14 days.", "Der letzten 14 Tage.";
        no_probes(): "Nothing was probed yet. The button “Probe” on the account’s page begins one.",
            "Noch wurde nichts geprüft. Der Knopf „Prüfen“ auf der Seite des Kontos beginnt eine.";
        no_replays(): "Nothing was replayed yet.", "Noch wurde nichts wiederholt.";
        running(): "Running", "Läuft";
        works(): "Works", "Funktioniert";
        fails(): "Fails", "Schlägt fehl";
        done(): "Done", "Erledigt";
        not_all(): "Not all", "Nicht alles";
        failed(): "Failed", "Fehlgeschlagen";
        interrupted(): "Interrupted", "Unterbrochen";
        interrupted_hint(): "The process that did it has ended. Ask for it again; a replay goes on where it was.",
            "Der Prozess, der es tat, hat geendet. Verlangen Sie es noch einmal; eine Wiederholung geht weiter, wo sie war.";
        steps(): "Steps", "Schritte";
        step_waits(): "The next step runs. This page shows it when it ends.",
            "Der nächste Schritt läuft. Diese Seite zeigt ihn, wenn er endet.";
        all_steps(): "The destination accepts objects.", "Das Ziel nimmt Objekte an.";
        fix(): "Fix", "Abhilfe";
        said(): "What the cloud said", "Was die Cloud sagte";
        asked_by(name: &str): "Asked for by {name}", "Verlangt von {name}";
        of(done: &str, all: &str): "{done} of {all} are there as asked", "{done} von {all} sind da wie verlangt";
        looked_at(count: &str): "{count} files looked at so far", "{count} Dateien bisher angesehen";
        for_real(): "Do it for real…", "Wirklich tun…";
        nothing(): "No file was delivered in these slots.", "In diesen Terminen wurde keine Datei geliefert.";
        file(): "File", "Datei";
        outcome(): "Outcome", "Ergebnis";
        records(): "Records", "Einträge";
        left_out(count: u64): "{count} more, all done, are not listed.", "{count} weitere, alle erledigt, sind nicht aufgeführt.";
        slots(): "Slots", "Termine";
        again(): "Probe again", "Noch einmal prüfen";
        ms(count: u64): "{count} ms", "{count} ms";
    }
}

struct StepRow {
    tone: &'static str,
    icon: &'static str,
    name: String,
    detail: String,
    took: String,
}

struct Row {
    href: String,
    at: Html,
    badge: Html,
    what: String,
    by: String,
}

#[derive(Template)]
#[template(path = "console/jobs.html")]
struct List {
    a: Around,
    w: Words,
    account: (String, String),
    probes: Vec<Row>,
    replays: Vec<Row>,
}

#[derive(Template)]
#[template(path = "console/probe.html")]
struct Probe {
    a: Around,
    w: Words,
    account: (String, String),
    at: Html,
    badge: Html,
    by: Option<String>,
    here: String,
    running: bool,
    interrupted: bool,
    works: bool,
    steps: Vec<StepRow>,
    fix: Option<Html>,
    said: Option<String>,
    may_probe: bool,
}

struct ObjectRow {
    href: String,
    name: Html,
    badge: Html,
    records: String,
    message: Option<String>,
}

#[derive(Template)]
#[template(path = "console/replay.html")]
struct Replay {
    a: Around,
    w: Words,
    account: (String, String),
    at: Html,
    badge: Html,
    by: Option<String>,
    here: String,
    title: String,
    slots: (Html, Html),
    running: bool,
    interrupted: bool,
    looked_at: String,
    of: Option<String>,
    problem: Option<(String, Option<String>)>,
    objects: Vec<ObjectRow>,
    left_out: u64,
    for_real: Option<String>,
}

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    let of = |needs, path: &str, pages| guarded(sign_in, Needs::Account(needs), path, pages);
    Router::new()
        .merge(of(Permission::ReadChanges, "/console/accounts/{account}/jobs", get(list)))
        .merge(of(Permission::ReadAccounts, "/console/accounts/{account}/probes/{job}", get(probe)))
        .merge(of(Permission::ReadChanges, "/console/accounts/{account}/replays/{job}", get(replay)))
}

fn asker(visit: &Visit) -> Asker {
    Asker { role: visit.viewer.grant.role, name: visit.viewer.name().to_owned() }
}

fn unfinished(w: Words, state: JobState) -> Option<Html> {
    match state {
        JobState::Running => Some(badge(Tone::Busy, &w.running())),
        JobState::Failed => Some(badge(Tone::Bad, &w.failed())),
        JobState::Interrupted => Some(badge(Tone::Late, &w.interrupted())),
        JobState::Done => None,
    }
}

fn probe_badge(w: Words, job: &ProbeJob) -> Html {
    unfinished(w, job.head.state).unwrap_or_else(|| match &job.result {
        Some(result) if result.works => badge(Tone::Ok, &w.works()),
        _ => badge(Tone::Bad, &w.fails()),
    })
}

fn replay_badge(w: Words, job: &ReplayJob) -> Html {
    unfinished(w, job.head.state).unwrap_or_else(|| match &job.result {
        Some(report) if report.is_done() => badge(Tone::Ok, &w.done()),
        _ => badge(Tone::Bad, &w.not_all()),
    })
}

async fn all<J: Shown>(
    api: &Api,
    visit: &Visit,
    id: &AccountId,
) -> Result<Vec<J>, crate::http::api::problem::Problem> {
    let filter = JobFilter { account: id.clone(), kind: J::KIND, before: None, limit: SHOWN };
    let jobs = api.admin.ledger.jobs(&filter).await?;
    jobs.into_iter().map(|job| J::of(&asker(visit), job)).collect()
}

async fn list(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    let clock = acts::clock(&api, &id).await?;
    let a = visit.around(Section::Accounts);
    let (w, path) = (Words(a.frame.language), account_path(&id));
    let row = |head: &JobHead, kind: &str, badge: Html, what: String| Row {
        href: format!("{path}/{kind}/{}", head.id),
        at: clock.second(head.begun_at),
        badge,
        what,
        by: head.asked_by.clone().unwrap_or_default(),
    };
    let probes = all::<ProbeJob>(&api, &visit, &id).await?;
    let probes = probes.iter().map(|job| row(&job.head, "probes", probe_badge(w, job), w.probe())).collect();
    let replays = all::<ReplayJob>(&api, &visit, &id).await?;
    let replays = replays.iter().map(|job| {
        let what = if job.dry_run { w.dry_run() } else { w.replay() };
        row(&job.head, "replays", replay_badge(w, job), what)
    });
    Ok(page(&List { w, account: (path.clone(), id.to_string()), probes, replays: replays.collect(), a }))
}

/// The name of a step of a probe: the field's words, which are not translated.
pub(in crate::http) fn step_words(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

fn steps(w: Words, steps: Vec<ProbeStep>) -> Vec<StepRow> {
    let row = |step: ProbeStep| {
        let tone = if step.ok { Tone::Ok } else { Tone::Bad };
        StepRow {
            tone: tone.class(),
            icon: tone.icon(),
            name: step_words(&step.name),
            detail: step.detail,
            took: w.ms(step.milliseconds),
        }
    };
    steps.into_iter().map(row).collect()
}

async fn probe(State(api): State<Api>, Path((id, job)): Path<(AccountId, String)>, visit: Visit) -> Answer {
    let ProbeJob { head, steps: done, result } = one::<ProbeJob>(&api, &asker(&visit), &id, &job).await?;
    let clock = acts::clock(&api, &id).await?;
    let a = visit.around(Section::Accounts);
    let w = Words(a.frame.language);
    let shown = ProbeJob { head, steps: Vec::new(), result };
    let badge = probe_badge(w, &shown);
    let ProbeJob { head, result, .. } = shown;
    let problem = head.problem;
    Ok(page(&Probe {
        at: clock.second(head.begun_at),
        badge,
        by: head.asked_by,
        here: format!("{}/probes/{}", account_path(&id), head.id),
        running: head.state == JobState::Running,
        interrupted: head.state == JobState::Interrupted,
        works: result.as_ref().is_some_and(|result| result.works),
        steps: steps(w, done),
        fix: result
            .as_ref()
            .and_then(|result| result.fix.as_deref())
            .or(problem.as_ref().and_then(|one| one.fix.as_deref()))
            .map(coded),
        said: result.and_then(|result| result.detail).or(problem.map(|problem| problem.detail)),
        may_probe: a.viewer.may(Permission::Probe, Some(&id)),
        account: (account_path(&id), id.to_string()),
        w,
        a,
    }))
}

async fn replay(State(api): State<Api>, Path((id, job)): Path<(AccountId, String)>, visit: Visit) -> Answer {
    let job = one::<ReplayJob>(&api, &asker(&visit), &id, &job).await?;
    let clock: Clock = acts::clock(&api, &id).await?;
    let a = visit.around(Section::Accounts);
    let (w, language) = (Words(a.frame.language), a.frame.language);
    let badge_ = replay_badge(w, &job);
    let ReplayJob { head, from, to, as_new, dry_run, objects, result } = job;
    let n = |count: u64| number(language, count);
    let rows = result.iter().flat_map(|report| &report.objects).map(|object| ObjectRow {
        href: delivery_path(&id, &object.key),
        name: breaking(object.put_as.as_ref().unwrap_or(&object.key)),
        badge: badge(
            if object.outcome.is_done() { Tone::Ok } else { Tone::Bad },
            &object.outcome.as_str().replace('_', " "),
        ),
        records: n(object.records),
        message: object.message.clone(),
    });
    let may_do = a.viewer.may(Permission::Deliver, Some(&id));
    let for_real = (dry_run && head.state == JobState::Done && may_do).then(|| {
        let new = if as_new { "&as_new=on" } else { "" };
        format!("{}/replay?real=1&from={}&to={}{new}", account_path(&id), slot_name(from), slot_name(to))
    });
    Ok(page(&Replay {
        at: clock.second(head.begun_at),
        badge: badge_,
        by: head.asked_by,
        here: format!("{}/replays/{}", account_path(&id), head.id),
        title: if dry_run { w.dry_run() } else { w.replay() },
        slots: (clock.minute(from), clock.minute(to)),
        running: head.state == JobState::Running,
        interrupted: head.state == JobState::Interrupted,
        looked_at: w.looked_at(&n(objects)),
        of: result
            .as_ref()
            .filter(|report| report.total > 0)
            .map(|report| w.of(&n(report.done), &n(report.total))),
        problem: head.problem.map(|problem| (problem.detail, problem.fix)),
        objects: rows.collect(),
        left_out: result.as_ref().map_or(0, |report| report.left_out),
        for_real,
        account: (account_path(&id), id.to_string()),
        w,
        a,
    }))
}
