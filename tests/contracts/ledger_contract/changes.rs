//! The log of changes: every change of a person is in it, with what it changed, for ever.

use crate::support::by;
use auditferry::ledger::{Account, Change, ChangeFilter, NewReplay};
use auditferry::secrets::keys::{SealedSecret, WrappedKey};
use auditferry_core::model::actor::{Actor, ActorKind, By, Channel};
use auditferry_core::model::destination::SealedId;
use auditferry_core::refusal::{Refusal, RefusalCode};
use jiff::SignedDuration;

use crate::ledger_contract::bed::{Bed, account, at, bucket, gap, id};

impl Bed {
    async fn changes(&self, filter: ChangeFilter) -> Vec<Change> {
        self.ledger.changes(&ChangeFilter { limit: 100, ..filter }).await.unwrap()
    }

    /// The newest change, as `action: field from -> to, …`.
    async fn newest(&self) -> String {
        let change = self.changes(ChangeFilter::default()).await.swap_remove(0);
        assert_eq!((change.by, change.account), (by().actor.name, Some(id("acme"))));
        let fields: Vec<String> =
            change.fields.iter().map(|f| format!("{} {} -> {}", f.field, f.from, f.to)).collect();
        format!("{}: {}", change.action, fields.join(", "))
    }

    async fn told_after(&self, edit: impl Fn(&mut Account) + Send + Sync) -> String {
        self.edit("acme", edit).await;
        self.newest().await
    }
}

pub(crate) async fn every_change_of_an_account_is_told(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    let added = bed.newest().await;
    assert!(added.starts_with("account added: zone null -> \"UTC\", schedule null"), "{added}");

    let zone = bed.told_after(|account| account.zone = "Asia/Kolkata".to_owned()).await;
    assert_eq!(zone, "account changed: zone \"UTC\" -> \"Asia/Kolkata\"");
    let addon = bed.told_after(|account| account.addon.enabled = false).await;
    assert_eq!(addon, "add-on changed: addon.enabled true -> false");

    let secret = SealedSecret {
        id: SealedId("f00d".to_owned()),
        wrapped: WrappedKey { key: "a".to_owned(), data_key: vec![1] },
        ciphertext: vec![2],
    };
    bed.ledger
        .set_destination(&by(), &id("acme"), &bucket("first"), std::slice::from_ref(&secret))
        .await
        .unwrap();
    let set = bed.newest().await;
    assert!(set.starts_with("destination set: ") && set.contains("bucket null -> \"first\""), "{set}");
    bed.ledger
        .set_destination(
            &by(),
            &id("acme"),
            &bucket("second"),
            std::slice::from_ref(&SealedSecret { id: SealedId("beef".to_owned()), ..secret.clone() }),
        )
        .await
        .unwrap();
    let replaced = bed.newest().await;
    assert!(
        replaced.contains("bucket \"first\" -> \"second\"") && !replaced.contains("region"),
        "{replaced}"
    );

    let to = WrappedKey { key: "b".to_owned(), data_key: vec![3] };
    assert!(
        bed.ledger
            .rewrap(&by(), &id("acme"), &SealedId("beef".to_owned()), &secret.wrapped, &to)
            .await
            .unwrap()
    );
    assert_eq!(bed.newest().await, "key rotated: secret beef \"a\" -> \"b\"");

    let mut watermark = bed.account("acme").await.watermark;
    watermark.at = at("02:00");
    bed.ledger.skip_to(&by(), &id("acme"), &watermark, gap(at("02:00")), &mut |_| Ok(())).await.unwrap();
    let skipped = bed.newest().await;
    assert!(
        skipped.starts_with("records skipped: watermark_at") && skipped.contains("T02:00:00Z"),
        "{skipped}"
    );
    bed.ledger.rewind(&by(), &id("acme"), &watermark, &mut |_| Ok(())).await.unwrap();
    assert_eq!(bed.newest().await, "account rewound: generation 1 -> 2");

    let removed = bed.told_after(|account| account.destination_version = None).await;
    assert_eq!(removed, "destination removed: destination_version 2 -> null");
    bed.ledger.remove_account(&by(), &id("acme")).await.unwrap();
    let gone = bed.newest().await;
    assert!(gone.starts_with("account removed: zone \"Asia/Kolkata\" -> null"), "{gone}");
    assert_eq!(bed.changes(ChangeFilter::default()).await.len(), 10, "its log outlives the account");
}

pub(crate) async fn what_changes_nothing_or_is_refused_is_not_told(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    let told = bed.changes(ChangeFilter::default()).await;
    bed.ledger.edit_account(&by(), &id("acme"), &mut |_| Ok(())).await.unwrap();
    let refused = bed
        .ledger
        .edit_account(&by(), &id("acme"), &mut |account| {
            account.zone = "Asia/Kolkata".to_owned();
            Err(Refusal::new(RefusalCode::InvalidValue, "no").into())
        })
        .await;
    assert!(refused.is_err());
    assert!(bed.ledger.add_account(&by(), &account("acme")).await.is_err());
    assert!(bed.ledger.remove_account(&by(), &id("nobody")).await.is_err());
    let unread = WrappedKey { key: "a".to_owned(), data_key: vec![1] };
    assert!(
        !bed.ledger.rewrap(&by(), &id("acme"), &SealedId("x".to_owned()), &unread, &unread).await.unwrap()
    );
    assert_eq!(bed.changes(ChangeFilter::default()).await, told);
}

