//! `/portal/export`: whether files arrive, when the next one comes, and what to do about what does not.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;

mod words;

use self::words::Words;
use super::SET_UP;
use super::steps::fix_html;
use crate::http::api::problem::Problem;
use crate::http::pages::frame::rendered;
use crate::http::pages::parts::{Clock, Html, Tone, badge, breaking, escaped, hash};
use crate::http::pages::strip::{Strip, state_words};
use crate::http::pages::words::{Language, number};
use crate::http::portal::Portal;
use crate::http::portal::around::{Around, Section};
use crate::http::portal::visitor::{Answer, Visitor};
use crate::ledger::{DeliveryFilter, DeliveryRow, Health, WindowRow};
use crate::operations::admin::AdminError;
use crate::operations::destination_view::Naming;
use crate::operations::explanation::Explanation;
use crate::operations::timeline::{SlotState, Timeline};
use auditferry_core::model::destination::{Destination, Place};
use auditferry_core::model::format::{Container, EmptyWindows, Format, Layout, RecordFormat};
use auditferry_core::model::portal::Capability;

/// How many objects are shown, and how many are looked through for an error.
const SHOWN: usize = 6;
const LOOKED_THROUGH: u32 = 20;

struct ObjectRow {
    name: Html,
    window: Option<(Html, Html)>,
    delivered: Option<Html>,
    records: String,
    bytes: String,
    hash: Html,
    whole_hash: String,
}

struct OddRow {
    slot: Html,
    words: String,
}

struct ErrorShown {
    at: Html,
    tried: Option<String>,
    mended_at: Option<Html>,
    said: String,
    fix: Option<Html>,
    open: bool,
}

struct ToDo {
    done: bool,
    words: String,
    hint: Option<String>,
    code: Option<String>,
}

struct ProofShown {
    key: Html,
    place: String,
    until: Html,
    tries: String,
    wrong: Option<String>,
}

#[derive(Template)]
#[template(path = "portal/export.html")]
struct Page {
    a: Around,
    w: Words,
    saved: bool,
    manages: bool,
    set_up: &'static str,
    badge: Html,
    sentence: Html,
    empty: bool,
    facts: Vec<Html>,
    strip: Html,
    no_strip: Option<String>,
    legend: Html,
    summary: String,
    odd: Vec<OddRow>,
    objects: Vec<ObjectRow>,
    folder: Option<Html>,
    error: Option<ErrorShown>,
    arriving: Vec<ToDo>,
    arriving_told: String,
    proof: Option<ProofShown>,
}

/// A place as people write it, with its code.
fn code(text: &str) -> String {
    format!("<code>{}</code>", breaking(text))
}

fn ago(w: Words, at: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(at).as_secs() / 60;
    match minutes {
        ..=1 => w.just_now(),
        2..=119 => w.minutes_ago(minutes),
        120..=2879 => w.hours_ago(minutes / 60),
        _ => w.days_ago(minutes / 1440),
    }
}

/// `s3://acme-siem`, as each cloud writes it.
fn place_of(destination: &Destination) -> String {
    match &destination.place {
        Place::S3(_) => format!("s3://{}", destination.bucket()),
        Place::Gcs(_) => format!("gs://{}", destination.bucket()),
        Place::Azure(_) => destination.bucket().to_owned(),
    }
}

/// How the export is: a badge, and one sentence.
fn state(w: Words, clock: &Clock, now: Timestamp, shown: &Explanation, place: &str) -> (Html, String) {
    let next =
        shown.next_slot.map_or_else(String::new, |slot| format!(", {} {}", w.next(), clock.of_day(slot)));
    let place = code(place);
    // The words hold HTML of ours alone.
    match shown.health {
        Health::Running => match shown.last_delivery.as_ref().and_then(|last| last.delivered_at) {
            Some(at) => (
                badge(Tone::Ok, &w.on_schedule()),
                format!("{}{next}", w.delivering(&place, &ago(w, at, now))),
            ),
            None => {
                let slot = shown.next_slot.map(|slot| format!(", {} {}", w.next_slot(), clock.of_day(slot)));
                (
                    badge(Tone::Ok, &w.on_schedule()),
                    format!("{}{}", w.begins(&place), slot.unwrap_or_default()),
                )
            }
        },
        Health::NoDestination => (badge(Tone::Off, &w.to_begin()), w.none_now()),
        Health::Retrying => (badge(Tone::Late, &w.retrying()), format!("{}{next}", w.late_now(&place))),
        Health::Suspended => (badge(Tone::Bad, &w.failing()), format!("{}{next}", w.refused_now(&place))),
        Health::Paused => (badge(Tone::Paused, &w.stopped()), w.paused_now()),
        Health::Expired => (badge(Tone::Off, &w.off()), w.expired_now()),
        Health::Disabled => (badge(Tone::Off, &w.off()), w.disabled_now()),
        Health::Held | Health::NoWorker | Health::Unattended | Health::ClockAhead => {
            (badge(Tone::Late, &w.retrying()), w.held_now())
        }
    }
}

