//! The live tail: how many records have come since somebody looked. One task asks the source for each account, however
//! many look at it, and it ends with the last of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

use crate::base::clock::Clock;
use crate::source::{Browser, Look};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::record::Record;
use auditferry_core::model::record_query::{Place, RecordFilter, TimeSpan, Turn};

/// How often the source is asked for an account, unless many are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// The least time between two looks of a process, whatever the account.
const SHARE: Duration = Duration::from_millis(20);

/// How far behind the newest record is looked again: records commit in another order than they occur.
const OVERLAP: SignedDuration = SignedDuration::from_secs(30);

/// Most records of one look.
const MOST: u32 = 500;

/// How many looks somebody may be behind.
const BEHIND: usize = 32;

/// How many may look at once: of one process, and at one account.
const PLACES: usize = 500;
const PLACES_OF_ACCOUNT: usize = 50;

/// Records that have come.
#[derive(Debug)]
pub struct News {
    /// The records, the oldest first.
    pub records: Vec<(Place, Record)>,
    /// Whether there were more than are told.
    pub more: bool,
}

impl News {
    /// How many of them pass a filter, and the place of the newest of all.
    #[must_use]
    pub fn matching(&self, filter: &RecordFilter) -> usize {
        self.records.iter().filter(|(_, record)| filter.matches(&record.borrow())).count()
    }

    /// The place of the newest record.
    #[must_use]
    pub fn newest(&self) -> Option<&Place> {
        self.records.last().map(|(place, _)| place)
    }
}

/// One account that is looked at.
struct Watched {
    news: broadcast::Sender<Arc<News>>,
    places: Arc<Semaphore>,
}

/// All accounts that are looked at.
#[derive(Clone)]
pub struct Tails {
    browser: Arc<dyn Browser>,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
    watched: Arc<Mutex<HashMap<AccountId, Weak<Watched>>>>,
    every: Duration,
}

