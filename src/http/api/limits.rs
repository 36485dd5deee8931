//! How many requests come: of each token or person, and of each address, of which failed log-ins count more.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::header;
use jiff::Timestamp;

use super::address::ClientAddress;
use super::problem::Problem;
use auditferry_core::model::account::AccountId;

/// Of what a token gets, how many failed log-ins of one address are answered in a row, and how many a minute
/// after them: with the default of 600, twenty and ten.
const FAILED_BURST: f64 = 1.0 / 30.0;
const FAILED_A_MINUTE: f64 = 1.0 / 60.0;

/// How many probes of one destination an hour, and tests of one channel.
const PROBES: f64 = 10.0;

/// How many links to one account's portal a minute: whoever has got hold of a backend's token does not get more.
const PORTAL_LINKS: f64 = 60.0;

/// Of what a token gets, how many log-ins of one address may begin at once, and in a minute: each is kept for a while.
const SIGN_INS: f64 = 1.0 / 20.0;

/// Addresses may be many behind one proxy or network: they get this times what a token gets.
const ADDRESS_SHARE: f64 = 4.0;

/// Most buckets that are remembered of each kind; full ones are forgotten first.
const REMEMBERED: usize = 10_000;

/// How many requests may come.
pub(in crate::http) struct RateLimits {
    principals: Buckets<String>,
    addresses: Buckets<IpAddr>,
    failed: Buckets<IpAddr>,
    sign_ins: Buckets<IpAddr>,
    probes: Buckets<AccountId>,
    tests: Buckets<String>,
    portal_links: Buckets<AccountId>,
}

impl RateLimits {
    /// `a_minute`: how many requests of one token.
    pub(in crate::http) fn new(a_minute: u32) -> Self {
        let rate = f64::from(a_minute);
        Self {
            principals: Buckets::new(rate, rate),
            addresses: Buckets::new(rate * ADDRESS_SHARE, rate * ADDRESS_SHARE),
            failed: Buckets::new((rate * FAILED_BURST).max(1.0), rate * FAILED_A_MINUTE),
            sign_ins: Buckets::new((rate * SIGN_INS).max(1.0), rate * SIGN_INS),
            probes: Buckets::new(PROBES, PROBES / 60.0),
            tests: Buckets::new(PROBES, PROBES / 60.0),
            portal_links: Buckets::new(PORTAL_LINKS, PORTAL_LINKS),
        }
    }

    /// A request of an address, before anything is known of it.
    pub(in crate::http) fn address(
        &self,
        ClientAddress(address): ClientAddress,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.addresses.take(network(address), now)
    }

    /// A request of somebody who is known.
    pub(in crate::http) fn principal(&self, principal: String, now: Timestamp) -> Result<(), Problem> {
        self.principals.take(principal, now)
    }

    /// A probe of an account's destination: each connects to where the customer says.
    pub(in crate::http) fn probe(&self, account: &AccountId, now: Timestamp) -> Result<(), Problem> {
        self.probes.take(account.clone(), now)
    }

    /// How many probes of an account's destination may come now.
    pub(in crate::http) fn probes_left(&self, account: &AccountId, now: Timestamp) -> u32 {
        self.probes.left(account, now)
    }

    /// A message over a channel of notifications, as a test.
    pub(in crate::http) fn test(&self, channel: &str, now: Timestamp) -> Result<(), Problem> {
        self.tests.take(channel.to_owned(), now)
    }

    /// A link to an account's portal.
    pub(super) fn portal_link(&self, account: &AccountId, now: Timestamp) -> Result<(), Problem> {
        self.portal_links.take(account.clone(), now)
    }

    /// A log-in that begins.
    pub(in crate::http) fn sign_in(
        &self,
        ClientAddress(address): ClientAddress,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.sign_ins.take(network(address), now)
    }

    /// A failed log-in of an address.
    pub(in crate::http) fn failed(
        &self,
        ClientAddress(address): ClientAddress,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.failed.take(network(address), now)
    }
}

/// A customer of IPv6 has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            IpAddr::from(octets)
        }
    }
}

/// Token buckets: each fills with time, and a request takes one.
struct Buckets<K> {
    size: f64,
    per_second: f64,
    levels: Mutex<HashMap<K, Level>>,
}

#[derive(Clone, Copy)]
struct Level {
    left: f64,
    at: Timestamp,
}

impl<K: Hash + Eq> Buckets<K> {
    fn new(size: f64, a_minute: f64) -> Self {
        Self { size, per_second: a_minute / 60.0, levels: Mutex::default() }
    }

    fn level(&self, level: Level, now: Timestamp) -> f64 {
        let since = now.duration_since(level.at).as_secs_f64().max(0.0);
        (level.left + since * self.per_second).min(self.size)
    }

    /// Takes one.
    fn take(&self, key: K, now: Timestamp) -> Result<(), Problem> {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if levels.len() >= REMEMBERED && !levels.contains_key(&key) {
            levels.retain(|_, level| self.level(*level, now) < self.size);
        }
        let left = levels.get(&key).map_or(self.size, |level| self.level(*level, now));
        if left < 1.0 {
            return Err(self.refused(left));
        }
        if levels.len() < REMEMBERED || levels.contains_key(&key) {
            levels.insert(key, Level { left: left - 1.0, at: now });
        }
        Ok(())
    }

    /// How many may be taken now.
    fn left(&self, key: &K, now: Timestamp) -> u32 {
        let levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let left = levels.get(key).map_or(self.size, |level| self.level(*level, now));
        (0_u32..).take_while(|taken| f64::from(*taken) + 1.0 <= left).last().map_or(0, |taken| taken + 1)
    }

    fn refused(&self, left: f64) -> Problem {
        let wait = Duration::try_from_secs_f64((1.0 - left) / self.per_second).unwrap_or(Duration::MAX);
        let seconds = wait.as_secs().saturating_add(1);
        Problem::too_many_requests().header(header::RETRY_AFTER, &seconds.to_string())
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let buckets = Buckets::new(2.0, 60.0);
        let now = Timestamp::UNIX_EPOCH;
        assert!(buckets.take("a", now).is_ok() && buckets.take("a", now).is_ok());
        assert!(buckets.take("a", now).is_err());
        assert!(buckets.take("b", now).is_ok(), "another one has its own");
        let later = now + SignedDuration::from_millis(1_100);
        assert!(buckets.take("a", later).is_ok() && buckets.take("a", later).is_err());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let buckets = Buckets::new(2.0, 60.0);
        let now = Timestamp::UNIX_EPOCH;
        for number in 0..REMEMBERED * 2 {
            let _ = buckets.take(number, now);
        }
        assert!(buckets.levels.lock().expect("lock").len() <= REMEMBERED);
        let later = now + SignedDuration::from_secs(60);
        assert!(buckets.take(usize::MAX, later).is_ok());
        assert_eq!(buckets.levels.lock().expect("lock").len(), 1, "full ones are forgotten");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let of = |text: &str| network(text.parse().expect("address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
