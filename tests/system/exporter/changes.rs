//! Accounts that change while they export: their destination, their add-on, their source.

use auditferry::demo::bucket::EmbeddedBucket;

use super::{Rig, SECRET, acme, at, holding, objects};
use crate::support::by;
use crate::support::run;
use auditferry_core::model::bound::Bound;
use auditferry_core::model::format::Format;
use auditferry_core::protocol::Hold;

#[test]
fn a_destination_that_is_replaced_gets_what_the_old_one_refused() {
    run(async {
        let rig = Rig::new(Format::default()).await;
        rig.set_bucket("missing").await;
        rig.insert(&["01:00"]).await;
        assert_eq!(rig.run_at("04:00").await, ["acme"]);
        let account = rig.account().await;
        assert_eq!(account.trouble.unwrap().kind.as_str(), "no_such_bucket");
        assert_eq!(account.open_window, Some(1));
        rig.insert(&["05:00"]).await;
        rig.set_bucket("first").await;
        rig.deliver_at("04:01").await;
        assert_eq!(rig.objects(), holding(&[("040000Z", &["01:00"])]));
        rig.deliver_at("08:00").await;
        assert_eq!(rig.objects(), holding(&[("040000Z", &["01:00"]), ("080000Z", &["05:00"])]));
        assert_eq!(rig.account().await.trouble, None);
    });
}

#[test]
fn a_destination_that_is_replaced_within_a_window_gets_the_rest_of_it() {
    run(async {
        let rig = Rig::new(Format { max_records: 600, ..Format::default() }).await;
        let names = rig.stopped_after_the_first_object().await;
        let listen = "127.0.0.1:0".parse().unwrap();
        let root = rig.folder.join("other");
        let other = EmbeddedBucket::start(&root, "second", "AKIA", SECRET, listen).await.unwrap();
        rig.ledger.set_destination(&by(), &acme(), &rig.destination(&other, "second"), &[]).await.unwrap();
        rig.deliver_at("04:30").await;
        let (first, second) = (rig.objects(), objects(&root.join("second")));
        assert_eq!(first.keys().collect::<Vec<_>>(), ["040000Z"]);
        assert_eq!(second.keys().collect::<Vec<_>>(), ["040000Z_0002", "040000Z_0003"]);
        let delivered: Vec<_> = first.into_values().chain(second.into_values()).flatten().collect();
        assert_eq!(delivered, names);
    });
}

#[test]
fn an_addon_that_ends_delivers_up_to_its_end_and_later_the_rest_once() {
    run(async {
        let rig = Rig::new(Format::default()).await;
        rig.edit(|account| account.addon.until = Some(at("06:00"))).await;
        rig.insert(&["01:00"]).await;
        rig.deliver_at("04:00").await;
        assert_eq!(rig.account().await.next_slot, Some(at("06:00")), "the end is the last slot");
        rig.insert(&["05:00", "07:00", "06:00", "05:59"]).await;
        rig.deliver_at("08:00").await;
        let ended = holding(&[("040000Z", &["01:00"]), ("060000Z", &["05:00", "05:59"])]);
        assert_eq!(rig.objects(), ended);
        // Nothing more, however long it takes.
        rig.insert(&["09:00", "05:30"]).await;
        rig.deliver_at("12:00").await;
        assert_eq!(rig.objects(), ended);
        assert_eq!(rig.ledger.next_due(&[]).await.unwrap(), None);

        rig.edit(|account| {
            account.addon.until = None;
            account.next_slot = Some(at("16:00"));
        })
        .await;
        rig.insert(&["13:00"]).await;
        rig.deliver_at("16:00").await;
        let mut all = ended;
        all.extend(holding(&[("160000Z", &["07:00", "06:00", "09:00", "05:30", "13:00"])]));
        assert_eq!(rig.objects(), all);
        rig.deliver_at("20:00").await;
        assert_eq!(rig.objects(), all);
    });
}

#[test]
fn a_disabled_addon_delivers_nothing_and_goes_on_from_its_watermark() {
    run(async {
        let rig = Rig::new(Format::default()).await;
        rig.insert(&["01:00"]).await;
        rig.edit(|account| account.addon.enabled = false).await;
        rig.deliver_at("04:00").await;
        assert_eq!(rig.objects(), holding(&[]));
        rig.edit(|account| account.addon.enabled = true).await;
        rig.insert(&["07:00"]).await;
        rig.deliver_at("08:00").await;
        assert_eq!(rig.objects(), holding(&[("080000Z", &["01:00", "07:00"])]));
    });
}

#[test]
fn a_source_that_went_back_holds_the_account() {
    run(async {
        let rig = Rig::new(Format::default()).await;
        rig.insert(&["01:00"]).await;
        rig.edit(|account| account.watermark.bound = Bound("999".to_owned())).await;
        assert_eq!(rig.run_at("04:00").await, ["acme"]);
        let account = rig.account().await;
        assert_eq!((account.held, account.windows), (Some(Hold::SourceRewound), 0));
        assert_eq!(rig.objects(), holding(&[]));
        rig.deliver_at("08:00").await;
        assert_eq!(rig.objects(), holding(&[]), "it waits for a person");
    });
}
