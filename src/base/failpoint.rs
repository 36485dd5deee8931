//! Named points before and after each effect of the worker, at which a test makes it
//! die, fail or wait. Without the feature `failpoints` there is nothing of it in the
//! program: both macros leave the effect alone.
//!
//! `FAILPOINTS="commit.after=return(abort);seal.before=1*off->return(delay 300)"`, as the
//! crate `fail` reads it. `abort` ends the process at once, `error` makes the effect fail
//! (after it, too: it is done, and nobody hears of it), `delay` waits for milliseconds.

/// An effect on a database under its name: its time is logged, with a point before and a point after it.
macro_rules! with_failpoints {
    ($name:literal, $effect:expr) => {{
        #[cfg(feature = "failpoints")]
        let done = crate::base::failpoint::carry_out(
            concat!($name, ".before"),
            concat!($name, ".after"),
            crate::base::timing::timed($name, $effect),
        );
        #[cfg(not(feature = "failpoints"))]
        let done = crate::base::timing::timed($name, $effect);
        done
    }};
}

/// A point of its own: the enclosing function returns what `$error` makes of a message.
macro_rules! point {
    ($name:literal, $error:expr) => {
        #[cfg(feature = "failpoints")]
        if let Some(message) = crate::base::failpoint::reach($name).await {
            return Err($error(message));
        }
    };
}

pub(crate) use {point, with_failpoints};

#[cfg(feature = "failpoints")]
pub(crate) use armed::{carry_out, reach, stands_still};

/// Whether the worker waits at a point: then its leases run out, as when its process
/// stands still.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn stands_still() -> bool {
    false
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// How many exports wait at a point.
    static WAITING: AtomicUsize = AtomicUsize::new(0);

    pub(crate) fn stands_still() -> bool {
        WAITING.load(Ordering::SeqCst) > 0
    }

    /// What the environment wants at a point, if anything.
    fn wanted(name: &str) -> Option<String> {
        fail::fail_point!(name, |action| action);
        None
    }

    /// Does what is wanted here; a message when it is to fail.
    pub(crate) async fn reach(name: &'static str) -> Option<String> {
        let action = wanted(name)?;
        tracing::warn!("failpoint {name}: {action}");
        match action.split_once(' ') {
            Some(("delay", millis)) => {
                let wait = Duration::from_millis(millis.parse().unwrap_or_default());
                WAITING.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(wait).await;
                WAITING.fetch_sub(1, Ordering::SeqCst);
                None
            }
            _ if action == "abort" => std::process::abort(),
            _ => Some(format!("failpoint {name}")),
        }
    }

    /// An effect on a database between its two points.
    pub(crate) async fn carry_out<T, E: From<sqlx::Error>>(
        before: &'static str,
        after: &'static str,
        effect: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let broken = |message| E::from(sqlx::Error::Io(std::io::Error::other(message)));
        if let Some(message) = reach(before).await {
            return Err(broken(message));
        }
        let done = effect.await?;
        match reach(after).await {
            Some(message) => Err(broken(message)),
            None => Ok(done),
        }
    }
}
