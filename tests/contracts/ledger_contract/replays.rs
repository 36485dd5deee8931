//! Replays: what they find of the past, and what is remembered of them.

use crate::support::by;
use auditferry::ledger::{LedgerError, NewReplay, Replay, ReplayFilter, ReplayedObject};
use auditferry_core::model::object_key::ObjectKey;

use crate::ledger_contract::bed::{Bed, at, id, object, window};

fn new(as_new: bool, clock: &str) -> NewReplay {
    NewReplay {
        as_new,
        from: at("04:00"),
        to: at("08:00"),
        destination_version: 1,
        at: at(clock),
        go_on_since: at("10:00"),
    }
}

fn named(key: &str) -> ReplayedObject {
    let key = ObjectKey::stored(key.to_owned());
    ReplayedObject { window: 1, ordinal: 1, key, doubtful: false, outcome: None }
}

impl Bed {
    /// An account with a delivered window of 04:00 and an open one of 08:00.
    async fn with_a_past(&self) {
        let (lease, facts) = self.sealed("acme", true).await;
        self.deliver(&lease, &facts).await;
        self.ledger.plan(&lease, &window("08:00", "30")).await.unwrap();
    }

    async fn replay(&self, as_new: bool, clock: &str) -> Replay {
        self.ledger.begin_replay(&by(), &id("acme"), &new(as_new, clock)).await.unwrap()
    }

    async fn put_again(&self, replay: &Replay, object: &ReplayedObject) -> Result<(), LedgerError> {
        self.ledger.journal_replayed(replay, object, at("12:01")).await
    }
}

pub(crate) async fn the_past_is_found_by_its_slots(bed: Bed) {
    bed.with_a_past().await;
    let past = async |from, to, after| {
        bed.ledger.past_windows(&id("acme"), (at(from), at(to)), after, 10).await.unwrap()
    };
    let both = past("04:00", "08:00", 0).await;
    let told: Vec<_> = both.iter().map(|past| (past.window.slot, past.open, past.objects.len())).collect();
    assert_eq!(told, [(at("04:00"), false, 1), (at("08:00"), true, 0)]);
    let (found, delivered) = (&both[0].objects[0], object("acme", 1, true));
    assert_eq!((&found.key, &found.cursor), (&delivered.key, &delivered.cursor));
    assert_eq!((found.records, &found.content_sha256), (3, &delivered.content_sha256));
    assert_eq!(past("04:01", "08:00", 0).await.len(), 1);
    assert_eq!(past("04:00", "07:59", 0).await.len(), 1);
    assert_eq!(past("04:00", "08:00", 2).await.len(), 0);
}

fn listed(account: Option<&str>, key: Option<&str>) -> ReplayFilter {
    ReplayFilter { account: account.map(id), key: key.map(str::to_owned), after: None, limit: 10 }
}

pub(crate) async fn a_replay_changes_nothing_that_workers_read(bed: Bed) {
    bed.with_a_past().await;
    let before = format!("{:?} {:?}", bed.account("acme").await, bed.open(&id("acme")).await);
    let replay = bed.replay(true, "12:00").await;
    bed.put_again(&replay, &named("new.zip")).await.unwrap();
    let done = ReplayedObject { outcome: Some("created".to_owned()), ..named("new.zip") };
    bed.ledger.finish_replayed(&replay, &done, None, at("12:02")).await.unwrap();
    bed.ledger.finish_replay(&replay, at("12:03")).await.unwrap();
    assert_eq!(format!("{:?} {:?}", bed.account("acme").await, bed.open(&id("acme")).await), before);

    for key in [None, Some("new.zip"), Some(object("acme", 1, true).key.as_str())] {
        let rows = bed.ledger.replays(&listed(Some("acme"), key)).await.unwrap();
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((row.put_as.as_str(), &row.operator), ("new.zip", &by().actor.name));
        assert_eq!((row.started_at, row.finished_at), (at("12:01"), Some(at("12:02"))));
        assert_eq!(row.outcome.as_deref(), Some("created"));
    }
    assert_eq!(bed.ledger.replays(&listed(None, Some("other.zip"))).await.unwrap(), []);
    bed.ledger.remove_account(&by(), &id("acme")).await.unwrap();
    assert_eq!(bed.ledger.replays(&listed(None, None)).await.unwrap(), []);
}

pub(crate) async fn an_unfinished_replay_is_gone_on_with(bed: Bed) {
    bed.with_a_past().await;
    let first = bed.replay(true, "12:00").await;
    bed.put_again(&first, &named("new.zip")).await.unwrap();
    let again = bed.replay(true, "12:05").await;
    assert_eq!(again.number, first.number);
    let doubtful = ReplayedObject { doubtful: true, ..named("new.zip") };
    assert_eq!(again.earlier, [doubtful]);
    // Under their own names nothing can be there twice, and other slots are another replay.
    assert_eq!(bed.replay(false, "12:05").await.number, 2);
    assert_eq!(bed.replay(false, "12:05").await.number, 3);
    let elsewhere = NewReplay { to: at("07:00"), ..new(true, "12:05") };
    assert_eq!(bed.ledger.begin_replay(&by(), &id("acme"), &elsewhere).await.unwrap().number, 4);
    let moved = NewReplay { destination_version: 2, ..new(true, "12:05") };
    assert_eq!(bed.ledger.begin_replay(&by(), &id("acme"), &moved).await.unwrap().number, 5);
    let late = NewReplay { go_on_since: at("12:01"), ..new(true, "12:05") };
    assert_eq!(bed.ledger.begin_replay(&by(), &id("acme"), &late).await.unwrap().number, 6);
    for replay in [first, Replay { number: 6, ..again }] {
        bed.ledger.finish_replay(&replay, at("12:06")).await.unwrap();
    }
    assert_eq!(bed.replay(true, "12:07").await.number, 7);
}

pub(crate) async fn a_replayed_object_has_one_name_while_its_outcome_is_unknown(bed: Bed) {
    bed.with_a_past().await;
    let replay = bed.replay(true, "12:00").await;
    bed.put_again(&replay, &named("one.zip")).await.unwrap();
    for other in [named("two.zip"), ReplayedObject { doubtful: true, ..named("two.zip") }, named("one.zip")] {
        let refused = bed.put_again(&replay, &other).await;
        assert!(matches!(refused, Err(LedgerError::Refused(_))), "{other:?}: {refused:?}");
    }
    bed.put_again(&replay, &ReplayedObject { doubtful: true, ..named("one.zip") }).await.unwrap();
    // Refused for sure: it is not there, and gets the name of another time.
    let refused = ReplayedObject { outcome: Some("denied".to_owned()), ..named("one.zip") };
    bed.ledger.finish_replayed(&replay, &refused, Some("HTTP 403"), at("12:02")).await.unwrap();
    bed.put_again(&replay, &named("two.zip")).await.unwrap();
    let done = ReplayedObject { outcome: Some("created".to_owned()), ..named("two.zip") };
    bed.ledger.finish_replayed(&replay, &done, None, at("12:03")).await.unwrap();
    assert!(bed.put_again(&replay, &named("three.zip")).await.is_err(), "it is there");
}
