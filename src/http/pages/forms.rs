//! Forms: what was typed, what of it is wrong, and a form as a page.

use std::collections::BTreeMap;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::http::api::problem::Problem;

/// What a form has sent: the first value of each field.
#[derive(Clone, Default)]
pub(in crate::http) struct Form(Arc<BTreeMap<String, Zeroizing<String>>>);

impl Form {
    /// Of the fields that came.
    pub(in crate::http) fn of(fields: BTreeMap<String, Zeroizing<String>>) -> Self {
        Self(Arc::new(fields))
    }

    /// A field, without blanks around it; empty when it is not there.
    pub(in crate::http) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    /// A field that may be left empty.
    pub(in crate::http) fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Whether a box is ticked.
    pub(in crate::http) fn ticked(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// What a field takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum Kind {
    /// A line.
    Line,
    /// Several lines.
    Lines,
    /// A line that is not shown, and never sent back.
    Secret,
    /// A date and time.
    Moment,
    /// A box.
    Box,
    /// One of several: value and words.
    Choice(Vec<(String, String)>),
}

/// A field of a form.
#[derive(Debug, Clone)]
pub(in crate::http) struct Field {
    /// Its name in the form, and its id.
    pub(in crate::http) name: &'static str,
    /// What it is called.
    pub(in crate::http) label: String,
    /// What to write.
    pub(in crate::http) hint: String,
    /// What it takes.
    pub(in crate::http) kind: Kind,
    /// What stands in it; of a box, whether it is ticked.
    pub(in crate::http) value: String,
    /// What is wrong with it.
    pub(in crate::http) wrong: Option<String>,
    /// Whether it may be left empty.
    pub(in crate::http) optional: bool,
}

impl Field {
    /// A field that is empty.
    pub(in crate::http) fn new(name: &'static str, kind: Kind, label: String) -> Self {
        let (hint, value) = (String::new(), String::new());
        Self { name, label, hint, kind, value, wrong: None, optional: false }
    }

    /// With what to write.
    pub(in crate::http) fn hint(self, hint: String) -> Self {
        Self { hint, ..self }
    }

    /// With what stands in it at first.
    pub(in crate::http) fn value(self, value: impl Into<String>) -> Self {
        Self { value: value.into(), ..self }
    }

    /// May be left empty.
    pub(in crate::http) fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// The type of its input.
    pub(in crate::http) fn input_type(&self) -> &'static str {
        match self.kind {
            Kind::Secret => "password",
            Kind::Moment => "datetime-local",
            _ => "text",
        }
    }

    /// The words of what describes it.
    pub(in crate::http) fn described(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let wrong = self.wrong.as_ref().map(|_| format!("{}-wrong", self.name));
        hint.into_iter().chain(wrong).collect::<Vec<_>>().join(" ")
    }

    /// Whether it is never sent back.
    pub(in crate::http) fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }
}

/// The fields of a form, as they were sent, with what is wrong. A secret does not come back.
pub(in crate::http) fn refilled(
    fields: Vec<Field>,
    form: &Form,
    problem: &Problem,
) -> (Vec<Field>, Option<String>) {
    let mut unplaced = Some(problem.sentence());
    let fields = fields
        .into_iter()
        .map(|mut field| {
            if !field.is_secret() {
                field.value = match field.kind {
                    Kind::Box if form.ticked(field.name) => "on".to_owned(),
                    _ => form.text(field.name).to_owned(),
                };
            }
            if problem.field() == Some(field.name) {
                field.wrong = unplaced.take();
            }
            field
        })
        .collect();
    (fields, unplaced)
}
