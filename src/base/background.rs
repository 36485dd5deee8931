//! Threads for work that gives way to the worker's: when the processors are all in use, the operating system
//! runs a delivery first.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// The nice value of these threads. Where both have work all the time, a thread of 0 gets about thirty times the time of
/// one of 15 (sched_prio_to_weight of Linux: 1024 and 36).
#[cfg(target_os = "linux")]
const NICE: i32 = 15;

/// A runtime of its own. What it still does when this is dropped is given up.
#[derive(Debug)]
pub struct Background {
    handle: Handle,
    /// None only while this is dropped.
    runtime: Option<Runtime>,
}

impl Background {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(name: &'static str) -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.enable_all().thread_name(name).on_thread_start(give_way);
        let runtime = builder.build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs a task on these threads. Connections that it opens are served by them too.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.handle.spawn(task)
    }

    /// Where tasks for these threads are spawned.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // A runtime that is dropped within another one waits for its threads, which tokio refuses.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// On Linux a nice value is a thread's. Elsewhere it is the whole process's, worker and all: there nothing is done.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(error = %error, "a thread of the API keeps the worker's priority");
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    /// The nice value of the thread that asks.
    fn nice() -> i32 {
        rustix::process::getpriority_process(None).expect("priority")
    }

    #[tokio::test]
    async fn its_threads_give_way_and_the_others_do_not() {
        let before = nice();
        let background = Background::start("test").expect("started");
        assert_eq!(background.spawn(async { nice() }).await.expect("task"), NICE);
        let blocking = background.spawn(async { tokio::task::spawn_blocking(nice).await });
        assert_eq!(blocking.await.expect("task").expect("blocking task"), NICE);
        assert_eq!(nice(), before);
        drop(background);
    }
}
