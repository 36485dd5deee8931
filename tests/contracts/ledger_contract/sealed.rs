//! Sealed secrets: kept for as long as something may need them, and replaced one by one.

use crate::support::by;
use auditferry::ledger::{Account, KeyUse};
use auditferry::secrets::keys::{SealedSecret, WrappedKey};
use auditferry_core::model::destination::SealedId;

use crate::ledger_contract::bed::{Bed, account, bucket, failure, id, object};

fn secret(name: &str, key: &str) -> SealedSecret {
    SealedSecret {
        id: SealedId(name.to_owned()),
        wrapped: WrappedKey { key: key.to_owned(), data_key: vec![0, 1, 255] },
        ciphertext: b"\0ciphertext\xff".to_vec(),
    }
}

impl Bed {
    /// The ids of all sealed secrets.
    async fn sealed_ids(&self) -> Vec<String> {
        let all = self.ledger.sealed_secrets(None, None, 100).await.unwrap();
        all.into_iter().map(|held| held.secret.id.0).collect()
    }

    async fn set(&self, account: &str, bucket_name: &str, secrets: &[SealedSecret]) {
        self.ledger.set_destination(&by(), &id(account), &bucket(bucket_name), secrets).await.unwrap();
    }
}

pub(crate) async fn a_sealed_secret_is_its_accounts_alone(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    bed.ledger.add_account(&by(), &account("other")).await.unwrap();
    bed.set("acme", "first", &[secret("s1", "a"), secret("s2", "a")]).await;
    let one = |account: &'static str, name: &'static str| {
        let ledger = bed.ledger.clone();
        async move { ledger.sealed_secret(&id(account), &SealedId(name.into())).await.unwrap() }
    };
    assert_eq!(one("acme", "s1").await, Some(secret("s1", "a")));
    assert_eq!(one("acme", "s3").await, None);
    assert_eq!(one("other", "s1").await, None);
    bed.ledger.remove_account(&by(), &id("acme")).await.unwrap();
    assert!(bed.sealed_ids().await.is_empty());
}

pub(crate) async fn the_secrets_of_a_replaced_destination_stay_until_its_window_is_done(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    bed.set("acme", "zero", &[secret("s0", "a")]).await;
    bed.set("acme", "first", &[secret("s1", "a")]).await;
    assert_eq!(bed.sealed_ids().await, ["s1"]);
    let lease = bed.take().await;
    bed.ledger.plan(&lease, &crate::ledger_contract::bed::window("04:00", "20")).await.unwrap();
    bed.set("acme", "second", &[secret("s2", "a")]).await;
    assert_eq!(bed.sealed_ids().await, ["s1", "s2"]);
    let facts = object("acme", 1, true);
    bed.seal(&lease, 1, &facts).await;
    assert_eq!(bed.sealed_ids().await, ["s1", "s2"]);
    assert!(bed.deliver(&lease, &facts).await);
    assert_eq!(bed.sealed_ids().await, ["s2"]);
}

pub(crate) async fn the_secrets_of_a_removed_destination_go(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    bed.set("acme", "first", &[secret("s1", "a")]).await;
    let mut remove = |account: &mut Account| {
        account.destination_version = None;
        Ok(())
    };
    bed.ledger.edit_account(&by(), &id("acme"), &mut remove).await.unwrap();
    assert!(bed.sealed_ids().await.is_empty());
}

pub(crate) async fn a_repointed_window_needs_the_old_secrets_no_more(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    bed.set("acme", "first", &[secret("s1", "a")]).await;
    let lease = bed.take().await;
    bed.ledger.plan(&lease, &crate::ledger_contract::bed::window("04:00", "20")).await.unwrap();
    let facts = object("acme", 1, true);
    bed.seal(&lease, 1, &facts).await;
    let attempt = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &attempt, &failure("denied", false)).await.unwrap();
    bed.set("acme", "second", &[secret("s2", "a")]).await;
    assert_eq!(bed.sealed_ids().await, ["s1", "s2"]);
    bed.ledger.repoint(&lease, 1).await.unwrap();
    assert_eq!(bed.sealed_ids().await, ["s2"]);
}

pub(crate) async fn rewrapping_replaces_only_what_was_read(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    bed.set("acme", "first", &[secret("s1", "a")]).await;
    let (from, to) = (secret("s1", "a").wrapped, WrappedKey { key: "b".to_owned(), data_key: vec![9] });
    let name = SealedId("s1".into());
    let rewrap = async |from: &WrappedKey, to: &WrappedKey| {
        bed.ledger.rewrap(&by(), &id("acme"), &name, from, to).await.unwrap()
    };
    let other = WrappedKey { data_key: vec![7], ..from.clone() };
    assert!(!rewrap(&other, &to).await, "another process has changed it meanwhile");
    assert!(rewrap(&from, &to).await);
    assert!(!rewrap(&from, &to).await);
    let stored = bed.ledger.sealed_secret(&id("acme"), &name).await.unwrap().unwrap();
    assert_eq!(stored, SealedSecret { wrapped: to, ..secret("s1", "a") });
}

pub(crate) async fn secrets_come_page_by_page_and_are_counted_by_key(bed: Bed) {
    for (name, key) in [("A", "b"), ("a", "a"), ("é", "b")] {
        bed.ledger.add_account(&by(), &account(name)).await.unwrap();
        bed.set(name, "first", &[secret("s1", key), secret("s2", "a")]).await;
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = bed.ledger.sealed_secrets(after.as_ref(), None, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        after = Some((last.account.clone(), last.secret.id.clone()));
        seen.extend(page.iter().map(|held| format!("{} {}", held.account, held.secret.id)));
        assert!(page.iter().all(|held| held.destination == bucket("first")));
    }
    assert_eq!(seen, ["A s1", "A s2", "a s1", "a s2", "é s1", "é s2"]);
    let not_with_a = bed.ledger.sealed_secrets(None, Some("a"), 100).await.unwrap();
    assert_eq!(not_with_a.iter().map(|held| held.account.as_str()).collect::<Vec<_>>(), ["A", "é"]);
    let uses = bed.ledger.key_uses().await.unwrap();
    let used = |key: &str, secrets| KeyUse { key: key.to_owned(), secrets };
    assert_eq!(uses, [used("a", 4), used("b", 2)]);
}
