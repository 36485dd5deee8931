//! Records by time: pages both ways, filters, one record, closed sets for downloads.

use std::time::Duration;

use auditferry::source::{Browser, Closed, Look, SourceError};
use auditferry_core::model::bound::RecordSet;
use auditferry_core::model::record::Record;
use auditferry_core::model::record_query::{Place, RecordFilter, TimeSpan, Turn, Wanted};

use crate::source_contract::bed::{Bed, at, id, record};

/// More than any of these searches takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Numbers that look random and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("small") % end
    }

    fn of<'t>(&mut self, all: &[&'t str]) -> &'t str {
        all[self.below(all.len())]
    }
}

/// Records of which many occurred at the same instant, in no order.
fn records(seed: u64, count: usize) -> Vec<Record> {
    let mut numbers = Numbers(seed);
    (0..count)
        .map(|number| Record {
            occurred_at: at(numbers.of(&[
                "04:00",
                "04:00:00.000001",
                "04:00:00.5",
                "04:00:00.12",
                "04:00:01",
                "05:00",
                "23:59:59.999999",
            ])),
            email: numbers.of(&["ana@acme.example", "Ana.B@acme.example", "bo@acme.example", ""]).to_owned(),
            action: numbers.of(&["login", "Login", "export", "a%b", "a_b", ""]).to_owned(),
            action_id: Some(numbers.of(&["x", "usr_7", "usrA7", "\\"]).to_owned()).filter(|id| id != "x"),
            description: format!("record {number}"),
            ip_address: Some(
                numbers.of(&["x", "192.0.2.1", "192.0.2.10", "192.0.21.1", "2001:db8::1"]).to_owned(),
            )
            .filter(|ip| ip != "x"),
        })
        .collect()
}

fn everything(filter: &RecordFilter) -> Look<'_> {
    Look { span: TimeSpan::ever(), filter }
}

/// The records as a sort of all of them gives them, the newest first: of one instant the one that came last.
fn sorted(records: &[Record]) -> Vec<Record> {
    let mut sorted: Vec<(usize, &Record)> = records.iter().enumerate().collect();
    sorted.sort_by_key(|(place, record)| std::cmp::Reverse((record.occurred_at, *place)));
    sorted.into_iter().map(|(_, record)| record.clone()).collect()
}

/// All pages from the newest to the oldest, and back again.
async fn both_ways(browser: &dyn Browser, look: &Look<'_>, size: u32) -> (Vec<Record>, Vec<Record>) {
    let acme = id("acme");
    let (mut down, mut turn) = (Vec::new(), Turn::First);
    loop {
        let page = browser.page(&acme, look, &turn, size).await.expect("a page");
        assert_eq!(page.newer, turn != Turn::First);
        assert!(page.records.len() <= size as usize);
        let last = page.records.last().map(|(place, _)| place.clone());
        down.extend(page.records);
        match last {
            Some(last) if page.older => turn = Turn::Older(last),
            _ => break,
        }
    }
    let mut up: Vec<Record> = Vec::new();
    let mut turn = down.last().map(|(place, _)| Turn::Newer(place.clone()));
    while let Some(Turn::Newer(from)) = turn.take() {
        let page = browser.page(&acme, look, &Turn::Newer(from), size).await.expect("a page");
        assert!(page.older);
        turn = page.records.first().filter(|_| page.newer).map(|(place, _)| Turn::Newer(place.clone()));
        up.splice(0..0, page.records.into_iter().map(|(_, record)| record));
    }
    (down.into_iter().map(|(_, record)| record).collect(), up)
}

pub(crate) async fn pages_of_any_size_are_a_plain_sort_cut_in_pieces(bed: Bed) {
    let all = records(7, 60);
    bed.insert(&all).await;
    bed.application().await.insert("other", &record("other")).await.expect("inserts");
    let browser = bed.browser(PATIENCE).await;
    let filters = [
        RecordFilter::default(),
        RecordFilter { action: Some("login".to_owned()), ..Default::default() },
        RecordFilter { action: Some("nothing".to_owned()), ..Default::default() },
    ];
    for filter in &filters {
        let wanted: Vec<Record> =
            sorted(&all).into_iter().filter(|record| filter.matches(&record.borrow())).collect();
        for size in [1, 2, 3, 7, 20, 59, 60, 61, 200] {
            let (down, up) = both_ways(&*browser, &everything(filter), size).await;
            assert_eq!(down, wanted, "pages of {size}");
            assert_eq!(up, wanted.get(..wanted.len().saturating_sub(1)).unwrap_or_default(), "back, {size}");
        }
    }
}

