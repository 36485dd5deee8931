//! Who makes a change, and why: what the change log keeps of each.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name or reason, in characters.
pub const MAX_CHARS: usize = 500;

/// What kind of identity an actor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A user of the operating system; the id is the numeric user id.
    OsUser,
    /// A token of the API; the id is the token's.
    ApiToken,
    /// A person or program known to an OpenID Connect provider; the id is the subject.
    OidcSubject,
    /// A customer's admin in the portal; the id is what the vendor calls them.
    PortalUser,
}

/// The way a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The command line.
    Cli,
    /// The HTTP API.
    Api,
    /// The pages for support and operators.
    Console,
    /// The pages for a customer's admins.
    Portal,
}

/// Who makes a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What kind of identity it is.
    pub kind: ActorKind,
    /// Tells it from all others of its kind.
    pub id: String,
    /// For a person to read, such as `ana (uid 1000)`.
    pub name: String,
    /// The way it came.
    pub channel: Channel,
}

impl Actor {
    /// What tells them from everybody else.
    #[must_use]
    pub fn principal(&self) -> String {
        format!("{}:{}", self.kind, self.id)
    }
}

/// Who makes a change, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who makes the change.
    pub actor: Actor,
    /// Why, in that person's words.
    pub reason: Option<String>,
    /// On which condition, and as which request.
    pub terms: Terms,
}

/// On what a change depends, besides what it says itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The revision that the account must still have: what the person has seen.
    pub expects: Option<u64>,
    /// The request that makes it, if that may come twice.
    pub request: Option<RequestKey>,
}

/// What tells a request from all others that may change something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Who makes it: kind and id of the actor.
    pub principal: String,
    /// Its key, as its maker gives it.
    pub key: String,
}

impl By {
    /// A change without a reason.
    #[must_use]
    pub fn actor(actor: Actor) -> Self {
        Self { actor, reason: None, terms: Terms::default() }
    }
}

macro_rules! words {
    ($type:ident: $($variant:ident $word:literal),+) => {
        impl $type {
            /// The word under which it is stored.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What a stored word means; none when this version does not know it.
            #[must_use]
            pub fn stored(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(ActorKind: OsUser "os_user", ApiToken "api_token", OidcSubject "oidc_subject", PortalUser "portal_user");
words!(Channel: Cli "cli", Api "api", Console "console", Portal "portal");

/// A name or a reason as a person wrote it: one line that is not empty.
///
/// # Errors
/// What is wrong with it.
pub fn words(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty; write some words".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("it has line breaks or control characters; write one line of plain text".to_owned());
    }
    if text.chars().count() > MAX_CHARS {
        return Err(format!("it has more than {MAX_CHARS} characters; shorten it"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again() {
        for kind in [ActorKind::OsUser, ActorKind::ApiToken, ActorKind::OidcSubject, ActorKind::PortalUser] {
            assert_eq!(ActorKind::stored(kind.as_str()), Some(kind));
        }
        for channel in [Channel::Cli, Channel::Api, Channel::Console, Channel::Portal] {
            assert_eq!(Channel::stored(channel.as_str()), Some(channel));
        }
        assert_eq!(Channel::stored("pigeon"), None);
    }

    #[test]
    fn words_are_one_line() {
        assert_eq!(words(" ticket 4711 ").as_deref(), Ok("ticket 4711"));
        assert!(words(" ").is_err());
        assert!(words("a\nb").is_err());
        assert!(words(&"x".repeat(MAX_CHARS)).is_ok());
        assert!(words(&"x".repeat(MAX_CHARS + 1)).is_err());
    }
}
