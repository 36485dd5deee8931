//! Jobs of the API.

use auditferry::ledger::{Begun, JobBegun, JobFilter};
use auditferry_core::model::actor::{By, RequestKey, Terms};
use auditferry_core::model::job::{JobKind, JobProblem, JobResult, JobState, NewJob};
use jiff::SignedDuration;
use serde_json::json;

use super::bed::{Bed, id};
use crate::support::by;

fn probe(name: &str, account: &str) -> NewJob {
    NewJob { id: name.to_owned(), account: id(account), kind: JobKind::Probe, request: json!({ "a": 1 }) }
}

/// Sets a time of jobs back by some seconds.
async fn set_back(bed: &Bed, time: &str, seconds: u32, which: &str) {
    let ago = match bed.is_postgres() {
        true => format!("interval '{seconds} seconds'"),
        false => format!("{seconds}000000"),
    };
    bed.execute(&format!("UPDATE job SET {time} - {ago} WHERE {which}")).await;
}

pub(crate) async fn one_of_a_kind_runs_for_an_account(bed: Bed) {
    bed.ready("acme").await;
    bed.ready("beta").await;
    let begin = async |new: &NewJob| bed.ledger.begin_job(&by(), new).await.unwrap();
    assert_eq!(begin(&probe("j1", "acme")).await, JobBegun::New);
    assert_eq!(begin(&probe("j2", "acme")).await, JobBegun::Running("j1".to_owned()));
    assert_eq!(begin(&probe("j3", "beta")).await, JobBegun::New);
    assert_eq!(begin(&NewJob { kind: JobKind::Replay, ..probe("j4", "acme") }).await, JobBegun::New);
    bed.ledger.end_job("j1", &JobResult::Interrupted).await.unwrap();
    assert_eq!(begin(&probe("j5", "acme")).await, JobBegun::New);
    // One that is silent ended with its process.
    set_back(&bed, "seen_at = seen_at", 31, "id = 'j5'").await;
    assert_eq!(begin(&probe("j6", "acme")).await, JobBegun::New);
    assert_eq!(bed.ledger.job("j5").await.unwrap().unwrap().state(), JobState::Interrupted);
    let racing = (0..8).map(|number| {
        let new = NewJob { kind: JobKind::Replay, ..probe(&format!("r{number}"), "beta") };
        let ledger = bed.ledger.clone();
        async move { ledger.begin_job(&by(), &new).await.unwrap() }
    });
    let begun = futures::future::join_all(racing).await;
    assert_eq!(begun.iter().filter(|begun| **begun == JobBegun::New).count(), 1, "{begun:?}");
}

pub(crate) async fn a_job_tells_how_it_is_and_ends_once(bed: Bed) {
    bed.ready("acme").await;
    let by = By { reason: Some("ticket 17".to_owned()), ..by() };
    bed.ledger.begin_job(&by, &probe("j1", "acme")).await.unwrap();
    let job = async || bed.ledger.job("j1").await.unwrap().unwrap();
    let begun = job().await;
    assert_eq!(
        (begun.state(), &begun.new, begun.progress.is_none()),
        (JobState::Running, &probe("j1", "acme"), true)
    );
    assert_eq!((begun.asked_by, begun.reason.as_deref()), (by.actor.name.clone(), Some("ticket 17")));
    bed.ledger.note_job("j1", Some(&json!([1]))).await.unwrap();
    bed.ledger.note_job("j1", None).await.unwrap();
    assert_eq!(job().await.progress, Some(json!([1])), "a sign of life alone changes nothing of it");
    let problem = JobProblem {
        status: 404,
        code: "no_destination".to_owned(),
        detail: "none".to_owned(),
        field: None,
        fix: None,
    };
    let failed = JobResult::Failed(problem);
    bed.ledger.end_job("j1", &failed).await.unwrap();
    bed.ledger.end_job("j1", &JobResult::Done(json!(2))).await.unwrap();
    bed.ledger.note_job("j1", Some(&json!([3]))).await.unwrap();
    let ended = job().await;
    assert_eq!(
        (ended.state(), ended.result, ended.progress),
        (JobState::Failed, Some(failed), Some(json!([1])))
    );
    assert!(ended.ended_at.is_some_and(|at| at >= ended.begun_at));
    assert!(bed.ledger.job("none").await.unwrap().is_none());
}

pub(crate) async fn jobs_are_listed_newest_first_page_by_page_and_forgotten(bed: Bed) {
    bed.ready("acme").await;
    for number in 1..=5 {
        let name = format!("j{number}");
        bed.ledger.begin_job(&by(), &probe(&name, "acme")).await.unwrap();
        bed.ledger.end_job(&name, &JobResult::Done(json!(number))).await.unwrap();
    }
    // Two of the same instant.
    set_back(&bed, "begun_at = (SELECT min(begun_at) FROM job)", 86_400, "id IN ('j2', 'j3')").await;
    let page = async |before, limit| {
        let filter = JobFilter { account: id("acme"), kind: JobKind::Probe, before, limit };
        bed.ledger.jobs(&filter).await.unwrap()
    };
    let all = page(None, 10).await;
    let names: Vec<_> = all.iter().map(|job| job.new.id.as_str()).collect();
    assert_eq!(names, ["j5", "j4", "j1", "j3", "j2"]);
    let mut paged = Vec::new();
    let mut before = None;
    while let Some(job) = page(before.take(), 1).await.pop() {
        before = Some((job.begun_at, job.new.id.clone()));
        paged.push(job.new.id);
    }
    assert_eq!(paged, names);
    set_back(&bed, "begun_at = begun_at", 15 * 86_400, "id = 'j1'").await;
    bed.ledger.forget_jobs().await.unwrap();
    assert!(bed.ledger.job("j1").await.unwrap().is_none() && bed.ledger.job("j2").await.unwrap().is_some());
    bed.ledger.remove_account(&by(), &id("acme")).await.unwrap();
    assert!(bed.ledger.job("j2").await.unwrap().is_none(), "it goes with its account");
}

pub(crate) async fn a_job_of_a_key_is_made_with_it(bed: Bed) {
    bed.ready("acme").await;
    let key = RequestKey { principal: "api_token:t".to_owned(), key: "k".to_owned() };
    let stale = SignedDuration::from_secs(90);
    let again = async || bed.ledger.begin_request(&key, &[7; 32], stale).await.unwrap();
    assert_eq!(again().await, Begun::New);
    let terms = Terms { request: Some(key.clone()), ..Terms::default() };
    bed.ledger.begin_job(&By { terms, ..by() }, &probe("j1", "acme")).await.unwrap();
    assert_eq!(again().await, Begun::Applied);
}
