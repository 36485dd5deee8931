//! Channels, and notices on their way.

use std::time::Duration;

use auditferry::ledger::{ChangeFilter, ClaimedNotice, Sent, StoredState};
use auditferry::secrets::keys::{SealedSecret, WrappedKey};
use auditferry_core::model::destination::{SealedId, SecretRef};
use auditferry_core::model::notification::{
    Audience, Change, Detail, Disabled, Item, Language, Notice, NotificationChannel, PreviousSecret, Target,
    Topic,
};
use auditferry_core::protocol::notify::{Known, NoticeState};

use super::bed::{Bed, at, id};
use crate::support::by;

const MINUTE: Duration = Duration::from_secs(60);

fn secret(id: &str) -> SealedSecret {
    SealedSecret {
        id: SealedId(id.to_owned()),
        wrapped: WrappedKey { key: "k1".to_owned(), data_key: vec![1] },
        ciphertext: vec![2],
    }
}

fn webhook(secret: &str, previous: Option<&str>) -> Target {
    let sealed = |id: &str| SecretRef::Sealed(SealedId(id.to_owned()));
    Target::Webhook {
        url: "https://hooks.example.com/HUSH".to_owned(),
        secret: sealed(secret),
        previous: previous.map(|id| PreviousSecret { secret: sealed(id), until: at("05:00") }),
    }
}

fn channel(id: &str, audience: Audience) -> NotificationChannel {
    NotificationChannel {
        id: id.to_owned(),
        audience,
        target: webhook("s1", None),
        language: Language::De,
        created_at: at("04:00"),
        created_by: "ana".to_owned(),
        disabled: None,
    }
}

fn notice(id: &str) -> Notice {
    let detail = Detail { kind: Some("denied".to_owned()), ..Detail::default() };
    let (topic, change) = (Topic::Export, Change::Began);
    let item = Item { account: None, topic, change, since: at("04:00"), detail };
    Notice { id: id.to_owned(), at: at("04:00"), test: false, items: vec![item], more: 3 }
}

fn state(revision: u64) -> StoredState {
    let known = Known { since: at("04:00"), progress: None, told: None };
    let state = NoticeState { told_at: Some(at("04:00")), topics: [(Topic::Workers, known)].into() };
    StoredState { subject: "operator/workers".to_owned(), account: None, state, revision }
}

async fn operators(bed: &Bed, id: &str) {
    bed.ledger.add_channel(&by(), &channel(id, Audience::Operator), &[secret("s1")]).await.unwrap();
}

async fn queue(bed: &Bed, id: &str) -> bool {
    bed.ledger.queue(&[], Some((&Audience::Operator, &notice(id)))).await.unwrap()
}

async fn claim(bed: &Bed) -> Vec<ClaimedNotice> {
    bed.ledger.claim_notices(10, MINUTE).await.unwrap()
}

pub(crate) async fn a_channel_reads_back_and_is_told(bed: Bed) {
    let acme = bed.ready("acme").await;
    operators(&bed, "n1").await;
    let contacts = channel("n2", Audience::Contacts(acme.clone()));
    bed.ledger.add_channel(&by(), &contacts, &[secret("s1")]).await.unwrap();
    let all = bed.ledger.channels(None, 10).await.unwrap();
    assert_eq!(all, [channel("n1", Audience::Operator), contacts.clone()]);
    assert_eq!(bed.ledger.channels(Some("n1"), 10).await.unwrap(), [contacts]);
    let mut audiences = bed.ledger.audiences().await.unwrap();
    audiences.sort_unstable();
    assert_eq!(audiences, [Audience::Operator, Audience::Contacts(acme.clone())]);

    let removed = bed.ledger.remove_channel(&by(), "n1").await.unwrap().unwrap();
    assert_eq!(removed.id, "n1");
    assert_eq!(bed.ledger.remove_channel(&by(), "n1").await.unwrap(), None);
    let log = bed.ledger.changes(&ChangeFilter { limit: 3, ..ChangeFilter::default() }).await.unwrap();
    let told: Vec<_> = log.iter().map(|change| (change.action.as_str(), change.account.clone())).collect();
    assert_eq!(
        told,
        [("notification removed", None), ("notification added", Some(acme)), ("notification added", None)]
    );
    assert!(!format!("{log:?}").contains("HUSH"), "{log:?}");
}

