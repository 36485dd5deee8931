//! `/console/accounts/{account}`: why an account's export runs or does not, what became of its slots, and what to do.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use jiff::Timestamp;

use super::changes::ChangeRow;
use super::deliveries;
use super::links::{account_path, delivery_path, encoded};
use super::{Answer, Around, Needs, Section, Visit, guarded};
use crate::http::api::Api;
use crate::http::pages::frame::page;
use crate::http::pages::parts::{Clock, Html, Tone, badge, breaking, coded};
use crate::http::pages::strip::{Strip, state_words};
use crate::http::pages::words::{Language, number, words};
use crate::http::sign_in::SignIn;
use crate::ledger::{AttemptRow, ChangeFilter, DeliveryFilter, Health};
use crate::operations::explanation::Explanation;
use crate::operations::story::{Story, ToldObject};
use crate::operations::timeline::{SlotState, Timeline};
use auditferry_core::model::access::{Permission, Role};
use auditferry_core::model::account::{AccountId, AddOnState};

/// How many objects and changes stand on the page; the listings have all.
const SHOWN: u32 = 6;

words! {
    /// The words of the page.
    Words {
        last_days(): "Last 14 days", "Die letzten 14 Tage";
        choose(): "Choose a slot for its story", "Ein Termin erzählt seine Geschichte";
        too_many(): "Its schedule has too many slots for a drawing; the list of deliveries has all.",
            "Der Zeitplan hat zu viele Termine für eine Zeichnung; die Liste der Lieferungen hat alle.";
        no_slots(): "No slot has come yet.", "Noch ist kein Termin gekommen.";
        cut(): "Older slots of these days are left out.", "Ältere Termine dieser Tage sind weggelassen.";
        whole_story(): "The whole story", "Die ganze Geschichte";
        nothing_delivered(): "nothing yet", "noch nichts";
        meaning(): "For the customer", "Für den Kunden";
        to_do(): "To do", "Zu tun";
        attempt(number: u32): "Try {number}", "Versuch {number}";
        objects(): "Newest files", "Neueste Dateien";
        objects_none(): "No file yet", "Noch keine Datei";
        objects_none_hint(): "The first one comes with the next slot that has records.",
            "Die erste kommt mit dem nächsten Termin, der Einträge hat.";
        state(): "State", "Zustand";
        all_deliveries(): "All deliveries", "Alle Lieferungen";
        slot(): "Slot", "Termin";
        file(): "File", "Datei";
        records(): "Records", "Einträge";
        bytes(): "Bytes", "Bytes";
        attempts(): "Tries", "Versuche";
        changes(): "Changes", "Änderungen";
        no_changes(): "Nobody has changed anything yet.", "Noch hat niemand etwas geändert.";
        all_changes(): "All changes", "Alle Änderungen";
        fix(): "Fix to send to the customer", "Abhilfe für den Kunden";
        said(): "What the cloud said", "Was die Cloud sagte";
        facts(): "Account", "Konto";
        addon(): "Add-on", "Zusatzleistung";
        addon_on(): "on, without an end", "an, ohne Ende";
        addon_until(): "on until", "an bis";
        addon_ended(): "ended", "zu Ende seit";
        addon_off(): "off", "aus";
        destination(): "Destination", "Ziel";
        no_destination(): "none yet", "noch keines";
        awaits_proof(): "Waits for its owner’s proof", "Wartet auf den Nachweis des Besitzers";
        credentials(): "Credentials end", "Zugangsdaten enden";
        no_end_known(): "no end is known", "kein Ende bekannt";
        schedule(): "Schedule", "Zeitplan";
        zone(): "Zone", "Zeitzone";
        up_to(): "Delivered up to", "Geliefert bis";
        waiting(): "Waiting", "Wartet";
        waiting_unknown(): "unknown: the source does not answer", "unbekannt: die Quelle antwortet nicht";
        waiting_records(count: &str): "{count} records", "{count} Einträge";
        oldest(): "the oldest of", "der älteste vom";
        next_slot(): "Next slot", "Nächster Termin";
        next_try(): "Next try", "Nächster Versuch";
        paused_since(): "Paused since", "Pausiert seit";
        refused_since(): "Refused since", "Abgewiesen seit";
        in_delivery(): "In delivery", "In Lieferung";
        window(number: u64): "window {number}", "Fenster {number}";
        waits_for(): "Waits for", "Wartet auf";
        probe(): "Probe", "Prüfen";
        pause(): "Pause…", "Pausieren…";
        resume(): "Resume…", "Fortsetzen…";
        release(): "Release…", "Freigeben…";
        portal(): "Portal link…", "Portal-Link…";
        more(): "More", "Mehr";
        deliver_now(): "Deliver now…", "Jetzt liefern…";
        deliver_now_hint(): "What is there, in a slot of its own", "Was da ist, in einem eigenen Termin";
        replay(): "Replay…", "Wiederholen…";
        replay_hint(): "Shows first what would be written", "Zeigt zuerst, was geschrieben würde";
        rewind(): "Rewind…", "Zurücksetzen…";
        rewind_hint(): "Explains before it asks", "Erklärt, bevor es fragt";
        addon_act(): "Add-on…", "Zusatzleistung…";
        addon_hint(): "On, off, its end, with the reason", "An, aus, ihr Ende, mit dem Grund";
        skip(): "Leave records out…", "Einträge auslassen…";
        skip_hint(): "Those that cannot be exported", "Die sich nicht exportieren lassen";
        probes(): "Probes and replays", "Prüfungen und Wiederholungen";
        said_paused(): "It is paused. Nothing starts until somebody resumes it.", "Es ist pausiert. Nichts beginnt, bis jemand fortsetzt.";
        said_resumed(): "It goes on where it stands.", "Es geht weiter, wo es steht.";
        said_released(): "It is released, and goes on where it stands.", "Es ist freigegeben und geht weiter, wo es steht.";
        said_delivers(): "What is there is delivered at once, in a slot of its own.", "Was da ist, wird sofort geliefert, in einem eigenen Termin.";
        said_rewound(): "It is rewound.", "Es ist zurückgesetzt.";
        said_skipped(): "The records are left out, and the gap is recorded.", "Die Einträge sind ausgelassen, und die Lücke ist festgehalten.";
        said_addon(): "The add-on is set.", "Die Zusatzleistung ist gesetzt.";
    }
}