fn facts(
    w: Words,
    clock: &Clock,
    now: Timestamp,
    shown: &Explanation,
    timeline: &Timeline,
    contact: &str,
) -> Vec<Html> {
    let mut facts = Vec::new();
    let place: Vec<String> =
        shown.place.iter().map(|fact| format!("{} {}", escaped(&fact.name), code(&fact.value))).collect();
    if let Some(destination) = &shown.destination {
        let mut all = vec![code(destination)];
        all.extend(place);
        facts.push(Html::joined(format!("{}.", all.join(", "))));
    }
    if let Some(end) = &shown.credentials
        && (end.ended || end.fix.is_some())
    {
        let words = if end.at <= now { w.credentials_ended() } else { w.credentials_end() };
        facts.push(Html::joined(format!("{} {}.", escaped(&words), clock.minute(end.at))));
    }
    let contact = escaped(contact);
    let stopped = matches!(shown.health, Health::Paused | Health::Expired | Health::Disabled);
    if stopped {
        facts.push(Html::joined(w.go_on(&contact)));
    } else if shown.destination.is_some() && !timeline.next.is_empty() {
        let next: Vec<String> =
            timeline.next.iter().take(3).map(|at| clock.of_day(*at).to_string()).collect();
        facts.push(Html::joined(format!(
            "{} {} ({}). {}",
            escaped(&w.come_at()),
            next.join(", "),
            escaped(&timeline.zone),
            w.by_hand(&contact)
        )));
    }
    facts
}

fn objects(language: Language, clock: &Clock, rows: &[DeliveryRow], windows: &[WindowRow]) -> Vec<ObjectRow> {
    let row = |row: &DeliveryRow| {
        let window = windows.iter().find(|window| window.window == row.window);
        ObjectRow {
            name: Html::joined(code(row.key.rsplit('/').next().unwrap_or(&row.key))),
            window: window.map(|window| (clock.minute(window.from), clock.minute(window.to))),
            delivered: row.delivered_at.map(|at| clock.minute(at)),
            records: number(language, row.records),
            bytes: number(language, row.object_bytes),
            hash: hash(&row.object_sha256),
            whole_hash: row.object_sha256.clone(),
        }
    };
    rows.iter().take(SHOWN).map(row).collect()
}

/// What is wrong, or was wrong last.
fn error(
    w: Words,
    language: Language,
    clock: &Clock,
    shown: &Explanation,
    rows: &[DeliveryRow],
) -> Option<ErrorShown> {
    if let Some(error) = &shown.error {
        return Some(ErrorShown {
            at: clock.second(error.at),
            tried: None,
            mended_at: None,
            said: error.message.clone(),
            fix: Some(fix_html(language, Some(&error.kind), &error.fix)),
            open: true,
        });
    }
    let last = rows.iter().find(|row| row.error.is_some() && row.delivered_at.is_some())?;
    Some(ErrorShown {
        at: clock.second(last.sealed_at),
        tried: Some(w.tried(last.attempts)),
        mended_at: last.delivered_at.map(|at| clock.minute(at)),
        said: last.error.clone().unwrap_or_default(),
        fix: None,
        open: false,
    })
}

/// What a file is, for whoever reads it.
fn kind(format: &Format) -> String {
    let lines = match format.layout {
        Layout::Lines => "JSON Lines",
        Layout::Array => "JSON",
    };
    let inside = match format.record_format {
        RecordFormat::Display | RecordFormat::SnakeCase => lines.to_owned(),
        RecordFormat::Ocsf => format!("OCSF, {lines}"),
        RecordFormat::Ecs => format!("ECS, {lines}"),
        RecordFormat::Cef => "CEF".to_owned(),
        RecordFormat::Leef => "LEEF".to_owned(),
        RecordFormat::Udm => format!("UDM, {lines}"),
        RecordFormat::Asim => format!("ASIM, {lines}"),
        RecordFormat::Cim => format!("CIM, {lines}"),
    };
    match format.container {
        Container::Zip => format!("ZIP ({inside})"),
        Container::Gzip => format!("gzip ({inside})"),
        Container::Zstd => format!("Zstandard ({inside})"),
        Container::Parquet => "Parquet (OCSF)".to_owned(),
        Container::None => inside,
    }
}

