//! A form as a page of its own: what it does in sentences, its fields, and a button that names the deed. What is
//! refused comes back with what was typed.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Answer, Around, Section, Visit};
use crate::http::api::problem::Problem;
use crate::http::pages::fault::Fault;
use crate::http::pages::forms::{Field, Form, Kind, refilled};
use crate::http::pages::frame::rendered;
use crate::http::pages::words::words;

words! {
    /// The words of every form.
    Words {
        cancel(): "Cancel", "Abbrechen";
        wrong(): "This cannot be done yet", "Das geht so noch nicht";
        optional(): "may be left empty", "kann leer bleiben";
    }
}

/// A form.
pub(super) struct Dialog {
    /// What it is for.
    pub(super) title: String,
    /// Whose it is, and where one comes back to.
    pub(super) back: (String, String),
    /// What it does.
    pub(super) sentences: Vec<String>,
    /// What it takes.
    pub(super) fields: Vec<Field>,
    /// The deed.
    pub(super) submit: String,
    /// Whether it takes something away.
    pub(super) danger: bool,
    /// The revision that the page shows, so that nobody else's change is undone.
    pub(super) revision: Option<u64>,
}

#[derive(Template)]
#[template(path = "console/dialog.html")]
struct Page {
    a: Around,
    w: Words,
    dialog: Dialog,
    here: String,
    unplaced: Option<String>,
}

impl Page {
    fn wrong(&self) -> Vec<(&'static str, String)> {
        let wrong = self.dialog.fields.iter().filter_map(|field| Some((field.name, field.wrong.clone()?)));
        wrong.collect()
    }
}

impl Dialog {
    fn page(self, visit: &Visit, section: Section, status: StatusCode, unplaced: Option<String>) -> Response {
        let a = visit.around(section);
        let here = a.here.split('?').next().unwrap_or_default().to_owned();
        rendered(status, &Page { w: Words(a.frame.language), a, dialog: self, here, unplaced })
    }

    /// As it is opened.
    pub(super) fn opened(self, visit: &Visit, section: Section) -> Response {
        self.page(visit, section, StatusCode::OK, None)
    }

    /// What came of it: the page that follows, or the form again with what is wrong.
    pub(super) fn done(self, visit: &Visit, section: Section, done: Result<Response, Problem>) -> Answer {
        match done {
            Ok(response) => Ok(response),
            Err(problem) if problem.status().is_client_error() => {
                Ok(self.refused(visit, section, &visit.form, &problem))
            }
            Err(problem) => Err(Fault(problem)),
        }
    }

    fn refused(mut self, visit: &Visit, section: Section, form: &Form, problem: &Problem) -> Response {
        let (fields, unplaced) = refilled(self.fields, form, problem);
        self.fields = fields;
        self.page(visit, section, problem.status(), unplaced)
    }
}

/// A field for why something is done.
pub(super) fn reason(label: String, hint: String) -> Field {
    Field::new("reason", Kind::Line, label).hint(hint)
}