/// Somebody who looks. Dropped, they look no longer.
pub struct Tail {
    news: broadcast::Receiver<Arc<News>>,
    _watched: Arc<Watched>,
    _places: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Tail {
    /// The next news. None: so many have come that some were missed, and the page is to be opened anew.
    pub async fn next(&mut self) -> Option<Arc<News>> {
        match self.news.recv().await {
            Ok(news) => Some(news),
            Err(broadcast::error::RecvError::Lagged(_)) => None,
            // The sender lives as long as we do.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Tails {
    /// Nobody looks yet.
    #[must_use]
    pub fn new(browser: Arc<dyn Browser>, clock: Arc<dyn Clock>) -> Self {
        Self::every(browser, clock, EVERY)
    }

    /// The same with another pause between two looks.
    #[must_use]
    pub fn every(browser: Arc<dyn Browser>, clock: Arc<dyn Clock>, every: Duration) -> Self {
        Self { browser, clock, places: Arc::new(Semaphore::new(PLACES)), watched: Arc::default(), every }
    }

    /// Looks at an account from now on; none: as many look as may.
    #[must_use]
    pub fn look(&self, account: &AccountId) -> Option<Tail> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut all = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, watched| watched.strong_count() > 0);
        let watched = match all.get(account).and_then(Weak::upgrade) {
            Some(watched) => watched,
            None => {
                let (news, _) = broadcast::channel(BEHIND);
                let places = Arc::new(Semaphore::new(PLACES_OF_ACCOUNT));
                let watched = Arc::new(Watched { news, places });
                all.insert(account.clone(), Arc::downgrade(&watched));
                let (tails, account) = (self.clone(), account.clone());
                let weak = Arc::downgrade(&watched);
                tokio::spawn(async move { tails.watch(&account, &weak).await });
                watched
            }
        };
        let own = Arc::clone(&watched.places).try_acquire_owned().ok()?;
        Some(Tail { news: watched.news.subscribe(), _watched: watched, _places: (place, own) })
    }

    /// How many accounts are looked at.
    #[must_use]
    pub fn accounts(&self) -> usize {
        let all = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().filter(|watched| watched.strong_count() > 0).count()
    }

    /// Asks until nobody looks any more.
    async fn watch(&self, account: &AccountId, watched: &Weak<Watched>) {
        let filter = RecordFilter::default();
        // What is there already is known to whoever has just opened the page.
        let mut since = earlier(self.clock.now());
        let mut seen: Option<HashSet<Place>> = None;
        loop {
            let look = Look { span: TimeSpan::since(since), filter: &filter };
            match self.browser.page(account, &look, &Turn::First, MOST).await {
                Ok(page) => {
                    let newest = page.records.first().map(|(_, record)| record.occurred_at);
                    let now_seen = page.records.iter().map(|(place, _)| place.clone()).collect();
                    if let Some(before) = &seen {
                        let fresh = page.records.into_iter().filter(|(place, _)| !before.contains(place));
                        let mut records: Vec<_> = fresh.collect();
                        records.reverse();
                        let Some(watched) = watched.upgrade() else { return };
                        if !records.is_empty() {
                            let more = page.older && records.len() >= MOST as usize;
                            let _ = watched.news.send(Arc::new(News { records, more }));
                        }
                    }
                    seen = Some(now_seen);
                    // One whose clock is ahead hides nobody else's.
                    if let Some(newest) = newest {
                        since = since.max(earlier(newest.min(self.clock.now())));
                    }
                }
                Err(error) => tracing::debug!(account = %account, error = %error, "the tail is behind"),
            }
            tokio::time::sleep(pause(self.every, self.accounts())).await;
            if watched.strong_count() == 0 {
                return;
            }
        }
    }
}

/// How long to wait between two looks at an account, when so many accounts are looked at: the source is asked at most
/// fifty times a second.
fn pause(every: Duration, accounts: usize) -> Duration {
    every.max(SHARE * u32::try_from(accounts).unwrap_or(u32::MAX))
}

fn earlier(at: Timestamp) -> Timestamp {
    at.checked_sub(OVERLAP).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering as Order;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::base::clock::SystemClock;
    use crate::source::{Closed, Found, RecordPage, Result};
    use auditferry_core::model::bound::Cursor;

    /// A source whose records are put into it.
    #[derive(Default)]
    struct Fake {
        asked: AtomicUsize,
        askers: Mutex<HashSet<tokio::task::Id>>,
        records: Mutex<Vec<(Place, Record)>>,
    }

    impl Fake {
        fn add(&self, number: usize, action: &str, at: Timestamp) {
            let record = Record {
                occurred_at: at,
                email: String::new(),
                action: action.to_owned(),
                action_id: None,
                description: String::new(),
                ip_address: None,
            };
            self.records.lock().unwrap().push((Place(number.to_string()), record));
        }
    }

    #[async_trait]
    impl Browser for Fake {
        async fn page(&self, _: &AccountId, look: &Look<'_>, _: &Turn, size: u32) -> Result<RecordPage> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.askers.lock().unwrap().insert(tokio::task::id());
            let mut records = self.records.lock().unwrap().clone();
            records.retain(|(_, record)| look.span.contains(record.occurred_at));
            records.sort_by_key(|(_, record)| std::cmp::Reverse(record.occurred_at));
            let older = records.len() > size as usize;
            records.truncate(size as usize);
            Ok(RecordPage { records, older, newer: false })
        }

        async fn record(&self, _: &AccountId, _: &Place) -> Result<Option<Found>> {
            Ok(None)
        }

        async fn count(&self, _: &AccountId, _: &Look<'_>, _: u32) -> Result<u64> {
            Ok(0)
        }

        async fn closed(
            &self,
            _: &AccountId,
            _: &Look<'_>,
            _: &Closed<'_>,
            _: Duration,
        ) -> Result<Vec<(Place, Record)>> {
            Ok(Vec::new())
        }

        fn compare(&self, _: &Cursor, _: &Cursor) -> Option<Order> {
            None
        }

        fn is_ours(&self) -> bool {
            true
        }
    }

    fn tails(fake: &Arc<Fake>) -> Tails {
        let browser: Arc<dyn Browser> = Arc::clone(fake) as Arc<dyn Browser>;
        Tails::every(browser, Arc::new(SystemClock), Duration::from_millis(10))
    }

    /// Waits until the source was asked once more.
    async fn asked_again(fake: &Fake) {
        let before = fake.asked.load(Ordering::SeqCst);
        while fake.asked.load(Ordering::SeqCst) == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn id(name: &str) -> AccountId {
        name.parse().expect("id")
    }

    fn now() -> Timestamp {
        use crate::base::clock::Clock as _;
        SystemClock.now()
    }

    #[tokio::test]
    async fn one_asks_for_all_who_look_and_ends_with_the_last() {
        let fake = Arc::new(Fake::default());
        let tails = tails(&fake);
        let mut looking: Vec<Tail> = (0..40).map(|_| tails.look(&id("acme")).expect("a place")).collect();
        assert_eq!(tails.accounts(), 1);
        asked_again(&fake).await;
        asked_again(&fake).await;
        fake.add(1, "login", now());
        fake.add(2, "export", now());
        let exports = RecordFilter { action: Some("export".to_owned()), ..Default::default() };
        for tail in &mut looking {
            let mut told = 0;
            let mut exported = 0;
            while told < 2 {
                let news = tail.next().await.expect("news");
                told += news.records.len();
                exported += news.matching(&exports);
            }
            assert_eq!((told, exported), (2, 1));
        }
        assert_eq!(fake.askers.lock().unwrap().len(), 1, "one task asks for all");
        looking.clear();
        assert_eq!(tails.accounts(), 0);
        // The task notices, and ends: then nobody holds the source but the tails and we.
        while Arc::strong_count(&fake) > 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[test]
    fn many_accounts_are_looked_at_less_often() {
        let seconds = |accounts| pause(EVERY, accounts).as_secs();
        assert_eq!([0, 1, 100, 250, 500].map(seconds), [2, 2, 2, 5, 10]);
    }

    #[tokio::test]
    async fn what_commits_late_is_told_once_and_what_was_there_is_not() {
        let fake = Arc::new(Fake::default());
        fake.add(1, "before", now());
        let tails = tails(&fake);
        let mut tail = tails.look(&id("acme")).expect("a place");
        asked_again(&fake).await;
        asked_again(&fake).await;
        fake.add(2, "new", now());
        assert_eq!(tail.next().await.expect("news").newest(), Some(&Place("2".to_owned())));
        // It occurred earlier, and committed later.
        fake.add(3, "late", now() - SignedDuration::from_secs(10));
        let news = tail.next().await.expect("news");
        assert_eq!(news.records.iter().map(|(place, _)| place.0.as_str()).collect::<Vec<_>>(), ["3"]);
        // One whose clock is ahead by an hour hides nobody else's.
        fake.add(4, "ahead", now() + SignedDuration::from_hours(1));
        assert_eq!(tail.next().await.expect("news").records.len(), 1);
        fake.add(5, "after", now());
        let news = tail.next().await.expect("news");
        assert_eq!(news.newest(), Some(&Place("5".to_owned())));
    }

    #[tokio::test]
    async fn only_so_many_look_at_once() {
        let fake = Arc::new(Fake::default());
        let tails = tails(&fake);
        let mut all: Vec<Tail> = (0..PLACES_OF_ACCOUNT).filter_map(|_| tails.look(&id("acme"))).collect();
        assert_eq!(all.len(), PLACES_OF_ACCOUNT);
        assert!(tails.look(&id("acme")).is_none(), "of one account");
        for account in 0..PLACES {
            all.extend(tails.look(&id(&format!("a{account}"))));
        }
        assert_eq!(all.len(), PLACES, "of all");
        all.pop();
        assert!(tails.look(&id("other")).is_some());
    }
}
