//! How people come into the portal: `GET /portal/enter` shows a button, and the `POST` that it makes opens the session.
//!
//! The link's token stands in its fragment, which browsers send to nobody: a script of ours puts it into the form, or
//! the person does. Programs that look at links in mails open nothing by that. A cookie that the first page sets must
//! come back with the form: where it does not, the browser keeps no cookies here, and the link is not used up.

use askama::Template;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use zeroize::Zeroizing;

use super::around::Bare;
use super::{Portal, fault, framed};
use crate::http::api::problem::Problem;
use crate::http::pages::frame::{Frame, rendered};
use crate::http::pages::words::words;
use crate::http::sign_in::token::form;
use crate::http::sign_in::{same, see_other};
use crate::operations::portal::{Entry, Visit};
use crate::operations::sessions::Held;
use auditferry_core::model::portal::{PortalSession, PortalState};

words! {
    /// The words of the entry.
    Words {
        title(): "Open the audit log", "Audit-Log öffnen";
        lead(): "This link opens the audit log of your account, once.",
            "Dieser Link öffnet das Audit-Log Ihres Kontos, einmal.";
        go(): "Open", "Öffnen";
        code(): "Code of the link", "Code des Links";
        code_hint(): "What stands behind the # in the link. Scripts are off in this browser, so paste it here.",
            "Was im Link hinter dem # steht. Skripte sind in diesem Browser aus: fügen Sie es hier ein.";
        shut(): "This link does not open the audit log", "Dieser Link öffnet das Audit-Log nicht";
        used(): "It was opened already, and a link counts once.", "Er wurde schon geöffnet, und ein Link zählt einmal.";
        late(): "Its time is over.", "Seine Zeit ist vorbei.";
        revoked(): "It was withdrawn.", "Er wurde zurückgezogen.";
        unknown(): "Its code is none of ours: a part of it may be missing.",
            "Seinen Code kennen wir nicht: vielleicht fehlt ein Teil.";
        again(): "Open the audit log again from the product, or ask for a new link.",
            "Öffnen Sie das Audit-Log erneut im Produkt, oder bitten Sie um einen neuen Link.";
        blocked(): "This browser keeps no cookies here", "Dieser Browser behält hier keine Cookies";
        blocked_framed(): "It does so for pages inside of others. The link still counts: open it in a window of its own.",
            "So hält er es mit Seiten innerhalb anderer. Der Link zählt noch: öffnen Sie ihn in einem eigenen Fenster.";
        blocked_here(): "The audit log needs one while it is open. Allow cookies for this site, then open the link again: it still counts.",
            "Das Audit-Log braucht eines, solange es offen ist. Erlauben Sie Cookies für diese Seite, und öffnen Sie den Link erneut: er zählt noch.";
        new_window(): "Open in a new window", "In neuem Fenster öffnen";
        try_again(): "Try again", "Erneut versuchen";
        other(): "Another account is open here", "Hier ist ein anderes Konto offen";
        present(account: &str, email: &str): "You are in the audit log of {account}, as {email}.",
            "Sie sind im Audit-Log von {account}, als {email}.";
        wanted(account: &str, email: &str): "The link leads to {account}, as {email}. The other one is then closed.",
            "Der Link führt zu {account}, als {email}. Das andere wird dann geschlossen.";
        switch(account: &str): "Go to {account}", "Zu {account} wechseln";
        stay(account: &str): "Stay with {account}", "Bei {account} bleiben";
    }
}

#[derive(Template)]
#[template(path = "portal/enter.html")]
struct EnterPage<'a> {
    a: Bare,
    w: Words,
    csrf: &'a str,
}

#[derive(Template)]
#[template(path = "portal/blocked.html")]
struct BlockedPage {
    a: Bare,
    w: Words,
    framed: bool,
    link: Zeroizing<String>,
}

#[derive(Template)]
#[template(path = "portal/switch.html")]
struct SwitchPage<'a> {
    a: Bare,
    w: Words,
    csrf: &'a str,
    code: &'a str,
    present: &'a PortalSession,
    wanted: &'a PortalSession,
}

#[derive(Template)]
#[template(path = "portal/shut.html")]
struct ShutPage {
    a: Bare,
    w: Words,
    why: String,
}

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/portal/enter", get(show).post(enter))
}

