//! Sample pages: each state, in both languages.

use auditferry_core::model::download::{DownloadProblem, FileFormat, MadeFile, MailState, NewDownload, Wish};
use auditferry_core::model::portal::{PortalActor, Theme};
use auditferry_core::model::record_query::{RecordFilter, TimeSpan, Wanted};

use super::form::View;
use super::*;
use crate::base::zones::Zones;
use crate::http::pages::words::Language;

fn at(text: &str) -> jiff::Timestamp {
    text.parse().expect("an instant")
}

fn download(state: DownloadState) -> Download {
    let filter = RecordFilter {
        user: Some(Wanted::Prefix("jana".to_owned())),
        text: Some("<script>".to_owned()),
        ..Default::default()
    };
    let span = TimeSpan { from: at("2026-10-31T23:00:00Z"), to: at("2026-11-30T23:00:00Z") };
    let ended = matches!(state, DownloadState::Completed | DownloadState::Expired);
    Download {
        new: NewDownload {
            id: format!("d{}", state.as_str()),
            account: "acme".parse().expect("id"),
            name: "Exports <in> November".to_owned(),
            wish: Wish { span, filter, zone: "Europe/Berlin".to_owned(), format: FileFormat::Csv },
            asked_by: "jana.keller@acme.example".to_owned(),
            mail: Some(MailWish {
                session: "s".to_owned(),
                actor: PortalActor { id: "u".to_owned(), email: "jana.keller@acme.example".to_owned() },
                language: Language::En,
                theme: Theme::System,
            }),
        },
        state,
        tries: 1,
        bound: None,
        records: 3_120_554,
        percent: 62,
        made: ended.then(|| MadeFile {
            file: "f".to_owned(),
            bytes: 2_440_000,
            sha256: "5d20b7f1".repeat(8),
            parts: None,
        }),
        problem: (state == DownloadState::Failed).then_some(DownloadProblem::TooSlow),
        created_at: at("2026-11-30T11:00:00Z"),
        begun_at: None,
        ended_at: None,
        kept_until: ended.then(|| at("2026-12-07T11:00:00Z")),
        mailed: Some(if ended { MailState::Sent } else { MailState::Wanted }),
    }
}

fn page(language: Language, states: &[DownloadState], dialog: Option<Dialog>) -> String {
    let visitor = Visitor::sample(language, &[Capability::RecordsDownload]);
    let zones = Zones::load();
    let zone = Zone::of(&zones, "Europe/Berlin", None).expect("a zone");
    let a = Around::new(&visitor, Section::Downloads, zone.clock());
    let w = Words(language);
    let rows = states.iter().map(|state| Row::new(w, &zone.clock(), &zone, &download(*state))).collect();
    let page = Page {
        lead: w.lead(&w.span(168), "Europe/Berlin"),
        rows,
        foot: w.foot(states.len(), 1, MOST_AT_ONCE),
        asked: Some("<b>".to_owned()),
        dialog,
        off: false,
        moves: states.contains(&DownloadState::Running),
        w,
        a,
    };
    page.render().expect("a page")
}

#[test]
fn every_state_renders_in_both_languages() {
    for language in [Language::En, Language::De] {
        let text = page(language, &DownloadState::ALL, None);
        assert!(
            !text.contains("<script>\"") && !text.contains("<b>") && text.contains("Exports &#60;in&#62;")
        );
        assert!(text.contains("2026-11-01") && text.contains("2026-11-30"), "the last day is in it");
        assert!(text.contains("value=\"62\"") && text.contains("hx-trigger=\"every 3s\""));
        assert_eq!(text.matches("/file\" download").count(), 1, "only what is there is fetched");
        assert_eq!(text.matches("/again\"").count(), 2);
        assert_eq!(text.matches("/delete\"").count(), 5);
        let empty = page(language, &[], None);
        assert!(empty.contains("class=\"empty\"") && !empty.contains("hx-trigger"));
    }
    assert!(page(Language::En, &[DownloadState::Failed], None).contains("longer than 30 minutes"));
    assert!(page(Language::De, &[DownloadState::Completed], None).contains("2,4 MB"));
}

#[test]
fn the_form_keeps_what_was_typed_and_says_what_is_wrong() {
    for language in [Language::En, Language::De] {
        let w = Words(language);
        let view = View { hidden: vec![("q", "\"x".to_owned())], words: "Text: \"x".to_owned(), count: None };
        let dialog = Dialog {
            name: "a \"name\"".to_owned(),
            view: Some(view),
            of_view: true,
            from: "2026-11-01".to_owned(),
            to: "2026-11-30".to_owned(),
            formats: form::formats(w, FileFormat::Json),
            mail: Some((true, "jana.keller@acme.example".to_owned())),
            problems: vec![("all_from".to_owned(), w.wrong_name())],
        };
        let text = page(language, &[], Some(dialog));
        assert!(text.contains("value=\"a &#34;name&#34;\"") && text.contains("name=\"q\" value=\"&#34;x\""));
        assert!(text.contains("href=\"#all_from\"") && text.contains("id=\"from-wrong\""));
        assert!(text.contains("value=\"json\" checked"));
        assert!(text.contains("name=\"mail\" value=\"1\" checked"));
    }
}

#[test]
fn a_name_cannot_leave_its_header() {
    let header = disposition("a\"; x=\"..\\é.csv");
    assert_eq!(header.matches('"').count(), 2, "{header}");
    assert!(
        header.starts_with("attachment; filename=\"a__ x__..__.csv\"; filename*=UTF-8''a%22%3B"),
        "{header}"
    );
    assert!(HeaderValue::from_str(&header).is_ok());
}
