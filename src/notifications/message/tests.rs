use super::*;
use auditferry_core::model::notification::{Detail, Item, Topic};
use auditferry_core::store::PutErrorKind;

fn item(topic: Topic, change: Change, kind: &str) -> Item {
    let detail = Detail {
        kind: Some(kind.to_owned()),
        bucket: Some("<acme> & \"siem\"".to_owned()),
        ends_at: Some("2026-12-24T00:00:00Z".parse().expect("instant")),
        ..Detail::default()
    };
    let since = "2026-11-21T04:00:00Z".parse().expect("instant");
    Item { account: Some("acme".parse().expect("id")), topic, change, since, detail }
}

fn notice(items: Vec<Item>, more: u64) -> Notice {
    let at = "2026-11-21T05:00:00Z".parse().expect("instant");
    Notice { id: "msg_1".to_owned(), at, test: false, items, more }
}

fn contacts() -> Audience {
    Audience::Contacts("acme".parse().expect("id"))
}

#[test]
fn a_customer_reads_what_is_wrong_and_what_to_do() {
    let failing = notice(vec![item(Topic::Export, Change::Began, "denied")], 0);
    let text = Message::of(&failing, &contacts(), Language::En).text();
    for words in
        ["fails since 2026-11-21 04:00 UTC", "may not write", "What to do: let the", "No record is lost"]
    {
        assert!(text.contains(words), "{text}\nlacks {words}");
    }
    let german = Message::of(&failing, &contacts(), Language::De).text();
    for words in ["schlägt seit", "dürfen nicht", "Was zu tun ist", "kein Eintrag verloren"] {
        assert!(german.contains(words), "{german}\nlacks {words}");
    }
    let over = Message::of(
        &notice(vec![item(Topic::Export, Change::Recovered, "denied")], 0),
        &contacts(),
        Language::De,
    );
    assert!(over.text().contains("funktioniert wieder") && !over.text().contains("Was zu tun"), "{over:?}");
}

#[test]
fn everything_has_words_in_each_language() {
    for language in Language::ALL {
        for (topic, change) in
            Topic::ALL.iter().flat_map(|topic| Change::ALL.iter().map(move |c| (*topic, *c)))
        {
            for audience in [Audience::Operator, contacts()] {
                let message =
                    Message::of(&notice(vec![item(topic, change, "denied")], 0), &audience, *language);
                assert!(message.title.ends_with('.') && message.text().len() > 30, "{message:?}");
            }
        }
        for kind in PutErrorKind::ALL {
            let failing = notice(vec![item(Topic::Export, Change::Began, kind.as_str())], 0);
            let lines = &Message::of(&failing, &contacts(), *language).parts[0].lines;
            assert_eq!(lines.len(), 2, "a reason and a fix of {kind:?}: {lines:?}");
        }
    }
}

#[test]
fn html_holds_what_came_from_outside_as_text() {
    let mut hostile = item(Topic::Export, Change::Began, "denied");
    hostile.detail.message = Some("<script>alert('1')</script>".to_owned());
    let html = Message::of(&notice(vec![hostile], 0), &Audience::Operator, Language::En).html();
    assert!(html.contains("&lt;acme&gt; &amp; &quot;siem&quot;"), "{html}");
    assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)") && !html.contains("<script"), "{html}");
}

#[test]
fn many_things_are_counted() {
    let items =
        vec![item(Topic::Export, Change::Began, "denied"), item(Topic::Export, Change::Recovered, "denied")];
    let message = Message::of(&notice(items, 3), &Audience::Operator, Language::En);
    assert_eq!(message.title, "Audit log exports: 1 to look at, 1 solved, 3 more");
    assert!(message.text().contains("3 more are not listed"), "{}", message.text());
    let json = message.json(&notice(Vec::new(), 3), &contacts());
    assert_eq!((&json["type"], &json["data"]["account"]), (&"auditferry.notice".into(), &"acme".into()));
}
