//! What a server is, and what one must be to be used.

use std::str::FromStr;

/// What a server must be, in libpq's words.
///
/// Source: "target_session_attrs", PostgreSQL documentation, libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionAttrs {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl FromStr for SessionAttrs {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name {
            "any" => Self::Any,
            "read-write" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "prefer-standby" => Self::PreferStandby,
            _ => {
                return Err(format!(
                    "target_session_attrs {name:?} is not known; write any, read-write, read-only, primary, standby or \
                     prefer-standby"
                ));
            }
        })
    }
}

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Role {
    /// It replays the log of another one.
    pub(super) in_recovery: bool,
    /// Its transactions write nothing unless they say otherwise.
    pub(super) read_only: bool,
}

impl SessionAttrs {
    /// In the order in which all servers are tried: the attributes that do.
    pub(super) fn passes(self) -> &'static [Self] {
        match self {
            Self::Any => &[Self::Any],
            Self::ReadWrite => &[Self::ReadWrite],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::PreferStandby => &[Self::Standby, Self::Any],
        }
    }

    /// Whether a server does.
    pub(super) fn takes(self, role: Role) -> bool {
        match self {
            Self::Any | Self::PreferStandby => true,
            Self::ReadWrite => !role.in_recovery && !role.read_only,
            Self::ReadOnly => role.in_recovery || role.read_only,
            Self::Primary => !role.in_recovery,
            Self::Standby => role.in_recovery,
        }
    }

    /// What one lacks that does not, for a person.
    pub(super) fn lacking(self) -> &'static str {
        match self {
            Self::Any | Self::PreferStandby => "it does not answer",
            Self::ReadWrite => "it takes no writes (a standby, or default_transaction_read_only)",
            Self::ReadOnly => "it takes writes",
            Self::Primary => "it is a standby",
            Self::Standby => "it is no standby",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_chosen_as_libpq_does() {
        let primary = Role { in_recovery: false, read_only: false };
        let standby = Role { in_recovery: true, read_only: true };
        let quiet = Role { in_recovery: false, read_only: true };
        let of = |name: &str| {
            let attrs: SessionAttrs = name.parse().expect(name);
            let passes = attrs.passes();
            [primary, standby, quiet].map(|role| passes.iter().position(|attrs| attrs.takes(role)))
        };
        assert_eq!(of("any"), [Some(0), Some(0), Some(0)]);
        assert_eq!(of("read-write"), [Some(0), None, None]);
        assert_eq!(of("read-only"), [None, Some(0), Some(0)]);
        assert_eq!(of("primary"), [Some(0), None, Some(0)]);
        assert_eq!(of("standby"), [None, Some(0), None]);
        assert_eq!(of("prefer-standby"), [Some(1), Some(0), Some(1)]);
        assert!("master".parse::<SessionAttrs>().is_err());
    }
}