pub(crate) async fn a_change_waits_until_it_is_told(bed: Bed) {
    for name in ["acme", "other"] {
        bed.ledger.add_account(&by(), &account(name)).await.unwrap();
    }
    bed.edit("acme", |account| account.zone = "Asia/Kolkata".to_owned()).await;
    let untold = async |limit| -> Vec<u64> {
        bed.ledger.pending_changes(limit).await.unwrap().iter().map(|change| change.number).collect()
    };
    let all = untold(10).await;
    assert_eq!(all.len(), 3);
    assert_eq!(untold(2).await, all[..2]);
    bed.ledger.mark_published(&[all[1]]).await.unwrap();
    assert_eq!(untold(10).await, [all[0], all[2]]);
    bed.ledger.discard_outbox().await.unwrap();
    assert!(untold(10).await.is_empty());
    assert_eq!(bed.changes(ChangeFilter::default()).await.len(), 3, "the log keeps them");
}

pub(crate) async fn a_replay_is_told_with_its_slots(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    let replay = NewReplay {
        as_new: true,
        from: at("04:00"),
        to: at("08:00"),
        destination_version: 2,
        at: at("10:00"),
        go_on_since: at("09:00"),
    };
    bed.ledger.begin_replay(&by(), &id("acme"), &replay).await.unwrap();
    assert_eq!(
        bed.newest().await,
        "replay begun: replay null -> 1, from null -> \"20261121T040000Z\", to null -> \"20261121T080000Z\", \
         as_new null -> true, destination_version null -> 2"
    );
}

pub(crate) async fn who_made_a_change_and_why_is_kept(bed: Bed) {
    let actor = Actor {
        kind: ActorKind::ApiToken,
        id: "tok_7".to_owned(),
        name: "billing".to_owned(),
        channel: Channel::Api,
    };
    let by = By { reason: Some("ticket 4711".to_owned()), ..By::actor(actor) };
    bed.ledger.add_account(&by, &account("acme")).await.unwrap();
    let change = bed.changes(ChangeFilter::default()).await.swap_remove(0);
    let who = (change.by.as_str(), change.actor_kind, change.actor_id.as_deref(), change.channel);
    assert_eq!(who, ("billing", Some(ActorKind::ApiToken), Some("tok_7"), Some(Channel::Api)));
    assert_eq!(change.reason.as_deref(), Some("ticket 4711"));
    assert_eq!(bed.ledger.pending_changes(10).await.unwrap(), [change]);
}

pub(crate) async fn changes_can_be_filtered(bed: Bed) {
    for name in ["acme", "other"] {
        bed.ledger.add_account(&by(), &account(name)).await.unwrap();
    }
    let all = bed.changes(ChangeFilter::default()).await;
    assert_eq!(
        all.iter().map(|change| change.account.as_ref().unwrap().as_str()).collect::<Vec<_>>(),
        ["other", "acme"]
    );
    let of_acme = ChangeFilter { account: Some(id("acme")), ..ChangeFilter::default() };
    assert_eq!(bed.changes(of_acme).await, all[1..]);
    let named = |name: &str| ChangeFilter { by: Some(name.to_owned()), ..ChangeFilter::default() };
    assert_eq!(bed.changes(named(&by().actor.name)).await, all);
    assert!(bed.changes(named("%")).await.is_empty(), "a name is no pattern");
    let later = all[0].at + SignedDuration::from_secs(1);
    let since = ChangeFilter { since: Some(later), ..ChangeFilter::default() };
    assert!(bed.changes(since).await.is_empty());
    let until = ChangeFilter { until: Some(later), since: Some(all[1].at), ..ChangeFilter::default() };
    assert_eq!(bed.changes(until).await, all);
    assert_eq!(
        bed.ledger.changes(&ChangeFilter { limit: 1, ..ChangeFilter::default() }).await.unwrap(),
        all[..1]
    );
}

pub(crate) async fn what_is_told_cannot_be_changed(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    let told = bed.changes(ChangeFilter::default()).await;
    for sql in [
        "UPDATE change_log SET by_whom = 'nobody'",
        "DELETE FROM change_log",
        "INSERT INTO change_log (seq, by_whom, account, action, fields) VALUES (1, 'a', 'b', 'c', '[]')",
    ] {
        let refused = bed.try_execute(sql).await.expect_err(sql);
        assert!(refused.contains("append-only") || refused.contains("seq"), "{sql}: {refused}");
    }
    assert_eq!(bed.changes(ChangeFilter::default()).await, told);
}
