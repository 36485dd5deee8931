//! A timer that may not be set.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

/// A timer; none when it is not set.
pub(super) type Timer = Option<Pin<Box<Sleep>>>;

pub(super) fn timer(time: Duration) -> Timer {
    Some(Box::pin(tokio::time::sleep(time)))
}

/// Waits until the timer has run out; for ever when it is not set.
pub(super) async fn over(timer: &mut Timer) {
    match timer {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}