pub(crate) async fn filters_say_what_the_pure_ones_say(bed: Bed) {
    let all = records(11, 80);
    bed.insert(&all).await;
    let browser = bed.browser(PATIENCE).await;
    let text = |text: &str| Some(text.to_owned());
    let exact = |text: &str| Some(Wanted::Exact(text.to_owned()));
    let prefix = |text: &str| Some(Wanted::Prefix(text.to_owned()));
    let filters = [
        RecordFilter { user: exact("ANA@acme.example"), ..Default::default() },
        RecordFilter { user: prefix("ana"), ..Default::default() },
        RecordFilter { user: exact("ana"), ..Default::default() },
        RecordFilter { action: text("LOGIN"), ..Default::default() },
        RecordFilter { action_id: text("usr_7"), ..Default::default() },
        RecordFilter { ip: exact("192.0.2.1"), ..Default::default() },
        RecordFilter { ip: prefix("192.0.2."), ..Default::default() },
        RecordFilter { text: text("ACME"), ..Default::default() },
        RecordFilter { text: text("usr"), ..Default::default() },
        RecordFilter { text: text("record 1"), ..Default::default() },
        RecordFilter { user: prefix("bo"), action: text("export"), text: text("e"), ..Default::default() },
    ];
    for filter in &filters {
        let wanted: Vec<Record> =
            sorted(&all).into_iter().filter(|record| filter.matches(&record.borrow())).collect();
        let page = browser.page(&id("acme"), &everything(filter), &Turn::First, 200).await.expect("a page");
        let found: Vec<Record> = page.records.into_iter().map(|(_, record)| record).collect();
        assert_eq!(found, wanted, "{filter:?}");
        let count = browser.count(&id("acme"), &everything(filter), 1_000).await.expect("a count");
        assert_eq!(count, wanted.len() as u64, "{filter:?}");
    }
    let some = filters.iter().filter(|filter| all.iter().any(|record| filter.matches(&record.borrow())));
    assert!(some.count() >= 9, "the filters match too little to tell anything");
}

pub(crate) async fn no_sign_is_a_wildcard(bed: Bed) {
    bed.insert(&records(13, 80)).await;
    let browser = bed.browser(PATIENCE).await;
    for (filter, field) in [
        (RecordFilter { action: Some("a%b".into()), ..Default::default() }, "a%b"),
        (RecordFilter { action: Some("a_b".into()), ..Default::default() }, "a_b"),
    ] {
        let page = browser.page(&id("acme"), &everything(&filter), &Turn::First, 200).await.expect("a page");
        assert!(!page.records.is_empty());
        assert!(page.records.iter().all(|(_, record)| record.action == field), "{field}");
    }
    for (filter, wanted) in [("\\", "\\"), ("usr_7", "usr_7")] {
        let filter = RecordFilter { action_id: Some(filter.to_owned()), ..Default::default() };
        let page = browser.page(&id("acme"), &everything(&filter), &Turn::First, 200).await.expect("a page");
        assert!(!page.records.is_empty());
        assert!(page.records.iter().all(|(_, record)| record.action_id.as_deref() == Some(wanted)));
    }
}

pub(crate) async fn letters_beyond_ascii_are_looked_for_too(bed: Bed) {
    let texts = ["Größe geändert", "K\u{212a}lvin", "plain"];
    let all: Vec<Record> =
        texts.iter().map(|text| Record { description: (*text).to_owned(), ..record("ana") }).collect();
    bed.insert(&all).await;
    let browser = bed.browser(PATIENCE).await;
    for (wanted, found) in [("größe", 1), ("GRÖßE geänd", 1), ("ä", 1), ("PLAIN", 1), ("größer", 0)] {
        let filter = RecordFilter { text: Some(wanted.to_owned()), ..Default::default() };
        let count = browser.count(&id("acme"), &everything(&filter), 10).await.expect("a count");
        // The cluster of the tests may be of the locale C, in which only A to Z have two cases.
        let exact = all.iter().filter(|record| record.description.contains(wanted)).count() as u64;
        assert!(count == found || (bed.is_postgres() && count == exact), "{wanted}: {count}");
    }
}

