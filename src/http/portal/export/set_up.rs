//! Setting a destination up: the cloud, what to create there, the bucket, a test whose steps appear as they end, and
//! then Save. What is in force stays until then.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

mod known;
mod trial;
mod words;

use self::known::{Known, known, principal};
use self::trial::{Wrong, begin, drafted, told};
use self::words::Words;
use super::SET_UP;
use super::fields::{self, Cloud, How};
use super::guide::{self, Guide, Own};
use super::steps::{Test, test as shown_test};
use crate::http::api::problem::Problem;
use crate::http::pages::forms::Field;
use crate::http::pages::frame::rendered;
use crate::http::pages::parts::Html;
use crate::http::pages::to;
use crate::http::portal::Portal;
use crate::http::portal::around::{Around, Section};
use crate::http::portal::visitor::{Answer, Visitor};
use crate::ledger::Proof;
use crate::secrets::Secret;

struct Stage {
    tone: &'static str,
    name: String,
    small: String,
}

struct CloudChoice {
    value: &'static str,
    name: &'static str,
    hint: String,
    chosen: bool,
}

struct Tab {
    href: String,
    label: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "portal/set_up.html")]
struct Page {
    a: Around,
    w: Words,
    lead: String,
    stages: Vec<Stage>,
    wrong: Vec<Wrong>,
    clouds: Vec<CloudChoice>,
    cloud: &'static str,
    how: &'static str,
    by: &'static str,
    what: String,
    tabs: Vec<Tab>,
    guide: Guide,
    needs_external_id: bool,
    no_principal: Option<String>,
    ways: Vec<(String, String)>,
    earlier: Vec<(u64, String)>,
    fields: Vec<Field>,
    tests_left: u32,
    test: Option<Test>,
    proof_follows: bool,
    next_slot: Option<Html>,
    steps_path: String,
}

#[derive(Template)]
#[template(path = "portal/steps.html")]
struct StepsPage<'a> {
    w: Words,
    test: &'a Test,
    steps_path: String,
}

impl Page {
    /// What a field is called.
    fn label<'a>(&'a self, name: &'a str) -> &'a str {
        self.fields.iter().find(|field| field.name == name).map_or(name, |field| field.label.as_str())
    }

    /// Whether the test may be saved.
    fn ready(&self) -> bool {
        self.test.as_ref().is_some_and(|test| test.ready)
    }
}

fn stages(w: Words, known: &Known, wrong: usize, test: Option<&Test>) -> Vec<Stage> {
    let clouds = w.clouds();
    let cloud = clouds.iter().find(|(cloud, ..)| *cloud == known.choice.0).map_or("", |(_, name, _)| name);
    let stage = |tone, name, small: String| Stage { tone, name, small };
    let tested = match test {
        Some(test) if test.running => ("busy", w.at_work()),
        Some(test) if test.ready => ("ok", w.passed()),
        Some(_) => ("bad", w.failed()),
        None => ("", w.to_do()),
    };
    let ready = test.is_some_and(|test| test.ready);
    vec![
        stage("ok", w.s1(), cloud.to_owned()),
        stage(if test.is_some() { "ok" } else { "" }, w.s2(), w.way(known.choice.1)),
        match wrong {
            0 if test.is_some() => {
                stage("ok", w.s3(), known.values.get("bucket").cloned().unwrap_or_default())
            }
            0 => stage("", w.s3(), w.to_do()),
            count => stage("bad", w.s3(), w.to_mend(count)),
        },
        stage(tested.0, w.s4(), tested.1),
        stage("", w.s5(), if ready { w.ready() } else { w.after_test() }),
    ]
}

