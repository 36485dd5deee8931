//! Logs once that an open transaction of the source holds records back, and once that it has ended.

use jiff::Timestamp;

use crate::source::Holder;

/// What a worker knows of it.
#[derive(Debug, Default)]
pub(crate) struct HolderWatch {
    told: Option<Told>,
}

#[derive(Debug)]
struct Told {
    who: String,
    /// Since when it is open; where that cannot be seen, since it was told.
    since: Timestamp,
}

impl HolderWatch {
    /// Takes note of the oldest open transaction. Returns for how many seconds one has held records
    /// back; 0: none has for long.
    pub(crate) fn update(&mut self, holder: Option<&Holder>, now: Timestamp) -> i64 {
        let old = holder.filter(|holder| holder.is_old(now));
        match (&self.told, old) {
            (Some(told), None) => {
                tracing::info!(
                    who = told.who,
                    "the transaction that held records of the source back has ended"
                );
                self.told = None;
            }
            (Some(told), Some(holder)) if told.who == holder.who => {}
            (_, Some(holder)) => {
                tracing::warn!(who = holder.who, transactions = holder.transactions, "{}", holder.words());
                self.told = Some(Told { who: holder.who.clone(), since: holder.since.unwrap_or(now) });
            }
            (None, None) => {}
        }
        self.told.as_ref().map_or(0, |told| now.duration_since(told.since).as_secs().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_told_until_it_ends() {
        let at = |second| Timestamp::from_second(second).expect("instant");
        let holder = |who: &str, since: Option<i64>| Holder {
            who: who.to_owned(),
            since: since.map(at),
            transactions: 5_000,
            fix: String::new(),
        };
        let mut watch = HolderWatch::default();
        assert_eq!(watch.update(None, at(0)), 0);
        let first = holder("process 7", Some(0));
        assert_eq!(watch.update(Some(&first), at(59)), 0, "not for long");
        assert_eq!(watch.update(Some(&first), at(100)), 100);
        // Its time cannot be seen: it counts from here.
        let second = holder("process 8", None);
        assert_eq!(watch.update(Some(&second), at(200)), 1);
        assert_eq!(watch.update(Some(&second), at(500)), 300);
        assert_eq!(watch.update(None, at(600)), 0);
    }
}
