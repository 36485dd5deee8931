//! English.

use super::{Phrase, day_and_time};
use auditferry_core::model::notification::{Change, Item, Topic};
use auditferry_core::store::PutErrorKind;

pub(super) fn said(phrase: Phrase<'_>) -> String {
    match phrase {
        Phrase::Title { troubles, over, more } => {
            let more = if more == 0 { String::new() } else { format!(", {more} more") };
            format!("Audit log exports: {troubles} to look at, {over} solved{more}")
        }
        Phrase::Headline { item, operator } => headline(item, operator),
        Phrase::Reason { kind } => PutErrorKind::parse(kind).map_or_else(String::new, reason),
        Phrase::Fix { item, operator } => fix(item, operator),
        Phrase::Message { message } => format!("Details: {message}"),
        Phrase::Command { fix } => format!("What to do: {fix}."),
        Phrase::More { more } => format!("{more} more are not listed here; `auditferry status` shows them."),
        Phrase::Closing { operator: true } => String::new(),
        Phrase::Closing { operator: false } => {
            "No record is lost: what was not delivered waits, and is delivered once this is fixed.".to_owned()
        }
        Phrase::TestTitle => "Test of a notification".to_owned(),
        Phrase::TestBody => "Somebody tried this channel. There is nothing to do.".to_owned(),
    }
}

fn headline(item: &Item, operator: bool) -> String {
    let since = day_and_time(item.since);
    let account = item.account.as_ref().map(ToString::to_string).unwrap_or_default();
    let bucket = match &item.detail.bucket {
        Some(bucket) => format!(" to the bucket {bucket}"),
        None => String::new(),
    };
    let ends = item.detail.ends_at.map(day_and_time).unwrap_or_default();
    let ended = item.detail.kind.as_deref() == Some("ended");
    match (item.topic, item.change) {
        (Topic::Export, change) => {
            let what = if operator {
                format!("The export of account {account}{bucket}")
            } else {
                format!("The export of your audit log (account {account}){bucket}")
            };
            match change {
                Change::Began => format!("{what} fails since {since}."),
                Change::Worsened => format!("{what} still fails since {since}, and it is worse."),
                Change::Reminder => format!("{what} still fails, since {since}."),
                Change::Recovered => format!("{what} works again; it failed since {since}."),
            }
        }
        (Topic::Addon, _) => format!("The add-on of account {account} ends on {ends}."),
        (Topic::Credentials, _) if ended => {
            format!("The credentials with which account {account} exports{bucket} ended on {ends}.")
        }
        (Topic::Credentials, _) => {
            format!("The credentials with which account {account} exports{bucket} end on {ends}.")
        }
        (Topic::Retention, _) if ended => format!(
            "Records of account {account} are being deleted at the source that were not exported: since {ends}."
        ),
        (Topic::Retention, _) => {
            format!(
                "Records of account {account} that are not exported yet are deleted at the source from {ends} on."
            )
        }
        (Topic::Sweep, _) => {
            "A change was refused because it would have stopped many accounts at once.".to_owned()
        }
        (Topic::Workers, Change::Recovered) => format!("A worker runs again; none ran since {since}."),
        (Topic::Workers, _) => format!("No worker runs since {since}: nothing is delivered."),
        (Topic::Backlog, Change::Recovered) => "Workers have caught up with their slots.".to_owned(),
        (Topic::Backlog, _) => {
            format!("Workers are behind: a slot waits since {since}, and none has come to it.")
        }
        (Topic::Clock, Change::Recovered) => "The clocks of the workers are right again.".to_owned(),
        (Topic::Clock, _) => "The clock of a worker differs from the clock of the database.".to_owned(),
        (Topic::Chores, Change::Recovered) => "The chores of the workers are done again.".to_owned(),
        (Topic::Chores, _) => format!("A chore of a worker fails since {since}."),
    }
}

fn reason(kind: PutErrorKind) -> String {
    match kind {
        PutErrorKind::Exists => "A file that is not ours has the name of the next one.",
        PutErrorKind::Conflict | PutErrorKind::Throttled | PutErrorKind::Unavailable => {
            "The storage service was too busy or did not work."
        }
        PutErrorKind::InvalidCredentials => {
            "The storage service does not accept the credentials: they were revoked, replaced or have expired."
        }
        PutErrorKind::Denied => "The credentials may not write into the bucket.",
        PutErrorKind::Clock => "Our clock is wrong.",
        PutErrorKind::NoSuchBucket => "There is no such bucket.",
        PutErrorKind::Rejected => "The storage service refuses the file because of a setting of the bucket.",
        PutErrorKind::Unreachable => "The storage service cannot be reached.",
        PutErrorKind::Unknown => "The storage service did not answer.",
        PutErrorKind::Misconfigured => "The destination cannot be used as it was set up.",
    }
    .to_owned()
}

fn fix(item: &Item, operator: bool) -> String {
    let fix = match item.topic {
        Topic::Export if !operator => {
            item.detail.kind.as_deref().and_then(PutErrorKind::parse).map(customers)
        }
        Topic::Credentials if !operator => {
            Some("Give us new credentials before then. Until you do, the old ones stay in use.")
        }
        Topic::Credentials => Some("Give new ones with `auditferry destination rotate ACCOUNT …`."),
        Topic::Addon => {
            Some("Prolong it with `auditferry addon enable ACCOUNT --until DATE`, or tell the customer.")
        }
        Topic::Retention => Some(
            "Let the source keep its rows for longer, and get the export going: `auditferry account show ACCOUNT`.",
        ),
        Topic::Sweep => {
            Some("If it is meant, apply it again with the number that is named; if not, mend the file.")
        }
        Topic::Workers => {
            Some("Start a worker with `auditferry run`, and see in its log why the last one ended.")
        }
        Topic::Backlog => Some(
            "Look at `auditferry status`. Start more workers, or raise worker.concurrency, if all of them are busy.",
        ),
        Topic::Clock => {
            Some("Set the clock of that machine by NTP. From an hour's difference on, it takes nothing.")
        }
        Topic::Chores => Some("Look at the worker's log. Deliveries go on."),
        Topic::Export => None,
    };
    fix.map(str::to_owned).unwrap_or_default()
}

/// What the owner of a bucket can do.
fn customers(kind: PutErrorKind) -> &'static str {
    match kind {
        PutErrorKind::Denied => {
            "What to do: let the credentials that you gave us create objects in this bucket, below audit/."
        }
        PutErrorKind::InvalidCredentials => {
            "What to do: see that the key, role or token that you gave us exists and is active, or give us another."
        }
        PutErrorKind::NoSuchBucket => {
            "What to do: create the bucket again, or tell us the name of the one that is to be used."
        }
        PutErrorKind::Rejected => {
            "What to do: look at the bucket's encryption, storage class, retention and access settings."
        }
        PutErrorKind::Exists => "What to do: find out who else writes below audit/, and move that file away.",
        PutErrorKind::Misconfigured => "What to do: set the destination up again.",
        PutErrorKind::Unreachable | PutErrorKind::Unknown => {
            "What to do: see that the storage service runs, and that its firewall lets us in."
        }
        PutErrorKind::Clock
        | PutErrorKind::Conflict
        | PutErrorKind::Throttled
        | PutErrorKind::Unavailable => "There is nothing to do for you: it is tried again.",
    }
}
