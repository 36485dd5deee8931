//! What went wrong in the portal, as a page; and that a session has ended.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::Portal;
use super::around::Bare;
use super::visitor::Visitor;
use crate::http::api::problem::Problem;
use crate::http::pages::frame::{Frame, rendered};
use crate::http::pages::words::words;

words! {
    /// The words of pages that say why there is nothing to see.
    Words {
        error(status: u16): "Error {status}", "Fehler {status}";
        not_found(): "There is nothing here", "Hier ist nichts";
        not_found_hint(): "The address is none of this portal.", "Die Adresse gehört nicht zu diesem Portal.";
        forbidden(): "Your link does not allow this", "Ihr Link erlaubt das nicht";
        forbidden_hint(): "Ask the people who gave you the link for one that does.",
            "Bitten Sie die Stelle, von der Sie den Link haben, um einen, der es erlaubt.";
        refused(): "This was not done", "Das wurde nicht getan";
        cross_site_hint(): "It does not come from a page of this portal. Open the portal, and try again there.",
            "Es kommt nicht von einer Seite dieses Portals. Öffnen Sie das Portal, und versuchen Sie es dort erneut.";
        too_many(): "Too many requests at once", "Zu viele Anfragen auf einmal";
        too_many_hint(): "Wait a minute, then try again.", "Warten Sie eine Minute, und versuchen Sie es erneut.";
        away(): "This cannot be shown right now", "Das lässt sich gerade nicht zeigen";
        away_hint(): "Try again in some minutes.", "Versuchen Sie es in einigen Minuten erneut.";
        first_page(): "Go to the first page", "Zur ersten Seite";
        ended(): "Your session has ended", "Ihre Sitzung ist beendet";
        ended_hint(): "Open the audit log again from the product, or ask for a new link. Nothing is lost.",
            "Öffnen Sie das Audit-Log erneut im Produkt, oder bitten Sie um einen neuen Link. Nichts ist verloren.";
        left(): "You are logged out", "Sie sind abgemeldet";
        left_hint(): "This browser can see nothing of the audit log any more.",
            "Dieser Browser sieht vom Audit-Log nichts mehr.";
        back(site: &str): "Back to {site}", "Zurück zu {site}";
    }
}

#[derive(Template)]
#[template(path = "portal/plain.html")]
struct Page {
    a: Bare,
    headline: String,
    detail: String,
    small: Option<String>,
    /// Where the button leads, and what stands on it.
    go: Option<(String, String)>,
    /// Whether that leads away from here.
    outside: bool,
    /// What the page tells the one around it.
    tells: &'static str,
}

/// The host of a URL, as people know it.
pub(super) fn site(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    Some(url.host_str()?.to_owned())
}

/// The page of a problem. `visitor`: who looks, if somebody does.
pub(super) fn shown(
    portal: &Portal,
    frame: &Frame,
    visitor: Option<&Visitor>,
    problem: &Problem,
) -> Response {
    let w = Words(frame.language);
    let status = problem.status();
    let (headline, detail) = match status.as_u16() {
        404 => (w.not_found(), w.not_found_hint()),
        403 if problem.code() == "forbidden" => (w.forbidden(), w.forbidden_hint()),
        429 => (w.too_many(), w.too_many_hint()),
        500.. => (w.away(), w.away_hint()),
        403 if problem.code() == "cross_site" => (w.refused(), w.cross_site_hint()),
        _ => (w.refused(), problem.sentence()),
    };
    let go = visitor.map(|_| ("/portal".to_owned(), w.first_page()));
    let small = Some(w.error(status.as_u16()));
    let page = Page { a: Bare::new(portal, frame), headline, detail, small, go, outside: false, tells: "" };
    let mut response = rendered(status, &page);
    let bare = problem.clone().into_response();
    if let Some(value) = bare.headers().get(header::RETRY_AFTER) {
        response.headers_mut().insert(header::RETRY_AFTER, value.clone());
    }
    // What is counted by its code stays so.
    if let Some(code) = bare.extensions().get::<crate::http::api::problem::Code>() {
        response.extensions_mut().insert(*code);
    }
    response
}

/// That there is no session, or not any more.
pub(super) fn ended(portal: &Portal, frame: &Frame) -> Response {
    let w = Words(frame.language);
    let page = Page {
        a: Bare::new(portal, frame),
        headline: w.ended(),
        detail: w.ended_hint(),
        small: None,
        go: None,
        outside: false,
        tells: "ended",
    };
    rendered(StatusCode::UNAUTHORIZED, &page)
}

/// That somebody has logged out.
pub(super) fn left(portal: &Portal, frame: &Frame, back: Option<&str>) -> Response {
    let w = Words(frame.language);
    let go = back.and_then(|url| Some((url.to_owned(), w.back(&site(url)?))));
    let page = Page {
        a: Bare::new(portal, frame),
        headline: w.left(),
        detail: w.left_hint(),
        small: None,
        go,
        outside: true,
        tells: "left",
    };
    rendered(StatusCode::OK, &page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::words::Language;

    #[test]
    fn it_renders() {
        for language in [Language::En, Language::De] {
            let w = Words(language);
            let page = Page {
                a: Bare::sample(language),
                headline: w.ended(),
                detail: "<b>".to_owned(),
                small: None,
                go: Some(("https://app.vendor.example/?a=\"".to_owned(), w.back("app.vendor.example"))),
                outside: true,
                tells: "ended",
            };
            let html = page.render().expect("a page");
            assert!(html.contains("&#60;b&#62;") && html.contains("?a=&#34;"), "{html}");
        }
    }
}
