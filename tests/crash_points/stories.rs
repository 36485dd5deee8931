//! What has to happen before an effect is reached that a plain delivery does not have, and
//! what a person has to do afterwards.

use std::time::{Duration, Instant};

use crate::support::checker::{Database, Objects, check_held};
use crate::support::program::Installation;

/// What stands under our key, and is not ours.
const STRANGER: &str = "somebody else's";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Story {
    /// Records, and workers that deliver them.
    Delivery,
    /// The destinations are replaced while windows are open.
    Moved,
    /// An account is suspended, and its destination answers again.
    Suspended,
    /// A zone is not known to this worker.
    Lost,
    /// An object of somebody else's stands under the key of an open window.
    Foreign { account: String, key: String },
}

impl Story {
    /// Brings an installation to where the point is reached.
    pub(crate) async fn begin(point: &str, installation: &Installation) -> Self {
        match point.split('.').next() {
            Some("repoint") => {
                die_before_a_put(installation).await;
                installation.move_destinations("moved/").await;
                Self::Moved
            }
            Some("resume") => {
                let sql = "UPDATE account SET denied_since = created_at, suspended_at = created_at \
                           WHERE id = 'acme'";
                installation.database.execute(sql).await;
                Self::Suspended
            }
            Some("postpone") => {
                installation
                    .database
                    .execute("UPDATE account SET zone = 'Lost/Zone' WHERE id = 'acme'")
                    .await;
                Self::Lost
            }
            Some("hold") => {
                die_before_a_put(installation).await;
                let rows = installation.database.rows("account, key", "FROM delivery ORDER BY account").await;
                let [account, key] =
                    [0, 1].map(|column| rows[0][column].as_str().expect("a text").to_owned());
                installation.bucket.intrude(&key, STRANGER).await;
                Self::Foreign { account, key }
            }
            _ => Self::Delivery,
        }
    }

    /// Lets workers run until everything is delivered, with what a person does meanwhile.
    /// Forgets of `before` what was not ours.
    pub(crate) async fn end(&self, installation: &Installation, before: &mut Objects) -> Result<(), String> {
        match self {
            Self::Delivery | Self::Moved | Self::Suspended => {}
            Self::Lost => {
                let sql = "UPDATE account SET zone = 'Asia/Kolkata' WHERE id = 'acme'";
                installation.database.execute(sql).await;
            }
            Self::Foreign { account, key } => {
                until_only_this_waits(installation, account).await?;
                let objects = installation.bucket.objects().await;
                if objects.get(key).is_none_or(|bytes| bytes != STRANGER.as_bytes()) {
                    return Err(format!("{key} is not the stranger's any more"));
                }
                let folder = installation.folder().join("held");
                let problems = check_held(&installation.database, objects, &folder, account, key).await;
                if !problems.is_empty() {
                    return Err(problems.join("\n  "));
                }
                installation.bucket.remove(key).await;
                before.remove(key);
                installation.does(&["account", "release", account]).await;
            }
        }
        installation.settle().await?;
        if *self == Self::Moved {
            let objects = installation.bucket.objects().await;
            let stayed: Vec<_> = objects.keys().filter(|key| !key.starts_with("moved/")).collect();
            if !stayed.is_empty() {
                return Err(format!("they went to the old destination: {stayed:?}"));
            }
        }
        Ok(())
    }
}

/// Leaves a window open whose object is sealed, and was never put.
async fn die_before_a_put(installation: &Installation) {
    let failpoints = [("FAILPOINTS", "journal.before=return(abort)")];
    installation.start("died", &["run", "--until-idle"], &failpoints).end().await;
    if matches!(installation.database, Database::Postgres(_)) {
        // The leases of the dead last for two seconds.
        tokio::time::sleep(Duration::from_millis(2100)).await;
    }
}

/// Lets workers run until this account is held and all others have everything.
async fn until_only_this_waits(installation: &Installation, account: &str) -> Result<(), String> {
    let start = Instant::now();
    let waiting = format!(
        "FROM account WHERE (id = '{account}' AND held IS NULL) OR (id <> '{account}' AND (open_window IS NOT NULL \
         OR (SELECT count(*) FROM audit_log WHERE account_id = id) <> \
         (SELECT coalesce(sum(records), 0) FROM delivery WHERE account = id AND state = 'delivered')))"
    );
    loop {
        let mut worker = installation.start("held", &["run", "--until-idle"], &[]);
        worker.end().await;
        let rows = installation.database.rows("id", &waiting).await;
        if rows.is_empty() {
            return Ok(());
        }
        if start.elapsed() > Duration::from_secs(40) {
            return Err(format!("{rows:?} are not where they should be: {}", worker.log()));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
