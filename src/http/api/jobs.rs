//! Jobs: probes and replays. A POST begins one, and tells where its state is.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::{Caller, Guard};
use super::document::AccountPath;
use super::problem::Problem;
use super::request::{Asked, Body, Page, Paging, limit, read_cursor};
use crate::ledger::JobFilter;
use crate::operations::job_view::{JobHead, ProbeJob, ReplayJob};
use crate::operations::jobs::{Asked as Begun, Progress};
use crate::operations::names::NamedSlot;
use crate::operations::probes::{ProbeResult, ProbeStep, Told};
use crate::operations::replay::{Replayer, Report, Request};
use auditferry_core::model::access::{Permission, Role};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::{By, Terms};
use auditferry_core::model::job::{Job, JobKind, JobResult};

/// How soon a job may be asked for again where as many run as can, in seconds.
const BUSY_SECONDS: &str = "10";

/// Most objects that a job of a replay names.
const OBJECTS_NAMED: usize = 2_000;

/// Who looks at a job.
pub(in crate::http) struct Asker {
    /// As what.
    pub(in crate::http) role: Role,
    /// What they are called.
    pub(in crate::http) name: String,
}

impl From<&Caller> for Asker {
    fn from(caller: &Caller) -> Self {
        Self { role: caller.grant.role, name: caller.by(None).actor.name }
    }
}

/// A job apart: what all have, what it told, and what came of it, as far as somebody may read it.
fn apart(asker: &Asker, job: Job) -> (JobHead, Value, Option<Value>, Option<Value>) {
    let state = job.state();
    let (result, problem) = match job.result {
        Some(JobResult::Done(value)) => (Some(value), None),
        Some(JobResult::Failed(problem)) => (None, Some(problem)),
        Some(JobResult::Interrupted) | None => (None, None),
    };
    let Job { new, asked_by, reason, begun_at, ended_at, progress, .. } = job;
    let told = asker.role != Role::AccountAdmin || asked_by == asker.name;
    let head = JobHead {
        id: new.id,
        account: new.account,
        state,
        asked_by: told.then_some(asked_by),
        reason: reason.filter(|_| told),
        begun_at,
        ended_at,
        problem,
    };
    (head, new.request, progress, result)
}

/// A job in the form in which it is shown.
pub(in crate::http) trait Shown: Sized + Serialize {
    /// Its kind.
    const KIND: JobKind;
    /// Where such jobs are, below an account.
    const PATH: &'static str;

    /// As somebody may read it.
    fn of(asker: &Asker, job: Job) -> Result<Self, Problem>;
}

impl Shown for ProbeJob {
    const KIND: JobKind = JobKind::Probe;
    const PATH: &'static str = "probes";

    fn of(asker: &Asker, job: Job) -> Result<Self, Problem> {
        let (head, told, progress, result) = apart(asker, job);
        let mut result: Option<ProbeResult> = result.map(stored).transpose()?;
        let mut steps: Vec<ProbeStep> = progress.map(stored).transpose()?.unwrap_or_default();
        if stored::<Told>(told)? == Told::Everything && asker.role != Role::Operator {
            result = result.map(ProbeResult::without_details);
            steps.iter_mut().for_each(ProbeStep::leave_out_detail);
        }
        if let Some(result) = &result {
            steps.clone_from(&result.steps);
        }
        Ok(Self { head, steps, result })
    }
}

impl Shown for ReplayJob {
    const KIND: JobKind = JobKind::Replay;
    const PATH: &'static str = "replays";

    fn of(asker: &Asker, job: Job) -> Result<Self, Problem> {
        let (head, request, progress, result) = apart(asker, job);
        let Request { from, to, as_new, dry_run } = stored(request)?;
        let result: Option<Report> = result.map(stored).transpose()?;
        let objects = match &result {
            Some(report) => report.total,
            None => progress.map(stored).transpose()?.unwrap_or_default(),
        };
        Ok(Self { head, from, to, as_new, dry_run, objects, result })
    }
}

/// Reads what a process of ours has stored.
fn stored<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|error| {
        tracing::error!(error = %error, "a stored job cannot be read");
        Problem::internal()
    })
}