/// Gives a browser its cookies.
pub(super) fn set_cookies(response: &mut Response, cookies: &[String]) {
    for cookie in cookies {
        if let Ok(mut cookie) = HeaderValue::from_str(cookie) {
            cookie.set_sensitive(true);
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

async fn show(State(portal): State<Portal>, request: Request) -> Response {
    let frame = Frame::of(&request);
    if let Err(problem) = portal.sign_in.admit(&request) {
        return fault::shown(&portal, &frame, None, &problem);
    }
    let held = match portal.cookies.entry(request.headers()).map_or_else(Held::new, Ok) {
        Ok(held) => held,
        Err(error) => return fault::shown(&portal, &frame, None, &error.into()),
    };
    let framed = framed(&request);
    let page = EnterPage { a: Bare::new(&portal, &frame), w: Words(frame.language), csrf: &held.csrf() };
    let mut response = rendered(StatusCode::OK, &page);
    set_cookies(&mut response, &portal.cookies.with_entry(&held, framed));
    response
}

/// The token of what was typed: the code alone, or the whole link.
fn token(typed: &str) -> Option<Held> {
    let typed = typed.trim();
    Held::parse(typed.rsplit('#').next().unwrap_or(typed))
}

async fn enter(State(portal): State<Portal>, request: Request) -> Response {
    let frame = Frame::of(&request);
    let framed = framed(&request);
    match entered(&portal, &frame, framed, request).await {
        Ok(response) => response,
        Err(problem) => fault::shown(&portal, &frame, None, &problem),
    }
}

async fn entered(
    portal: &Portal,
    frame: &Frame,
    framed: bool,
    request: Request,
) -> Result<Response, Problem> {
    let address = portal.sign_in.admit(&request)?;
    // Another site must not put a browser into a session of its own choice.
    portal.sign_in.check_page(request.headers())?;
    let (parts, body) = request.into_parts();
    let form = form(&parts.headers, body).await?;
    let field = |name: &str| form.get(name).map_or("", |value| value.as_str());
    let w = Words(frame.language);
    let typed = token(field("code"));
    let Some(entry) = portal.cookies.entry(&parts.headers) else {
        let link = typed.as_ref().map_or_else(Zeroizing::default, |token| {
            Zeroizing::new(format!("/portal/enter#{}", token.expose()))
        });
        return Ok(rendered(
            StatusCode::FORBIDDEN,
            &BlockedPage { a: Bare::new(portal, frame), w, framed, link },
        ));
    };
    if !same(field("csrf"), &entry.csrf()) {
        return Err(Problem::cross_site());
    }
    let admin = &portal.sign_in.api.admin;
    let shut = |state: Option<PortalState>| {
        let why = match state {
            Some(PortalState::Open | PortalState::Ended) => w.used(),
            Some(PortalState::Expired | PortalState::Waiting) => w.late(),
            Some(PortalState::Revoked) => w.revoked(),
            None => w.unknown(),
        };
        let page = ShutPage { a: Bare::new(portal, frame), w, why };
        Ok(rendered(StatusCode::FORBIDDEN, &page))
    };
    let guessed = || match address {
        Some(address) => portal.sign_in.api.limits.failed(address, admin.clock.now()),
        None => Ok(()),
    };
    let Some(token) = typed else {
        guessed()?;
        return shut(None);
    };
    let present = portal.session(&parts.headers).await?.map(|(_, session)| session);
    if let Some(present) = &present
        && let Some(wanted) = admin.waiting_portal_link(&token).await?
        && (&present.account, &present.actor) != (&wanted.account, &wanted.actor)
        && field("instead") != present.id
    {
        let (csrf, code) = (entry.csrf(), token.expose());
        let page = SwitchPage { a: Bare::new(portal, frame), w, csrf: &csrf, code, present, wanted: &wanted };
        return Ok(rendered(StatusCode::OK, &page));
    }
    match admin.open_portal_session(&token).await? {
        Entry::Open(visit) => {
            let Visit { held, session } = *visit;
            if let Some(present) = &present {
                admin.end_portal_session(present).await?;
            }
            tracing::info!(session = session.id, account = %session.account, "somebody has come into the portal");
            let mut cookies = portal.cookies.with_session(&held, framed);
            cookies.extend(portal.cookies.without_entry());
            Ok(see_other("/portal", &cookies))
        }
        Entry::Shut(state) => {
            if state.is_none() {
                guessed()?;
            }
            shut(state)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::words::Language;
    use crate::http::portal::visitor::Visitor;

    #[test]
    fn they_render() {
        for language in [Language::En, Language::De] {
            let (a, w) = (|| Bare::sample(language), Words(language));
            let html = EnterPage { a: a(), w, csrf: "csrf" }.render().expect("a page");
            assert!(
                html.contains("name=\"csrf\" value=\"csrf\"") && html.contains("nonce=\"n0nce\""),
                "{html}"
            );
            let link = Zeroizing::new("/portal/enter#AAAA".to_owned());
            let html = BlockedPage { a: a(), w, framed: true, link }.render().expect("a page");
            assert!(html.contains("href=\"/portal/enter#AAAA\" target=\"_blank\""), "{html}");
            let visitor = Visitor::sample(language, &[]);
            let (present, wanted) = (visitor.session(), visitor.session());
            let page = SwitchPage { a: a(), w, csrf: "csrf", code: "AAAA", present, wanted };
            assert!(page.render().expect("a page").contains("name=\"instead\" value=\"5e551011\""));
            let html = ShutPage { a: a(), w, why: w.late() }.render().expect("a page");
            assert!(html.contains(&w.again()) && html.contains("content=\"shut\""), "{html}");
        }
    }

    #[test]
    fn the_code_is_taken_out_of_a_link() {
        let code = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for typed in [code.to_owned(), format!(" {code}\n"), format!("https://x.example/portal/enter#{code}")]
        {
            assert_eq!(token(&typed).expect("a token").expose(), code);
        }
        assert!(token("").is_none() && token("#").is_none() && token(&code[1..]).is_none());
    }
}
