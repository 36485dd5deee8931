//! Sessions of browsers: what is known of each, and when it ends.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::access::{Grant, Reach, Role};
use crate::model::account::AccountId;
use crate::model::actor::ActorKind;

/// Longest path to which a browser is sent back.
const MAX_PATH: usize = 1_000;

/// How long a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Without a request.
    pub idle: SignedDuration,
    /// In any case.
    pub longest: SignedDuration,
}

impl Lifetime {
    /// The end of a session that is used now, if nobody uses it again.
    #[must_use]
    pub fn idle_end(&self, now: Timestamp, ends_at: Timestamp) -> Timestamp {
        now.saturating_add(self.idle).unwrap_or(ends_at).min(ends_at)
    }

    /// The end of one that begins now.
    #[must_use]
    pub fn end(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.longest).unwrap_or(now)
    }
}

/// A session, without what opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Session {
    /// Its id, which is no secret.
    pub id: String,
    /// What kind of identity has it.
    pub actor_kind: ActorKind,
    /// Which one.
    pub actor_id: String,
    /// What they are called.
    pub name: String,
    /// As what they are here.
    pub role: Role,
    /// The accounts to which they are limited; none: to no single ones.
    pub accounts: Option<BTreeSet<AccountId>>,
    /// The token of the API that has opened it: it ends with it.
    pub token_id: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to a minute.
    pub last_used_at: Timestamp,
    /// When it ends, unless it is used before.
    pub idle_ends_at: Timestamp,
    /// When it ends in any case.
    pub ends_at: Timestamp,
    /// When somebody has ended it.
    pub revoked_at: Option<Timestamp>,
}

impl Session {
    /// What it opens now; none: it has ended.
    #[must_use]
    pub fn grant(&self, now: Timestamp) -> Option<Grant> {
        if self.revoked_at.is_some() || now >= self.idle_ends_at || now >= self.ends_at {
            return None;
        }
        let reach = self.accounts.clone().map_or(Reach::All, Reach::Only);
        Some(Grant { role: self.role, reach })
    }
}

/// Whether a browser may be sent to a path after a log-in: to one of ours only, and whatever it takes for a host of
/// another's is none.
#[must_use]
pub fn is_own_path(path: &str) -> bool {
    path.len() <= MAX_PATH
        && path.starts_with('/')
        && !path.starts_with("//")
        && !path.starts_with("/auth/")
        && path.chars().all(|c| c.is_ascii_graphic() && c != '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_stays_here() {
        for own in ["/", "/accounts", "/accounts/acme?tab=2#x"] {
            assert!(is_own_path(own), "{own}");
        }
        for other in [
            "",
            "accounts",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/a b",
            "/\n",
            "javascript:alert(1)",
            "/auth/login",
            "/é",
        ] {
            assert!(!is_own_path(other), "{other:?}");
        }
        assert!(!is_own_path(&format!("/{}", "x".repeat(MAX_PATH))));
    }

    #[test]
    fn a_session_ends() {
        let at = |second| Timestamp::from_second(second).expect("instant");
        let lifetime =
            Lifetime { idle: SignedDuration::from_secs(10), longest: SignedDuration::from_secs(15) };
        let ends_at = lifetime.end(at(0));
        assert_eq!((lifetime.idle_end(at(0), ends_at), lifetime.idle_end(at(9), ends_at)), (at(10), at(15)));
        let session = Session {
            id: "s".to_owned(),
            actor_kind: ActorKind::OidcSubject,
            actor_id: "i#s".to_owned(),
            name: "ana".to_owned(),
            role: Role::Support,
            accounts: None,
            token_id: None,
            created_at: at(0),
            last_used_at: at(0),
            idle_ends_at: at(10),
            ends_at,
            revoked_at: None,
        };
        assert!(session.grant(at(9)).is_some() && session.grant(at(10)).is_none());
        let used = Session { idle_ends_at: at(20), ..session.clone() };
        assert!(
            used.grant(at(14)).is_some() && used.grant(at(15)).is_none(),
            "used all the time, it ends too"
        );
        assert!(Session { revoked_at: Some(at(1)), ..session }.grant(at(2)).is_none());
    }
}
