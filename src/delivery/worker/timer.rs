//! A time that runs, or none.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

/// A time that runs, or none.
pub(super) type Timer = Option<Pin<Box<Sleep>>>;

pub(super) fn timer(time: Duration) -> Timer {
    Some(Box::pin(tokio::time::sleep(time)))
}

/// Waits for the end of a time that runs.
pub(super) async fn over(timer: &mut Timer) {
    match timer {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}
