//! Workers: what each says of itself from time to time, and what follows for the accounts.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How often a worker gives a sign of life.
pub const SIGN_EVERY: SignedDuration = SignedDuration::from_secs(15);

/// A worker that was not heard of for longer is taken for dead: three signs may be missed.
pub const ALIVE_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// For how long a worker that is gone is still shown.
pub const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// For how long after a `run --until-idle` another one is expected to come, as from cron.
pub const VISITED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// Most accounts that a report names.
pub const ACCOUNTS_NAMED: usize = 5;

/// When a worker ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkerMode {
    /// Never: it runs until it is stopped.
    #[default]
    Forever,
    /// When nothing is due any more, as `run --until-idle` does.
    UntilIdle,
}

/// What a worker waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum WaitsFor {
    /// For nothing: it is looking for work, or has just begun.
    #[default]
    Nothing,
    /// For the next slot of any account, or for its next look at the ledger if that is earlier.
    Slot {
        /// When it looks again at the latest.
        until: Timestamp,
    },
    /// For one of its exports to end: all its places are taken.
    Place,
    /// For a database or a clock, see the problem.
    Problem,
    /// For its last exports to end: it was told to stop.
    Drain,
    /// For something that another version of the program knows.
    #[serde(other)]
    Other,
}

/// How one chore of a worker goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChoreReport {
    /// Its name.
    pub name: String,
    /// Seconds between two runs.
    pub period_seconds: u64,
    /// When it was begun last.
    pub last_run: Option<Timestamp>,
    /// When it was done last.
    pub last_success: Option<Timestamp>,
    /// Since when it fails; none: it does not.
    pub failing_since: Option<Timestamp>,
    /// Why it failed last, while it fails.
    pub error: Option<String>,
}

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct WorkerReport {
    /// When it ends by itself.
    pub mode: WorkerMode,
    /// How many accounts it exports now.
    pub exports: u64,
    /// Some of them, at most [`ACCOUNTS_NAMED`].
    pub accounts: Vec<String>,
    /// Whether it plans the windows of many accounts.
    pub planning: bool,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// Why it cannot take what is due.
    pub problem: Option<String>,
    /// By how many seconds its clock is ahead of the ledger's database; negative: behind.
    pub clock_ahead_seconds: i64,
    /// Its chores, in the order of their names.
    pub chores: Vec<ChoreReport>,
}

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOfLife {
    /// The worker's name in leases and attempts.
    pub id: String,
    /// The host that it runs on.
    pub host: String,
    /// The version of the program.
    pub version: String,
    /// When it started, by its own clock.
    pub since: Timestamp,
    /// What it says of itself.
    pub report: WorkerReport,
}

/// A worker as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownWorker {
    /// Its newest sign of life.
    pub sign: SignOfLife,
    /// When that came, by the ledger's database.
    pub seen_at: Timestamp,
    /// How long ago that is, by the same clock.
    pub silent_for: SignedDuration,
    /// When it ended as it should, if it did.
    pub ended_at: Option<Timestamp>,
}

impl KnownWorker {
    /// Whether it runs, as far as its signs tell.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.ended_at.is_none() && self.silent_for <= ALIVE_WITHIN
    }
}

/// Whether anybody works with a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// So many workers run.
    Running(usize),
    /// None runs now; `run --until-idle` came and ended lately, and is expected to come again.
    Visits {
        /// When the last one ended.
        ended_at: Timestamp,
    },
    /// None runs.
    Gone(LastWorker),
}

/// The worker that was there last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastWorker {
    /// There was none.
    Never,
    /// It was stopped.
    Stopped {
        /// Which one.
        id: String,
        /// When.
        at: Timestamp,
    },
    /// It is silent: it was killed, or cannot reach the ledger.
    Silent {
        /// Which one.
        id: String,
        /// Since when.
        since: Timestamp,
    },
}

impl Presence {
    /// What follows from the workers that a ledger knows.
    #[must_use]
    pub fn of(workers: &[KnownWorker]) -> Self {
        let alive = workers.iter().filter(|worker| worker.is_alive()).count();
        if alive > 0 {
            return Self::Running(alive);
        }
        let Some(last) = workers.iter().min_by_key(|worker| worker.silent_for) else {
            return Self::Gone(LastWorker::Never);
        };
        let id = last.sign.id.clone();
        match last.ended_at {
            Some(ended_at)
                if last.sign.report.mode == WorkerMode::UntilIdle && last.silent_for <= VISITED_WITHIN =>
            {
                Self::Visits { ended_at }
            }
            Some(at) => Self::Gone(LastWorker::Stopped { id, at }),
            None => Self::Gone(LastWorker::Silent { id, since: last.seen_at }),
        }
    }

    /// Whether nobody will export what falls due.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(id: &str, mode: WorkerMode, silent_for: SignedDuration, ended: bool) -> KnownWorker {
        let seen_at = Timestamp::UNIX_EPOCH;
        KnownWorker {
            sign: SignOfLife {
                id: id.to_owned(),
                host: "h".to_owned(),
                version: "1".to_owned(),
                since: seen_at,
                report: WorkerReport { mode, ..WorkerReport::default() },
            },
            seen_at,
            silent_for,
            ended_at: ended.then_some(seen_at),
        }
    }

    #[test]
    fn one_that_is_heard_is_enough() {
        let minute = SignedDuration::from_mins(1);
        let hour = SignedDuration::from_hours(1);
        let forever = WorkerMode::Forever;
        let workers = [worker("a", forever, hour, false), worker("b", forever, minute, false)];
        assert_eq!(Presence::of(&workers), Presence::Running(1));
        let late = [worker("b", forever, minute + SignedDuration::from_secs(1), false)];
        assert!(matches!(Presence::of(&late), Presence::Gone(LastWorker::Silent { .. })));
        assert!(Presence::of(&[]).is_gone());
    }

    #[test]
    fn who_comes_from_cron_is_expected_again() {
        let day = SignedDuration::from_hours(24);
        let visit = |silent_for| [worker("a", WorkerMode::UntilIdle, silent_for, true)];
        assert!(!Presence::of(&visit(day)).is_gone());
        assert!(Presence::of(&visit(day * 2)).is_gone());
        // One that was killed in the middle is no visit that ended.
        assert!(Presence::of(&[worker("a", WorkerMode::UntilIdle, day, false)]).is_gone());
        let stopped = Presence::of(&[worker("a", WorkerMode::Forever, SignedDuration::ZERO, true)]);
        assert!(matches!(stopped, Presence::Gone(LastWorker::Stopped { .. })));
    }

    #[test]
    fn a_report_of_another_version_is_read() {
        let newer = r#"{"exports": 3, "waits_for": {"kind": "the_moon"}, "mood": "fine"}"#;
        let report: WorkerReport = serde_json::from_str(newer).expect("report");
        assert_eq!((report.exports, report.waits_for), (3, WaitsFor::Other));
    }
}
