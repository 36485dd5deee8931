//! Who may do what: roles, what each may do, and how far it reaches.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::account::AccountId;

/// What somebody is to the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything.
    Operator,
    /// Reads everything but secrets, switches add-ons, and gets exports going again.
    Support,
    /// A customer's admin: one account's destination and deliveries, and nothing of another's.
    AccountAdmin,
    /// Reads.
    Reader,
    /// The vendor's backend: makes links to the portal, and nothing else.
    Portal,
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Accounts, with their health and its explanation.
    ReadAccounts,
    /// Windows, deliveries, attempts and replays.
    ReadDeliveries,
    /// What people changed.
    ReadChanges,
    /// All accounts and workers in one look.
    ReadStatus,
    /// Adding and removing accounts, and their zone, schedule and format.
    ManageAccounts,
    /// The paid add-on, and its end.
    ManageAddOns,
    /// Pausing and resuming.
    Pause,
    /// Releasing, rewinding, and leaving out records of an account that is held.
    Recover,
    /// Delivering now, and again.
    Deliver,
    /// Where objects go.
    ManageDestination,
    /// Trying a destination.
    Probe,
    /// Tokens of the API, sessions of browsers, and the ids of sealing keys.
    ManageTokens,
    /// Who is told of what.
    ManageNotifications,
    /// Links to the portal, and its sessions.
    ManagePortal,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::ReadAccounts,
        Self::ReadDeliveries,
        Self::ReadChanges,
        Self::ReadStatus,
        Self::ManageAccounts,
        Self::ManageAddOns,
        Self::Pause,
        Self::Recover,
        Self::Deliver,
        Self::ManageDestination,
        Self::Probe,
        Self::ManageTokens,
        Self::ManageNotifications,
        Self::ManagePortal,
    ];
}

impl Role {
    /// All of them, the one that may do most first.
    pub const ALL: [Self; 5] =
        [Self::Operator, Self::Support, Self::AccountAdmin, Self::Reader, Self::Portal];

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Support => "support",
            Self::AccountAdmin => "account_admin",
            Self::Reader => "reader",
            Self::Portal => "portal",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// Whether the role may do that at all.
    #[must_use]
    pub fn may(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Operator => true,
            Self::Support => !matches!(
                permission,
                P::ManageAccounts | P::ManageDestination | P::ManageTokens | P::ManageNotifications
            ),
            // A manual export and the end of the export go through support.
            Self::AccountAdmin => {
                matches!(permission, P::ReadAccounts | P::ReadDeliveries | P::ManageDestination | P::Probe)
            }
            Self::Reader => {
                matches!(permission, P::ReadAccounts | P::ReadDeliveries | P::ReadChanges | P::ReadStatus)
            }
            Self::Portal => permission == P::ManagePortal,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which accounts somebody sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All of them, and what belongs to none.
    All,
    /// These.
    Only(BTreeSet<AccountId>),
}

/// What somebody may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// As what.
    pub role: Role,
    /// With which accounts.
    pub reach: Reach,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may be done.
    Allowed,
    /// The role may not do that.
    Forbidden,
    /// It is about another's account: nothing is told of it, not even that it exists.
    Unseen,
}

impl Grant {
    /// Whether something may be done with an account; none: with what belongs to no account.
    #[must_use]
    pub fn verdict(&self, permission: Permission, account: Option<&AccountId>) -> Verdict {
        match (&self.reach, account) {
            (Reach::Only(accounts), Some(account)) if !accounts.contains(account) => Verdict::Unseen,
            (Reach::Only(_), None) => Verdict::Forbidden,
            _ if self.role.may(permission) => Verdict::Allowed,
            _ => Verdict::Forbidden,
        }
    }

    /// The accounts to which a listing is limited; none: all. Forbidden to whom may not list them.
    #[must_use]
    pub fn listed(&self, permission: Permission) -> Option<Option<Vec<AccountId>>> {
        if !self.role.may(permission) {
            return None;
        }
        match &self.reach {
            Reach::All => Some(None),
            Reach::Only(accounts) => Some(Some(accounts.iter().cloned().collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> AccountId {
        name.parse().expect("id")
    }

    fn only(role: Role) -> Grant {
        Grant { role, reach: Reach::Only([id("acme")].into()) }
    }

    #[test]
    fn nothing_is_told_of_anothers_account() {
        for role in Role::ALL {
            for permission in Permission::ALL {
                assert_eq!(only(role).verdict(permission, Some(&id("beta"))), Verdict::Unseen);
                assert_eq!(only(role).verdict(permission, None), Verdict::Forbidden);
            }
        }
    }

    #[test]
    fn an_admin_changes_the_destination_and_nothing_else() {
        let admin = only(Role::AccountAdmin);
        let may: Vec<Permission> = Permission::ALL
            .into_iter()
            .filter(|permission| admin.verdict(*permission, Some(&id("acme"))) == Verdict::Allowed)
            .collect();
        use Permission as P;
        assert_eq!(may, [P::ReadAccounts, P::ReadDeliveries, P::ManageDestination, P::Probe]);
    }

    #[test]
    fn support_has_no_way_to_secrets() {
        let all = |role| Grant { role, reach: Reach::All };
        for permission in [Permission::ManageDestination, Permission::ManageTokens] {
            assert_eq!(all(Role::Support).verdict(permission, None), Verdict::Forbidden);
            assert_eq!(all(Role::Operator).verdict(permission, None), Verdict::Allowed);
        }
        assert_eq!(all(Role::Support).verdict(Permission::Recover, Some(&id("acme"))), Verdict::Allowed);
    }

    #[test]
    fn links_to_the_portal_are_made_by_those_who_may_and_by_a_role_that_may_nothing_else() {
        let make: Vec<Role> =
            Role::ALL.into_iter().filter(|role| role.may(Permission::ManagePortal)).collect();
        assert_eq!(make, [Role::Operator, Role::Support, Role::Portal]);
        assert_eq!(Permission::ALL.into_iter().filter(|permission| Role::Portal.may(*permission)).count(), 1);
    }

    #[test]
    fn a_reader_changes_nothing() {
        use Permission as P;
        let reads = [P::ReadAccounts, P::ReadDeliveries, P::ReadChanges, P::ReadStatus];
        for permission in P::ALL {
            assert_eq!(Role::Reader.may(permission), reads.contains(&permission), "{permission:?}");
        }
    }
}
