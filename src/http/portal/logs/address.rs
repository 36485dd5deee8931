//! The address of Audit Logs: filters, zone, page and record. Everything that is shown can be linked to.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use url::form_urlencoded::Serializer;

use super::PATH;
use crate::base::zones::Zones;
use crate::http::api::problem::Problem;
use crate::http::pages::parts::{Clock, Html, escaped};
use crate::http::portal::visitor::Visitor;
use auditferry_core::model::record_query::{Place, RawQuery};

/// What stands behind the `?`.
#[derive(Debug, Clone, Default)]
pub(in crate::http::portal) struct LogsAddress {
    /// The filters and the page, as they were typed.
    pub(in crate::http::portal) raw: RawQuery,
    /// The zone that was chosen; none: the account's.
    pub(in crate::http::portal) zone: Option<String>,
    /// The record that is shown.
    pub(in crate::http::portal) record: Option<String>,
}

/// The parameters of a query.
const NAMES: [&str; 11] =
    ["range", "from", "to", "user", "action", "id", "ip", "q", "rows", "older", "newer"];

impl LogsAddress {
    pub(in crate::http::portal) fn of(visitor: &Visitor) -> Self {
        let given: Vec<(&str, String)> =
            NAMES.into_iter().filter_map(|name| Some((name, visitor.asked(name)?))).collect();
        Self {
            raw: RawQuery::of(given.iter().map(|(name, value)| (*name, value.as_str()))),
            zone: visitor.asked("zone").filter(|zone| zone != "account"),
            record: visitor.asked("record"),
        }
    }

    fn written(raw: &RawQuery, zone: Option<&str>, more: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(raw.parameters());
        if let Some(zone) = zone {
            query.append_pair("zone", zone);
        }
        query.extend_pairs(more);
        query.finish()
    }

    fn page(query: &str) -> String {
        if query.is_empty() { PATH.to_owned() } else { format!("{PATH}?{query}") }
    }

    fn to(&self, more: &[(&str, &str)]) -> String {
        Self::page(&Self::written(&self.raw, self.zone.as_deref(), more))
    }

    /// The turn of this page, as it stands in its address.
    fn turn(&self) -> Option<(&'static str, &str)> {
        let given = |name, value: &'_ str| (!value.is_empty()).then_some(name);
        given("older", &self.raw.older).map(|name| (name, self.raw.older.as_str())).or(given(
            "newer",
            &self.raw.newer,
        )
        .map(|name| (name, self.raw.newer.as_str())))
    }

    /// The first page.
    pub(super) fn first(&self) -> String {
        self.to(&[])
    }

    pub(super) fn older(&self, place: &Place) -> String {
        self.to(&[("older", &place.0)])
    }

    pub(super) fn newer(&self, place: &Place) -> String {
        self.to(&[("newer", &place.0)])
    }

    /// This page, with the details of a record.
    pub(super) fn with_record(&self, place: &Place) -> String {
        let mut more: Vec<(&str, &str)> = self.turn().into_iter().collect();
        more.push(("record", &place.0));
        format!("{}#record", self.to(&more))
    }

    /// This page without a record.
    pub(super) fn without_record(&self) -> String {
        self.to(&self.turn().into_iter().collect::<Vec<_>>())
    }

    /// The same in another zone; none: the account's.
    pub(super) fn with_zone(&self, zone: Option<&str>) -> String {
        let mut more: Vec<(&str, &str)> = self.turn().into_iter().collect();
        if let Some(record) = &self.record {
            more.push(("record", record));
        }
        Self::page(&Self::written(&self.raw, zone, &more))
    }

    /// The first page with a filter set, or without it.
    pub(super) fn with_filter(&self, name: &str, value: &str) -> String {
        let mut filters: Vec<(&str, &str)> = Vec::new();
        for (other, kept) in self.raw.parameters() {
            if other != name {
                filters.push((other, kept));
            }
        }
        if !value.is_empty() {
            filters.push((name, value));
        }
        let raw = RawQuery::of(filters);
        Self::page(&Self::written(&raw, self.zone.as_deref(), &[]))
    }

    /// The first page of the last day, in this zone.
    pub(super) fn cleared(&self) -> String {
        Self::page(&Self::written(&RawQuery::default(), self.zone.as_deref(), &[]))
    }

    /// Where a download of this view is asked for.
    pub(super) fn download(&self, format: &str) -> String {
        let query = Self::written(&self.raw, self.zone.as_deref(), &[("format", format), ("new", "view")]);
        format!("/portal/downloads?{query}#new")
    }

