//! Which folders an object lies in.

use std::fmt;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::account::AccountId;
use crate::model::object_key::slot_name;

/// Which folders an object lies in, below the prefix of its destination. Its name is the same in all of them,
/// so a folder never decides whether two objects have one key.
///
/// Days have a fixed width and follow the name's own instant, so that the keys of one account and one layout
/// sort as their names do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathLayout {
    /// `audit/<account>/`.
    #[default]
    Contract,
    /// `audit/<account>/dt=2026-11-30/`, the slot's day in UTC: a partition for Athena, Hive and Spark.
    Hive,
    /// `audit/<account>/2026/11/30/`, the slot's day in UTC: for readers that walk through dates.
    Dates,
    /// `region=eu-central-1/accountId=external_<account>/eventDay=20261130/` below a prefix that is the location of a
    /// custom source of Amazon Security Lake, `ext/<source>/<version>/`. The day is that of the second before the
    /// slot, in UTC: the records of a window happened before it.
    ///
    /// Source: "Collecting data from custom sources", Amazon Security Lake User Guide: partitions, and
    /// `external_` before an account's id that is none of AWS.
    SecurityLake,
}

/// How the location of a custom source begins.
pub(super) const LAKE_SOURCES: &str = "ext/";

/// The folders below which a worker creates objects, for a policy: `audit/` and that of probes. In a location
/// of Security Lake, all that is below it.
#[must_use]
pub fn written_below(prefix: &str) -> Vec<String> {
    if prefix.starts_with(LAKE_SOURCES) {
        return vec![prefix.to_owned()];
    }
    ["audit/", "auditferry-probe/"].map(|folder| format!("{prefix}{folder}")).to_vec()
}

impl PathLayout {
    /// The folders of an account's object with this instant in its name, with a `/` at their end.
    pub(super) fn folders(self, account: &AccountId, at: Timestamp) -> String {
        let account = account.encoded();
        let day = |at: Timestamp, form| Offset::UTC.to_datetime(at).strftime(form).to_string();
        match self {
            Self::Contract => format!("audit/{account}/"),
            Self::Hive => format!("audit/{account}/dt={}/", day(at, "%Y-%m-%d")),
            Self::Dates => format!("audit/{account}/{}/", day(at, "%Y/%m/%d")),
            Self::SecurityLake => {
                let before = at.checked_sub(SignedDuration::from_secs(1)).unwrap_or(at);
                format!("accountId=external_{account}/eventDay={}/", day(before, "%Y%m%d"))
            }
        }
    }

    /// How many `/` stand in a key behind its prefix.
    pub(super) fn depth(self) -> usize {
        match self {
            Self::Contract | Self::SecurityLake => 2,
            Self::Hive => 3,
            Self::Dates => 5,
        }
    }

    /// Where all objects of an account lie below the prefix, whatever their day.
    #[must_use]
    pub fn account_folder(self, account: &AccountId) -> String {
        match self {
            Self::Contract | Self::Hive | Self::Dates => format!("audit/{}/", account.encoded()),
            Self::SecurityLake => format!("accountId=external_{}/", account.encoded()),
        }
    }

    /// A name that stands just before all objects of an instant, for a reader that lists from a marker.
    #[must_use]
    pub fn marker(self, prefix: &str, account: &AccountId, at: Timestamp) -> String {
        format!("{prefix}{}audit_{}_{}", self.folders(account, at), account.encoded(), slot_name(at))
    }

    /// Whether keys that follow in another layout sort after those of this one, for a reader with a marker.
    #[must_use]
    pub fn sorts_before(self, other: Self, account: &AccountId) -> bool {
        // In one second, so that the names are the same.
        let folders = |layout: Self| layout.folders(account, Timestamp::UNIX_EPOCH) + "audit_";
        folders(self) < folders(other)
    }
}

/// The name in settings and on the command line.
impl fmt::Display for PathLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
