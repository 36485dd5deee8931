//! For tests on one thread: lets the other tasks run until each waits for something.

pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