impl Words {
    /// What was just done.
    fn deed(self, what: &str) -> Option<String> {
        Some(match what {
            "paused" => self.said_paused(),
            "resumed" => self.said_resumed(),
            "released" => self.said_released(),
            "delivers" => self.said_delivers(),
            "rewound" => self.said_rewound(),
            "skipped" => self.said_skipped(),
            "addon" => self.said_addon(),
            _ => return None,
        })
    }
}

struct Act {
    href: String,
    label: String,
    hint: String,
    danger: bool,
}

struct Told {
    title: Html,
    badge: Html,
    sentences: Vec<Html>,
    meaning: Html,
    to_do: Option<Html>,
    note: Option<String>,
    attempts: Vec<TriedRow>,
}

/// One try of a put.
pub(super) struct TriedRow {
    pub(super) tone: &'static str,
    pub(super) icon: &'static str,
    pub(super) title: String,
    pub(super) at: Html,
    pub(super) message: String,
}

struct ObjectRow {
    href: String,
    name: Html,
    slot: Html,
    badge: Html,
    records: String,
    bytes: String,
    attempts: u32,
}

#[derive(Template)]
#[template(path = "console/account.html")]
struct Page {
    a: Around,
    w: Words,
    id: String,
    path: String,
    health: Html,
    lead: Html,
    lead_more: Option<Html>,
    said: Option<String>,
    strip: Html,
    legend: Html,
    no_strip: Option<String>,
    cut: bool,
    story: Option<Told>,
    objects: Vec<ObjectRow>,
    all_deliveries: String,
    changes: Option<Vec<ChangeRow>>,
    all_changes: String,
    fix: Option<(Html, String)>,
    facts: Vec<(String, Html)>,
    may_probe: bool,
    first_act: Option<Act>,
    acts: Vec<Act>,
    jobs: String,
}

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    guarded(sign_in, Needs::Account(Permission::ReadAccounts), "/console/accounts/{account}", get(show))
}

