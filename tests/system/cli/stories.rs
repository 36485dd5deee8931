//! "Why did they get no file at 08:00?"

use serde_json::Value;

use super::timeline::{execute, history, yesterday};
use crate::support::bench::Bench;
use crate::support::run;

fn says(bench: &Bench, line: &str, words: &[&str]) -> String {
    let told = bench.does(line);
    for word in words {
        assert!(told.contains(word), "{told}\nsays nothing of {word:?}");
    }
    told
}

#[test]
fn what_became_of_a_slot_is_told_with_its_objects_and_attempts() {
    run(async {
        let bench = history().await;
        says(
            &bench,
            "account show acme --at 'yesterday 04:00'",
            &[
                "was delivered late: 20m 0s after it",
                "Its window number 2, holds what was committed from",
                "gave 1 object with 5 records",
                "Object audit/acme/2.zip: 5 records",
                "Attempt 1 at",
                "by worker w1: delivered.",
                "means  the customer has the file of this slot; it came late",
                "to do  point the customer to audit/acme/2.zip",
            ],
        );
        let story = bench.json("account show acme --at 'yesterday 04:00'");
        assert_eq!((&story["exact"], &story["slot"]["state"]), (&true.into(), &"late".into()));
        assert_eq!(story["objects"][0]["attempts"][0]["outcome"], "delivered");
        assert_eq!((&story["slot_before"], &story["window"]["window"]), (&Value::Null, &2.into()));

        says(
            &bench,
            "account show acme --at 'yesterday 08:00'",
            &["there were no records to deliver", "nothing is missing", "empty_windows"],
        );
        says(
            &bench,
            &format!("account show acme --at '{} 12:00'", yesterday()),
            &[
                "No window was made for the slot",
                "Its records went into the window of",
                "16:00:00",
                "Object audit/acme/4.zip: 7 records",
                "nothing is lost: the records came with a later object",
            ],
        );
    });
}

#[test]
fn where_there_is_no_slot_the_nearest_one_is_told() {
    run(async {
        let bench = history().await;
        let story = bench.json("account show acme --at 'yesterday 10:17'");
        let of_yesterday = |clock: &str| Value::from(format!("{}T{clock}:00Z", yesterday()));
        assert_eq!((&story["exact"], &story["slot"]["slot"]), (&false.into(), &of_yesterday("12:00")));
        assert_eq!(
            (&story["slot_before"], &story["slot_after"]),
            (&of_yesterday("08:00"), &of_yesterday("12:00"))
        );
        says(
            &bench,
            "account show acme --at 'yesterday 10:17'",
            &["There is no slot at", "What follows is told of"],
        );
    });
}

#[test]
fn who_stopped_an_account_is_told_with_the_reason() {
    run(async {
        let bench = history().await;
        let slot = |hour| format!("(unixepoch('now', 'start of day') - 86400 + {hour} * 3600) * 1000000");
        for (command, hour) in
            [("account pause acme --reason 'bucket moves'", 8), ("account resume acme", 12)]
        {
            bench.does(command);
            let move_it = format!(
                "UPDATE change_log SET at = {} + 1000000 WHERE seq = (SELECT max(seq) FROM change_log)",
                slot(hour)
            );
            execute(&bench, &move_it).await;
        }
        says(
            &bench,
            "account show acme --at 'yesterday 12:00'",
            &[
                "Nothing started at the slot",
                "the account was paused by ",
                "(bucket moves)",
                "Change at",
                "paused.at",
                "there is no file of this slot; nothing is lost",
            ],
        );
        let story = bench.json("account show acme --at 'yesterday 12:00'");
        assert_eq!(story["cause"]["reason"], "bucket moves");
        assert_eq!(story["changes"].as_array().unwrap().len(), 1, "{}", story["changes"]);

        execute(
            &bench,
            "UPDATE account SET failures = 1, trouble_kind = 'denied', trouble_message = 'AccessDenied', \
             trouble_at = 1763700000000000",
        )
        .await;
        says(
            &bench,
            "account show acme --at 'yesterday 20:00'",
            &[
                "is not delivered; the last try has failed (denied: AccessDenied)",
                "is in delivery",
                "s3:PutObject",
            ],
        );
    });
}

#[test]
fn a_moment_without_an_answer_is_refused() {
    run(async {
        let bench = history().await;
        bench.refuses("account show acme --at 8", &["--at", "is no moment", "yesterday 08:00"]);
        bench.refuses(
            "account show acme --at '2999-01-01 08:00'",
            &["at: 2999-01-01 08:00 in UTC has not come yet; ", "name a moment that has passed"],
        );
        bench.refuses(
            "account show acme --at '2001-01-01 08:00'",
            &["at: ", "is before account acme was added"],
        );
        bench.refuses("account show nobody --at 08:00", &["account nobody", "account ls"]);
    });
}
