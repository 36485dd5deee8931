//! Notifications: who is told what, and over which channel.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::account::AccountId;
use crate::model::destination::{SealedId, SecretRef};

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Whoever runs this installation: of everything.
    Operator,
    /// The people of one account: of its own destination.
    Contacts(AccountId),
}

impl Audience {
    /// The account, if it is one's.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Operator => None,
            Self::Contacts(account) => Some(account),
        }
    }
}

macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])+ $variant:ident $word:literal,)+ }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        $(#[$outer])*
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])+ $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// What a notice is about.
    #[schema(as = NoticeTopic)]
    Topic {
        /// An account's export fails.
        Export "export",
        /// An account's add-on ends.
        Addon "addon",
        /// The credentials of an account's destination end.
        Credentials "credentials",
        /// The source deletes records soon that an account has not exported.
        Retention "retention",
        /// A change was refused that would have stopped many accounts.
        Sweep "sweep",
        /// No worker runs.
        Workers "workers",
        /// Slots have passed, and workers have not come to them.
        Backlog "backlog",
        /// The clock of a worker differs from the database's.
        Clock "clock",
        /// A chore of a worker fails.
        Chores "chores",
    }
}

impl Topic {
    /// Whether it is told again while it lasts. What ends is told at each threshold instead.
    #[must_use]
    pub fn repeats(self) -> bool {
        !matches!(self, Self::Addon | Self::Credentials | Self::Retention | Self::Sweep)
    }

    /// Whether its end is told. That an end was moved is no news to who has moved it.
    #[must_use]
    pub fn tells_recovery(self) -> bool {
        self.repeats()
    }

    /// Whether an account's own people are told, when it is theirs to mend.
    #[must_use]
    pub fn is_for_contacts(self) -> bool {
        matches!(self, Self::Export | Self::Credentials)
    }
}

words! {
    /// What became of a topic.
    #[schema(as = NoticeChange)]
    Change {
        /// It has begun.
        Began "began",
        /// It is worse, or nearer.
        Worsened "worsened",
        /// It lasts.
        Reminder "reminder",
        /// It is over.
        Recovered "recovered",
    }
}

words! {
    /// The language of a channel.
    #[derive(Default)]
    Language {
        /// English.
        #[default]
        En "en",
        /// German.
        De "de",
    }
}

/// What a person needs to know of a topic, beside the topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(as = NoticeDetail)]
pub struct Detail {
    /// The kind of the failure, as in the metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The bucket or container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// What exactly went wrong. For the operator only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What to do, in the words of the command line. For the operator only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// When it ends, of what ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

/// One thing that a notice tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NoticeItem)]
pub struct Item {
    /// Whose, when it is an account's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<AccountId>,
    /// What it is about.
    pub topic: Topic,
    /// What became of it.
    pub change: Change,
    /// Since when it is so, or was.
    pub since: Timestamp,
    /// The rest.
    #[serde(flatten)]
    pub detail: Detail,
}

/// What is told at once, to everybody of an audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Notice {
    /// Its id: the `webhook-id`, the same in every try.
    pub id: String,
    /// When it was queued.
    pub at: Timestamp,
    /// Whether somebody has asked for it to try a channel.
    #[serde(default)]
    pub test: bool,
    /// What is told, as far as it is listed.
    pub items: Vec<Item>,
    /// How many more things there are than those.
    pub more: u64,
}

/// Where notices go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Target {
    /// A program, by the specification Standard Webhooks.
    Webhook {
        /// Its URL.
        url: String,
        /// The secret that signs.
        secret: SecretRef,
        /// The secret that was there before, and until when it signs too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<PreviousSecret>,
    },
    /// Slack, or what takes the same message.
    Slack {
        /// The host of its URL, for people.
        host: String,
        /// The URL, which is a secret.
        url: SecretRef,
    },
    /// A mailbox.
    Email {
        /// Its address.
        to: String,
    },
}

/// A secret that is going.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousSecret {
    /// The secret.
    pub secret: SecretRef,
    /// Until when it signs.
    pub until: Timestamp,
}

impl Target {
    /// The word of its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Email { .. } => "email",
        }
    }

    /// Where it leads, without what could be a secret.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Webhook { url, .. } => {
                // Some services put a token into the path.
                url::Url::parse(url).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
            }
            Self::Slack { host, .. } => format!("https://{host}"),
            Self::Email { to } => to.clone(),
        }
    }

    /// The names of its sealed secrets.
    #[must_use]
    pub fn sealed(&self) -> Vec<&SealedId> {
        let references = match self {
            Self::Webhook { secret, previous, .. } => {
                let mut all = vec![secret];
                all.extend(previous.as_ref().map(|previous| &previous.secret));
                all
            }
            Self::Slack { url, .. } => vec![url],
            Self::Email { .. } => Vec::new(),
        };
        references.into_iter().filter_map(SecretRef::sealed).collect()
    }
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationChannel {
    /// Its id.
    pub id: String,
    /// Who is told over it.
    pub audience: Audience,
    /// Where it leads.
    pub target: Target,
    /// In which language.
    pub language: Language,
    /// When it was added.
    pub created_at: Timestamp,
    /// Who added it.
    pub created_by: String,
    /// Since when nothing is sent over it, and why.
    pub disabled: Option<Disabled>,
}

/// That nothing is sent over a channel any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Disabled {
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_shown_without_what_could_be_a_secret() {
        let secret = || SecretRef::Sealed(SealedId("s1".to_owned()));
        let webhook = Target::Webhook {
            url: "https://hooks.example.com:8443/HUSH?token=HUSH".to_owned(),
            secret: secret(),
            previous: None,
        };
        assert_eq!(webhook.shown(), "https://hooks.example.com:8443");
        assert_eq!(webhook.sealed(), [&SealedId("s1".to_owned())]);
        let slack = Target::Slack { host: "hooks.slack.com".to_owned(), url: SecretRef::Env("X".to_owned()) };
        assert_eq!((slack.shown().as_str(), slack.sealed().len()), ("https://hooks.slack.com", 0));
        for target in [webhook, slack, Target::Email { to: "a@example.com".to_owned() }] {
            let stored = serde_json::to_string(&target).expect("writes");
            assert_eq!(serde_json::from_str::<Target>(&stored).expect("reads"), target);
        }
    }
}