/// The page, with what is wrong.
async fn page(
    portal: &Portal,
    visitor: &Visitor,
    known: Known,
    wrong: Vec<Wrong>,
    status: StatusCode,
) -> Result<Response, Problem> {
    let api = &portal.sign_in.api;
    let language = visitor.frame.language;
    let w = Words(language);
    let principal = if known.choice.1 == How::Role { principal(portal).await } else { None };
    let contact = api.entrance.contact().map_or_else(|| w.contact(), str::to_owned);
    let no_principal = (known.choice.1 == How::Role && principal.is_none()).then(|| w.no_principal(&contact));
    let own = Own {
        values: &known.values,
        suggested: &known.suggested,
        external_id: known.external_id.as_deref(),
        principal: principal.as_deref(),
    };
    let guide = guide::guide(language, known.choice, known.by, &own);
    let account = visitor.account();
    let mut fields =
        fields::fields(language, known.choice, &account.encoded(), &known.values, known.keeps_secret());
    for field in &mut fields {
        let found = wrong.iter().find(|wrong| wrong.field == Some(field.name));
        field.wrong = found.map(|wrong| wrong.message.clone());
    }
    let test = known.tried.as_ref().map(|tried| shown_test(language, tried));
    let in_fields = wrong.iter().filter(|wrong| wrong.field.is_some()).count();
    let others = known.choice.0.ways().iter().filter(|how| **how != known.choice.1);
    let page = Page {
        a: Around::new(visitor, Section::Export, known.clock.clone()),
        w,
        lead: if known.current.is_some() { w.lead() } else { w.lead_new() },
        stages: stages(w, &known, in_fields, test.as_ref()),
        clouds: w
            .clouds()
            .into_iter()
            .map(|(cloud, name, hint)| CloudChoice {
                value: cloud.as_str(),
                name,
                hint,
                chosen: cloud == known.choice.0,
            })
            .collect(),
        cloud: known.choice.0.as_str(),
        how: known.choice.1.as_str(),
        by: known.by.as_str(),
        what: match known.choice.0 {
            Cloud::S3 => w.what_aws(),
            Cloud::Gcs => w.what_google(),
            Cloud::Azure => w.what_azure(),
        },
        tabs: guide::By::ALL
            .into_iter()
            .map(|by| Tab {
                href: format!("{}#create", known.query(known.choice, by)),
                label: by.label(language),
                current: by == known.by,
            })
            .collect(),
        guide,
        needs_external_id: known.choice.1 == How::Role && known.external_id.is_none(),
        no_principal,
        ways: others.map(|how| (known.query((known.choice.0, *how), known.by), w.way(*how))).collect(),
        earlier: known.earlier.iter().map(|(version, one)| (*version, one.to_string())).collect(),
        fields,
        tests_left: api.limits.probes_left(account, api.admin.clock.now()),
        proof_follows: known.choice.1 == How::Impersonate,
        next_slot: known.next_slot.map(|slot| known.clock.of_day(slot)),
        steps_path: steps_path(test.as_ref().map_or("", |test| test.id.as_str())),
        test,
        wrong,
    };
    Ok(rendered(status, &page))
}

fn steps_path(trial: &str) -> String {
    format!("{SET_UP}/steps?trial={trial}")
}

pub(super) async fn show(State(portal): State<Portal>, visitor: Visitor) -> Answer {
    let known = known(&portal, &visitor, None).await?;
    Ok(page(&portal, &visitor, known, Vec::new(), StatusCode::OK).await?)
}