/// What was begun, with where its state is.
async fn accepted<J: Shown>(
    api: &Api,
    caller: &Caller,
    account: &AccountId,
    begun: Begun,
) -> Result<Response, Problem> {
    let Begun::Begun(id) = begun else {
        return Err(Problem::busy().header(header::RETRY_AFTER, BUSY_SECONDS));
    };
    let job = api.admin.ledger.job(&id).await?.ok_or_else(Problem::not_found)?;
    // An id may hold what a path does not.
    let account = percent_encoded(account.as_str());
    let location = format!("/api/v1/accounts/{account}/{}/{id}", J::PATH);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(J::of(&caller.into(), job)?))
        .into_response())
}

/// What stands as it is in a part of a path (RFC 3986, unreserved).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as a part of an address.
pub(in crate::http) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// One job of an account.
pub(in crate::http) async fn one<J: Shown>(
    api: &Api,
    asker: &Asker,
    account: &AccountId,
    id: &str,
) -> Result<J, Problem> {
    let job = api.admin.ledger.job(id).await?;
    let job = job.filter(|job| job.new.account == *account && job.new.kind == J::KIND);
    J::of(asker, job.ok_or_else(Problem::not_found)?)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    at: Timestamp,
    id: String,
}

async fn all<J: Shown>(
    api: &Api,
    caller: &Caller,
    account: AccountId,
    paging: Paging,
) -> Result<Json<Page<J>>, Problem> {
    let limit = limit(paging.limit)?;
    api.admin.ledger.revision(&account).await?;
    let before = read_cursor::<Cursor>(paging.cursor.as_deref())?.map(|Cursor { at, id }| (at, id));
    let filter = JobFilter { account, kind: J::KIND, before, limit: limit + 1 };
    let jobs = api.admin.ledger.jobs(&filter).await?;
    let cursor = |job: &Job| Cursor { at: job.begun_at, id: job.new.id.clone() };
    let Page { items, next, .. } = Page::of(jobs, limit, cursor, |job| J::of(&caller.into(), job));
    Ok(Json(Page { items: items.into_iter().collect::<Result<_, _>>()?, next, total: None }))
}

/// Who asks for what the job itself does: its request has been made once it has begun.
fn of_job(by: &By) -> By {
    By { terms: Terms::default(), ..by.clone() }
}

impl Api {
    /// Begins to try the destination of an account.
    pub(in crate::http) async fn begin_probe(
        &self,
        by: &By,
        account: &AccountId,
        told: Told,
    ) -> Result<Begun, Problem> {
        // What has no destination is told at once.
        self.admin.destination(account).await?;
        self.limits.probe(account, self.admin.clock.now())?;
        let (probing, of) = (self.clone(), account.clone());
        let work = move |progress: Progress| async move {
            let heard = |steps: &[ProbeStep]| progress.tell(json!(steps));
            let probed = probing.admin.probe(&probing.stores, &of, told, &heard).await;
            Ok(json!(probed.map_err(|error| Problem::from(error).of_job())?))
        };
        Ok(self.jobs.begin(by, account, (JobKind::Probe, json!(told)), work).await?)
    }

    /// Begins to put delivered objects of an account again.
    pub(in crate::http) async fn begin_replay(
        &self,
        by: &By,
        account: &AccountId,
        request: Request,
    ) -> Result<Begun, Problem> {
        let (working, of, doing) = (self.clone(), account.clone(), of_job(by));
        let asked = json!(request);
        let work = move |progress: Progress| async move {
            let replayer = Replayer {
                admin: &working.admin,
                by: &doing,
                stores: &working.stores,
                put_timeout: working.put_timeout,
            };
            let mut seen: u64 = 0;
            let mut told = |_: &_| {
                seen += 1;
                progress.tell(json!(seen));
            };
            let report = replayer.replay(&of, &request, &mut told).await;
            Ok(json!(report.map_err(|error| Problem::from(error).of_job())?.bounded(OBJECTS_NAMED)))
        };
        Ok(self.jobs.begin(by, account, (JobKind::Replay, asked), work).await?)
    }
}

/// Try the destination step by step, with an empty object beside `audit/`. It is a job: its state is where the header
/// `Location` says.
#[utoipa::path(post, path = "/accounts/{account}/probes", operation_id = "probeDestination", tag = "destination", params(AccountPath),
    responses((status = 202, body = ProbeJob, headers(("Location" = String)))))]
async fn probe(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
) -> Result<Response, Problem> {
    let told = if caller.grant.role == Role::Operator { Told::Everything } else { Told::NoNames };
    let begun = api.begin_probe(&caller.by(None), &account, told).await?;
    accepted::<ProbeJob>(&api, &caller, &account, begun).await
}