pub(crate) async fn a_changed_target_forgets_its_old_secrets(bed: Bed) {
    operators(&bed, "n1").await;
    bed.ledger.disable_channel("n1", &Disabled { at: at("04:00"), reason: "410".to_owned() }).await.unwrap();
    let both = webhook("s2", Some("s1"));
    let after = bed.ledger.set_target(&by(), "n1", &both, &[secret("s2")]).await.unwrap().unwrap();
    assert_eq!((&after.target, &after.disabled), (&both, &None));
    assert_eq!(bed.ledger.channel("n1").await.unwrap(), Some(after));
    let held =
        async |id: &str| bed.ledger.channel_secret("n1", &SealedId(id.to_owned())).await.unwrap().is_some();
    assert!(held("s1").await && held("s2").await);
    assert_eq!(bed.ledger.key_uses().await.unwrap()[0].secrets, 2);
    bed.ledger.set_target(&by(), "n1", &webhook("s2", None), &[]).await.unwrap().unwrap();
    assert!(!held("s1").await && held("s2").await);

    let from = secret("s2").wrapped;
    let to = WrappedKey { key: "k2".to_owned(), data_key: vec![9] };
    let s2 = SealedId("s2".to_owned());
    assert!(bed.ledger.rewrap_channel_secret(&by(), "n1", &s2, &from, &to).await.unwrap());
    assert!(!bed.ledger.rewrap_channel_secret(&by(), "n1", &s2, &from, &to).await.unwrap());
    assert_eq!(bed.ledger.channel_secrets(None, Some("k2"), 10).await.unwrap().len(), 0);
    let all = bed.ledger.channel_secrets(None, Some("k1"), 10).await.unwrap();
    assert_eq!((all[0].channel.as_str(), &all[0].secret.wrapped), ("n1", &to));
    assert_eq!(bed.ledger.set_target(&by(), "other", &both, &[]).await.unwrap(), None);
}

pub(crate) async fn a_notice_is_stored_with_its_state_or_not_at_all(bed: Bed) {
    let both = async |revision, id: &str| {
        let told = (&Audience::Operator, &notice(id));
        bed.ledger.queue(&[state(revision)], Some(told)).await.unwrap()
    };
    let states = async || bed.ledger.notice_states(None, 10).await.unwrap();
    assert!(!both(0, "m0").await, "nobody is there to be told");
    assert_eq!(states().await, []);

    operators(&bed, "n1").await;
    assert!(both(0, "m1").await);
    assert_eq!(states().await, [state(1)]);
    assert!(!both(0, "m2").await, "another worker was faster");
    assert!(both(1, "m3").await);
    assert!(!both(1, "m4").await);
    assert_eq!(states().await, [state(2)]);
    let rows = bed.ledger.notices(None, 10).await.unwrap();
    let mut queued: Vec<_> = rows.iter().map(|row| row.notice.id.as_str()).collect();
    queued.sort_unstable();
    assert_eq!(queued, ["m1", "m3"]);
    assert_eq!(rows[0].notice.items, notice("m1").items);

    let spent = StoredState { state: NoticeState::default(), ..state(2) };
    assert!(bed.ledger.queue(&[spent], None).await.unwrap());
    assert_eq!(states().await, []);
}