/// What became of a slot, as a badge.
fn slot_badge(language: Language, state: SlotState) -> Html {
    let tone = match state {
        SlotState::Delivered => Tone::Ok,
        SlotState::Late => Tone::Late,
        SlotState::Failing => Tone::Bad,
        SlotState::Open => Tone::Busy,
        SlotState::Paused => Tone::Paused,
        _ => Tone::Off,
    };
    badge(tone, &state_words(language, state))
}

/// A try of a put.
pub(super) fn tried(w: Words, clock: &Clock, attempt: &AttemptRow) -> TriedRow {
    let delivered = attempt.outcome.as_deref() == Some("delivered");
    let outcome = attempt.outcome.clone().unwrap_or_else(|| "?".to_owned());
    let tone = match (delivered, &attempt.outcome) {
        (true, _) => Tone::Ok,
        (false, Some(_)) => Tone::Bad,
        (false, None) => Tone::Off,
    };
    let request = attempt.request_id.as_ref().map(|id| format!("request {id}"));
    let message = [attempt.message.clone(), request].into_iter().flatten().collect::<Vec<_>>().join("; ");
    TriedRow {
        tone: tone.class(),
        icon: tone.icon(),
        title: format!("{}: {}", w.attempt(attempt.number), outcome.replace('_', " ")),
        at: clock.second(attempt.started_at),
        message,
    }
}

fn told(w: Words, language: Language, clock: &Clock, story: &Story) -> Told {
    let objects: &[ToldObject] = &story.objects;
    Told {
        title: clock.minute(story.slot.slot),
        badge: slot_badge(language, story.slot.state),
        sentences: story.told.iter().map(|sentence| coded(sentence)).collect(),
        meaning: coded(&story.meaning),
        to_do: Some(coded(&story.to_do)).filter(|to_do| !to_do.is_empty()),
        note: story.note.clone(),
        attempts: objects
            .iter()
            .flat_map(|object| object.attempts.iter().rev())
            .map(|attempt| tried(w, clock, attempt))
            .collect(),
    }
}

fn text(text: &str) -> Html {
    breaking(text)
}

