//! `/console/notifications`: over which channels people are told, and what they were told.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};

use super::dialog::Dialog;
use super::{Answer, Around, Needs, Section, Visit, guarded, without_terms};
use crate::http::api::Api;
use crate::http::api::problem::Problem;
use crate::http::pages::forms::{Field, Kind};
use crate::http::pages::frame::{language, page};
use crate::http::pages::parts::{Clock, Html, Tone, badge, breaking};
use crate::http::pages::to;
use crate::http::pages::words::words;
use crate::http::sign_in::SignIn;
use crate::ledger::NoticeRow;
use crate::operations::notifications::{Added, ChannelView, Given, NewTarget};
use crate::secrets::Secret;
use auditferry_core::model::access::Permission;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::notification::{Audience, Language};

/// How many notices are shown.
const SHOWN: u32 = 50;

words! {
    /// The words of the pages.
    Words {
        title(): "Notifications", "Benachrichtigungen";
        lead(): "Who is told when exports fail, when something ends, and when it is over again.",
            "Wer es erfährt, wenn Exporte fehlschlagen, wenn etwas endet und wenn es wieder gut ist.";
        channels(): "Channels", "Kanäle";
        none(): "Nobody is told yet", "Noch erfährt es niemand";
        none_hint(): "Add a mailbox, a Slack channel or a webhook, so that nobody has to look at this page.",
            "Fügen Sie ein Postfach, einen Slack-Kanal oder einen Webhook hinzu, damit niemand auf diese Seite sehen muss.";
        add_webhook(): "Webhook…", "Webhook…";
        add_slack(): "Slack…", "Slack…";
        add_email(): "Email…", "E-Mail…";
        kind(): "Kind", "Art";
        to(): "To", "An";
        tells(): "Whose people", "Wessen Leute";
        operator(): "the operator", "den Betrieb";
        language(): "Language", "Sprache";
        state(): "State", "Zustand";
        on(): "On", "An";
        off(): "Off", "Aus";
        rotating(): "two secrets sign", "zwei Geheimnisse signieren";
        test(): "Send a test", "Probe senden";
        test_of(to: &str): "Send a test to {to}", "Probe an {to} senden";
        rotate(): "New secret", "Neues Geheimnis";
        rotate_of(to: &str): "New secret for {to}", "Neues Geheimnis für {to}";
        remove(): "Remove", "Entfernen";
        remove_of(to: &str): "Remove {to}", "{to} entfernen";
        log(): "What was told", "Was gesagt wurde";
        log_none(): "Nothing was told yet.", "Noch wurde nichts gesagt.";
        when(): "When", "Wann";
        what(): "What", "Was";
        outcome(): "Outcome", "Ergebnis";
        delivered(): "Delivered", "Zugestellt";
        waits(): "Next try", "Nächster Versuch";
        given_up(): "Given up", "Aufgegeben";
        tries(count: u64): "{count} tries", "{count} Versuche";
        test_notice(): "a test", "eine Probe";
        more(count: u64): "{count} more", "{count} weitere";
        add(kind: &str): "New channel: {kind}", "Neuer Kanal: {kind}";
        add_does(): "It is told what needs a person, once, again while it lasts, and when it is over.",
            "Er erfährt, was einen Menschen braucht: einmal, wieder, solange es anhält, und wenn es vorbei ist.";
        url(): "URL", "URL";
        url_webhook_hint(): "https://…, which takes webhooks by the specification Standard Webhooks.",
            "https://…, die Webhooks nach der Spezifikation Standard Webhooks nimmt.";
        url_slack_hint(): "The URL of an incoming webhook. It is a secret: it is sealed, and not shown again.",
            "Die URL eines Incoming Webhooks. Sie ist ein Geheimnis: Sie wird versiegelt und nicht mehr gezeigt.";
        secret(): "Signing secret", "Signaturgeheimnis";
        secret_hint(): "whsec_…. Empty: one is made and shown once.", "whsec_…. Leer: Eines wird erzeugt und einmal gezeigt.";
        mailbox(): "Mailbox", "Postfach";
        account(): "Account id", "Konto-ID";
        account_hint(): "Tells the people of this account what they can mend themselves. Empty: the operator.",
            "Sagt den Leuten dieses Kontos, was sie selbst beheben können. Leer: dem Betrieb.";
        add_go(): "Add it", "Hinzufügen";
        tested(): "The test", "Die Probe";
        test_ok(): "The receiver took the message.", "Der Empfänger hat die Nachricht genommen.";
        test_not(): "The receiver did not take the message.", "Der Empfänger hat die Nachricht nicht genommen.";
        answer(): "Its answer", "Seine Antwort";
        made(): "The channel is there", "Der Kanal ist da";
        made_hint(): "Its receiver checks signatures with this secret. Copy it now: nobody can show it again.",
            "Sein Empfänger prüft Signaturen mit diesem Geheimnis. Kopieren Sie es jetzt: Niemand kann es noch einmal zeigen.";
        back(): "Back to the notifications", "Zurück zu den Benachrichtigungen";
    }
}

