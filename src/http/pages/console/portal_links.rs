//! `/console/accounts/{account}/portal`: links to the portal for the customer's people, and ending what they opened.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};

use super::dialog::Dialog;
use super::links::account_path;
use super::{Answer, Around, Needs, Section, Visit, acts, guarded, without_terms};
use crate::http::api::Api;
use crate::http::api::problem::Problem;
use crate::http::pages::forms::{Field, Kind};
use crate::http::pages::frame::{language, page};
use crate::http::pages::parts::{Clock, Html, Tone, badge, breaking};
use crate::http::pages::to;
use crate::http::pages::words::words;
use crate::http::sign_in::SignIn;
use crate::operations::portal::NewLink;
use auditferry_core::model::access::Permission;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::portal::{Capability, LinkKind, PortalActor, PortalSession, PortalState, Theme};

/// How many links and sessions are shown.
const SHOWN: u32 = 50;

words! {
    /// The words of the pages.
    Words {
        title(): "Portal", "Portal";
        lead(): "Links for the customer’s people, and the sessions that they opened.",
            "Links für die Leute des Kunden und die Sitzungen, die sie geöffnet haben.";
        new_one(): "New link…", "Neuer Link…";
        none(): "Nobody of this customer has a link or a session", "Niemand von diesem Kunden hat einen Link oder eine Sitzung";
        none_hint(): "The vendor’s product usually makes links by itself; here is one by hand.",
            "Meist macht das Produkt des Anbieters Links selbst; hier entsteht einer von Hand.";
        who(): "Who", "Wer";
        may(): "May", "Darf";
        state(): "State", "Zustand";
        made(): "Made", "Entstanden";
        ends(): "Ends", "Endet";
        revoke(): "Revoke", "Widerrufen";
        revoke_of(name: &str, id: &str): "Revoke {id} of {name}", "{id} von {name} widerrufen";
        waiting(): "Link waits", "Link wartet";
        open(): "Open", "Offen";
        ended(): "Ended", "Beendet";
        revoked(): "Revoked", "Widerrufen";
        new_title(account: &str): "Portal link for {account}", "Portal-Link für {account}";
        new_does(): "The link opens the portal of this account once. Send it to this person only: whoever opens it first is in.",
            "Der Link öffnet das Portal dieses Kontos einmal. Senden Sie ihn nur diesem Menschen: Wer ihn zuerst öffnet, ist drin.";
        new_log(): "That you made it, and for whom, is in the change log.", "Dass Sie ihn gemacht haben und für wen, steht im Änderungsprotokoll.";
        email(): "Their address", "Adresse";
        email_hint(): "It stands on every page that they see, and in the change log.", "Sie steht auf jeder Seite, die sie sehen, und im Änderungsprotokoll.";
        records_read(): "See the records", "Einträge ansehen";
        records_download(): "Download records", "Einträge herunterladen";
        export_read(): "See how the export is", "Sehen, wie es dem Export geht";
        export_manage(): "Set up and replace the destination", "Ziel einrichten und ersetzen";
        link(): "The link", "Der Link";
        by_mail(): "goes by mail: it waits for 72 hours", "geht per Mail: Er wartet 72 Stunden";
        at_once(): "is opened at once: it waits for five minutes", "wird sofort geöffnet: Er wartet fünf Minuten";
        locale(): "Language", "Sprache";
        go(): "Make the link", "Link erzeugen";
        made_title(): "The link is made", "Der Link ist erzeugt";
        made_hint(name: &str): "For {name}. It is shown this once.", "Für {name}. Er wird nur jetzt gezeigt.";
        back(): "Back to the portal’s sessions", "Zurück zu den Sitzungen des Portals";
    }
}

struct Row {
    id: String,
    email: String,
    who: Html,
    may: String,
    badge: Html,
    made: Html,
    by: Html,
    ends: Html,
    alive: bool,
}

#[derive(Template)]
#[template(path = "console/portal_links.html")]
struct List {
    a: Around,
    w: Words,
    account: (String, String),
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "console/portal_made.html")]
struct Made {
    a: Around,
    w: Words,
    account: String,
    email: String,
    url: String,
}

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    let of = |path: &str, pages| guarded(sign_in, Needs::Account(Permission::ManagePortal), path, pages);
    Router::new()
        .merge(of("/console/accounts/{account}/portal", get(list)))
        .merge(of("/console/accounts/{account}/portal/new", get(open_new).post(make)))
        .merge(of("/console/accounts/{account}/portal/{session}/revoke", post(revoke)))
}