/// List the probes of the last 14 days, the newest first.
#[utoipa::path(get, path = "/accounts/{account}/probes", operation_id = "listProbes", tag = "destination", params(AccountPath, Paging),
    responses((status = 200, body = Page<ProbeJob>)))]
async fn probes(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<ProbeJob>>, Problem> {
    all(&api, &caller, account, paging).await
}

/// Read how a probe is.
#[utoipa::path(get, path = "/accounts/{account}/probes/{job}", operation_id = "getProbe", tag = "destination", params(AccountPath, ("job" = String, Path)),
    responses((status = 200, body = ProbeJob)))]
async fn get_probe(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path((account, job)): Path<(AccountId, String)>,
) -> Result<Json<ProbeJob>, Problem> {
    one(&api, &Asker::from(&caller), &account, &job).await.map(Json)
}

/// What is to be put again.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewReplay {
    /// The first slot: the slot itself (`20261121T040000Z`), an instant, or the name or key of an object.
    #[schema(examples("20261121T040000Z"))]
    from: String,
    /// The last slot, in the same way.
    #[schema(examples("20261121T080000Z"))]
    to: String,
    /// Put all of them under new names with the present time, for readers that never look back.
    #[serde(default)]
    as_new: bool,
    /// Read the records again and compare; put nothing.
    #[serde(default)]
    dry_run: bool,
}

/// The slot that somebody names.
pub(in crate::http) fn slot(field: &str, text: &str, account: &AccountId) -> Result<Timestamp, Problem> {
    let named = NamedSlot::parse(text).map_err(|problem| Problem::invalid(field, problem))?;
    let at = named.of(account)?;
    if at < Timestamp::UNIX_EPOCH {
        return Err(Problem::invalid(field, "it is before 1970"));
    }
    Ok(at)
}

/// Put delivered objects again: missing ones under their own names, or all under new ones. It is a job: its state is
/// where the header `Location` says. One that was interrupted goes on when it is asked for again within a day.
#[utoipa::path(post, path = "/accounts/{account}/replays", operation_id = "replay", tag = "history", params(AccountPath), request_body = NewReplay,
    responses((status = 202, body = ReplayJob, headers(("Location" = String)))))]
async fn replay(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    Body(body): Body<NewReplay>,
) -> Result<Response, Problem> {
    api.admin.ledger.revision(&account).await?;
    let NewReplay { from, to, as_new, dry_run } = body;
    let (from, to) = (slot("from", &from, &account)?, slot("to", &to, &account)?);
    let request = Request { from, to, as_new, dry_run };
    let begun = api.begin_replay(&caller.by(None), &account, request).await?;
    accepted::<ReplayJob>(&api, &caller, &account, begun).await
}

/// List the replays that were asked for over the API in the last 14 days, the newest first.
#[utoipa::path(get, path = "/accounts/{account}/replays", operation_id = "listReplays", tag = "history", params(AccountPath, Paging),
    responses((status = 200, body = Page<ReplayJob>)))]
async fn replays(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<ReplayJob>>, Problem> {
    all(&api, &caller, account, paging).await
}

/// Read how a replay is, and what came of it.
#[utoipa::path(get, path = "/accounts/{account}/replays/{job}", operation_id = "getReplay", tag = "history", params(AccountPath, ("job" = String, Path)),
    responses((status = 200, body = ReplayJob)))]
async fn get_replay(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path((account, job)): Path<(AccountId, String)>,
) -> Result<Json<ReplayJob>, Problem> {
    one(&api, &Asker::from(&caller), &account, &job).await.map(Json)
}

pub(super) fn routes(api: &Api) -> OpenApiRouter<Api> {
    use Permission as P;
    let of = |permission| Guard::Account(permission);
    OpenApiRouter::new()
        .merge(api.guarded(of(P::Probe), routes!(probe)))
        .merge(api.guarded(of(P::ReadAccounts), routes!(probes)))
        .merge(api.guarded(of(P::ReadAccounts), routes!(get_probe)))
        .merge(api.guarded(of(P::Deliver), routes!(replay)))
        .merge(api.guarded(of(P::ReadChanges), routes!(replays)))
        .merge(api.guarded(of(P::ReadChanges), routes!(get_replay)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_in_a_location_is_encoded() {
        assert_eq!(percent_encoded("acme-1.x_~"), "acme-1.x_~");
        assert_eq!(percent_encoded("a/b ü?"), "a%2Fb%20%C3%BC%3F");
    }
}