struct ChannelRow {
    id: String,
    kind: String,
    to: Html,
    to_text: String,
    tells: Html,
    language: &'static str,
    badge: Html,
    why: Option<String>,
    webhook: bool,
}

struct Told {
    at: Html,
    what: Vec<String>,
    channel: String,
    badge: Html,
    answer: Option<String>,
}

#[derive(Template)]
#[template(path = "console/notifications.html")]
struct Page {
    a: Around,
    w: Words,
    channels: Vec<ChannelRow>,
    log: Vec<Told>,
}

#[derive(Template)]
#[template(path = "console/notification_said.html")]
struct Said {
    a: Around,
    w: Words,
    title: String,
    badge: Option<Html>,
    words: String,
    answer: Option<String>,
    secret: Option<String>,
}

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    let of = |path: &str, pages| {
        guarded(sign_in, Needs::Installation(Permission::ManageNotifications), path, pages)
    };
    Router::new()
        .merge(of("/console/notifications", get(list)))
        .merge(of("/console/notifications/new/{kind}", get(open_new).post(add)))
        .merge(of("/console/notifications/{notification}/test", post(test)))
        .merge(of("/console/notifications/{notification}/rotate", post(rotate)))
        .merge(of("/console/notifications/{notification}/remove", post(remove)))
}

fn channel(w: Words, view: ChannelView) -> ChannelRow {
    let badge = match (&view.disabled, view.rotating_until) {
        (Some(_), _) => badge(Tone::Bad, &w.off()),
        (None, Some(_)) => badge(Tone::Ok, &w.rotating()),
        (None, None) => badge(Tone::Ok, &w.on()),
    };
    ChannelRow {
        webhook: view.kind == "webhook",
        to: breaking(&view.to),
        to_text: view.to,
        tells: breaking(view.account.as_deref().unwrap_or(&w.operator())),
        language: view.language.as_str(),
        badge,
        why: view.disabled.map(|disabled| disabled.reason),
        kind: view.kind,
        id: view.id,
    }
}

fn told(w: Words, clock: &Clock, row: NoticeRow) -> Told {
    let mut what: Vec<String> = row
        .notice
        .items
        .iter()
        .map(|item| {
            let whose = item.account.as_ref().map_or_else(String::new, |account| format!("{account}: "));
            format!("{whose}{} {}", item.topic, item.change)
        })
        .collect();
    if row.notice.test {
        what = vec![w.test_notice()];
    }
    if row.notice.more > 0 {
        what.push(w.more(row.notice.more));
    }
    let badge = match (row.delivered_at, row.next_try_at) {
        (Some(_), _) => badge(Tone::Ok, &w.delivered()),
        (None, Some(at)) => badge(Tone::Late, &format!("{} {}", w.waits(), clock.text(at))),
        (None, None) => badge(Tone::Bad, &w.given_up()),
    };
    Told {
        at: clock.minute(row.notice.at),
        what,
        channel: format!("{} {}, {}", row.kind, row.channel, w.tries(row.attempts)),
        badge,
        answer: row.answer,
    }
}

async fn list(State(api): State<Api>, visit: Visit) -> Answer {
    let a = visit.around(Section::Notifications);
    let (w, clock) = (Words(a.frame.language), Clock::utc());
    let channels = api.admin.channels().await?.into_iter().map(|view| channel(w, view)).collect();
    let log = api.admin.notices(None, SHOWN).await?.into_iter().map(|row| told(w, &clock, row)).collect();
    Ok(page(&Page { a, w, channels, log }))
}

