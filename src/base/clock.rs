//! The clock: the one file that reads the time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

/// What tells the time to the worker.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Whether it tells the world's time, which other clocks must tell too.
    fn is_real(&self) -> bool {
        true
    }
    /// Returns at an instant, or a little later; at once when it has passed.
    async fn sleep_until(&self, at: Timestamp);
}

/// The host's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let wait = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        tokio::time::sleep(wait).await;
    }
}

/// A clock that stands still until it is moved: for the demo and for tests.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<watch::Sender<Timestamp>>);

impl ManualClock {
    /// A clock that stands at an instant.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(watch::Sender::new(now)))
    }

    /// Moves the clock.
    pub fn set(&self, now: Timestamp) {
        self.0.send_replace(now);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn is_real(&self) -> bool {
        false
    }

    async fn sleep_until(&self, at: Timestamp) {
        // The sender lives as long as we do, so that this cannot fail.
        let _ = self.0.subscribe().wait_for(|now| *now >= at).await;
    }
}
