//! Setting a destination up: the cloud, what to create there, the bucket, a test whose steps appear as they end, and
//! then Save. What is in force stays until then.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::json;

use super::SET_UP;
use super::fields::{self, Cloud, How, Values};
use super::guide::{self, Guide, Own};
use super::steps::{Test, test as shown_test};
use crate::http::api::problem::Problem;
use crate::http::pages::forms::Field;
use crate::http::pages::frame::rendered;
use crate::http::pages::parts::{Clock, Html};
use crate::http::pages::to;
use crate::http::pages::words::{Language, words};
use crate::http::portal::Portal;
use crate::http::portal::around::{Around, Section};
use crate::http::portal::visitor::{Answer, Visitor};
use crate::ledger::{LedgerError, Proof};
use crate::operations::admin::AdminError;
use crate::operations::destinations::PlaceError;
use crate::operations::given::{Given, Referring};
use crate::operations::jobs::Asked;
use crate::operations::probes::ProbeStep;
use crate::operations::set_up::{Draft, Tried};
use crate::secrets::{Opened, Secret};
use auditferry_core::model::destination::{Destination, trust};
use auditferry_core::model::job::JobKind;
use auditferry_core::refusal::RefusalCode;

/// How many earlier buckets are offered.
const EARLIER: u32 = 20;

/// How long it may take to find out who the worker is at AWS: the page does not wait for longer.
const CALLER_TIMEOUT: Duration = Duration::from_secs(3);

