//! The statements that read a vendor's table. Names come from the settings, were found in the
//! catalogue, and are quoted; values are always parameters.

use crate::source::browse::condition;
use crate::source::{Result, SourceError};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::record_query::RecordFilter;

/// A text column's name, and whether it is an address.
pub(super) type Text = (String, bool);

/// How a table is read.
#[derive(Debug)]
pub(super) struct Columns {
    table: String,
    account: String,
    account_name: String,
    account_kind: IdKind,
    key: String,
    key_kind: IdKind,
    time: String,
    /// The time column is a timestamp in UTC, without time zone.
    utc: bool,
    /// Email, action, action id, description, IP address.
    texts: [String; 5],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdKind {
    Text,
    Number,
    Uuid,
}

impl IdKind {
    fn of(kind: &str) -> Self {
        match kind {
            "int2" | "int4" | "int8" => Self::Number,
            "uuid" => Self::Uuid,
            _ => Self::Text,
        }
    }

    /// A parameter of this kind.
    fn parameter(self, number: u32) -> String {
        match self {
            Self::Text => format!("${number}::text"),
            Self::Number => format!("${number}::text::bigint"),
            Self::Uuid => format!("${number}::text::uuid"),
        }
    }
}

/// An identifier, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn column(name: &str) -> String {
    format!("t.{}", quoted(name))
}

impl Columns {
    pub(super) fn new(
        (schema, table): (&str, &str),
        (account, account_kind): (&str, &str),
        (key, key_kind): (&str, &str),
        (time, utc): (&str, bool),
        [email, action, action_id, description, ip_address]: [Option<Text>; 5],
    ) -> Self {
        let text = |of: Option<Text>| match of {
            None => "NULL::text".to_owned(),
            // Without the mask of a single host, and with that of a network.
            Some((name, true)) => format!("abbrev({}::inet)", column(&name)),
            Some((name, false)) => format!("{}::text", column(&name)),
        };
        let never_null = |of| format!("coalesce({}, '')", text(of));
        let key_kind = IdKind::of(key_kind);
        Self {
            table: format!("{}.{} AS t", quoted(schema), quoted(table)),
            account: column(account),
            account_name: account.to_owned(),
            account_kind: IdKind::of(account_kind),
            key: match key_kind {
                // The same order whatever the database's collation is, now and after an upgrade.
                IdKind::Text => format!("({}::text COLLATE \"C\")", column(key)),
                IdKind::Number | IdKind::Uuid => column(key),
            },
            key_kind,
            time: column(time),
            utc,
            texts: [
                never_null(email),
                never_null(action),
                text(action_id),
                never_null(description),
                text(ip_address),
            ],
        }
    }

    /// That an account's id is written as the database writes it: otherwise two ids could be
    /// one account, or an id none.
    pub(super) fn check_account(&self, account: &AccountId) -> Result<()> {
        let id = account.as_str();
        let (fits, kind) = match self.account_kind {
            IdKind::Text => return Ok(()),
            IdKind::Number => {
                (id.parse().is_ok_and(|number: i64| number.to_string() == id), "a whole number")
            }
            IdKind::Uuid => {
                (uuid::Uuid::try_parse(id).is_ok_and(|uuid| uuid.hyphenated().to_string() == id), "a uuid")
            }
        };
        if fits {
            return Ok(());
        }
        Err(SourceError::Account {
            account: account.clone(),
            problem: format!(
                "the column {} is {kind}, and the id is not written as PostgreSQL writes one; add the account \
                 under the id that the column shows",
                self.account_name
            ),
        })
    }

    /// A time as a parameter, comparable with the column without a conversion of it.
    fn at(&self, number: u32) -> String {
        if self.utc {
            format!("(${number}::timestamptz AT TIME ZONE 'UTC')")
        } else {
            format!("${number}::timestamptz")
        }
    }

    /// The rows of a set. `$1` account, `$2` the top id, `$3` `$4` floor and horizon of what lies
    /// below, `$5` `$6` of the set's end, `$7` since, `$8` until, `$9` `$10` floor and horizon of
    /// what was delivered ahead, `$11` its end.
    ///
    /// A row's 32 bits of id are widened against `$2`, above which there is none; ids under 3
    /// mean "long ago".
    fn set(&self) -> String {
        let Self { account, time, .. } = self;
        let wanted = self.account_kind.parameter(1);
        let id = "(CASE WHEN t.xmin::text::bigint < 3 THEN 0 \
                  ELSE $2 - (($2 - t.xmin::text::bigint) & 4294967295) END)";
        let [p3, p5, p7, p8, p9, p11] = [3, 5, 7, 8, 9, 11].map(|number| self.at(number));
        format!(
            "{account} = {wanted} AND {account}::text = $1::text \
             AND ($3::timestamptz IS NULL OR ({time} >= {p3} AND {id} >= $4)) \
             AND ($5::timestamptz IS NULL OR {time} < {p5} OR {id} < $6) \
             AND ($7::timestamptz IS NULL OR {time} >= {p7}) \
             AND ($8::timestamptz IS NULL OR {time} < {p8}) \
             AND ($9::timestamptz IS NULL OR NOT (({time} < {p9} OR {id} < $10) AND {time} < {p11}))"
        )
    }

    /// How many rows a set has, and the sum of their hashes.
    pub(super) fn tally(&self) -> String {
        let Self { table, key, .. } = self;
        format!(
            "SELECT count(*) AS records, \
             coalesce(sum(hashtextextended(concat({key}::text, ':', t.xmin::text) COLLATE \"C\", 0)), 0)::text AS sum \
             FROM {table} WHERE {}",
            self.set()
        )
    }