fn row(w: Words, clock: &Clock, now: jiff::Timestamp, session: PortalSession) -> Row {
    let state = session.state(now);
    let (tone, word) = match state {
        PortalState::Waiting => (Tone::Busy, w.waiting()),
        PortalState::Open => (Tone::Ok, w.open()),
        PortalState::Revoked => (Tone::Off, w.revoked()),
        PortalState::Ended | PortalState::Expired => (Tone::Off, w.ended()),
    };
    Row {
        who: breaking(&session.actor.email),
        email: session.actor.email,
        may: session.capabilities.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", "),
        badge: badge(tone, &word),
        made: clock.minute(session.created_at),
        by: breaking(&session.made_by.name),
        ends: clock.minute(session.ends_at.unwrap_or(session.link_ends_at)),
        alive: matches!(state, PortalState::Waiting | PortalState::Open),
        id: session.id,
    }
}

async fn list(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    let now = api.admin.clock.now();
    let clock = acts::clock(&api, &id).await?;
    let a = visit.around(Section::Accounts);
    let w = Words(a.frame.language);
    let rows = api.admin.portal_sessions(&id, SHOWN).await?;
    let rows = rows.into_iter().map(|session| row(w, &clock, now, session)).collect();
    Ok(page(&List { a, w, account: (account_path(&id), id.to_string()), rows }))
}

fn words_of(w: Words, capability: Capability) -> (&'static str, String) {
    match capability {
        Capability::RecordsRead => ("may-records-read", w.records_read()),
        Capability::RecordsDownload => ("may-records-download", w.records_download()),
        Capability::ExportRead => ("may-export-read", w.export_read()),
        Capability::ExportManage => ("may-export-manage", w.export_manage()),
    }
}

fn dialog(w: Words, id: &AccountId) -> Dialog {
    let mut fields = vec![Field::new("actor.email", Kind::Line, w.email()).hint(w.email_hint())];
    fields.extend(Capability::ALL.iter().map(|capability| {
        let (name, label) = words_of(w, *capability);
        Field::new(name, Kind::Box, label).value("on")
    }));
    let kinds = vec![("mail".to_owned(), w.by_mail()), ("now".to_owned(), w.at_once())];
    fields.push(Field::new("link", Kind::Choice(kinds), w.link()));
    let languages = vec![("en".to_owned(), "English".to_owned()), ("de".to_owned(), "Deutsch".to_owned())];
    fields.push(Field::new("locale", Kind::Choice(languages), w.locale()));
    Dialog {
        title: w.new_title(id.as_str()),
        back: (format!("{}/portal", account_path(id)), w.title()),
        sentences: vec![w.new_does(), w.new_log()],
        fields,
        submit: w.go(),
        danger: false,
        revision: None,
    }
}

async fn open_new(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    api.admin.ledger.revision(&id).await?;
    Ok(dialog(Words(visit.frame.language), &id).opened(&visit, Section::Accounts))
}

async fn make(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    let w = Words(visit.frame.language);
    let done = async {
        let email = visit.form.text("actor.email").to_owned();
        let ticked = |capability: &&Capability| visit.form.ticked(words_of(w, **capability).0);
        let new = NewLink {
            capabilities: Capability::ALL.iter().filter(ticked).copied().collect(),
            actor: PortalActor { id: email.clone(), email },
            return_url: None,
            locale: language(visit.form.text("locale")).unwrap_or_default(),
            theme: Theme::System,
            link: LinkKind::parse(visit.form.text("link")).unwrap_or_default(),
            session_seconds: None,
        };
        let by = without_terms(visit.viewer.by(&visit.form)?);
        let made = api.admin.create_portal_link(&by, &api.entrance, &id, &new).await.map_err(placed)?;
        let url = made.url.as_ref().map(|url| url.to_string()).unwrap_or_default();
        let a = visit.around(Section::Accounts);
        Ok(page(&Made { w, account: account_path(&id), email: made.session.actor.email.clone(), url, a }))
    };
    let done = done.await;
    dialog(w, &id).done(&visit, Section::Accounts, done)
}

/// A refusal, at the field of the form where it belongs.
fn placed(error: crate::operations::admin::AdminError) -> Problem {
    let problem = Problem::from(error);
    match problem.field() {
        // The form asks for the address alone.
        Some("actor.id") => Problem::invalid("actor.email", problem.detail().to_owned()),
        Some("capabilities") => Problem::invalid("may-records-read", problem.detail().to_owned()),
        _ => problem,
    }
}

async fn revoke(
    State(api): State<Api>,
    Path((id, session)): Path<(AccountId, String)>,
    visit: Visit,
) -> Answer {
    let by = without_terms(visit.viewer.by(&visit.form)?);
    api.admin.revoke_portal_session(&by, &id, &session).await?;
    Ok(to(&format!("{}/portal", account_path(&id))))
}
