//! Destinations that wait for the proof of their owners.

use crate::support::by;
use auditferry::ledger::{ChangeFilter, LedgerError, NewProof, Proof, TokenHash};
use auditferry::secrets::keys::{SealedSecret, WrappedKey};
use auditferry_core::model::destination::{Destination, Place, S3Credentials, SealedId};

use crate::ledger_contract::bed::{Bed, account, at, bucket, id};

const TOKEN: TokenHash = [7; 32];
const OTHER: TokenHash = [8; 32];

/// A bucket that is written to as the worker itself.
fn ambient(name: &str) -> Destination {
    let mut destination = bucket(name);
    if let Place::S3(s3) = &mut destination.place {
        s3.credentials = S3Credentials::Ambient;
    }
    destination
}

/// A proof that is asked for at one o'clock, and late at two.
fn asked(token: TokenHash) -> NewProof {
    NewProof {
        key: "auditferry-probe/ownership-1.txt".to_owned(),
        token_sha256: token,
        asked_at: at("01:00"),
        expires_at: at("02:00"),
        tries: 2,
    }
}

fn secret(id: &str) -> SealedSecret {
    let wrapped = WrappedKey { key: "a".to_owned(), data_key: vec![1] };
    SealedSecret { id: SealedId(id.to_owned()), wrapped, ciphertext: vec![2] }
}

impl Bed {
    async fn awaiting(&self, destination: &Destination) -> u64 {
        self.ledger.await_proof(&by(), &id("acme"), destination, &[], &asked(TOKEN)).await.unwrap()
    }

    async fn proves(&self, token: TokenHash, now: &str) -> Proof {
        self.ledger.prove(&by(), &id("acme"), &token, at(now)).await.unwrap()
    }

    async fn in_force(&self) -> Option<Destination> {
        self.ledger.destination(&id("acme")).await.unwrap()
    }
}

pub(crate) async fn a_destination_waits_beside_the_one_in_force(bed: Bed) {
    let lease = bed.planned("acme").await;
    let before = bed.account("acme").await;
    assert_eq!(bed.awaiting(&ambient("own")).await, 2);
    assert_eq!((bed.in_force().await, bed.account("acme").await), (Some(bucket("first")), before));
    // Another process, as after a restart, knows it too.
    let again = crate::ledger_contract::bed::open(&bed.url).await;
    let awaited = again.awaited_proof(&id("acme")).await.unwrap().expect("awaited");
    assert_eq!((awaited.version, &awaited.destination), (2, &ambient("own")));
    assert_eq!((awaited.token_sha256, awaited.tries_left), (TOKEN, 2));
    assert_eq!((awaited.asked_at, awaited.expires_at), (at("01:00"), at("02:00")));
    assert_eq!(bed.ledger.proved_at(&id("acme")).await.unwrap(), None);

    let given = Proof::Given { destination: Box::new(ambient("own")), version: 2 };
    assert_eq!(bed.proves(TOKEN, "01:59").await, given);
    assert_eq!(bed.in_force().await, Some(ambient("own")));
    assert_eq!(bed.ledger.proved_at(&id("acme")).await.unwrap(), Some(at("01:59")));
    assert_eq!(bed.ledger.awaited_proof(&id("acme")).await.unwrap(), None);
    assert_eq!(bed.proves(TOKEN, "01:59").await, Proof::NotAwaited);
    // The window in delivery keeps its own.
    assert_eq!(bed.open(&lease.account).await.destination, bucket("first"));
    let filter = ChangeFilter { limit: 2, ..ChangeFilter::default() };
    let told = bed.ledger.changes(&filter).await.unwrap();
    assert_eq!([&told[0].action, &told[1].action], ["destination proved", "proof awaited"]);
    assert!(!format!("{told:?}").contains("7, 7"), "{told:?}");
}