    /// The next rows of a set: `$12` and `$13` time and key of the last that was read, `$14` how many,
    /// `$15` the keys of rows that a person chose to skip.
    /// In the order of time and key, which an update of a row does not change.
    pub(super) fn page(&self) -> String {
        let Self { table, key, time, .. } = self;
        let [email, action, action_id, description, ip_address] = &self.texts;
        let (shown, p12, p13) = (self.shown_time(), self.at(12), self.key_kind.parameter(13));
        format!(
            "SELECT {shown} AS at, {key}::text AS key, {email} AS email, {action} AS action, \
             {action_id} AS action_id, {description} AS description, {ip_address} AS ip_address \
             FROM {table} WHERE {} AND {key}::text <> ALL ($15::text[]) AND ($12::timestamptz IS NULL OR ({time}, {key}) > ({p12}, {p13})) \
             ORDER BY {time}, {key} LIMIT $14",
            self.set()
        )
    }

    fn record(&self) -> String {
        let Self { key, .. } = self;
        let [email, action, action_id, description, ip_address] = &self.texts;
        let shown = self.shown_time();
        format!(
            "{shown} AS at, {key}::text AS key, {email} AS email, {action} AS action, {action_id} AS action_id, \
             {description} AS description, {ip_address} AS ip_address"
        )
    }

    fn texts(&self) -> [&str; 5] {
        self.texts.each_ref().map(String::as_str)
    }

    /// The rows of a page: `$1` account, `$2` `$3` the span, `$4` to `$8` the filter.
    fn wanted(&self, filter: &RecordFilter) -> String {
        let Self { account, time, .. } = self;
        let (wanted, from, to) = (self.account_kind.parameter(1), self.at(2), self.at(3));
        format!(
            "{account} = {wanted} AND {account}::text = $1::text AND {time} >= {from} AND {time} < {to} AND {}",
            condition(self.texts(), filter, 4)
        )
    }

    /// Rows by time: `$9` how many; with `beyond`, `$10` `$11` time and key of the row beyond which they are.
    pub(super) fn by_time(&self, filter: &RecordFilter, beyond: Option<&str>, ascending: bool) -> String {
        let Self { table, key, time, .. } = self;
        let order = if ascending { "ASC" } else { "DESC" };
        let beyond = beyond.map_or_else(String::new, |sign| {
            format!(" AND ({time}, {key}) {sign} ({}, {})", self.at(10), self.key_kind.parameter(11))
        });
        format!(
            "SELECT {} FROM {table} WHERE {}{beyond} ORDER BY {time} {order}, {key} {order} LIMIT $9",
            self.record(),
            self.wanted(filter)
        )
    }

    /// How many rows a view has, at most `$9`.
    pub(super) fn count_by_time(&self, filter: &RecordFilter) -> String {
        let Self { table, time, .. } = self;
        format!(
            "SELECT count(*) AS records FROM (SELECT FROM {table} WHERE {} ORDER BY {time} DESC LIMIT $9) AS counted",
            self.wanted(filter)
        )
    }

    /// The row of `$1` account, `$2` time, `$3` key.
    pub(super) fn one(&self) -> String {
        let Self { table, account, key, time, .. } = self;
        let (wanted, at, own) = (self.account_kind.parameter(1), self.at(2), self.key_kind.parameter(3));
        format!(
            "SELECT {} FROM {table} WHERE {account} = {wanted} AND {account}::text = $1::text AND {time} = {at} \
             AND {key} = {own}",
            self.record()
        )
    }

    /// Rows of a set by time: `$12` `$13` time and key of the last that was read, `$14` how many, `$15` to `$19` the
    /// filter.
    pub(super) fn closed_by_time(&self, filter: &RecordFilter) -> String {
        let Self { table, key, time, .. } = self;
        let (at, own) = (self.at(12), self.key_kind.parameter(13));
        format!(
            "SELECT {} FROM {table} WHERE {} AND {} AND ($12::timestamptz IS NULL OR ({time}, {key}) > ({at}, {own})) \
             ORDER BY {time}, {key} LIMIT $14",
            self.record(),
            self.set(),
            condition(self.texts(), filter, 15)
        )
    }

    /// How many rows a set has, at most `$12`, and the earliest time of those that a record can have.
    pub(super) fn count(&self) -> String {
        let Self { table, .. } = self;
        let shown = self.shown_time();
        format!(
            "SELECT count(*) AS records, min(at) FILTER (WHERE at >= '0001-01-03Z' AND at < '9999-12-29Z') AS oldest \
             FROM (SELECT {shown} AS at FROM {table} WHERE {} LIMIT $12) AS waiting",
            self.set()
        )
    }

    /// The time of an account's oldest row, and how many rows, at most `$2`, have a time before all that a
    /// record can have: `-infinity`, or the zero time of some languages.
    pub(super) fn oldest(&self) -> String {
        let Self { table, account, time, .. } = self;
        let (shown, wanted) = (self.shown_time(), self.account_kind.parameter(1));
        let first = if self.utc { "'0001-01-03'::timestamp" } else { "'0001-01-03Z'::timestamptz" };
        let rows = format!("FROM {table} WHERE {account} = {wanted} AND {account}::text = $1::text");
        format!(
            "SELECT (SELECT min({shown}) {rows} AND {time} >= {first}) AS oldest, \
             (SELECT count(*) FROM (SELECT 1 {rows} AND {time} < {first} LIMIT $2) AS early) AS early"
        )
    }

    fn shown_time(&self) -> String {
        if self.utc { format!("({} AT TIME ZONE 'UTC')", self.time) } else { self.time.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_whatever_is_in_it() {
        assert_eq!(quoted(r#"a"; DROP TABLE x; --"#), r#""a""; DROP TABLE x; --""#);
    }
}