/// The steps alone, while the test is at work.
pub(super) async fn steps(State(portal): State<Portal>, visitor: Visitor) -> Answer {
    let known = known(&portal, &visitor, None).await?;
    let tried = known.tried.as_ref().ok_or_else(Problem::not_found)?;
    let language = visitor.frame.language;
    let test = shown_test(language, tried);
    let steps_path = steps_path(&test.id);
    let part = StepsPage { w: Words(language), test: &test, steps_path };
    let mut response = rendered(StatusCode::OK, &part);
    if !test.running {
        // What comes after the test stands elsewhere on the page.
        response.headers_mut().insert("hx-refresh", axum::http::HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// `POST /portal/export/setup`: what was typed is checked, then tested.
pub(super) async fn test(State(portal): State<Portal>, visitor: Visitor) -> Answer {
    let language = visitor.frame.language;
    let sent = |name: &str| visitor.form.text(name).to_owned();
    let cloud =
        Cloud::parse(&sent("cloud")).ok_or_else(|| Problem::invalid("cloud", "it is none of the clouds"))?;
    let how = How::parse(&sent("how")).filter(|how| cloud.ways().contains(how));
    let how = how.ok_or_else(|| Problem::invalid("how", "it is no way into this cloud"))?;
    let mut known = known(&portal, &visitor, Some((cloud, how))).await?;
    known.values = fields::typed(&visitor.form);
    let mut wrong: Vec<Wrong> = fields::wrong(language, (cloud, how), &visitor.form)
        .into_iter()
        .map(|(field, message)| Wrong { field: Some(field), message })
        .collect();
    let has_secret = !matches!(how, How::Role | How::Impersonate);
    if has_secret && !known.keeps_secret() && visitor.form.given("secret").is_none() {
        let message = fields::Words(language).secret_wrong();
        wrong.push(Wrong { field: Some("secret"), message });
    }
    if wrong.is_empty() {
        match drafted(&portal, &visitor, &known).await? {
            Ok((draft, opened)) => match begin(&portal, &visitor, draft, opened).await? {
                Ok(id) => {
                    let link = format!(
                        "{SET_UP}?cloud={}&how={}&guide={}&trial={id}#test",
                        cloud.as_str(),
                        how.as_str(),
                        known.by.as_str()
                    );
                    return Ok(to(&link));
                }
                Err(refused) => wrong.push(refused),
            },
            Err(refused) => wrong.push(refused),
        }
    }
    known.tried = None;
    Ok(page(&portal, &visitor, known, wrong, StatusCode::UNPROCESSABLE_ENTITY).await?)
}

/// `POST /portal/export/setup/again`: the same once more, with the secrets that stand beside the test.
pub(super) async fn again(State(portal): State<Portal>, visitor: Visitor) -> Answer {
    let api = &portal.sign_in.api;
    let known = known(&portal, &visitor, None).await?;
    let draft = known.tried.as_ref().map(|tried| tried.draft.clone()).ok_or_else(Problem::not_found)?;
    let opened = api.admin.draft_secrets(&api.vault, visitor.account(), &draft).await?;
    match begin(&portal, &visitor, draft, opened).await? {
        Ok(id) => {
            let (cloud, how) = known.choice;
            let link = format!(
                "{SET_UP}?cloud={}&how={}&guide={}&trial={id}#test",
                cloud.as_str(),
                how.as_str(),
                known.by.as_str()
            );
            Ok(to(&link))
        }
        Err(wrong) => {
            Ok(page(&portal, &visitor, known, vec![wrong], StatusCode::UNPROCESSABLE_ENTITY).await?)
        }
    }
}

/// `POST /portal/export/setup/save`: what was tested and works is set.
pub(super) async fn save(State(portal): State<Portal>, visitor: Visitor) -> Answer {
    let api = &portal.sign_in.api;
    let trial = visitor.form.text("trial").to_owned();
    let parts = (&api.stores, &api.vault);
    match api.admin.save_draft(parts, &visitor.by(), visitor.account(), &trial).await {
        Ok(placed) if placed.awaits.is_some() => Ok(to("/portal/export#proof")),
        Ok(_) => Ok(to("/portal/export?saved=1")),
        Err(error) => match told(visitor.frame.language, &error) {
            Some(wrong) => {
                let known = known(&portal, &visitor, None).await?;
                Ok(page(&portal, &visitor, known, vec![wrong], StatusCode::CONFLICT).await?)
            }
            None => Err(Problem::from(error).into()),
        },
    }
}

/// `POST /portal/export/setup/external-id`: makes the account's external id, once.
pub(super) async fn external_id(State(portal): State<Portal>, visitor: Visitor) -> Answer {
    portal.sign_in.api.admin.external_id(&visitor.by(), visitor.account()).await?;
    Ok(to(&format!("{SET_UP}?cloud=s3&how=role#create")))
}

/// `POST /portal/export/proof`: the token that stands in the bucket.
pub(super) async fn prove(State(portal): State<Portal>, visitor: Visitor) -> Answer {
    let w = Words(visitor.frame.language);
    let token = Secret::new(visitor.form.text("token").to_owned());
    let admin = &portal.sign_in.api.admin;
    let wrong = match admin.prove(&visitor.by(), visitor.account(), &token).await? {
        Proof::Given { .. } => return Ok(to("/portal/export?saved=1")),
        Proof::Wrong { left } => w.token_wrong(left),
        Proof::Late => w.token_late(),
        Proof::NotAwaited => w.token_none(),
    };
    super::center::with_wrong_token(&portal, &visitor, wrong).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::parts::Clock;
    use crate::http::pages::words::Language;
    use crate::operations::probes::{ProbeResult, ProbeStep};
    use crate::operations::set_up::{Draft, Tried};
    use auditferry_core::model::destination::Destination;
    use auditferry_core::model::job::JobState;
    use auditferry_core::model::portal::Capability;
    use jiff::Timestamp;

    fn step(name: &str, ok: bool) -> ProbeStep {
        ProbeStep { name: name.to_owned(), ok, detail: "<detail>".to_owned(), milliseconds: 84 }
    }

    #[test]
    fn it_renders_in_every_state() {
        let destination: Destination = serde_json::from_str(
            r#"{"kind": "s3", "bucket": "acme-siem", "region": "eu-central-1",
                "credentials": {"access_key": {"id": "AKIAIOSFODNN7EXAMPLE", "secret": {"sealed": "x"}}}}"#,
        )
        .expect("a destination");
        let failed = ProbeResult {
            works: false,
            steps: vec![step("read secrets", true), step("connect", true), step("create", false)],
            error: Some("denied".to_owned()),
            detail: Some("HTTP 403 AccessDenied: <not>".to_owned()),
            fix: Some(
                "The key may not `s3:PutObject`; add: `{\"Effect\":\"Allow\",\"Action\":\"s3:PutObject\"}`"
                    .to_owned(),
            ),
        };
        let works = ProbeResult { works: true, error: None, detail: None, fix: None, ..failed.clone() };
        for language in [Language::En, Language::De] {
            let w = Words(language);
            let visitor = Visitor::sample(language, Capability::ALL);
            for (state, result) in [
                (None, None),
                (Some(JobState::Running), None),
                (Some(JobState::Done), Some(failed.clone())),
                (Some(JobState::Done), Some(works.clone())),
                (Some(JobState::Interrupted), None),
            ] {
                let ready = result.as_ref().is_some_and(|result| result.works);
                let tried = state.map(|state| Tried {
                    id: "j1".to_owned(),
                    draft: Draft::sample(destination.clone()),
                    state,
                    steps: vec![step("read secrets", true)],
                    result,
                    ready,
                });
                let test = tried.as_ref().map(|tried| shown_test(language, tried));
                let values = fields::of(&destination).expect("fields").2;
                let choice = (Cloud::S3, How::Key);
                let own = Own { values: &values, suggested: "x", external_id: None, principal: None };
                let mut fields = fields::fields(language, choice, "acme", &values, false);
                fields[0].wrong = Some("<wrong>".to_owned());
                let known = Known {
                    clock: Clock::utc(),
                    next_slot: None,
                    current: Some(destination.clone()),
                    earlier: Vec::new(),
                    external_id: None,
                    tried,
                    choice,
                    by: guide::By::Cli,
                    values: values.clone(),
                    suggested: "x".to_owned(),
                };
                let page = Page {
                    a: Around::new(&visitor, Section::Export, Clock::utc()),
                    w,
                    lead: w.lead(),
                    stages: stages(w, &known, 1, test.as_ref()),
                    wrong: vec![
                        Wrong { field: Some("bucket"), message: "<wrong>".to_owned() },
                        Wrong::of(w.busy()),
                    ],
                    clouds: Vec::new(),
                    cloud: "s3",
                    how: "key",
                    by: "cli",
                    what: w.what_aws(),
                    tabs: Vec::new(),
                    guide: guide::guide(language, choice, guide::By::Cli, &own),
                    needs_external_id: true,
                    no_principal: Some(w.no_principal("support")),
                    ways: vec![("/x".to_owned(), w.way_role())],
                    earlier: vec![(1, "s3://old/".to_owned())],
                    fields,
                    tests_left: 8,
                    proof_follows: true,
                    next_slot: Some(Clock::utc().of_day(Timestamp::UNIX_EPOCH)),
                    steps_path: steps_path("j1"),
                    test,
                };
                let html = page.render().expect("a page");
                assert!(html.contains("href=\"#bucket\"") && !html.contains("<wrong>"), "{html}");
                assert_eq!(html.contains("hx-get"), state == Some(JobState::Running));
                assert!(!html.contains("AccessDenied: <not>"));
                if state == Some(JobState::Done) && !ready {
                    assert!(html.contains("s3:PutObject"), "{html}");
                }
            }
        }
    }
}