fn arriving(
    w: Words,
    destination: Option<&Destination>,
    folder: &str,
    format: &Format,
    arrived: bool,
    name: Option<&str>,
) -> Vec<ToDo> {
    let empty = match format.empty_windows {
        EmptyWindows::Skip => w.a_alert_skip(),
        EmptyWindows::Object => w.a_alert_empty(),
    };
    let to_do = |done, words, hint, code| ToDo { done, words, hint, code };
    let notice = destination.map(|destination| match destination.place {
        Place::S3(_) => w.a_notice_s3(),
        Place::Gcs(_) => w.a_notice_gcs(),
        Place::Azure(_) => w.a_notice_azure(),
    });
    let check = name.map(|name| format!("sha256sum {name}"));
    vec![
        to_do(destination.is_some(), w.a_tested(), None, None),
        to_do(arrived, w.a_file(), None, None),
        to_do(false, w.a_hash(), check.as_ref().map(|_| w.a_hash_how()), check),
        to_do(false, w.a_notice(), notice, None),
        to_do(false, w.a_siem(), Some(w.a_siem_how(&kind(format))), Some(folder.to_owned())),
        to_do(false, w.a_alert(), Some(empty), None),
    ]
}

async fn center(portal: &Portal, visitor: &Visitor, wrong_token: Option<String>) -> Result<Page, Problem> {
    let api = &portal.sign_in.api;
    let (id, language) = (visitor.account(), visitor.frame.language);
    let w = Words(language);
    let view = api.admin.view(id).await?;
    let (shown, timeline) = (view.explanation.for_customer(), view.last_days);
    let zone = api.admin.zones.find(&shown.zone).map_err(AdminError::from)?;
    let (clock, now) = (Clock::of(zone.rules().clone()), api.admin.clock.now());
    let destination = api.admin.ledger.destination(id).await?;
    let awaits = api.admin.destination_view(id, Naming::Hidden).await?.awaits_proof;
    let filter =
        DeliveryFilter { account: Some(id.clone()), limit: LOOKED_THROUGH, ..DeliveryFilter::default() };
    let rows = api.admin.ledger.deliveries(&filter).await?;
    let windows = api.admin.ledger.windows(id, None, LOOKED_THROUGH).await?;
    let contact = api.entrance.contact().map_or_else(|| w.contact(), str::to_owned);
    let place = destination.as_ref().map(place_of).unwrap_or_default();
    let (badge, sentence) = state(w, &clock, now, &shown, &place);
    let path = shown.format.path;
    let prefix = destination.as_ref().map_or_else(String::new, |destination| destination.key_prefix(path));
    let folder = format!("{prefix}{}", path.account_folder(id));
    let strip = Strip { timeline: &timeline, zone: zone.rules(), now, language, link: None, chosen: None };
    let drawn = strip.html();
    let no_strip =
        drawn.is_empty().then(|| if timeline.slots.is_empty() { w.no_slots() } else { w.too_many() });
    let quiet = [SlotState::Delivered, SlotState::Empty];
    let odd = timeline.slots.iter().rev().filter(|slot| !quiet.contains(&slot.state));
    let arriving = arriving(
        w,
        destination.as_ref(),
        &folder,
        &shown.format,
        shown.last_delivery.is_some(),
        shown.last_delivery.as_ref().and_then(|last| last.key.rsplit('/').next()),
    );
    Ok(Page {
        saved: visitor.asked("saved").is_some(),
        manages: visitor.may(Capability::ExportManage),
        set_up: SET_UP,
        badge,
        sentence: Html::joined(sentence),
        empty: destination.is_none(),
        facts: facts(w, &clock, now, &shown, &timeline, &contact),
        no_strip,
        legend: strip.legend(),
        summary: if timeline.slots.is_empty() { String::new() } else { strip.summary() },
        strip: drawn,
        odd: odd
            .map(|slot| OddRow { slot: clock.minute(slot.slot), words: state_words(language, slot.state) })
            .collect(),
        objects: objects(language, &clock, &rows, &windows),
        folder: destination.as_ref().map(|_| Html::joined(code(&format!("{place}/{folder}")))),
        error: error(w, language, &clock, &shown, &rows),
        arriving_told: w.arriving_of(arriving.iter().filter(|one| one.done).count(), arriving.len()),
        arriving,
        proof: awaits.map(|awaits| ProofShown {
            key: Html::joined(code(&awaits.key)),
            place: awaits.destination["bucket"]
                .as_str()
                .or(awaits.destination["container"].as_str())
                .unwrap_or_default()
                .to_owned(),
            until: clock.minute(awaits.expires_at),
            tries: w.proof_tries(awaits.tries_left),
            wrong: wrong_token,
        }),
        a: Around::new(visitor, Section::Export, clock),
        w,
    })
}

