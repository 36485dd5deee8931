//! Several workers on one ledger.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auditferry::destinations::vault::Vault;
use auditferry::ledger;
use auditferry::notifications::outbox::send_due;
use auditferry::notifications::sender::Sender;
use auditferry::secrets::keys::KeyRing;
use auditferry::settings::Settings;
use auditferry_core::model::notification::{Audience, Language, Notice, NotificationChannel, Target};
use jiff::Timestamp;

use crate::support::postgres::cluster;
use crate::support::receiver::Receiver;
use crate::support::{by, dialer, run, secret};

/// More than a worker takes at once.
const NOTICES: usize = 70;

#[test]
fn two_workers_at_once_send_each_notice_once() {
    run(async {
        let receiver = Receiver::start().await;
        let url = cluster().url(&cluster().create().await);
        let settings = Settings::load_with(None, Default::default()).unwrap();
        let worker = async || {
            let ledger = ledger::open(&url, 4, false).await.unwrap();
            let keys = KeyRing::load(&[]).await.unwrap();
            let vault = Vault::new(Arc::clone(&ledger), Arc::new(keys));
            (ledger, Sender::new(dialer(Duration::from_secs(5)), vault, settings.email.clone()))
        };
        let (one, other) = (worker().await, worker().await);
        one.0.migrate().await.unwrap();
        let now = one.0.now().await.unwrap();
        let signing = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let channel = NotificationChannel {
            id: "n1".to_owned(),
            audience: Audience::Operator,
            target: Target::Webhook { url: receiver.url(), secret: signing, previous: None },
            language: Language::En,
            created_at: now,
            created_by: "ana".to_owned(),
            disabled: None,
        };
        one.0.add_channel(&by(), &channel, &[]).await.unwrap();
        let notice = |number: usize| Notice {
            id: format!("msg_{number}"),
            at: Timestamp::UNIX_EPOCH,
            test: true,
            items: Vec::new(),
            more: 0,
        };
        for number in 0..NOTICES {
            assert!(one.0.queue(&[], Some((&Audience::Operator, &notice(number)))).await.unwrap());
        }
        let (first, second) = tokio::join!(send_due(&*one.0, &one.1), send_due(&*other.0, &other.1));
        first.unwrap();
        second.unwrap();
        let came: Vec<String> =
            receiver.take().iter().map(|told| told.header("webhook-id").to_owned()).collect();
        let ids: BTreeSet<&String> = came.iter().collect();
        assert_eq!((came.len(), ids.len()), (NOTICES, NOTICES));
        let rows = one.0.notices(None, 100).await.unwrap();
        assert!(rows.iter().all(|row| row.delivered_at.is_some() && row.attempts == 1));
    });
}
