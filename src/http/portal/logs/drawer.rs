//! One record, beside the list.

use super::Body;
use super::address::{LogsAddress, Zone, ZoneKind};
use super::words::Words;
use crate::http::pages::parts::{Clock, Exact, Html, breaking, escaped};
use crate::operations::records::{Fate, InWindow, RecordView};

/// A record with all that is known of it.
pub(super) struct Drawer {
    pub(super) action: String,
    pub(super) description: String,
    pub(super) at: Html,
    pub(super) utc: Option<Html>,
    /// The email, and the page with what that person did.
    pub(super) email: Option<(String, Html)>,
    pub(super) action_id: Option<(String, Html)>,
    pub(super) ip_address: Option<(String, Html)>,
    pub(super) window: Option<(Html, Html)>,
    pub(super) object: Object,
    pub(super) json: Html,
    pub(super) older: Option<String>,
    pub(super) newer: Option<String>,
    pub(super) close: String,
}

/// In which object it is.
pub(super) enum Object {
    Delivered(Html),
    Waits(Html),
    Other(String),
}

impl Drawer {
    pub(super) fn new(w: Words, at: &LogsAddress, zone: &Zone, view: &RecordView, body: &Body) -> Self {
        let clock = zone.clock();
        let record = &view.record;
        let link = |name: &str, value: Option<&str>| {
            let value = value.filter(|value| !value.is_empty())?;
            Some((at.with_filter(name, value), breaking(value)))
        };
        let (window, object) = fate(w, &clock, &view.fate);
        let row = match body {
            Body::Table(table) => table.current().map(|row| format!("#r{row}")),
            Body::Wrong | Body::Slow(_) => None,
        };
        Self {
            action: record.action.clone(),
            description: record.description.clone(),
            at: clock.exactly(record.occurred_at, Exact::Millisecond),
            utc: (zone.kind != ZoneKind::Utc)
                .then(|| Clock::utc().exactly(record.occurred_at, Exact::Millisecond)),
            email: link("user", Some(&record.email)),
            action_id: link("id", record.action_id.as_deref()),
            ip_address: link("ip", record.ip_address.as_deref()),
            window,
            object,
            json: pretty(&view.json),
            older: view.older.as_ref().map(|place| at.with_record(place)),
            newer: view.newer.as_ref().map(|place| at.with_record(place)),
            close: format!("{}{}", at.without_record(), row.unwrap_or_default()),
        }
    }
}

fn fate(w: Words, clock: &Clock, fate: &Fate) -> (Option<(Html, Html)>, Object) {
    let span = |window: &InWindow| Some((clock.minute(window.from), clock.minute(window.to)));
    match fate {
        Fate::Delivered(window, key) => (span(window), Object::Delivered(breaking(key))),
        Fate::InDelivery(window) => (span(window), Object::Other(w.in_delivery())),
        Fate::Waits(Some(slot)) => (None, Object::Waits(clock.minute(*slot))),
        Fate::Waits(None) => (None, Object::Other(w.waits())),
        Fate::LeftOut => (None, Object::Other(w.left_out())),
        Fate::Unknown => (None, Object::Other(w.unknown())),
    }
}

/// A JSON object with a line for each field: names and values as they stand in the object that is delivered.
fn pretty(json: &str) -> Html {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(json) else {
        return Html::joined(escaped(json));
    };
    let lines: Vec<String> = fields
        .iter()
        .map(|(name, value)| {
            let name = serde_json::Value::String(name.clone()).to_string();
            let value = escaped(&value.to_string());
            format!("  <i>{}</i>: <b>{value}</b>", escaped(&name))
        })
        .collect();
    Html::joined(format!("{{\n{}\n}}", lines.join(",\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_shown_field_by_field_and_escaped() {
        let html = pretty(r#"{"Date":"x","Description":"<script>\"&","Action ID":null}"#).to_string();
        assert_eq!(html.lines().count(), 5);
        assert!(!html.contains("<script>"), "{html}");
        assert!(html.contains("<b>null</b>"));
        assert!(html.find("Date") < html.find("Description"), "in their order");
    }
}
