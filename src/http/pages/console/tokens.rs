//! `/console/tokens` and `/console/sessions`: who may come in, and ending that.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use jiff::Timestamp;

use super::dialog::Dialog;
use super::{Answer, Around, Needs, Section, Visit, guarded, without_terms};
use crate::http::api::Api;
use crate::http::api::problem::Problem;
use crate::http::pages::forms::{Field, Kind};
use crate::http::pages::frame::page;
use crate::http::pages::parts::{Clock, Html, Tone, badge, breaking};
use crate::http::pages::to;
use crate::http::pages::words::words;
use crate::http::sign_in::SignIn;
use crate::operations::tokens::NewToken;
use auditferry_core::model::access::{Permission, Role};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::instant;

words! {
    /// The words of the pages.
    Words {
        tokens(): "Tokens", "Tokens";
        tokens_lead(): "Programs and people that use the API. A secret is shown once, when its token is made.",
            "Programme und Menschen, die die API benutzen. Ein Geheimnis wird einmal gezeigt, wenn sein Token entsteht.";
        new_one(): "New token…", "Neues Token…";
        no_tokens(): "There is no token yet", "Noch gibt es kein Token";
        no_tokens_hint(): "The vendor’s back office needs one to switch add-ons on and to make portal links.",
            "Das Backoffice des Anbieters braucht eines, um Zusatzleistungen einzuschalten und Portal-Links zu machen.";
        name(): "Name", "Name";
        name_hint(): "The program or person that holds it.", "Das Programm oder der Mensch, der es hält.";
        role(): "Role", "Rolle";
        accounts(): "Accounts", "Konten";
        accounts_hint(): "Ids, one a line. Empty: all.", "IDs, eine je Zeile. Leer: alle.";
        every(): "all", "alle";
        state(): "State", "Zustand";
        made(): "Made", "Entstanden";
        used(): "Last used", "Zuletzt benutzt";
        ends(): "Ends", "Endet";
        ends_hint(): "A date such as 2027-12-31, or an instant. Empty: never.", "Ein Datum wie 2027-12-31 oder ein Zeitpunkt. Leer: nie.";
        never(): "never", "nie";
        valid(): "Valid", "Gültig";
        revoked(): "Revoked", "Widerrufen";
        expired(): "Expired", "Abgelaufen";
        revoke(): "Revoke", "Widerrufen";
        revoke_which(name: &str): "Revoke {name}", "{name} widerrufen";
        role_operator(): "operator: everything", "operator: alles";
        role_support(): "support: add-ons, pauses, replays; no secrets", "support: Zusatzleistungen, Pausen, Wiederholungen; keine Geheimnisse";
        role_account_admin(): "account_admin: one customer’s destination", "account_admin: das Ziel eines Kunden";
        role_reader(): "reader: looks only", "reader: sieht nur";
        role_portal(): "portal: makes links to the portal, and nothing else", "portal: macht Links zum Portal und sonst nichts";
        make(): "Make the token", "Token erzeugen";
        new_title(): "New token", "Neues Token";
        new_does(): "Whoever holds its secret may do what its role allows. The secret is shown once, on the next page.",
            "Wer sein Geheimnis hält, darf, was seine Rolle erlaubt. Das Geheimnis wird einmal gezeigt, auf der nächsten Seite.";
        made_title(): "The token is made", "Das Token ist erzeugt";
        made_hint(): "Copy it now: it is not kept, and nobody can show it again.", "Kopieren Sie es jetzt: Es wird nicht aufbewahrt, und niemand kann es noch einmal zeigen.";
        made_send(): "Send it as Authorization: Bearer …", "Senden Sie es als Authorization: Bearer …";
        secret(): "Secret", "Geheimnis";
        back(): "Back to the tokens", "Zurück zu den Tokens";
        sessions(): "Sessions", "Sitzungen";
        sessions_lead(): "Who is signed in with a browser, and who was in the last day.",
            "Wer mit einem Browser angemeldet ist und wer es am letzten Tag war.";
        who(): "Who", "Wer";
        began(): "Began", "Begonnen";
        end(): "End", "Beenden";
        end_which(name: &str): "End the session of {name}", "Sitzung von {name} beenden";
        over(): "Over", "Vorbei";
        ended(): "Ended", "Beendet";
    }
}

struct TokenRow {
    id: String,
    name: String,
    role: &'static str,
    accounts: Html,
    badge: Html,
    by: Html,
    made: Html,
    used: Option<Html>,
    ends: Option<Html>,
    valid: bool,
}

#[derive(Template)]
#[template(path = "console/tokens.html")]
struct Tokens {
    a: Around,
    w: Words,
    rows: Vec<TokenRow>,
}

#[derive(Template)]
#[template(path = "console/token_made.html")]
struct Made {
    a: Around,
    w: Words,
    name: String,
    secret: String,
}

struct SessionRow {
    id: String,
    who: Html,
    role: &'static str,
    badge: Html,
    began: Html,
    used: Html,
    ends: Html,
    valid: bool,
}

#[derive(Template)]
#[template(path = "console/sessions.html")]
struct Sessions {
    a: Around,
    w: Words,
    rows: Vec<SessionRow>,
}

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    let needs = Needs::Installation(Permission::ManageTokens);
    Router::new()
        .merge(guarded(sign_in, needs, "/console/tokens", get(tokens)))
        .merge(guarded(sign_in, needs, "/console/tokens/new", get(open_new).post(make)))
        .merge(guarded(sign_in, needs, "/console/tokens/{token}/revoke", post(revoke)))
        .merge(guarded(sign_in, needs, "/console/sessions", get(sessions)))
        .merge(guarded(sign_in, needs, "/console/sessions/{session}/end", post(end)))
}

