//! The first records of windows, read together: who begins a window waits for a turn at the
//! source, and whoever gets one reads for all who wait. Nobody waits for company.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{Filling, ReadAhead, limit};
use crate::source::{self, Beginning, Progress, Source, Together};
use auditferry_core::model::window::Window;

/// How long such a reading may take. Then each reads alone: a connection that says nothing holds
/// up one window and not all that begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// Those who wait, and the right to read for them.
pub(super) struct Beginnings {
    waiting: Mutex<VecDeque<Waiting>>,
    readings: Arc<Semaphore>,
    patience: Duration,
}

struct Waiting {
    window: Arc<Window>,
    filling: Filling,
    tell: oneshot::Sender<Begun>,
}

/// An object that has got its window's first records.
pub(super) struct Begun {
    pub(super) filling: Filling,
    pub(super) progress: source::Result<Progress>,
}

/// The right to read for those who wait, and a turn at the source.
type Rights = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Beginnings {
    /// With a reading for each core, and another while one waits. With more of them each would
    /// begin fewer windows.
    pub(super) fn new(cores: usize) -> Self {
        let readings = Arc::new(Semaphore::new(cores.max(2)));
        Self { waiting: Mutex::default(), readings, patience: PATIENCE }
    }

    fn push(&self, waiting: Waiting) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(waiting);
    }

    /// Those who have waited longest; who has given up is left out.
    fn take(&self, most: usize) -> Vec<Waiting> {
        let mut queue = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(waiting) = queue.pop_front()
        {
            taken.extend((!waiting.tell.is_closed()).then_some(waiting));
        }
        taken
    }
}

impl ReadAhead {
    /// Fills an object, `empty` before, with the first records of its window, which must be whole,
    /// together with others. None when it must be read alone, into another one: the source does
    /// nothing else, or the reading failed as a whole.
    pub(super) async fn begin(
        &self,
        source: &Arc<dyn Source>,
        window: &Arc<Window>,
        empty: impl FnOnce() -> Filling,
    ) -> Option<Begun> {
        let most = source.together()?.most();
        let (tell, mut told) = oneshot::channel();
        self.beginnings.push(Waiting { window: Arc::clone(window), filling: empty(), tell });
        loop {
            let rights = tokio::select! {
                biased;
                begun = &mut told => return begun.ok(),
                rights = self.rights() => rights?,
            };
            let waiting = self.beginnings.take(most);
            if waiting.is_empty() {
                drop(rights);
                return told.await.ok();
            }
            let (source, patience) = (Arc::clone(source), self.beginnings.patience);
            // A task of its own: this one may be given up, and the others need it all the same.
            tokio::spawn(async move {
                if let Some(together) = source.together() {
                    read(together, waiting, rights, patience).await;
                }
            });
        }
    }

    async fn rights(&self) -> Option<Rights> {
        let reading = Arc::clone(&self.beginnings.readings).acquire_owned().await.ok()?;
        Some((reading, self.source_permit().await?))
    }
}