pub(crate) async fn a_notice_is_sent_by_one_at_a_time(bed: Bed) {
    operators(&bed, "n1").await;
    operators(&bed, "n2").await;
    assert!(queue(&bed, "m1").await);
    let (one, other) = tokio::join!(claim(&bed), claim(&bed));
    let mut taken: Vec<_> = one.iter().chain(&other).map(|claimed| claimed.channel.id.as_str()).collect();
    taken.sort_unstable();
    assert_eq!(taken, ["n1", "n2"], "each once");
    assert!(claim(&bed).await.is_empty());

    // Whoever had them has died.
    let past = if bed.is_postgres() { "timestamptz 'epoch'" } else { "0" };
    bed.execute(&format!("UPDATE notification_outbox SET claimed_until = {past}")).await;
    let again = claim(&bed).await;
    assert_eq!(again.iter().map(|claimed| claimed.attempt).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(again[0].notice, notice("m1"), "the same id and content");
    assert_eq!(bed.ledger.claim_notices(1, MINUTE).await.unwrap(), []);
}

pub(crate) async fn what_came_of_a_try_is_kept(bed: Bed) {
    operators(&bed, "n1").await;
    for id in ["m1", "m2", "m3"] {
        assert!(queue(&bed, id).await);
    }
    let claimed = claim(&bed).await;
    let of = |id: &str| claimed.iter().find(|claimed| claimed.notice.id == id).unwrap();
    let later = Sent::Later(at("23:59") + Duration::from_secs(3_000_000_000));
    bed.ledger.note_sent(of("m1"), &Sent::Delivered, "HTTP 204").await.unwrap();
    bed.ledger.note_sent(of("m2"), &later, "HTTP 500").await.unwrap();
    bed.ledger.note_sent(of("m3"), &Sent::GivenUp, "HTTP 500").await.unwrap();
    assert!(claim(&bed).await.is_empty(), "none is due");
    let rows = bed.ledger.notices(None, 10).await.unwrap();
    let row = |id: &str| rows.iter().find(|row| row.notice.id == id).unwrap();
    assert!(row("m1").delivered_at.is_some() && row("m1").next_try_at.is_none());
    assert!(row("m2").delivered_at.is_none() && row("m2").next_try_at.is_some());
    assert!(row("m3").delivered_at.is_none() && row("m3").next_try_at.is_none());
    assert_eq!((row("m2").answer.as_deref(), row("m2").attempts), (Some("HTTP 500"), 1));

    // A late failure does not undo what another try has reached.
    bed.ledger.note_sent(of("m1"), &later, "late").await.unwrap();
    bed.ledger.note_sent(of("m3"), &later, "late").await.unwrap();
    let rows = bed.ledger.notices(None, 10).await.unwrap();
    assert!(rows.iter().all(|row| row.answer.as_deref() != Some("late")), "{rows:?}");
    bed.ledger.forget_notices(at("05:00")).await.unwrap();
    assert_eq!(bed.ledger.notices(None, 10).await.unwrap(), []);
}

pub(crate) async fn a_disabled_channel_gets_nothing(bed: Bed) {
    operators(&bed, "n1").await;
    assert!(queue(&bed, "m1").await);
    let claimed = claim(&bed).await.remove(0);
    bed.ledger.disable_channel("n1", &Disabled { at: at("04:00"), reason: "gone".to_owned() }).await.unwrap();
    bed.ledger.note_sent(&claimed, &Sent::Later(at("04:00")), "late").await.unwrap();
    assert!(claim(&bed).await.is_empty(), "what was on its way is given up");
    assert!(!queue(&bed, "m2").await);
    assert_eq!(bed.ledger.audiences().await.unwrap(), []);
    let disabled = bed.ledger.channel("n1").await.unwrap().unwrap().disabled.unwrap();
    assert_eq!((disabled.at, disabled.reason.as_str()), (at("04:00"), "gone"));
}

pub(crate) async fn an_accounts_notices_are_its_own_and_go_with_it(bed: Bed) {
    let (acme, bolt) = (bed.ready("acme").await, bed.ready("bolt").await);
    for (name, account) in [("n1", &acme), ("n2", &bolt)] {
        let contacts = channel(name, Audience::Contacts(account.clone()));
        bed.ledger.add_channel(&by(), &contacts, &[secret("s1")]).await.unwrap();
    }
    operators(&bed, "n3").await;
    let subject =
        StoredState { subject: "contacts/account/acme".to_owned(), account: Some(acme.clone()), ..state(0) };
    let told = (&Audience::Contacts(acme.clone()), &notice("m1"));
    assert!(bed.ledger.queue(std::slice::from_ref(&subject), Some(told)).await.unwrap());
    let rows = bed.ledger.notices(None, 10).await.unwrap();
    assert_eq!((rows.len(), rows[0].channel.as_str(), rows[0].account.as_ref()), (1, "n1", Some(&acme)));
    assert_eq!(bed.ledger.notices(Some(&bolt), 10).await.unwrap(), []);

    bed.ledger.remove_account(&by(), &acme).await.unwrap();
    assert_eq!(bed.ledger.notices(None, 10).await.unwrap(), []);
    assert_eq!(bed.ledger.notice_states(None, 10).await.unwrap(), []);
    assert_eq!(bed.ledger.channels(None, 10).await.unwrap().len(), 2);
    assert!(!bed.ledger.queue(&[subject], None).await.unwrap(), "there is no such account");
    assert_eq!(id("acme"), acme);
}

pub(crate) async fn a_turn_is_one_workers(bed: Bed) {
    let (one, other) =
        tokio::join!(bed.ledger.take_turn("notices", MINUTE), bed.ledger.take_turn("notices", MINUTE));
    assert_eq!(u8::from(one.unwrap()) + u8::from(other.unwrap()), 1);
    assert!(bed.ledger.take_turn("else", Duration::ZERO).await.unwrap());
    assert!(bed.ledger.take_turn("else", MINUTE).await.unwrap(), "its time is over");
}