fn ids(w: Words, accounts: Option<&BTreeSet<AccountId>>) -> Html {
    match accounts {
        None => breaking(&w.every()),
        Some(ids) => breaking(&ids.iter().map(AccountId::as_str).collect::<Vec<_>>().join(", ")),
    }
}

async fn tokens(State(api): State<Api>, visit: Visit) -> Answer {
    let now = api.admin.clock.now();
    let a = visit.around(Section::Tokens);
    let (w, clock) = (Words(a.frame.language), Clock::utc());
    let rows = api.admin.tokens().await?.into_iter().map(|token| {
        let state = token.grant(now);
        let badge = match &state {
            Ok(_) => badge(Tone::Ok, &w.valid()),
            Err(auditferry_core::model::token::Unusable::Revoked) => badge(Tone::Off, &w.revoked()),
            Err(auditferry_core::model::token::Unusable::Expired) => badge(Tone::Off, &w.expired()),
        };
        TokenRow {
            valid: state.is_ok(),
            badge,
            accounts: ids(w, token.accounts.as_ref()),
            role: token.role.as_str(),
            by: breaking(&token.created_by),
            made: clock.minute(token.created_at),
            used: token.last_used_at.map(|at| clock.minute(at)),
            ends: token.expires_at.map(|at| clock.minute(at)),
            id: token.id,
            name: token.name,
        }
    });
    Ok(page(&Tokens { w, rows: rows.collect(), a }))
}

fn dialog(w: Words) -> Dialog {
    let role = |role: Role| {
        let words = match role {
            Role::Operator => w.role_operator(),
            Role::Support => w.role_support(),
            Role::AccountAdmin => w.role_account_admin(),
            Role::Reader => w.role_reader(),
            Role::Portal => w.role_portal(),
        };
        (role.as_str().to_owned(), words)
    };
    Dialog {
        title: w.new_title(),
        back: ("/console/tokens".to_owned(), w.tokens()),
        sentences: vec![w.new_does()],
        fields: vec![
            Field::new("name", Kind::Line, w.name()).hint(w.name_hint()),
            Field::new("role", Kind::Choice(Role::ALL.map(role).to_vec()), w.role()).value("support"),
            Field::new("accounts", Kind::Lines, w.accounts()).hint(w.accounts_hint()).optional(),
            Field::new("expires_at", Kind::Line, w.ends()).hint(w.ends_hint()).optional(),
        ],
        submit: w.make(),
        danger: false,
        revision: None,
    }
}

async fn open_new(visit: Visit) -> Answer {
    Ok(dialog(Words(visit.frame.language)).opened(&visit, Section::Tokens))
}

fn new_token(visit: &Visit) -> Result<NewToken, Problem> {
    let form = &visit.form;
    let accounts = form.text("accounts").lines().map(str::trim).filter(|id| !id.is_empty());
    let accounts: BTreeSet<AccountId> = accounts
        .map(str::parse::<AccountId>)
        .collect::<Result<_, _>>()
        .map_err(|error| Problem::invalid("accounts", error.to_string()))?;
    let expires_at: Option<Timestamp> = form
        .given("expires_at")
        .map(instant::parse)
        .transpose()
        .map_err(|error| Problem::invalid("expires_at", error.to_string()))?;
    Ok(NewToken {
        name: form.text("name").to_owned(),
        role: Role::parse(form.text("role"))
            .ok_or_else(|| Problem::invalid("role", "it is none of the list"))?,
        accounts: Some(accounts).filter(|accounts| !accounts.is_empty()),
        expires_at,
    })
}

async fn make(State(api): State<Api>, visit: Visit) -> Answer {
    let w = Words(visit.frame.language);
    let done = async {
        let by = without_terms(visit.viewer.by(&visit.form)?);
        let created = api.admin.create_token(&by, &new_token(&visit)?).await?;
        let secret = created.secret.as_ref().map(|secret| secret.to_string()).unwrap_or_default();
        let a = visit.around(Section::Tokens);
        Ok(page(&Made { w, name: created.token.name.clone(), secret, a }))
    };
    let done = done.await;
    dialog(w).done(&visit, Section::Tokens, done)
}

async fn revoke(State(api): State<Api>, Path(id): Path<String>, visit: Visit) -> Answer {
    api.admin.revoke_token(&without_terms(visit.viewer.by(&visit.form)?), &id).await?;
    Ok(to("/console/tokens"))
}

async fn sessions(State(api): State<Api>, visit: Visit) -> Answer {
    let now = api.admin.clock.now();
    let a = visit.around(Section::Sessions);
    let (w, clock) = (Words(a.frame.language), Clock::utc());
    let rows = api.admin.sessions().await?.into_iter().map(|session| {
        let valid = session.grant(now).is_some();
        SessionRow {
            badge: match (valid, session.revoked_at) {
                (true, _) => badge(Tone::Ok, &w.valid()),
                (false, Some(_)) => badge(Tone::Off, &w.ended()),
                (false, None) => badge(Tone::Off, &w.over()),
            },
            valid,
            who: breaking(&session.name),
            role: session.role.as_str(),
            began: clock.minute(session.created_at),
            used: clock.minute(session.last_used_at),
            ends: clock.minute(session.ends_at.min(session.idle_ends_at)),
            id: session.id,
        }
    });
    Ok(page(&Sessions { w, rows: rows.collect(), a }))
}

async fn end(State(api): State<Api>, Path(id): Path<String>, visit: Visit) -> Answer {
    api.admin.revoke_session(&without_terms(visit.viewer.by(&visit.form)?), &id).await?;
    Ok(to("/console/sessions"))
}
