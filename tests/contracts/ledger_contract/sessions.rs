//! Log-ins that have begun, and sessions of browsers.

use auditferry_core::model::access::Role;
use auditferry_core::model::actor::{ActorKind, By};
use auditferry_core::model::session::Session;
use auditferry_core::model::token::ApiToken;
use jiff::SignedDuration;

use super::bed::{Bed, at, id};
use crate::support::by;

fn session(id: &str) -> Session {
    Session {
        id: id.to_owned(),
        actor_kind: ActorKind::OidcSubject,
        actor_id: "https://id.example#ana".to_owned(),
        name: "ana".to_owned(),
        role: Role::Support,
        accounts: None,
        token_id: None,
        created_at: at("04:00"),
        last_used_at: at("04:00"),
        idle_ends_at: at("05:00"),
        ends_at: at("16:00"),
        revoked_at: None,
    }
}

fn token(id: &str) -> ApiToken {
    ApiToken {
        id: id.to_owned(),
        name: "bo's".to_owned(),
        role: Role::Reader,
        accounts: Some(["acme".parse().unwrap()].into()),
        created_by: "ana".to_owned(),
        created_at: at("03:00"),
        expires_at: Some(at("09:00")),
        revoked_at: None,
        last_used_at: None,
    }
}

pub(crate) async fn a_log_in_comes_back_once_and_in_time(bed: Bed) {
    for (number, taken_at, found) in [(1, "04:09", true), (2, "04:10", false)] {
        bed.ledger.begin_sign_in(&[number; 32], "/accounts", at("04:10")).await.unwrap();
        let taken = bed.ledger.take_sign_in(&[number; 32], at(taken_at)).await.unwrap();
        assert_eq!(taken.as_deref(), found.then_some("/accounts"));
        assert_eq!(bed.ledger.take_sign_in(&[number; 32], at("04:00")).await.unwrap(), None, "once");
    }
    // Of many that come at once, one.
    bed.ledger.begin_sign_in(&[3; 32], "/", at("04:10")).await.unwrap();
    let takes = (0..8).map(|_| bed.ledger.take_sign_in(&[3; 32], at("04:00")));
    let taken = futures::future::join_all(takes).await;
    assert_eq!(taken.into_iter().filter(|taken| taken.as_ref().unwrap().is_some()).count(), 1);
}

pub(crate) async fn a_session_reads_back_and_ends(bed: Bed) {
    let limited = Session { accounts: Some([id("acme")].into()), role: Role::AccountAdmin, ..session("b") };
    bed.ledger.add_session(&session("a"), &[1; 32]).await.unwrap();
    bed.ledger.add_session(&limited, &[2; 32]).await.unwrap();
    let of = async |number: u8| bed.ledger.session_of(&[number; 32]).await.unwrap();
    assert_eq!(of(1).await, Some(session("a")));
    assert_eq!(of(2).await, Some(limited));
    assert_eq!(of(3).await, None);
    bed.ledger.note_session_used("a", at("04:30"), at("05:30")).await.unwrap();
    // A late word of an earlier use changes nothing.
    bed.ledger.note_session_used("a", at("04:20"), at("05:20")).await.unwrap();
    let used = Session { last_used_at: at("04:30"), idle_ends_at: at("05:30"), ..session("a") };
    assert_eq!(of(1).await, Some(used));
    let ended = bed.ledger.revoke_session(&by(), "a", at("04:40")).await.unwrap().unwrap();
    assert_eq!(ended.revoked_at, Some(at("04:40")));
    let again = bed.ledger.revoke_session(&by(), "a", at("04:50")).await.unwrap().unwrap();
    assert_eq!(again.revoked_at, Some(at("04:40")));
    assert!(bed.ledger.revoke_session(&by(), "none", at("04:50")).await.unwrap().is_none());
    bed.ledger.note_session_used("a", at("04:45"), at("05:45")).await.unwrap();
    assert_eq!(of(1).await.unwrap().last_used_at, at("04:30"), "one that has ended is not used");
    assert_eq!(bed.ledger.sessions().await.unwrap().len(), 2);
    bed.ledger.forget_sessions(at("16:00")).await.unwrap();
    assert_eq!(bed.ledger.sessions().await.unwrap().len(), 2);
    bed.ledger.forget_sessions(at("16:00") + SignedDuration::from_secs(1)).await.unwrap();
    assert!(bed.ledger.sessions().await.unwrap().is_empty());
}

pub(crate) async fn a_session_of_a_token_is_what_the_token_is(bed: Bed) {
    let by: By = by();
    bed.ledger.add_token(&by, &token("t"), &[9; 32]).await.unwrap();
    let own = Session { token_id: Some("t".to_owned()), role: Role::Operator, ..session("a") };
    bed.ledger.add_session(&own, &[1; 32]).await.unwrap();
    let found = bed.ledger.session_of(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((found.role, found.accounts), (Role::Reader, token("t").accounts));
    assert_eq!(found.ends_at, at("09:00"), "the end of the token comes first");
    bed.ledger.revoke_token(&by, "t", at("04:10")).await.unwrap();
    let found = bed.ledger.session_of(&[1; 32]).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(at("04:10")));
}

pub(crate) async fn a_session_ends_with_its_account(bed: Bed) {
    bed.ready("acme").await;
    let limited = Session { accounts: Some([id("acme")].into()), ..session("a") };
    bed.ledger.add_session(&limited, &[1; 32]).await.unwrap();
    bed.ledger.add_session(&session("b"), &[2; 32]).await.unwrap();
    bed.ledger.remove_account(&by(), &id("acme")).await.unwrap();
    assert!(bed.ledger.session_of(&[1; 32]).await.unwrap().unwrap().revoked_at.is_some());
    assert!(bed.ledger.session_of(&[2; 32]).await.unwrap().unwrap().revoked_at.is_none());
}