    /// Where the live tail of this view is.
    pub(super) fn tail(&self, after: Option<&Place>) -> String {
        let after = after.map(|place| ("after", place.0.as_str()));
        let query = Self::written(&self.raw, self.zone.as_deref(), &after.into_iter().collect::<Vec<_>>());
        format!("{PATH}/tail?{query}")
    }

    /// The fields of the form that it does not show.
    pub(super) fn hidden(&self) -> Vec<(&'static str, String)> {
        let mut hidden = Vec::new();
        if let Some(zone) = &self.zone {
            hidden.push(("zone", zone.clone()));
        }
        if !self.raw.rows.is_empty() {
            hidden.push(("rows", self.raw.rows.clone()));
        }
        hidden
    }

    /// All that is filtered for, for a form that changes how many rows a page has.
    pub(super) fn hidden_but_rows(&self) -> Vec<(&'static str, String)> {
        let kept = self.raw.parameters().filter(|(name, _)| *name != "rows");
        let mut hidden: Vec<_> = kept.map(|(name, value)| (name, value.to_owned())).collect();
        if let Some(zone) = &self.zone {
            hidden.push(("zone", zone.clone()));
        }
        hidden
    }
}

/// The zone in which times are shown.
#[derive(Debug, Clone)]
pub(in crate::http::portal) struct Zone {
    pub(in crate::http::portal) kind: ZoneKind,
    rules: TimeZone,
}

/// Whose zone it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http::portal) enum ZoneKind {
    Account,
    Utc,
    Other(String),
}

impl Zone {
    /// The zone that an address names. One that nobody knows is the account's.
    pub(in crate::http::portal) fn of(
        zones: &Zones,
        account: &str,
        named: Option<&str>,
    ) -> Result<Self, Problem> {
        let own = || Ok(Self { kind: ZoneKind::Account, rules: Self::account(zones, account)? });
        match named {
            None => own(),
            Some("utc") => Ok(Self { kind: ZoneKind::Utc, rules: TimeZone::UTC }),
            Some(name) => match zones.find(name) {
                Ok(zone) => Ok(Self { kind: ZoneKind::Other(name.to_owned()), rules: zone.rules().clone() }),
                Err(_) => own(),
            },
        }
    }

    /// The account's own.
    pub(in crate::http::portal) fn account(zones: &Zones, account: &str) -> Result<TimeZone, Problem> {
        match zones.find(account) {
            Ok(zone) => Ok(zone.rules().clone()),
            Err(error) => {
                tracing::error!(error = %error, "an account's zone is not known");
                Err(Problem::internal())
            }
        }
    }

    pub(in crate::http::portal) fn rules(&self) -> &TimeZone {
        &self.rules
    }

    /// How times are written in it.
    pub(in crate::http::portal) fn clock(&self) -> Clock {
        match self.kind {
            ZoneKind::Utc => Clock::utc(),
            ZoneKind::Account | ZoneKind::Other(_) => Clock::of(self.rules.clone()),
        }
    }

    /// Its offset at an instant.
    pub(in crate::http::portal) fn offset(&self, at: Timestamp) -> Html {
        let offset = at.to_zoned(self.rules.clone()).strftime("%:z").to_string();
        Html::joined(format!(r#"<span class="zone">{}</span>"#, escaped(&offset)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> LogsAddress {
        LogsAddress {
            raw: RawQuery::of([("range", "7d"), ("q", "a&b c"), ("rows", "50"), ("older", "1_2")]),
            zone: Some("utc".to_owned()),
            record: Some("3_4".to_owned()),
        }
    }

    #[test]
    fn everything_stands_in_the_address() {
        let at = address();
        let base = "/portal/logs?range=7d&q=a%26b+c&rows=50&zone=utc";
        assert_eq!(at.first(), base);
        assert_eq!(at.older(&Place("5_6".into())), format!("{base}&older=5_6"));
        assert_eq!(at.with_record(&Place("5_6".into())), format!("{base}&older=1_2&record=5_6#record"));
        assert_eq!(at.without_record(), format!("{base}&older=1_2"));
        assert_eq!(at.with_zone(None), "/portal/logs?range=7d&q=a%26b+c&rows=50&older=1_2&record=3_4");
        assert_eq!(at.with_filter("q", ""), "/portal/logs?range=7d&rows=50&zone=utc");
        assert_eq!(at.cleared(), "/portal/logs?zone=utc");
        assert!(
            at.download("csv")
                .starts_with("/portal/downloads?range=7d&q=a%26b+c&rows=50&zone=utc&format=csv")
        );
        assert!(at.tail(None).starts_with("/portal/logs/tail?range=7d"));
        assert_eq!(LogsAddress::default().first(), "/portal/logs");
    }
}