pub(crate) async fn the_span_begins_with_its_first_instant_and_ends_before_its_last(bed: Bed) {
    bed.insert_at(&["03:59:59.999999", "04:00", "04:00:00.000001", "04:59:59.999999", "05:00"]).await;
    let browser = bed.browser(PATIENCE).await;
    let filter = RecordFilter::default();
    let look = Look { span: TimeSpan { from: at("04:00"), to: at("05:00") }, filter: &filter };
    let page = browser.page(&id("acme"), &look, &Turn::First, 200).await.expect("a page");
    let names: Vec<&str> = page.records.iter().map(|(_, record)| record.email.as_str()).collect();
    assert_eq!(names, ["04:59:59.999999", "04:00:00.000001", "04:00"]);
    // A place outside of the span shows nothing that the span does not.
    let all = browser.page(&id("acme"), &everything(&filter), &Turn::First, 200).await.expect("a page");
    for (place, _) in [all.records.first(), all.records.last()].into_iter().flatten() {
        for turn in [Turn::Older(place.clone()), Turn::Newer(place.clone())] {
            let page = browser.page(&id("acme"), &look, &turn, 200).await.expect("a page");
            assert!(page.records.iter().all(|(_, record)| look.span.contains(record.occurred_at)));
        }
    }
}

pub(crate) async fn an_account_sees_nothing_of_another(bed: Bed) {
    bed.insert(&[record("mine")]).await;
    let mut application = bed.application().await;
    for email in ["theirs", "theirs too"] {
        application.insert("other", &record(email)).await.expect("inserts");
    }
    let browser = bed.browser(PATIENCE).await;
    let filter = RecordFilter::default();
    let theirs = browser.page(&id("other"), &everything(&filter), &Turn::First, 20).await.expect("a page");
    assert_eq!(theirs.records.len(), 2);
    let emails = async |turn: Turn| {
        let page = browser.page(&id("acme"), &everything(&filter), &turn, 20).await.expect("a page");
        page.records.into_iter().map(|(_, record)| record.email).collect::<Vec<_>>()
    };
    assert_eq!(emails(Turn::First).await, ["mine"]);
    let capture = bed.capture().await;
    for (place, _) in &theirs.records {
        assert_eq!(browser.record(&id("acme"), place).await.expect("asked"), None);
        for turn in [Turn::Older(place.clone()), Turn::Newer(place.clone())] {
            assert!(emails(turn).await.iter().all(|email| email == "mine"));
        }
        let set = Closed { bound: &capture, after: Some(place), limit: 20 };
        let closed = browser.closed(&id("acme"), &everything(&filter), &set, PATIENCE).await.expect("a set");
        assert!(closed.iter().all(|(_, record)| record.email == "mine"));
    }
    assert_eq!(browser.count(&id("acme"), &everything(&filter), 20).await.expect("a count"), 1);
}

pub(crate) async fn a_record_is_found_at_its_place_and_in_its_window(bed: Bed) {
    let all = records(17, 20);
    bed.insert(&all[..10]).await;
    let lo = bed.capture().await;
    bed.insert(&all[10..]).await;
    let hi = bed.capture().await;
    let windows = [RecordSet::between(bed.source.beginning(), lo.clone()), RecordSet::between(lo, hi)];
    let browser = bed.browser(PATIENCE).await;
    let filter = RecordFilter::default();
    let acme = id("acme");
    let page = browser.page(&acme, &everything(&filter), &Turn::First, 200).await.expect("a page");
    for (place, shown) in &page.records {
        let found = browser.record(&acme, place).await.expect("asked").expect("it is there");
        assert_eq!(&found.record, shown);
        let number = all.iter().position(|record| record == shown).expect("one of them");
        for (window, set) in windows.iter().enumerate() {
            let rows = bed.source.read(&acme, set, Some(&found.before), 1_000).await.expect("reads");
            let is_in = rows.iter().any(|(cursor, _)| *cursor == found.cursor);
            assert_eq!(is_in, number / 10 == window, "record {number} in window {window}");
            for pair in rows.windows(2) {
                assert_eq!(browser.compare(&pair[0].0, &pair[1].0), Some(std::cmp::Ordering::Less));
            }
        }
    }
}

pub(crate) async fn counting_stops_where_it_is_told_to(bed: Bed) {
    bed.insert(&records(19, 12)).await;
    let browser = bed.browser(PATIENCE).await;
    let filter = RecordFilter::default();
    for (most, counted) in [(5, 5), (11, 11), (12, 12), (13, 12)] {
        let count = browser.count(&id("acme"), &everything(&filter), most).await.expect("a count");
        assert_eq!(count, counted);
    }
}

