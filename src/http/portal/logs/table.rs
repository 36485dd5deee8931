//! The records as a table, with where the other pages are.

use super::address::{LogsAddress, Zone};
use super::words::Words;
use crate::http::pages::parts::{Html, breaking};
use crate::http::pages::words::number;
use crate::operations::records::{Counted, Listing};
use auditferry_core::model::record_query::{RecordQuery, SIZES, Turn};

/// A record as a row.
pub(super) struct Row {
    pub(super) href: String,
    pub(super) at: Html,
    pub(super) email: Html,
    pub(super) action: Html,
    pub(super) action_id: Option<Html>,
    pub(super) description: String,
    pub(super) ip_address: Option<Html>,
    pub(super) current: bool,
}

/// The live tail.
pub(super) struct Live {
    pub(super) href: String,
    /// Where one looks at what has come.
    pub(super) newest: String,
}

/// The records.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    pub(super) count: String,
    pub(super) foot: String,
    /// The newest and the oldest record that is shown.
    pub(super) shown: Option<(Html, Html)>,
    pub(super) newest: Option<String>,
    pub(super) newer: Option<String>,
    pub(super) older: Option<String>,
    pub(super) sizes: Vec<(u32, bool)>,
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) live: Option<Live>,
    /// What is done in these records, for whoever filters for it.
    pub(super) actions: Vec<String>,
    pub(super) longer: Option<String>,
}

impl Table {
    pub(super) fn new(
        w: Words,
        at: &LogsAddress,
        zone: &Zone,
        query: &RecordQuery,
        listing: &Listing,
    ) -> Self {
        let clock = zone.clock();
        let shown = number(w.0, listing.page.records.len() as u64);
        let (count, foot) = match listing.count {
            Counted::Exactly(1) => (w.one_record(), w.one_record()),
            Counted::Exactly(count) => {
                let count = number(w.0, count);
                (w.newest_first(&count), w.of(&shown, &count))
            }
            Counted::MoreThan(count) => (w.more_than(&number(w.0, count)), w.shown(&shown)),
            Counted::Unknown => (w.uncounted(), w.shown(&shown)),
        };
        let first = query.turn == Turn::First;
        let rows = &listing.page.records;
        let mut actions: Vec<String> = rows.iter().map(|(_, record)| record.action.clone()).collect();
        actions.sort();
        actions.dedup();
        let ends = rows.first().zip(rows.last());
        Self {
            count,
            foot,
            shown: ends.map(|((_, newest), (_, oldest))| {
                (clock.minute(newest.occurred_at), clock.minute(oldest.occurred_at))
            }),
            newest: (!first).then(|| at.first()),
            newer: listing.newer().filter(|_| !first).map(|place| at.newer(place)),
            older: listing.older().map(|place| at.older(place)),
            sizes: SIZES.iter().map(|size| (*size, *size == query.size)).collect(),
            hidden: at.hidden_but_rows(),
            live: (first && !at.raw.has_dates())
                .then(|| Live { href: at.tail(rows.first().map(|(place, _)| place)), newest: at.first() }),
            actions,
            longer: (at.raw.range != "93d").then(|| at.with_filter("range", "93d")),
            rows: rows
                .iter()
                .map(|(place, record)| Row {
                    href: at.with_record(place),
                    at: clock.second(record.occurred_at),
                    email: breaking(&record.email),
                    action: breaking(&record.action),
                    action_id: record.action_id.as_deref().filter(|id| !id.is_empty()).map(breaking),
                    description: record.description.clone(),
                    ip_address: record.ip_address.as_deref().filter(|ip| !ip.is_empty()).map(breaking),
                    current: at.record.as_deref() == Some(place.0.as_str()),
                })
                .collect(),
        }
    }

    /// The row of the record that is shown beside.
    pub(super) fn current(&self) -> Option<usize> {
        self.rows.iter().position(|row| row.current)
    }
}
