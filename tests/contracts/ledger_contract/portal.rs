//! Links to the portal, and its sessions.

use auditferry::ledger::{ChangeFilter, LedgerError};
use auditferry_core::model::actor::ActorKind;
use auditferry_core::model::notification::Language;
use auditferry_core::model::portal::{
    Capability, LinkKind, LinkMaker, PortalActor, PortalSession, PortalState, Theme,
};
use jiff::SignedDuration;

use super::bed::{Bed, at, id};
use crate::support::by;

/// A link that waits, of the account acme.
pub(super) fn link(name: &str) -> PortalSession {
    PortalSession {
        id: name.to_owned(),
        account: id("acme"),
        capabilities: [Capability::ExportRead, Capability::RecordsRead].into(),
        actor: PortalActor { id: "u1".to_owned(), email: "jana@acme.example".to_owned() },
        return_url: Some("https://app.vendor.example/settings".to_owned()),
        locale: Language::De,
        theme: Theme::Dark,
        link: LinkKind::Mail,
        made_by: LinkMaker { kind: ActorKind::ApiToken, id: "t".to_owned(), name: "backend".to_owned() },
        created_at: at("04:00"),
        link_ends_at: at("05:00"),
        seconds: 3600,
        opened_at: None,
        ends_at: None,
        revoked_at: None,
    }
}

pub(crate) async fn a_link_opens_its_session_once_and_in_time(bed: Bed) {
    bed.ready("acme").await;
    for (number, name) in [(1, "a"), (2, "b"), (3, "c")] {
        bed.ledger.add_portal_link(&by(), &link(name), &[number; 32]).await.unwrap();
    }
    assert_eq!(bed.ledger.portal_link(&[1; 32]).await.unwrap(), Some(link("a")), "it reads back as it was");
    let open = async |number: u8, when: &str| {
        bed.ledger.open_portal_session(&[number; 32], &[number + 100; 32], at(when)).await.unwrap()
    };
    let opened = open(1, "04:30").await.unwrap();
    let expected = PortalSession { opened_at: Some(at("04:30")), ends_at: Some(at("05:30")), ..link("a") };
    assert_eq!(opened, expected);
    assert_eq!(bed.ledger.portal_session_of(&[101; 32]).await.unwrap(), Some(expected));
    assert_eq!(open(1, "04:31").await, None, "once");
    assert_eq!(open(2, "05:00").await, None, "in time");
    assert_eq!(
        bed.ledger.portal_link(&[2; 32]).await.unwrap(),
        Some(link("b")),
        "and what is late is not used up"
    );
    assert_eq!(open(9, "04:30").await, None);
    assert_eq!(bed.ledger.portal_session_of(&[1; 32]).await.unwrap(), None, "the link's token opens no page");
    // Of many that come at once, one.
    let opens = (0..8).map(async |secret| {
        bed.ledger.open_portal_session(&[3; 32], &[secret; 32], at("04:30")).await.unwrap()
    });
    let opened = futures::future::join_all(opens).await;
    assert_eq!(opened.into_iter().filter(Option::is_some).count(), 1);
}

pub(crate) async fn a_portal_session_ends_and_is_revoked(bed: Bed) {
    bed.ready("acme").await;
    bed.ready("beta").await;
    for (number, name) in [(1, "a"), (2, "b"), (3, "c")] {
        bed.ledger.add_portal_link(&by(), &link(name), &[number; 32]).await.unwrap();
        if number < 3 {
            bed.ledger
                .open_portal_session(&[number; 32], &[number + 100; 32], at("04:30"))
                .await
                .unwrap()
                .unwrap();
        }
    }
    let of = async |number: u8| bed.ledger.portal_session_of(&[number + 100; 32]).await.unwrap().unwrap();
    bed.ledger.end_portal_session("a", at("04:40")).await.unwrap();
    bed.ledger.end_portal_session("a", at("04:50")).await.unwrap();
    assert_eq!(
        (of(1).await.ends_at, of(1).await.state(at("04:41"))),
        (Some(at("04:40")), PortalState::Ended)
    );
    assert!(bed.ledger.revoke_portal_session(&by(), &id("beta"), "b", at("04:45")).await.unwrap().is_none());
    assert!(bed.ledger.revoke_portal_session(&by(), &id("acme"), "x", at("04:45")).await.unwrap().is_none());
    for (name, number) in [("b", 2), ("c", 3)] {
        let revoked = bed.ledger.revoke_portal_session(&by(), &id("acme"), name, at("04:45")).await.unwrap();
        assert_eq!(revoked.unwrap().revoked_at, Some(at("04:45")));
        let again = bed.ledger.revoke_portal_session(&by(), &id("acme"), name, at("04:46")).await.unwrap();
        assert_eq!(again.unwrap().revoked_at, Some(at("04:45")), "{number}");
    }
    assert_eq!(of(2).await.state(at("04:46")), PortalState::Revoked);
    let late = bed.ledger.open_portal_session(&[3; 32], &[103; 32], at("04:46")).await.unwrap();
    assert_eq!(late, None, "a revoked link opens nothing");
    let listed = bed.ledger.portal_sessions(&id("acme"), 2).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["c", "b"]);
    assert!(bed.ledger.portal_sessions(&id("beta"), 10).await.unwrap().is_empty());
    // Who made a link for whom, and who took it away, is told.
    let filter = ChangeFilter { account: Some(id("acme")), limit: 100, ..ChangeFilter::default() };
    let told = bed.ledger.changes(&filter).await.unwrap();
    let count = |action: &str| told.iter().filter(|change| change.action == action).count();
    assert_eq!((count("portal link made"), count("portal session revoked")), (3, 2));
    let made = told.iter().find(|change| change.action == "portal link made").unwrap().what();
    assert!(made.contains("jana@acme.example") && made.contains("export:read"), "{made}");
    let without = ChangeFilter { without_portal: true, ..filter };
    let left = bed.ledger.changes(&without).await.unwrap();
    assert_eq!(left.len(), told.len() - 5, "and left out where only the account counts");
    // A link that is over is kept as long as its session, and no longer.
    bed.ledger.forget_portal_sessions(at("05:30")).await.unwrap();
    let left = bed.ledger.portal_sessions(&id("acme"), 10).await.unwrap();
    assert_eq!(left.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["b"]);
    bed.ledger.forget_portal_sessions(at("05:30") + SignedDuration::from_secs(1)).await.unwrap();
    assert!(bed.ledger.portal_sessions(&id("acme"), 10).await.unwrap().is_empty());
}

pub(crate) async fn the_portal_of_a_removed_account_is_shut(bed: Bed) {
    bed.ready("acme").await;
    for (number, name) in [(1, "a"), (2, "b")] {
        bed.ledger.add_portal_link(&by(), &link(name), &[number; 32]).await.unwrap();
    }
    bed.ledger.open_portal_session(&[1; 32], &[101; 32], at("04:30")).await.unwrap().unwrap();
    bed.ledger.remove_account(&by(), &id("acme")).await.unwrap();
    bed.ready("acme").await;
    assert!(bed.ledger.portal_session_of(&[101; 32]).await.unwrap().unwrap().revoked_at.is_some());
    assert_eq!(bed.ledger.open_portal_session(&[2; 32], &[102; 32], at("04:30")).await.unwrap(), None);
    let nowhere = PortalSession { account: id("nowhere"), ..link("c") };
    let refused = bed.ledger.add_portal_link(&by(), &nowhere, &[3; 32]).await;
    assert!(matches!(refused, Err(LedgerError::NoAccount(_))), "{refused:?}");
}