fn dialog(w: Words, kind: &str) -> Result<Dialog, Problem> {
    let mut fields = match kind {
        "webhook" => vec![
            Field::new("url", Kind::Line, w.url()).hint(w.url_webhook_hint()),
            Field::new("secret", Kind::Secret, w.secret()).hint(w.secret_hint()).optional(),
        ],
        "slack" => vec![Field::new("url", Kind::Secret, w.url()).hint(w.url_slack_hint())],
        "email" => vec![Field::new("to", Kind::Line, w.mailbox())],
        _ => return Err(Problem::not_found()),
    };
    let languages = vec![("en".to_owned(), "English".to_owned()), ("de".to_owned(), "Deutsch".to_owned())];
    fields.push(Field::new("account", Kind::Line, w.account()).hint(w.account_hint()).optional());
    fields.push(Field::new("language", Kind::Choice(languages), w.language()));
    Ok(Dialog {
        title: w.add(kind),
        back: ("/console/notifications".to_owned(), w.title()),
        sentences: vec![w.add_does()],
        fields,
        submit: w.add_go(),
        danger: false,
        revision: None,
    })
}

async fn open_new(Path(kind): Path<String>, visit: Visit) -> Answer {
    Ok(dialog(Words(visit.frame.language), &kind)?.opened(&visit, Section::Notifications))
}

fn target(visit: &Visit, kind: &str) -> NewTarget {
    let sealed = |text: &str| Given::Sealed(Secret::new(text.to_owned()));
    let form = &visit.form;
    match kind {
        "webhook" => {
            NewTarget::Webhook { url: form.text("url").to_owned(), secret: form.given("secret").map(sealed) }
        }
        "slack" => NewTarget::Slack { url: sealed(form.text("url")) },
        _ => NewTarget::Email { to: form.text("to").to_owned() },
    }
}

fn made(w: Words, a: Around, added: &Added) -> axum::response::Response {
    match &added.secret {
        Some(secret) => page(&Said {
            a,
            title: w.made(),
            badge: None,
            words: w.made_hint(),
            answer: None,
            secret: Some(secret.expose().to_owned()),
            w,
        }),
        None => to("/console/notifications"),
    }
}

async fn add(State(api): State<Api>, Path(kind): Path<String>, visit: Visit) -> Answer {
    let w = Words(visit.frame.language);
    let open = dialog(w, &kind)?;
    let done = async {
        let account = visit.form.given("account").map(str::parse::<AccountId>).transpose();
        let account = account.map_err(|error| Problem::invalid("account", error.to_string()))?;
        let audience = account.map_or(Audience::Operator, Audience::Contacts);
        let speaks = language(visit.form.text("language")).unwrap_or(Language::En);
        let by = without_terms(visit.viewer.by(&visit.form)?);
        let added = api.admin.add_channel(&by, &api.sender, audience, speaks, target(&visit, &kind)).await?;
        Ok(made(w, visit.around(Section::Notifications), &added))
    };
    let done = done.await;
    open.done(&visit, Section::Notifications, done)
}

async fn test(State(api): State<Api>, Path(id): Path<String>, visit: Visit) -> Answer {
    api.limits.test(&id, api.admin.clock.now())?;
    let tried = api.admin.try_channel(&api.sender, &id).await?;
    let a = visit.around(Section::Notifications);
    let w = Words(a.frame.language);
    let (tone, words) = if tried.delivered { (Tone::Ok, w.test_ok()) } else { (Tone::Bad, w.test_not()) };
    let badge = badge(tone, &if tried.delivered { w.delivered() } else { w.given_up() });
    let answer = Some(tried.answer).filter(|answer| !answer.is_empty());
    Ok(page(&Said { a, title: w.tested(), badge: Some(badge), words, answer, secret: None, w }))
}

async fn rotate(State(api): State<Api>, Path(id): Path<String>, visit: Visit) -> Answer {
    let by = without_terms(visit.viewer.by(&visit.form)?);
    let added = api.admin.rotate_channel(&by, &api.sender, &id, None).await?;
    Ok(made(Words(visit.frame.language), visit.around(Section::Notifications), &added))
}

async fn remove(State(api): State<Api>, Path(id): Path<String>, visit: Visit) -> Answer {
    api.admin.remove_channel(&without_terms(visit.viewer.by(&visit.form)?), &id).await?;
    Ok(to("/console/notifications"))
}
