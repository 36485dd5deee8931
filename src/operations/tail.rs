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

/// How often the source is asked.
const EVERY: Duration = Duration::from_secs(2);

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
            tokio::time::sleep(self.every).await;
            if watched.strong_count() == 0 {
                return;
            }
        }
    }
}

fn earlier(at: Timestamp) -> Timestamp {
    at.checked_sub(OVERLAP).unwrap_or(at)
}
