//! Sample pages: each state, in both languages.

use auditferry_core::model::record::Record;
use auditferry_core::model::record_query::RawQuery;
use jiff::tz::TimeZone;

use super::*;
use crate::base::zones::Zones;
use crate::http::pages::words::Language;
use crate::operations::records::{Fate, InWindow, Listing, RecordView};
use crate::source::RecordPage;

fn at(text: &str) -> jiff::Timestamp {
    text.parse().expect("an instant")
}

fn record(number: usize) -> (Place, Record) {
    let record = Record {
        occurred_at: at("2026-11-30T11:02:33.418Z"),
        email: "priya.raman@acme.example".to_owned(),
        action: "Export".to_owned(),
        action_id: (number > 0).then(|| "exp_20417".to_owned()),
        description: "<img src=x onerror=alert(1)> \"quoted\" & more".to_owned(),
        ip_address: (number > 0).then(|| "2001:db8::2c".to_owned()),
    };
    (Place(format!("17_{number}")), record)
}

/// A page as a test wants it. `parameters`: what stands in its address.
fn page(language: Language, parameters: &[(&str, &str)], records: usize) -> Page {
    let visitor = Visitor::sample(language, &[Capability::RecordsRead, Capability::RecordsDownload]);
    let w = Words(language);
    let zones = Zones::load();
    let find = |name: &str| {
        parameters.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
    };
    let address = LogsAddress {
        raw: RawQuery::of(parameters.iter().copied()),
        zone: find("zone"),
        record: find("record"),
    };
    let zone = Zone::of(&zones, "Europe/Berlin", address.zone.as_deref()).expect("a zone");
    let now = at("2026-11-30T11:15:00Z");
    let parsed = address.raw.parse(now, zone.rules());
    let retention = Some(jiff::SignedDuration::from_hours(24 * 30));
    let filters = Filters::new(w, &address, &zone, now, (parsed.as_ref(), retention));
    let body = match &parsed {
        Err(_) => Body::Wrong,
        Ok(query) => {
            let page =
                RecordPage { records: (0..records).map(record).collect(), older: records > 2, newer: false };
            let count = Counted::Exactly(1_204);
            let listing = Listing { page, count, kept_since: None };
            Body::Table(Box::new(Table::new(w, &address, &zone, query, &listing)))
        }
    };
    let drawer = address.record.as_ref().map(|_| {
        let (place, record) = record(1);
        let json =
            serde_json::json!({ "Date": "2026-11-30T12:02:33.418+01:00", "Email": "<b>", "Action ID": null });
        let window = InWindow { number: 7, slot: now, from: now, to: now };
        let view = RecordView {
            json: json.to_string(),
            fate: Fate::Delivered(window, "audit/acme/audit_acme_20261130T150000Z.zip".to_owned()),
            older: Some(place.clone()),
            newer: None,
            place,
            record,
        };
        Drawer::new(w, &address, &zone, &view, &body)
    });
    Page {
        a: Around::new(&visitor, Section::Logs, Clock::of(TimeZone::get("Europe/Berlin").expect("zone"))),
        zones: zone_links(w, &address, &zone, "Europe/Berlin", now),
        downloads: Some(DownloadLinks {
            csv: address.download("csv"),
            json: address.download("json"),
            all: "/portal/downloads?new=all#new".to_owned(),
            count: Some("1,204".to_owned()),
        }),
        lost: false,
        script: "/assets/x/logs.js".to_owned(),
        w,
        filters,
        body,
        drawer,
    }
}

fn html(page: &Page) -> String {
    page.render().expect("a page")
}

#[test]
fn every_state_renders_in_both_languages() {
    for language in [Language::En, Language::De] {
        let full =
            [("range", "7d"), ("user", "priya"), ("q", "\"><script>"), ("record", "17_1"), ("zone", "utc")];
        let text = html(&page(language, &full, 5));
        assert!(
            !text.contains("<img") && !text.contains("\"><script>"),
            "what records and people write is text"
        );
        assert!(text.contains("&#60;img src=x"));
        assert!(text.contains("aria-current=\"true\"") && text.contains("id=\"record\""));
        assert!(text.contains("audit_<wbr>acme_<wbr>20261130T150000Z.zip"));
        assert!(text.contains("data-tail=\"/portal/logs/tail?range=7d"));
        let empty = html(&page(language, &[], 0));
        assert!(empty.contains("class=\"empty\"") && !empty.contains("<table"));
        let wrong = html(&page(language, &[("range", "dates"), ("from", "soon"), ("ip", "here")], 0));
        assert!(wrong.contains("href=\"#from\"") && wrong.contains("id=\"ip-wrong\""));
        assert!(wrong.contains("value=\"soon\""), "what was typed is kept");
        let mut slow = page(language, &[("q", "x")], 0);
        slow.body = Body::Slow(8);
        assert!(html(&slow).contains("8"));
        slow.lost = true;
        html(&slow);
    }
    assert!(html(&page(Language::De, &[], 0)).contains("Kein Eintrag in dieser Ansicht"));
}

#[test]
fn times_are_in_the_chosen_zone_and_say_their_offset() {
    let text = html(&page(Language::En, &[], 1));
    assert!(text.contains("12:02:33 <span class=\"zone\">+01:00</span>"), "{text}");
    let text = html(&page(Language::En, &[("zone", "utc")], 1));
    assert!(text.contains("11:02:33 <span class=\"zone\">Z</span>"));
    let text = html(&page(Language::En, &[("zone", "Asia/Kolkata")], 1));
    assert!(text.contains("16:32:33 <span class=\"zone\">+05:30</span>"));
    // A zone that nobody knows is the account's.
    let text = html(&page(Language::En, &[("zone", "Mars/Base")], 1));
    assert!(text.contains("12:02:33 <span class=\"zone\">+01:00</span>"));
}

#[test]
fn a_view_that_reaches_further_back_than_records_are_kept_says_so() {
    let text = html(&page(Language::En, &[("range", "93d")], 1));
    assert!(text.contains("further back than records are kept, which is 30 days"), "{text}");
    let text = html(&page(Language::En, &[("range", "7d")], 1));
    assert!(text.contains("Records are kept for 30 days."));
}
