//! Rows of the account table as values, and back.

use sqlx::Row as _;
use sqlx::types::Json;

use super::{Account, Pause, Result, Row, SqlCount, SqlTime, Trouble, count, small};
use crate::ledger::TroubleKind;
use auditferry_core::model::account::{AccountId, AddOn};
use auditferry_core::model::bound::{Ahead, Bound, Watermark};
use auditferry_core::model::format::Format;
use auditferry_core::model::schedule::as_it_was_meant;
use auditferry_core::protocol::{Denied, Hold};

pub(super) const ACCOUNT_COLUMNS: &str = "id, zone, schedule, format, created_at, addon_enabled, addon_until, \
    addon_reason, destination_version, watermark, watermark_at, watermark_ahead, watermark_since, windows, \
    generation, last_slot, next_slot, open_window, failures, retry_at, trouble_kind, trouble_message, trouble_at, held, \
    paused_at, paused_reason, denied_since, suspended_at, endpoint, served_at, \
    starts_when_enabled, schedule_syntax";

pub(super) fn account_id(row: &Row, column: &str) -> Result<AccountId> {
    let text: String = row.try_get(column)?;
    Ok(text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?)
}

pub(super) fn account(row: &Row) -> Result<Account> {
    let instant = |column: &str| row.try_get::<SqlTime, _>(column).map(|at| at.0);
    let maybe = |column: &str| row.try_get::<Option<SqlTime>, _>(column).map(|at| at.map(|at| at.0));
    let kind: Option<String> = row.try_get("trouble_kind")?;
    let trouble = match (kind, row.try_get("trouble_message")?, maybe("trouble_at")?) {
        (Some(kind), Some(message), Some(at)) => {
            Some(Trouble { kind: TroubleKind::stored(&kind), message, at })
        }
        _ => None,
    };
    let written: String = row.try_get("schedule")?;
    let (schedule, schedule_before) = match row.try_get::<i32, _>("schedule_syntax")? {
        1 => match as_it_was_meant(&written) {
            same if same == written => (written, None),
            meant => (meant, Some(written)),
        },
        _ => (written, None),
    };
    Ok(Account {
        id: account_id(row, "id")?,
        zone: row.try_get("zone")?,
        schedule,
        schedule_before,
        format: row.try_get::<Json<Format>, _>("format")?.0,
        created_at: instant("created_at")?,
        addon: AddOn {
            enabled: row.try_get("addon_enabled")?,
            until: maybe("addon_until")?,
            reason: row.try_get("addon_reason")?,
        },
        destination_version: row.try_get::<Option<SqlCount>, _>("destination_version")?.map(count),
        watermark: Watermark {
            bound: Bound(row.try_get("watermark")?),
            at: instant("watermark_at")?,
            ahead: row.try_get::<Option<Json<Ahead>>, _>("watermark_ahead")?.map(|ahead| ahead.0),
            since: maybe("watermark_since")?,
        },
        starts_when_enabled: row.try_get("starts_when_enabled")?,
        windows: count(row.try_get("windows")?),
        generation: small(row.try_get("generation")?),
        last_slot: instant("last_slot")?,
        next_slot: maybe("next_slot")?,
        open_window: row.try_get::<Option<SqlCount>, _>("open_window")?.map(count),
        failures: small(row.try_get("failures")?),
        retry_at: maybe("retry_at")?,
        trouble,
        held: row.try_get::<Option<String>, _>("held")?.as_deref().and_then(Hold::parse),
        endpoint: row.try_get("endpoint")?,
        served_at: maybe("served_at")?,
        paused: match maybe("paused_at")? {
            Some(at) => Some(Pause { at, reason: row.try_get("paused_reason")? }),
            None => None,
        },
        denied: match maybe("denied_since")? {
            Some(since) => Some(Denied { since, suspended_at: maybe("suspended_at")? }),
            None => None,
        },
    })
}