pub(super) async fn show(State(portal): State<Portal>, visitor: Visitor) -> Answer {
    Ok(rendered(StatusCode::OK, &center(&portal, &visitor, None).await?))
}

/// The same, with a token that was not the right one.
pub(super) async fn with_wrong_token(portal: &Portal, visitor: &Visitor, wrong: String) -> Answer {
    let mut page = center(portal, visitor, Some(wrong.clone())).await?;
    if page.proof.is_none() {
        let problem = Problem::invalid("token", wrong);
        return Err(problem.into());
    }
    page.saved = false;
    let response: Response = rendered(StatusCode::UNPROCESSABLE_ENTITY, &page);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::utc()
    }

    fn sample(language: Language, may: &[Capability], full: bool) -> Page {
        let w = Words(language);
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let visitor = Visitor::sample(language, may);
        let destination: Destination = serde_json::from_str(
            r#"{"kind": "gcs", "bucket": "acme-siem", "credentials": {"service_account": {"sealed": "x"}}}"#,
        )
        .expect("a destination");
        let object = ObjectRow {
            name: Html::joined(code("audit_acme_20261130T110000Z.zip")),
            window: Some((
                clock().minute(at("2026-11-30T07:00:00Z")),
                clock().minute(at("2026-11-30T11:00:00Z")),
            )),
            delivered: full.then(|| clock().minute(at("2026-11-30T11:03:00Z"))),
            records: number(language, 4_812_u64),
            bytes: number(language, 612_004_u64),
            hash: hash(&"ab".repeat(32)),
            whole_hash: "ab".repeat(32),
        };
        Page {
            saved: full,
            manages: may.contains(&Capability::ExportManage),
            set_up: SET_UP,
            badge: badge(Tone::Ok, &w.on_schedule()),
            sentence: Html::joined(w.delivering(&code("gs://<acme>"), &w.minutes_ago(12))),
            empty: !full,
            facts: vec![Html::joined(w.by_hand("support@vendor.example"))],
            strip: Html::default(),
            no_strip: Some(w.no_slots()),
            legend: Html::default(),
            summary: String::new(),
            odd: vec![OddRow {
                slot: clock().minute(at("2026-11-24T07:00:00Z")),
                words: state_words(language, SlotState::Late),
            }],
            objects: if full { vec![object] } else { Vec::new() },
            folder: full.then(|| Html::joined(code("gs://acme-siem/audit/acme/"))),
            error: full.then(|| ErrorShown {
                at: clock().second(at("2026-11-24T07:00:04Z")),
                tried: Some(w.tried(9)),
                mended_at: None,
                said: "AccessDenied: <b>".to_owned(),
                fix: Some(fix_html(language, None, "run `gcloud <x>`")),
                open: true,
            }),
            arriving_told: w.arriving_of(2, 6),
            arriving: arriving(
                w,
                Some(&destination),
                "audit/acme/",
                &Format::default(),
                full,
                Some("audit_acme.zip"),
            ),
            proof: full.then(|| ProofShown {
                key: Html::joined(code("auditferry-probe/ownership-1.txt")),
                place: "acme-siem".to_owned(),
                until: clock().minute(at("2026-12-01T07:00:00Z")),
                tries: w.proof_tries(4),
                wrong: Some("<wrong>".to_owned()),
            }),
            a: Around::new(&visitor, Section::Export, clock()),
            w,
        }
    }

    #[test]
    fn it_renders_in_every_state() {
        for language in [Language::En, Language::De] {
            for full in [true, false] {
                for may in [&[Capability::ExportRead][..], Capability::ALL] {
                    let html = sample(language, may, full).render().expect("a page");
                    for raw in ["<b>", "<wrong>", "<acme>", "<x>"] {
                        assert!(!html.contains(raw), "{raw}: {html}");
                    }
                    let manages = may.len() > 1;
                    assert_eq!(html.contains(SET_UP), manages, "{html}");
                    assert_eq!(html.contains("name=\"token\""), manages && full);
                    let w = Words(language);
                    for never in ["Run now", "Stop the export"] {
                        assert!(!html.contains(never));
                    }
                    assert!(html.contains(&w.arriving()));
                }
            }
        }
    }
}
