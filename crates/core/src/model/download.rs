//! Downloads: files of an account's records that its people ask for and fetch later.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::account::AccountId;
use crate::model::bound::Bound;
use crate::model::notification::Language;
use crate::model::portal::{PortalActor, Theme};
use crate::model::record_query::{RecordFilter, TimeSpan};

/// Longest name, in characters.
pub const MAX_NAME_CHARS: usize = 120;

/// How many of an account may wait or be made, and how many of them are made at once.
pub const MOST_UNFINISHED: u32 = 20;
/// How many of an account are made at once.
pub const MOST_AT_ONCE: u32 = 3;

/// How often it is begun to make one before it counts as failed.
pub const TRIES: u32 = 5;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// For spreadsheets.
    Csv,
    /// An array, each record exactly as it is delivered.
    Json,
    /// One record a line, each exactly as it is delivered.
    Ndjson,
}

impl FileFormat {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Json, Self::Ndjson];

    /// Its name, which is also how its files end.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

/// How a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadState {
    /// Its turn has not come.
    Waiting,
    /// It is being made.
    Running,
    /// Its file is there.
    Completed,
    /// It could not be made.
    Failed,
    /// Its file was removed after its time.
    Expired,
}

impl DownloadState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Running, Self::Completed, Self::Failed, Self::Expired];

    /// The word under which it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// What a stored word means.
    #[must_use]
    pub fn stored(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// Which records a file holds, and how it shows their times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// When they occurred.
    pub span: TimeSpan,
    /// What they are.
    #[serde(default)]
    pub filter: RecordFilter,
    /// The zone of their times.
    pub zone: String,
    /// How the file is written.
    pub format: FileFormat,
}

/// Who is told by mail that a download is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailWish {
    /// The session of the portal in which it was asked for. When that is revoked, no mail goes out.
    pub session: String,
    /// The person.
    pub actor: PortalActor,
    /// In which language.
    pub language: Language,
    /// How the pages look to which the mail leads.
    pub theme: Theme,
}

/// How the mail about a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// It goes out when the download has ended.
    Wanted,
    /// The mail server has taken it.
    Sent,
    /// It was given up.
    Failed,
}

impl MailState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Wanted, Self::Sent, Self::Failed];

    /// The word under which it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    /// What a stored word means.
    #[must_use]
    pub fn stored(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// In how many minutes a mail is sent again, after so many tries; then it is given up.
const MAIL_WAITS: [i64; 5] = [1, 5, 30, 120, 480];

/// How long to wait until a mail is sent again that the server has refused so often; none: it is given up.
#[must_use]
pub fn mail_wait(tries: u32) -> Option<SignedDuration> {
    let place = usize::try_from(tries.checked_sub(1)?).ok()?;
    MAIL_WAITS.get(place).map(|minutes| SignedDuration::from_mins(*minutes))
}

/// A download that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDownload {
    /// Its id.
    pub id: String,
    /// Whose records.
    pub account: AccountId,
    /// What its maker calls it.
    pub name: String,
    /// What it holds.
    pub wish: Wish,
    /// Who has asked for it.
    pub asked_by: String,
    /// Who is told by mail when it has ended; none: nobody.
    pub mail: Option<MailWish>,
}

/// The file of a download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeFile {
    /// Its name in the store.
    pub file: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// SHA-256 of them, in hex.
    pub sha256: String,
    /// In how many objects of a bucket it is; none: in a folder, as one file.
    #[serde(default)]
    pub parts: Option<u32>,
}

/// Why a download could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadProblem {
    /// The records took too long to read.
    TooSlow,
    /// A record of them cannot be read.
    BadRecord,
    /// The source or the store failed again and again.
    Failing,
    /// Whoever made it stopped again and again.
    Interrupted,
    /// The account's zone is not known here.
    UnknownZone,
}

/// A download as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// What was asked for.
    pub new: NewDownload,
    /// How it is.
    pub state: DownloadState,
    /// How often it was begun.
    pub tries: u32,
    /// What had been committed at this bound is in it; absent: it has not begun.
    pub bound: Option<Bound>,
    /// How many records are written.
    pub records: u64,
    /// How much of it is made, in percent.
    pub percent: u32,
    /// Its file.
    pub made: Option<MadeFile>,
    /// Why it could not be made.
    pub problem: Option<DownloadProblem>,
    /// How the mail about it is; none: there is none to be.
    pub mailed: Option<MailState>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was begun last.
    pub begun_at: Option<Timestamp>,
    /// When it was made, or given up.
    pub ended_at: Option<Timestamp>,
    /// When its file is removed.
    pub kept_until: Option<Timestamp>,
}

/// How much of a span is done, in percent, when the records up to an instant are: never all.
#[must_use]
pub fn percent(span: TimeSpan, ends: Timestamp, at: Timestamp) -> u32 {
    let end = span.to.min(ends);
    let whole = end.duration_since(span.from).as_secs().max(1);
    let done = at.duration_since(span.from).as_secs().clamp(0, whole);
    u32::try_from(done.saturating_mul(100) / whole).unwrap_or(0).min(99)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_again() {
        for state in DownloadState::ALL {
            assert_eq!(DownloadState::stored(state.as_str()), Some(state));
        }
        for format in FileFormat::ALL {
            assert_eq!(FileFormat::parse(format.as_str()), Some(format));
        }
        for state in MailState::ALL {
            assert_eq!(MailState::stored(state.as_str()), Some(state));
        }
    }

    #[test]
    fn a_mail_is_given_up_after_six_tries() {
        let waits: Vec<_> = (1..=6).map(|tries| mail_wait(tries).map(|wait| wait.as_mins())).collect();
        assert_eq!(waits, [Some(1), Some(5), Some(30), Some(120), Some(480), None]);
        assert_eq!(mail_wait(0), None);
    }

    #[test]
    fn progress_is_never_whole_before_the_end() {
        let at = |second| Timestamp::from_second(second).expect("instant");
        let span = TimeSpan { from: at(0), to: at(1_000_000) };
        assert_eq!(percent(span, at(1_000), at(500)), 50);
        assert_eq!(percent(span, at(1_000), at(2_000)), 99);
        assert_eq!(percent(span, at(1_000), at(-5)), 0);
        assert_eq!(percent(span, at(0), at(0)), 0);
    }
}