words! {
    /// The words of the page.
    Words {
        title(): "Set up the export", "Export einrichten";
        lead_new(): "Five steps, about ten minutes. The first file comes at the next slot after you save.",
            "Fünf Schritte, etwa zehn Minuten. Die erste Datei kommt zum nächsten Termin nach dem Speichern.";
        lead(): "Five steps, about ten minutes. The present destination keeps receiving files until the new one is proved.",
            "Fünf Schritte, etwa zehn Minuten. Das jetzige Ziel bekommt weiter Dateien, bis das neue nachgewiesen ist.";
        steps(): "Steps", "Schritte";
        s1(): "1. Cloud", "1. Cloud";
        s2(): "2. Create", "2. Anlegen";
        s3(): "3. Bucket", "3. Bucket";
        s4(): "4. Test", "4. Test";
        s5(): "5. Save", "5. Speichern";
        to_mend(count: usize): "fields to mend: {count}", "Felder zu berichtigen: {count}";
        to_do(): "to do", "zu tun";
        at_work(): "at work", "läuft";
        failed(): "failed", "fehlgeschlagen";
        passed(): "passed", "bestanden";
        after_test(): "after the test", "nach dem Test";
        ready(): "ready", "bereit";
        look_at(count: usize): "To look at before the test: {count}", "Vor dem Test zu prüfen: {count}";
        where_to(): "1. Where do the files go?", "1. Wohin gehen die Dateien?";
        cloud(): "Cloud", "Cloud";
        s3_hint(): "A bucket in your AWS account. We use a role with an external id; no key to store.",
            "Ein Bucket in Ihrem AWS-Konto. Wir verwenden eine Rolle mit externer ID; kein Schlüssel wird gespeichert.";
        gcs_hint(): "A bucket in your project. We use a service account that you name.",
            "Ein Bucket in Ihrem Projekt. Wir verwenden ein Dienstkonto, das Sie nennen.";
        azure_hint(): "A container in your storage account. We use a SAS or an app registration.",
            "Ein Container in Ihrem Speicherkonto. Wir verwenden eine SAS oder eine App-Registrierung.";
        choose(): "Choose", "Wählen";
        what_aws(): "2. What to create in AWS", "2. Was in AWS anzulegen ist";
        what_google(): "2. What to create at Google", "2. Was bei Google anzulegen ist";
        what_azure(): "2. What to create in Azure", "2. Was in Azure anzulegen ist";
        marked(): "Your values are filled in and marked.", "Ihre Werte sind eingesetzt und markiert.";
        how_to(): "How to create it", "Wie es angelegt wird";
        commands(): "Commands", "Befehle";
        copy(): "Copy", "Kopieren";
        copied(): "Copied", "Kopiert";
        no_external_id(): "Your role needs an external id, by which nobody else can use it. It is made once.",
            "Ihre Rolle braucht eine externe ID, mit der niemand sonst sie verwenden kann. Sie wird einmal erstellt.";
        make_external_id(): "Make the external id", "Externe ID erstellen";
        no_principal(contact: &str): "Ask {contact} for the AWS identity of this service: it takes the place of ARN-OF-THE-SERVICE.",
            "Fragen Sie {contact} nach der AWS-Identität dieses Dienstes: sie steht anstelle von ARN-OF-THE-SERVICE.";
        contact(): "the people who run this service", "die Betreiber dieses Dienstes";
        instead(): "Other ways:", "Andere Wege:";
        way_role(): "a role, without a key to store", "eine Rolle, ohne gespeicherten Schlüssel";
        way_key(): "an access key, which you have to rotate", "ein Zugriffsschlüssel, den Sie erneuern müssen";
        way_google_key(): "a key of a service account", "ein Schlüssel eines Dienstkontos";
        way_impersonate(): "a service account that lets ours act as it", "ein Dienstkonto, das unseres für sich handeln lässt";
        way_sas(): "a shared access signature", "eine Shared Access Signature";
        way_application(): "an app registration", "eine App-Registrierung";
        way_connection(): "a connection string", "eine Verbindungszeichenfolge";
        your_bucket(): "3. Your bucket", "3. Ihr Bucket";
        earlier(): "Use a bucket of before", "Einen früheren Bucket verwenden";
        new_bucket(): "A new bucket", "Ein neuer Bucket";
        use_it(): "Use it", "Verwenden";
        test_it(): "Test the bucket", "Bucket testen";
        tests_left(left: u32): "10 tests an hour; {left} are left", "10 Tests je Stunde; {left} sind übrig";
        test_h(): "4. Test", "4. Test";
        not_tested(): "Nothing is tested yet. The test writes one empty file beside the folder of the export.",
            "Noch ist nichts getestet. Der Test schreibt eine leere Datei neben den Ordner des Exports.";
        test_again(): "Test again", "Erneut testen";
        show_now(): "Show how far it is", "Zeigen, wie weit er ist";
        said(): "The cloud said:", "Die Cloud sagte:";
        save_h(): "5. Save", "5. Speichern";
        save_when(): "Save becomes possible when all steps passed.", "Speichern wird möglich, wenn alle Schritte bestanden sind.";
        first_file(): "The first file then comes at the next slot, at", "Die erste Datei kommt dann zum nächsten Termin, um";
        proof_follows(): "As we write there as ourselves, a token is then written into the bucket, and counts only when you give it back.",
            "Da wir dort als wir selbst schreiben, wird dann ein Token in den Bucket geschrieben; erst wenn Sie es zurückgeben, gilt das Ziel.";
        save(): "Save", "Speichern";
        cancel(): "Cancel", "Abbrechen";
        too_many(): "Tests: ten an hour are done. Wait some minutes.", "Tests: zehn in dieser Stunde sind gemacht. Warten Sie einige Minuten.";
        busy(): "The service is busy. Test again in some seconds.", "Der Dienst ist ausgelastet. Testen Sie in einigen Sekunden erneut.";
        under_way(): "A test of this account is at work already. Wait until it has ended.",
            "Ein Test dieses Kontos läuft schon. Warten Sie, bis er zu Ende ist.";
        changed(): "Somebody has changed the account since the test. Test again, then save.",
            "Das Konto wurde seit dem Test geändert. Testen Sie erneut, und speichern Sie dann.";
        test_first(): "There is no test that may be saved: test again.", "Es gibt keinen Test, der gespeichert werden darf: testen Sie erneut.";
        no_key(): "The service has no key to seal secrets with. Ask the people who run it.",
            "Der Dienst hat keinen Schlüssel, um Geheimnisse zu versiegeln. Fragen Sie seine Betreiber.";
        not_right(problem: &str): "This is not right: {problem}", "Das stimmt nicht: {problem}";
        token_wrong(left: u32): "This is another token. {left} tries are left.", "Das ist ein anderes Token. {left} Versuche sind übrig.";
        token_late(): "The token has expired. Set the destination up again, which writes another.",
            "Das Token ist abgelaufen. Richten Sie das Ziel erneut ein; dann wird ein neues geschrieben.";
        token_none(): "No destination waits for a token.", "Kein Ziel wartet auf ein Token.";
    }
}

impl Words {
    fn way(self, how: How) -> String {
        match how {
            How::Role => self.way_role(),
            How::Key => self.way_key(),
            How::GoogleKey => self.way_google_key(),
            How::Impersonate => self.way_impersonate(),
            How::Sas => self.way_sas(),
            How::Application => self.way_application(),
            How::Connection => self.way_connection(),
        }
    }

