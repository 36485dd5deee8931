//! What to do about each kind of trouble.

use crate::destinations::remedy::remedy;
use crate::ledger::TroubleKind;
use auditferry_core::model::destination::Destination;
use auditferry_core::protocol::Hold;

/// What to do about what went wrong with an account, in the words of its destination's cloud where it is the
/// destination's.
#[must_use]
pub fn fix_for(kind: &TroubleKind, message: &str, destination: Option<&Destination>) -> String {
    match (kind, destination) {
        (TroubleKind::Put(put), Some(destination)) => remedy(*put, message, destination),
        _ => fix(kind),
    }
}

/// What to do about an error of a kind.
#[must_use]
pub fn fix(kind: &TroubleKind) -> String {
    match kind {
        TroubleKind::Put(put) => put.fix(),
        TroubleKind::Held(Hold::ForeignObject) => {
            "find out who put the object under this key (another installation, or a person), move it away in \
             the bucket, then run `auditferry account release`. If this ledger was restored from a backup or \
             failed over, the object may be our own, put by an attempt that the ledger has lost: then run \
             `auditferry account rewind ACCOUNT --accept`, which delivers the window again under new names"
        }
        TroubleKind::Held(Hold::ContentChanged) => {
            "find out what changed or deleted rows of the audit log, restore them, then run \
             `auditferry account release`. If they cannot be restored, run `auditferry account rewind ACCOUNT \
             --accept`: the account continues from its watermark under new names, and what was put of the window \
             is delivered again as the rows are now"
        }
        TroubleKind::Held(Hold::SourceRewritten) => {
            "find out what changed rows of the table that were exported: an UPDATE or DELETE, an ALTER TABLE that \
             rewrites it, pg_repack, or rows that came later than source.table.lookback. Then run `auditferry \
             account rewind ACCOUNT --accept`: the account continues from its watermark under new names, and what \
             changed within twice the lookback is delivered again"
        }
        TroubleKind::Held(Hold::SourceRewound) => {
            "find out which backup, standby or cluster runs. If the audit_log was moved to another PostgreSQL cluster \
             (pg_upgrade, or dump and restore), run `auditferry source adopt`, which loses and repeats nothing. If an \
             older copy is to stay, run `auditferry account rewind ACCOUNT --accept`: the account goes on from where \
             both sides agree, under new names, and what was delivered after that may be delivered again. If not, \
             bring the right one back and run `auditferry account release`"
        }
        TroubleKind::Held(Hold::LedgerRewound) => {
            "find out which backup or standby runs; if it is to stay, run `auditferry account rewind ACCOUNT \
             --accept`: the account goes on from where both sides agree, under new names, and what was \
             delivered after that may be delivered again. If not, bring the right one back and run \
             `auditferry account release`"
        }
        TroubleKind::Held(Hold::BadRecord) => {
            "mend the field that the message names, in the row of the source that has this key (of an audit_log its seq; \
             its owner takes the append-only triggers off for it, and puts them back), then run `auditferry account \
             release ACCOUNT`. A row of your own table that was mended may hold the account as changed: then run \
             `auditferry account rewind ACCOUNT --accept`. Or leave out this one record, for good: `auditferry records \
             skip ACCOUNT --key KEY --reason WHY`; the window's history and the change log keep that"
        }
            TroubleKind::SourceSettings => {
                "correct what the message names, a key of [source.table] or the account's id, or what our role may read; \
                 `auditferry check` looks at the table and says the SQL; it is tried again by itself"
            }
            TroubleKind::Source => "see that the source's database is up; it is tried again by itself",
            TroubleKind::Ledger => "see that the ledger's database is up; it is tried again by itself",
            TroubleKind::Keys => "see that the key of keys.ring can be reached; it is tried again by itself",
            TroubleKind::ContentVersion => {
                "run the version of auditferry that wrote the window, or a newer one; it is tried again by itself"
            }
            TroubleKind::Schedule => "correct the zone or the schedule with `auditferry account set`",
            TroubleKind::LeaseLost | TroubleKind::Internal | TroubleKind::Other(_) => {
                "see the worker's log; it is tried again by itself"
            }
    }
    .to_owned()
}