pub(crate) async fn wrong_tokens_are_counted_and_late_ones_refused(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    bed.awaiting(&ambient("own")).await;
    assert_eq!(bed.proves(TOKEN, "02:00").await, Proof::Late);
    assert_eq!(bed.proves(OTHER, "01:00").await, Proof::Wrong { left: 1 });
    // Asked again, the newest token counts, with tries of its own.
    bed.ledger.await_proof(&by(), &id("acme"), &ambient("own"), &[], &asked(OTHER)).await.unwrap();
    assert_eq!(bed.proves(TOKEN, "01:00").await, Proof::Wrong { left: 1 });
    assert_eq!(bed.proves(TOKEN, "01:00").await, Proof::Wrong { left: 0 });
    assert_eq!(bed.proves(OTHER, "01:00").await, Proof::NotAwaited);
    assert_eq!(bed.in_force().await, None);
    assert!(matches!(
        bed.ledger.prove(&by(), &id("nobody"), &TOKEN, at("01:00")).await,
        Err(LedgerError::NoAccount(_))
    ));
}

pub(crate) async fn what_is_used_as_the_worker_itself_is_not_set_unproved(bed: Bed) {
    bed.ready("acme").await;
    let refused = bed.ledger.set_destination(&by(), &id("acme"), &ambient("own"), &[]).await;
    assert!(
        matches!(refused, Err(LedgerError::Refused(why)) if why.to_string().contains("has not proved it theirs"))
    );
    assert_eq!(bed.in_force().await, Some(bucket("first")));
    // What is set meanwhile is what was wanted last.
    bed.awaiting(&ambient("own")).await;
    bed.ledger.set_destination(&by(), &id("acme"), &bucket("second"), &[]).await.unwrap();
    assert_eq!(bed.proves(TOKEN, "01:00").await, Proof::NotAwaited);
    bed.awaiting(&ambient("own")).await;
    assert!(bed.ledger.withdraw_proof(&by(), &id("acme")).await.unwrap());
    assert!(!bed.ledger.withdraw_proof(&by(), &id("acme")).await.unwrap());
    assert_eq!(bed.proves(TOKEN, "01:00").await, Proof::NotAwaited);
}

pub(crate) async fn a_proof_counts_for_the_same_place_only(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    bed.awaiting(&ambient("own")).await;
    bed.proves(TOKEN, "01:00").await;
    for destination in [bucket("own"), ambient("own")] {
        bed.ledger.set_destination(&by(), &id("acme"), &destination, &[]).await.unwrap();
        assert_eq!(bed.ledger.proved_at(&id("acme")).await.unwrap(), Some(at("01:00")));
    }
    assert!(bed.ledger.set_destination(&by(), &id("acme"), &ambient("other"), &[]).await.is_err());
    bed.ledger.set_destination(&by(), &id("acme"), &bucket("other"), &[]).await.unwrap();
    assert_eq!(bed.ledger.proved_at(&id("acme")).await.unwrap(), None);
    assert!(bed.ledger.set_destination(&by(), &id("acme"), &ambient("own"), &[]).await.is_err());
}

pub(crate) async fn the_secrets_of_a_destination_that_waits_stay(bed: Bed) {
    bed.ready("acme").await;
    let acme = id("acme");
    let await_with = |name: &'static str| {
        let ledger = bed.ledger.clone();
        async move {
            ledger.await_proof(&by(), &id("acme"), &ambient("own"), &[secret(name)], &asked(TOKEN)).await
        }
    };
    let held = |name: &'static str| {
        let ledger = bed.ledger.clone();
        async move { ledger.sealed_secret(&id("acme"), &SealedId(name.to_owned())).await.unwrap().is_some() }
    };
    await_with("one").await.unwrap();
    bed.ledger.set_destination(&by(), &acme, &bucket("second"), &[secret("two")]).await.unwrap();
    assert!(!held("one").await && held("two").await, "it waits no more");
    await_with("three").await.unwrap();
    await_with("four").await.unwrap();
    assert!(!held("three").await && held("four").await && held("two").await);
    bed.proves(TOKEN, "01:00").await;
    assert!(held("four").await && !held("two").await);
}