    fn clouds(self) -> [(Cloud, &'static str, String); 3] {
        [
            (Cloud::S3, "AWS S3", self.s3_hint()),
            (Cloud::Gcs, "Google Cloud Storage", self.gcs_hint()),
            (Cloud::Azure, "Azure Blob Storage", self.azure_hint()),
        ]
    }
}

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

/// What is wrong, and the field where it stands.
pub(super) struct Wrong {
    field: Option<&'static str>,
    message: String,
}

impl Wrong {
    fn of(message: String) -> Self {
        Self { field: None, message }
    }
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

/// Everything that the page is made of.
struct Known {
    clock: Clock,
    next_slot: Option<Timestamp>,
    current: Option<Destination>,
    earlier: Vec<(u64, Destination)>,
    external_id: Option<String>,
    tried: Option<Tried>,
    choice: (Cloud, How),
    by: guide::By,
    values: Values,
    suggested: String,
}

impl Known {
    /// Whether a secret of what is in force may stay.
    fn keeps_secret(&self) -> bool {
        let current = self.current.as_ref().and_then(fields::of);
        current.is_some_and(|(cloud, how, _)| (cloud, how) == self.choice)
    }

    /// Whether a secret that was tested stands beside the test.
    fn query(&self, (cloud, how): (Cloud, How), by: guide::By) -> String {
        let mut link =
            format!("{SET_UP}?cloud={}&how={}&guide={}", cloud.as_str(), how.as_str(), by.as_str());
        if let Some(tried) = self.tried.as_ref().filter(|_| (cloud, how) == self.choice) {
            link.push_str(&format!("&trial={}", tried.id));
        }
        link
    }
}

/// A name for a bucket, of an account's id.
fn suggestion(account: &str) -> String {
    let plain: String = account
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    let plain = plain.trim_matches('-');
    let plain: String = plain.chars().take(40).collect();
    format!("{}-audit-log", if plain.is_empty() { "acme" } else { plain.trim_matches('-') })
}

async fn known(portal: &Portal, visitor: &Visitor, given: Option<(Cloud, How)>) -> Result<Known, Problem> {
    let api = &portal.sign_in.api;
    let id = visitor.account();
    let account = api.admin.ledger.account(id).await?;
    let zone = api.admin.zones.find(&account.zone).map_err(AdminError::from)?;
    let current = api.admin.ledger.destination(id).await?;
    let past = api.admin.ledger.past_destinations(id, EARLIER).await?;
    let external_id = api.admin.ledger.external_id(id).await?;
    let asked = |name: &str| match visitor.form.given(name) {
        Some(sent) => Some(sent.to_owned()),
        None => visitor.asked(name),
    };
    let tried = match asked("trial") {
        Some(id) => api.admin.tried_draft(&visitor.by(), visitor.account(), &id).await?,
        None => None,
    };
    let mut earlier: Vec<(u64, Destination)> = Vec::new();
    for (version, destination) in past {
        let same = |other: &Destination| other.to_string() == destination.to_string();
        if fields::of(&destination).is_some() && !earlier.iter().any(|(_, other)| same(other)) {
            earlier.push((version, destination));
        }
    }
    let chosen = asked("known").and_then(|version| version.parse::<u64>().ok());
    let chosen = earlier.iter().find(|(version, _)| Some(*version) == chosen).map(|(_, one)| one);
    let tried_values = tried.as_ref().and_then(|tried| fields::of(&tried.draft.destination));
    let found =
        chosen.and_then(fields::of).or(tried_values).or_else(|| current.as_ref().and_then(fields::of));
    let cloud = asked("cloud").and_then(|word| Cloud::parse(&word)).filter(|_| chosen.is_none());
    let cloud = cloud.or(found.as_ref().map(|(cloud, ..)| *cloud)).unwrap_or(Cloud::S3);
    let how = asked("how").and_then(|word| How::parse(&word)).filter(|_| chosen.is_none());
    let how = how.or(found.as_ref().map(|(_, how, _)| *how)).filter(|how| cloud.ways().contains(how));
    let choice = given.unwrap_or((cloud, how.unwrap_or(cloud.ways()[0])));
    let suggested = suggestion(id.as_str());
    let values = match found {
        // The bucket of another cloud is none here.
        Some((other, _, values)) if other == choice.0 => values,
        _ => Values::from([("bucket", suggested.clone())]),
    };
    Ok(Known {
        clock: Clock::of(zone.rules().clone()),
        next_slot: account.next_slot,
        current,
        earlier,
        external_id,
        tried,
        choice,
        by: asked("guide").and_then(|word| guide::By::parse(&word)).unwrap_or(guide::By::Cli),
        values,
        suggested,
    })
}

/// Whom a role has to trust; none: it is not known.
async fn principal(portal: &Portal) -> Option<String> {
    let api = &portal.sign_in.api;
    if !api.aws_principal.is_empty() {
        return Some(api.aws_principal.clone());
    }
    let caller = tokio::time::timeout(CALLER_TIMEOUT, api.stores.dialer().aws_caller()).await;
    caller.ok()?.ok().map(|caller| trust::principal(&caller))
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

/// What a page says of why something was not done; none: a page of its own says it.
fn told(language: Language, error: &PlaceError) -> Option<Wrong> {
    let w = Words(language);
    let at =
        |field: Option<&str>, message: String| Wrong { field: field.and_then(fields::field_of), message };
    Some(match error {
        PlaceError::Admin(AdminError::Destination(error)) => {
            at(Some(error.field), w.not_right(&format!("{}; {}", error.problem, error.fix)))
        }
        PlaceError::Admin(AdminError::Refused(refusal)) => refused(language, refusal),
        PlaceError::Admin(AdminError::Ledger(LedgerError::Stale(_))) => Wrong::of(w.changed()),
        PlaceError::Key(_) => Wrong::of(w.no_key()),
        PlaceError::Open(error) => at(Some("credentials"), w.not_right(&error.to_string())),
        PlaceError::Fails(_) => Wrong::of(w.test_first()),
        PlaceError::Admin(_) => return None,
    })
}

fn refused(language: Language, refusal: &auditferry_core::refusal::Refusal) -> Wrong {
    let w = Words(language);
    match refusal.code {
        RefusalCode::SecretNeeded => {
            Wrong { field: Some("secret"), message: fields::Words(language).secret_wrong() }
        }
        RefusalCode::UnderWay => Wrong::of(w.under_way()),
        RefusalCode::DestinationFails => Wrong::of(w.test_first()),
        _ => {
            let field = refusal.field.and_then(fields::field_of);
            Wrong { field, message: w.not_right(&refusal.problem) }
        }
    }
}

/// Begins a test of a draft.
async fn begin(
    portal: &Portal,
    visitor: &Visitor,
    draft: Draft,
    opened: Opened,
) -> Result<Result<String, Wrong>, Problem> {
    let api = &portal.sign_in.api;
    let (w, account) = (Words(visitor.frame.language), visitor.account());
    if api.limits.probe(account, api.admin.clock.now()).is_err() {
        return Ok(Err(Wrong::of(w.too_many())));
    }
    let request = serde_json::to_value(&draft).map_err(|error| {
        tracing::error!(error = %error, "a draft of a destination cannot be written");
        Problem::internal()
    })?;
    let (trying, of) = (api.clone(), account.clone());
    let begun = api
        .jobs
        .begin(&visitor.by(), account, (JobKind::Trial, request), move |progress| async move {
            let heard = |steps: &[ProbeStep]| progress.tell(json!(steps));
            let found = trying.admin.try_draft(&trying.stores, &of, &draft, &opened, &heard).await;
            Ok(json!(found))
        })
        .await;
    match begun {
        Ok(Asked::Begun(id)) => Ok(Ok(id)),
        Ok(Asked::Busy) => Ok(Err(Wrong::of(w.busy()))),
        Err(AdminError::Refused(refusal)) => Ok(Err(refused(visitor.frame.language, &refusal))),
        Err(error) => Err(error.into()),
    }
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

/// What was typed, as a draft with its secrets.
async fn drafted(
    portal: &Portal,
    visitor: &Visitor,
    known: &Known,
) -> Result<Result<(Draft, Opened), Wrong>, Problem> {
    let api = &portal.sign_in.api;
    let (language, account) = (visitor.frame.language, visitor.account());
    let before = known.current.as_ref();
    let json = fields::json(known.choice, &visitor.form);
    let given = match Given::read(json, before, Referring::Refused) {
        Ok(given) => given.with_kept(account, before, &api.vault).await,
        Err(refusal) => Err(refusal),
    };
    let given = match given {
        Ok(given) => given,
        Err(refusal) => return Ok(Err(refused(language, &refusal))),
    };
    match api.admin.draft(&api.vault, &visitor.by(), account, given.destination, &given.opened).await {
        Ok(draft) => Ok(Ok((draft, given.opened))),
        Err(error) => told(language, &error).map_or_else(|| Err(error.into()), |wrong| Ok(Err(wrong))),
    }
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
    use crate::operations::probes::ProbeResult;
    use auditferry_core::model::job::JobState;
    use auditferry_core::model::portal::Capability;

    fn step(name: &str, ok: bool) -> ProbeStep {
        ProbeStep { name: name.to_owned(), ok, detail: "<detail>".to_owned(), milliseconds: 84 }
    }

    #[test]
    fn a_suggested_name_is_a_buckets() {
        assert_eq!(suggestion("Acme Retail/GmbH"), "acme-retail-gmbh-audit-log");
        assert_eq!(suggestion("ä"), "acme-audit-log");
        assert!(suggestion(&"x".repeat(200)).len() <= 63);
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
