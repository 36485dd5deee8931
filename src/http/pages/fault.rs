//! What went wrong, as a page.

use askama::Template;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::console::Viewer;
use super::frame::{Bare, Frame, rendered};
use super::words::words;
use crate::http::api::problem::Problem;

/// Why a page is not shown. Whoever is around the page shows it: they know its language and its reader.
#[derive(Debug, Clone)]
pub(in crate::http) struct Fault(pub(in crate::http) Problem);

impl<T: Into<Problem>> From<T> for Fault {
    fn from(problem: T) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

words! {
    /// The words of a page that says what went wrong.
    Words {
        title(status: u16): "Error {status}", "Fehler {status}";
        not_found(): "There is nothing here", "Hier ist nichts";
        forbidden(): "Your role does not allow this", "Ihre Rolle erlaubt das nicht";
        refused(): "This was not done", "Das wurde nicht getan";
        too_many(): "Too many requests at once", "Zu viele Anfragen auf einmal";
        away(): "This cannot be shown right now", "Das lässt sich gerade nicht zeigen";
        home(): "Go to the first page", "Zur ersten Seite";
        fix(): "What to do", "Was zu tun ist";
    }
}

#[derive(Template)]
#[template(path = "fault.html")]
struct Page<'a> {
    a: Bare<'a>,
    w: Words,
    status: u16,
    headline: String,
    detail: &'a str,
    fix: Option<&'a str>,
    home: &'a str,
}

/// The page of a problem. `viewer`: who looks, if somebody is signed in.
pub(in crate::http) fn shown(frame: &Frame, viewer: Option<&Viewer>, problem: &Problem) -> Response {
    let w = Words(frame.language);
    let status = problem.status();
    let headline = match status.as_u16() {
        404 => w.not_found(),
        401 | 403 => w.forbidden(),
        429 => w.too_many(),
        500.. => w.away(),
        _ => w.refused(),
    };
    let home = if viewer.is_some() { "/console" } else { "/" };
    let fix = problem.fix_words().filter(|_| status.as_u16() != 404);
    let page =
        Page { a: Bare { frame }, w, status: status.as_u16(), headline, detail: problem.detail(), fix, home };
    let mut response = rendered(status, &page);
    let bare = problem.clone().into_response();
    for name in [header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
        if let Some(value) = bare.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    // What is counted by its code stays so.
    response.extensions_mut().extend(bare.extensions().clone());
    response
}