async fn closed(
    browser: &dyn Browser,
    look: &Look<'_>,
    bound: &auditferry_core::model::bound::Bound,
) -> Vec<Record> {
    let (mut found, mut after): (Vec<Record>, Option<Place>) = (Vec::new(), None);
    loop {
        let set = Closed { bound, after: after.as_ref(), limit: 7 };
        let page = browser.closed(&id("acme"), look, &set, PATIENCE).await.expect("a set");
        let ended = page.len() < 7;
        for (place, record) in page {
            after = Some(place);
            found.push(record);
        }
        if ended {
            return found;
        }
    }
}

pub(crate) async fn a_closed_set_is_the_same_again(bed: Bed) {
    let all = records(23, 40);
    bed.insert(&all[..25]).await;
    let bound = bed.capture().await;
    let browser = bed.browser(PATIENCE).await;
    let filter = RecordFilter { user: Some(Wanted::Prefix("ana".into())), ..Default::default() };
    let look = Look { span: TimeSpan { from: at("04:00"), to: at("23:00") }, filter: &filter };
    let mut wanted: Vec<Record> = sorted(&all[..25]);
    wanted.reverse();
    wanted.retain(|record| look.span.contains(record.occurred_at) && filter.matches(&record.borrow()));
    assert!(wanted.len() > 3);
    assert_eq!(closed(&*browser, &look, &bound).await, wanted);
    // What comes later, of whatever time, is not in it.
    bed.insert(&all[25..]).await;
    assert_eq!(closed(&*browser, &look, &bound).await, wanted);
    assert!(closed(&*browser, &look, &bed.capture().await).await.len() > wanted.len());
}

pub(crate) async fn a_place_that_is_none_is_refused(bed: Bed) {
    bed.insert(&[record("1")]).await;
    let browser = bed.browser(PATIENCE).await;
    let filter = RecordFilter::default();
    for text in ["", "1", "x_y", "1_x", "99999999999999999999_1", "_"] {
        let place = Place(text.to_owned());
        let found = browser.record(&id("acme"), &place).await;
        assert!(matches!(found, Err(SourceError::NoPlace) | Ok(None)), "{text:?}: {found:?}");
        let older = browser.page(&id("acme"), &everything(&filter), &Turn::Older(place), 20).await;
        assert!(matches!(older, Err(SourceError::NoPlace) | Ok(_)), "{text:?}: {older:?}");
    }
    let nowhere = browser.record(&id("acme"), &Place("x".to_owned())).await;
    assert!(matches!(nowhere, Err(SourceError::NoPlace)), "{nowhere:?}");
}

pub(crate) async fn a_search_that_takes_too_long_is_broken_off(bed: Bed) {
    bed.insert(&[record("1")]).await;
    let patience = Duration::from_millis(if bed.is_postgres() { 200 } else { 1 });
    let browser = bed.browser(patience).await;
    let filter = RecordFilter { action: Some("nothing".to_owned()), ..Default::default() };
    let mut application = bed.application().await;
    if !bed.is_postgres() {
        // Nobody can be made to wait for a lock: more rows than can be read in a millisecond.
        let many = "INSERT INTO audit_log (account_id, email, action) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL \
                    SELECT i + 1 FROM n WHERE i < 50000) SELECT 'acme', 'ana', 'login' FROM n";
        application.execute(many).await.expect("inserts");
    }
    if bed.is_postgres() {
        // How it is read is known before the table is locked.
        let _ = browser.page(&id("acme"), &everything(&filter), &Turn::First, 20).await;
        application.execute("BEGIN; LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE").await.expect("locks");
    }
    let slow = browser.page(&id("acme"), &everything(&filter), &Turn::First, 20).await;
    assert!(matches!(slow, Err(SourceError::TooSlow(_))), "{slow:?}");
    let slow = browser.count(&id("acme"), &everything(&filter), 20).await;
    assert!(matches!(slow, Err(SourceError::TooSlow(_))), "{slow:?}");
    if bed.is_postgres() {
        application.execute("ROLLBACK").await.expect("unlocks");
        let filter = RecordFilter::default();
        let page = browser.page(&id("acme"), &everything(&filter), &Turn::First, 20).await.expect("a page");
        assert_eq!(page.records.len(), 1);
    }
}