fn facts(w: Words, a: &Around, clock: &Clock, shown: &Explanation) -> Vec<(String, Html)> {
    let language = a.frame.language;
    let mut facts = Vec::new();
    let html = |parts: &[&dyn std::fmt::Display]| {
        Html::joined(parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    };
    let addon = match (shown.addon, shown.addon_until) {
        (AddOnState::Active, None) => text(&w.addon_on()),
        (AddOnState::Active, Some(until)) => html(&[&text(&w.addon_until()), &clock.minute(until)]),
        (AddOnState::Expired, Some(until)) => html(&[&text(&w.addon_ended()), &clock.minute(until)]),
        _ => text(&w.addon_off()),
    };
    let addon = match &shown.addon_reason {
        Some(reason) => html(&[&addon, &text(&format!("“{reason}”"))]),
        None => addon,
    };
    facts.push((w.addon(), addon));
    let place: String = shown.place.iter().map(|fact| format!(", {} {}", fact.name, fact.value)).collect();
    let asked = shown.asked.as_ref().map_or_else(String::new, |asked| format!(", {asked}"));
    let destination = shown.destination.as_ref().map(|one| format!("{one}{place}{asked}"));
    facts.push((w.destination(), text(&destination.unwrap_or_else(|| w.no_destination()))));
    if let Some(awaited) = &shown.awaits_proof {
        let until = clock.minute(awaited.expires_at);
        facts.push((
            w.awaits_proof(),
            html(&[&text(&format!("{}, {}", awaited.destination, awaited.key)), &until]),
        ));
    }
    let credentials = shown.credentials.as_ref().map(|end| clock.minute(end.at));
    facts.push((w.credentials(), credentials.unwrap_or_else(|| text(&w.no_end_known()))));
    facts.push((w.schedule(), text(&shown.schedule)));
    facts.push((w.zone(), text(&shown.zone)));
    let begins = shown.watermark_at == Timestamp::UNIX_EPOCH;
    facts.push((
        w.up_to(),
        if begins { text(&w.nothing_delivered()) } else { clock.minute(shown.watermark_at) },
    ));
    let waiting = match &shown.waiting {
        None => text(&w.waiting_unknown()),
        Some(waiting) => {
            let records = text(&w.waiting_records(&number(language, waiting.records)));
            match waiting.oldest {
                Some(at) => html(&[&records, &text(&w.oldest()), &clock.minute(at)]),
                None => records,
            }
        }
    };
    facts.push((w.waiting(), waiting));
    if let Some(holder) = &shown.held_back {
        facts.push((w.waits_for(), text(&holder.words())));
    }
    let moments = [
        (w.next_slot(), shown.next_slot),
        (w.next_try(), shown.retry_at),
        (w.paused_since(), shown.paused.as_ref().map(|pause| pause.at)),
        (w.refused_since(), shown.denied_since),
    ];
    facts.extend(moments.into_iter().filter_map(|(name, at)| Some((name, clock.minute(at?)))));
    if let Some(window) = shown.open_window {
        facts.push((w.in_delivery(), text(&w.window(window))));
    }
    facts
}

/// What somebody may do now, that which gets it going again first.
fn acts(w: Words, a: &Around, id: &AccountId, shown: &Explanation) -> Vec<Act> {
    use Permission as P;
    let may = |permission| a.viewer.may(permission, Some(id));
    let path = account_path(id);
    let act = |name: &str, label: String, hint: String| Act {
        href: format!("{path}/{name}"),
        label,
        hint,
        danger: false,
    };
    let (paused, stopped) = (shown.paused.is_some(), shown.suspended_at.is_some());
    let held = matches!(shown.health, Health::Held | Health::ClockAhead);
    let none = String::new;
    let all = [
        (P::Recover, held, act("release", w.release(), none())),
        (P::Pause, paused || stopped, act("resume", w.resume(), none())),
        (P::Pause, !paused, act("pause", w.pause(), none())),
        (P::ManagePortal, true, act("portal", w.portal(), none())),
        (P::Deliver, true, act("deliver-now", w.deliver_now(), w.deliver_now_hint())),
        (P::Deliver, true, act("replay", w.replay(), w.replay_hint())),
        (P::Recover, held, act("skip", w.skip(), w.skip_hint())),
        (P::Recover, true, act("rewind", w.rewind(), w.rewind_hint())),
        (P::ManageAddOns, true, Act { danger: true, ..act("add-on", w.addon_act(), w.addon_hint()) }),
    ];
    all.into_iter().filter(|(needs, fits, _)| *fits && may(*needs)).map(|(_, _, act)| act).collect()
}

/// The slot whose story is told when nobody has chosen one: the newest that went wrong.
fn worth_telling(timeline: &Timeline) -> Option<Timestamp> {
    let wrong = |state| matches!(state, SlotState::Failing | SlotState::Open);
    let found = timeline.slots.iter().rev().find(|slot| wrong(slot.state));
    found.or_else(|| timeline.slots.last()).map(|slot| slot.slot)
}

/// The strip and what its letters mean. `path`: the page of the account, where slots lead.
fn drawn(
    timeline: &Timeline,
    (zone, now): (&jiff::tz::TimeZone, Timestamp),
    language: Language,
    path: Option<&String>,
    chosen: Option<Timestamp>,
) -> (Html, Html) {
    let link = path.map(|path| move |at: Timestamp| format!("{path}?at={}#slot", encoded(&at.to_string())));
    let link = link.as_ref().map(|link| link as &dyn Fn(Timestamp) -> String);
    let strip = Strip { timeline, zone, now, language, link, chosen };
    (strip.html(), strip.legend())
}

async fn show(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    let view = api.admin.view(&id).await?;
    let (mut shown, timeline) = (view.explanation, view.last_days);
    if visit.viewer.grant.role == Role::AccountAdmin {
        shown = shown.for_customer();
    }
    let zone = api.admin.zones.find(&shown.zone).map_err(crate::operations::admin::AdminError::from)?;
    let (a, clock) = (visit.around(Section::Accounts), Clock::of(zone.rules().clone()));
    let (language, w) = (a.frame.language, Words(a.frame.language));
    let may = |permission| a.viewer.may(permission, Some(&id));
    let reads_changes = may(Permission::ReadChanges);
    let asked = visit.asked("at").and_then(|at| at.parse::<Timestamp>().ok());
    let chosen = asked.or_else(|| worth_telling(&timeline)).filter(|_| reads_changes);
    let story = match chosen {
        Some(at) => match at.to_string().parse() {
            Ok(when) => Some(told(w, language, &clock, &api.admin.story(&id, when).await?)),
            Err(_) => None,
        },
        None => None,
    };
    let path = account_path(&id);
    let drawn = drawn(
        &timeline,
        (zone.rules(), api.admin.clock.now()),
        language,
        reads_changes.then_some(&path),
        chosen,
    );
    let (strip, legend) = drawn;
    let no_strip = match (strip.is_empty(), timeline.slots.is_empty()) {
        (true, true) => Some(w.no_slots()),
        (true, false) => Some(w.too_many()),
        _ => None,
    };
    let filter = DeliveryFilter { account: Some(id.clone()), limit: SHOWN, ..DeliveryFilter::default() };
    let objects = if may(Permission::ReadDeliveries) {
        api.admin.ledger.deliveries(&filter).await?
    } else {
        Vec::new()
    };
    let objects = objects.into_iter().map(|row| ObjectRow {
        href: delivery_path(&row.account, &row.key),
        name: breaking(row.key.rsplit('/').next().unwrap_or(&row.key)),
        slot: clock.minute(row.slot),
        badge: deliveries::state(deliveries::Words(language), &row),
        records: number(language, row.records),
        bytes: number(language, row.object_bytes),
        attempts: row.attempts,
    });
    let changes = if reads_changes {
        let filter = ChangeFilter { account: Some(id.clone()), limit: SHOWN, ..ChangeFilter::default() };
        let changes = api.admin.ledger.changes(&filter).await?;
        Some(changes.into_iter().map(|change| ChangeRow::of(change, &clock).short()).collect())
    } else {
        None
    };
    let lead = match &shown.error {
        Some(error) if shown.health != Health::Running => error.message.clone(),
        _ => shown.advice.clone(),
    };
    let lead_more = Some(shown.advice.clone()).filter(|advice| *advice != lead);
    let fix = shown.error.as_ref().map(|error| (coded(&error.fix), error.message.clone()));
    let mut acts = acts(w, &a, &id, &shown);
    let first_act = (!acts.is_empty()).then(|| acts.remove(0));
    Ok(page(&Page {
        health: a.w.health_badge(shown.health),
        facts: facts(w, &a, &clock, &shown),
        may_probe: may(Permission::Probe) && shown.destination.is_some(),
        objects: objects.collect(),
        all_deliveries: format!("/console/deliveries?account={}", encoded(id.as_str())),
        all_changes: format!("/console/changes?account={}", encoded(id.as_str())),
        jobs: format!("{path}/jobs"),
        id: id.to_string(),
        cut: timeline.cut,
        strip,
        w,
        path,
        lead: coded(&lead),
        lead_more: lead_more.as_deref().map(coded),
        said: visit.asked("said").and_then(|what| w.deed(&what)),
        legend,
        no_strip,
        story,
        changes,
        fix,
        first_act,
        acts,
        a,
    }))
}