/// Reads for those who wait. Who is not told reads alone.
async fn read(together: &dyn Together, mut waiting: Vec<Waiting>, rights: Rights, patience: Duration) {
    let mut beginnings: Vec<_> = waiting
        .iter_mut()
        .map(|Waiting { window, filling, .. }| {
            let limit = limit(&filling.builder, 0, false);
            Beginning::new(&window.account, &window.set, limit, filling)
        })
        .collect();
    let windows = beginnings.len();
    let problem = match tokio::time::timeout(patience, together.hand_over_first(&mut beginnings)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("it took longer than {patience:?}")),
    };
    if let Some(problem) = problem {
        tracing::warn!(windows, problem, "reading several windows together has failed: each is read alone");
        return;
    }
    let progress: Vec<_> = beginnings.into_iter().map(|beginning| beginning.progress).collect();
    drop(rights);
    for (Waiting { filling, tell, .. }, progress) in waiting.into_iter().zip(progress) {
        // Who has given up meanwhile needs it no more.
        let _ = tell.send(Begun { filling, progress });
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use jiff::tz::TimeZone;
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::base::settled::settle;
    use crate::source::{Import, Result, SourceError};
    use auditferry_core::archive::ObjectBuilder;
    use auditferry_core::format::writer::Writer;
    use auditferry_core::model::account::AccountId;
    use auditferry_core::model::bound::{Bound, Cursor, Mark, RecordSet, Watermark};
    use auditferry_core::model::format::Format;
    use auditferry_core::model::record::Record;

    fn window() -> Window {
        let at = |text: &str| text.parse().expect("instant");
        Window {
            account: "acme".parse().expect("id"),
            number: 1,
            slot: at("2026-11-21T04:00:00Z"),
            set: RecordSet::between(Bound("10".into()), Bound("20".into())),
            from: at("2026-11-21T00:00:01Z"),
            to: at("2026-11-21T04:00:01Z"),
            zone: "UTC".into(),
            format: Format::default(),
            prefix: String::new(),
            destination_version: 1,
            content_version: 1,
            generation: 1,
        }
    }

    /// A source that begins at most four sets at once, when it is let.
    struct Gated {
        gate: Semaphore,
        begun: Mutex<Vec<usize>>,
    }

    fn unasked<T>() -> Result<T> {
        Err(SourceError::Foreign("nobody asks for this".to_owned()))
    }

    #[async_trait]
    impl Source for Gated {
        async fn migrate(&self) -> Result<()> {
            unasked()
        }
        async fn check(&self) -> Result<()> {
            unasked()
        }
        fn beginning(&self) -> Bound {
            Bound(String::new())
        }
        fn keeps_marks(&self) -> bool {
            true
        }
        async fn leave_mark(&self, _: &Mark) -> Result<()> {
            unasked()
        }
        async fn capture(&self, _: &Mark) -> Result<Bound> {
            unasked()
        }
        async fn newest_mark(&self, _: &str) -> Result<u64> {
            unasked()
        }
        async fn recognise(&self, _: &AccountId, _: &Bound) -> Result<()> {
            unasked()
        }
        fn check_order(&self, _: &Bound, _: &Bound) -> Result<()> {
            unasked()
        }
        async fn forget_marks(&self, _: &str, _: Timestamp, _: SignedDuration) -> Result<()> {
            unasked()
        }
        async fn read(
            &self,
            _: &AccountId,
            _: &RecordSet,
            _: Option<&Cursor>,
            _: u32,
        ) -> Result<Vec<(Cursor, Record)>> {
            unasked()
        }
        fn together(&self) -> Option<&dyn Together> {
            Some(self)
        }
        async fn waiting(&self, _: &AccountId, _: &Watermark) -> Result<source::Waiting> {
            unasked()
        }
        async fn import(&self, _: &AccountId) -> Result<Box<dyn Import>> {
            unasked()
        }
    }

    #[async_trait]
    impl Together for Gated {
        fn most(&self) -> usize {
            4
        }
        async fn hand_over_first(&self, beginnings: &mut [Beginning<'_>]) -> Result<()> {
            self.begun.lock().expect("lock").push(beginnings.len());
            self.gate.acquire().await.map_err(|_| SourceError::Table("closed".to_owned()))?.forget();
            for beginning in beginnings {
                beginning.progress = Ok(Progress { cursor: None, exhausted: true });
            }
            Ok(())
        }
    }

    struct Readers {
        read_ahead: ReadAhead,
        gated: Arc<Gated>,
    }

    impl Readers {
        fn new() -> Self {
            Self::with_patience(PATIENCE)
        }

        fn with_patience(patience: Duration) -> Self {
            let gated = Gated { gate: Semaphore::new(0), begun: Mutex::default() };
            let beginnings = Arc::new(Beginnings { patience, ..Beginnings::new(2) });
            Self { read_ahead: ReadAhead { beginnings, ..ReadAhead::new(0, 10) }, gated: Arc::new(gated) }
        }

        /// Asks, and waits until it has. Told whether it was read together.
        async fn ask(&self) -> tokio::task::JoinHandle<bool> {
            let (read_ahead, gated) = (self.read_ahead.clone(), Arc::clone(&self.gated));
            let asked = tokio::spawn(async move {
                let (source, window) = (gated as Arc<dyn Source>, Arc::new(window()));
                let writer = Writer::of(&window, TimeZone::UTC).expect("version 1");
                let builder = ObjectBuilder::new(Arc::clone(&window), writer, 1);
                let empty = || Filling::new(builder, &read_ahead);
                let begun = read_ahead.begin(&source, &window, empty).await;
                begun.is_some_and(|begun| begun.progress.expect("read").exhausted)
            });
            settle().await;
            asked
        }

        /// So many, one after the other.
        async fn crowd(&self, size: usize) -> Vec<tokio::task::JoinHandle<bool>> {
            let mut asked = Vec::new();
            for _ in 0..size {
                asked.push(self.ask().await);
            }
            asked
        }

        fn begun(&self) -> Vec<usize> {
            self.gated.begun.lock().expect("lock").clone()
        }
    }

    #[tokio::test]
    async fn who_waits_is_read_together_and_who_is_alone_at_once() {
        let readers = Readers::new();
        let asked = readers.crowd(8).await;
        assert_eq!(readers.begun(), [1, 1], "the first two wait for nobody");
        readers.gated.gate.add_permits(10);
        for asked in asked {
            assert!(asked.await.expect("told"));
        }
        assert_eq!(readers.begun(), [1, 1, 4, 2]);
    }

    #[tokio::test]
    async fn who_gives_up_takes_nothing_from_the_others() {
        let readers = Readers::new();
        let (reading, other) = (readers.ask().await, readers.ask().await);
        let (waiting, last) = (readers.ask().await, readers.ask().await);
        reading.abort();
        waiting.abort();
        readers.gated.gate.add_permits(10);
        assert!(other.await.expect("told") && last.await.expect("told"));
        assert_eq!(readers.begun(), [1, 1, 1], "who waited no more was left out");
    }

    #[tokio::test]
    async fn who_reads_for_others_may_give_up() {
        let readers = Readers::new();
        let mut asked = readers.crowd(6).await;
        readers.gated.gate.add_permits(1);
        settle().await;
        assert_eq!(readers.begun(), [1, 1, 4]);
        // Whichever of the four it was that began their reading.
        let survivor = asked.pop().expect("six");
        for asked in &asked[2..] {
            asked.abort();
        }
        readers.gated.gate.add_permits(10);
        assert!(survivor.await.expect("told"));
    }

    #[tokio::test]
    async fn a_reading_that_fails_leaves_each_to_itself() {
        let readers = Readers::new();
        let asked = readers.crowd(3).await;
        readers.gated.gate.close();
        for asked in asked {
            assert!(!asked.await.expect("told"));
        }
    }

    #[tokio::test]
    async fn a_reading_that_hangs_leaves_each_to_itself() {
        let readers = Readers::with_patience(Duration::from_millis(20));
        for asked in readers.crowd(3).await {
            assert!(!asked.await.expect("told"));
        }
    }
}
