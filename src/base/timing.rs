//! How long a named step takes, in the log at level debug, inside the span of its export.

use std::time::Instant;

use tracing::Level;

/// Does a step and logs how long it took.
pub(crate) async fn timed<T, E>(
    step: &'static str,
    effect: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    if !tracing::enabled!(Level::DEBUG) {
        return effect.await;
    }
    let began = Instant::now();
    let done = effect.await;
    tracing::debug!(step, seconds = began.elapsed().as_secs_f64(), failed = done.is_err(), "step");
    done
}
