//! Downloads: who makes which, and what of it is kept.

use auditferry_core::model::bound::Bound;
use auditferry_core::model::download::{
    DownloadProblem, DownloadState, FileFormat, MadeFile, MailState, MailWish, NewDownload, Wish,
};
use auditferry_core::model::notification::Language;
use auditferry_core::model::portal::Theme;
use auditferry_core::model::record_query::{RecordFilter, TimeSpan};
use jiff::{SignedDuration, Timestamp};

use super::bed::{Bed, at, id};
use super::portal::link;
use crate::support::by;

const WEEK: SignedDuration = SignedDuration::from_hours(168);

fn new(name: &str, account: &str) -> NewDownload {
    let filter = RecordFilter { text: Some("x".to_owned()), ..Default::default() };
    NewDownload {
        id: name.to_owned(),
        account: id(account),
        name: format!("the {name}"),
        wish: Wish { span: TimeSpan::ever(), filter, zone: "UTC".to_owned(), format: FileFormat::Csv },
        asked_by: "jana@acme.example".to_owned(),
        mail: None,
    }
}

fn made(file: &str) -> MadeFile {
    MadeFile { file: file.to_owned(), bytes: 5, sha256: "00".to_owned(), parts: None }
}

/// Sets a time of downloads back by some seconds.
async fn set_back(bed: &Bed, column: &str, seconds: u32, which: &str) {
    let ago = match bed.is_postgres() {
        true => format!("interval '{seconds} seconds'"),
        false => format!("{seconds}000000"),
    };
    bed.execute(&format!("UPDATE download SET {column} = {column} - {ago} WHERE id = '{which}'")).await;
}

pub(crate) async fn a_download_goes_from_waiting_to_its_file(bed: Bed) {
    bed.ready("acme").await;
    let acme = id("acme");
    assert!(bed.ledger.add_download(&new("d1", "acme"), 20).await.unwrap());
    let one = async || bed.ledger.download(&acme, "d1").await.unwrap().unwrap();
    assert_eq!((one().await.state, one().await.new), (DownloadState::Waiting, new("d1", "acme")));
    let making = bed.ledger.begin_download(3).await.unwrap().unwrap();
    assert_eq!((making.tries, &making.download.new), (1, &new("d1", "acme")));
    assert!(bed.ledger.bind_download(&making, &Bound("7".to_owned())).await.unwrap());
    assert!(
        !bed.ledger.bind_download(&making, &Bound("8".to_owned())).await.unwrap(),
        "it is bound for good"
    );
    assert!(bed.ledger.name_download_file(&making, "acme/d1-1.csv").await.unwrap());
    assert!(bed.ledger.note_download(&making, 17, 40).await.unwrap());
    let running = one().await;
    assert_eq!((running.state, running.records, running.percent), (DownloadState::Running, 17, 40));
    assert_eq!(running.bound, Some(Bound("7".to_owned())));
    assert!(bed.ledger.complete_download(&making, 20, &made("acme/d1-1.csv"), WEEK).await.unwrap());
    let done = one().await;
    assert_eq!((done.state, done.records, done.percent), (DownloadState::Completed, 20, 100));
    assert_eq!(done.made, Some(made("acme/d1-1.csv")));
    assert_eq!(done.kept_until.unwrap().duration_since(done.ended_at.unwrap()), WEEK);
    assert!(bed.ledger.begin_download(3).await.unwrap().is_none());
    // It has ended: nothing that comes late changes it.
    assert!(!bed.ledger.note_download(&making, 1, 1).await.unwrap());
    assert!(!bed.ledger.fail_download(&making, DownloadProblem::Failing).await.unwrap());
    bed.ledger.return_download(&making).await.unwrap();
    assert_eq!(one().await, done);
    assert!(bed.ledger.loose_files(9).await.unwrap().is_empty());
}

pub(crate) async fn another_accounts_download_is_none(bed: Bed) {
    bed.ready("acme").await;
    bed.ready("beta").await;
    bed.ledger.add_download(&new("d1", "acme"), 20).await.unwrap();
    assert!(bed.ledger.download(&id("beta"), "d1").await.unwrap().is_none());
    assert!(bed.ledger.downloads(&id("beta"), 9).await.unwrap().is_empty());
    assert!(!bed.ledger.delete_download(&id("beta"), "d1").await.unwrap());
    assert!(bed.ledger.download(&id("acme"), "d1").await.unwrap().is_some());
    assert!(bed.ledger.add_download(&new("d2", "nobody"), 20).await.is_err());
}

pub(crate) async fn downloads_are_bounded_and_begun_in_their_order(bed: Bed) {
    bed.ready("acme").await;
    bed.ready("beta").await;
    for name in ["a1", "a2", "a3"] {
        assert!(bed.ledger.add_download(&new(name, "acme"), 3).await.unwrap());
    }
    assert!(!bed.ledger.add_download(&new("a4", "acme"), 3).await.unwrap());
    assert!(bed.ledger.add_download(&new("b1", "beta"), 3).await.unwrap());
    let mut begun = Vec::new();
    while let Some(making) = bed.ledger.begin_download(2).await.unwrap() {
        begun.push(making.download.new.id);
    }
    assert_eq!(begun, ["a1", "a2", "b1"], "of an account only so many at once");
    let listed: Vec<String> =
        bed.ledger.downloads(&id("acme"), 2).await.unwrap().into_iter().map(|d| d.new.id).collect();
    assert_eq!(listed, ["a3", "a2"]);
}

pub(crate) async fn one_that_is_silent_is_begun_by_another(bed: Bed) {
    bed.ready("acme").await;
    bed.ledger.add_download(&new("d1", "acme"), 20).await.unwrap();
    let first = bed.ledger.begin_download(3).await.unwrap().unwrap();
    bed.ledger.bind_download(&first, &Bound("7".to_owned())).await.unwrap();
    bed.ledger.name_download_file(&first, "acme/d1-1.csv").await.unwrap();
    assert!(bed.ledger.begin_download(3).await.unwrap().is_none(), "it is alive");
    set_back(&bed, "seen_at", 21, "d1").await;
    let second = bed.ledger.begin_download(3).await.unwrap().unwrap();
    assert_eq!((second.tries, second.download.bound.clone()), (2, Some(Bound("7".to_owned()))));
    // What the first one still does counts for nothing.
    assert!(!bed.ledger.note_download(&first, 1, 1).await.unwrap());
    assert!(!bed.ledger.name_download_file(&first, "acme/other").await.unwrap());
    assert!(!bed.ledger.complete_download(&first, 1, &made("acme/d1-1.csv"), WEEK).await.unwrap());
    assert!(!bed.ledger.fail_download(&first, DownloadProblem::Failing).await.unwrap());
    bed.ledger.return_download(&first).await.unwrap();
    bed.ledger.name_download_file(&second, "acme/d1-2.csv").await.unwrap();
    assert!(bed.ledger.complete_download(&second, 1, &made("acme/d1-2.csv"), WEEK).await.unwrap());
    assert_eq!(bed.ledger.loose_files(9).await.unwrap(), ["acme/d1-1.csv"], "what the first one left");
}

pub(crate) async fn one_begins_what_many_want(bed: Bed) {
    bed.ready("acme").await;
    for number in 0..4 {
        bed.ledger.add_download(&new(&format!("d{number}"), "acme"), 20).await.unwrap();
    }
    let racing = (0..12).map(|_| {
        let ledger = bed.ledger.clone();
        async move { ledger.begin_download(20).await.unwrap() }
    });
    let mut begun: Vec<String> = futures::future::join_all(racing)
        .await
        .into_iter()
        .flatten()
        .map(|making| making.download.new.id)
        .collect();
    while let Some(making) = bed.ledger.begin_download(20).await.unwrap() {
        begun.push(making.download.new.id);
    }
    begun.sort();
    assert_eq!(begun, ["d0", "d1", "d2", "d3"], "each once");
}

pub(crate) async fn files_are_removed_of_what_is_gone(bed: Bed) {
    bed.ready("acme").await;
    for name in ["gone", "old", "kept", "failed"] {
        bed.ledger.add_download(&new(name, "acme"), 20).await.unwrap();
        let making = bed.ledger.begin_download(20).await.unwrap().unwrap();
        bed.ledger.name_download_file(&making, name).await.unwrap();
        if name == "failed" {
            bed.ledger.fail_download(&making, DownloadProblem::TooSlow).await.unwrap();
        } else {
            bed.ledger.complete_download(&making, 1, &made(name), WEEK).await.unwrap();
        }
    }
    assert!(bed.ledger.delete_download(&id("acme"), "gone").await.unwrap());
    assert!(!bed.ledger.delete_download(&id("acme"), "gone").await.unwrap());
    set_back(&bed, "kept_until", 168 * 3600, "old").await;
    bed.ledger.expire_downloads(Timestamp::MIN.max(Timestamp::UNIX_EPOCH)).await.unwrap();
    assert_eq!(bed.ledger.loose_files(9).await.unwrap(), ["failed", "gone", "old"]);
    for file in ["failed", "gone", "old", "kept"] {
        bed.ledger.forget_file(file).await.unwrap();
    }
    let state = async |name: &str| {
        bed.ledger.download(&id("acme"), name).await.unwrap().map(|d| (d.state, d.problem))
    };
    assert_eq!(state("old").await, Some((DownloadState::Expired, None)));
    assert_eq!(state("failed").await, Some((DownloadState::Failed, Some(DownloadProblem::TooSlow))));
    assert_eq!(state("kept").await, Some((DownloadState::Completed, None)));
    // Those that are over are forgotten in the end; a file that is there never is.
    bed.ledger
        .expire_downloads(bed.ledger.now().await.unwrap() + SignedDuration::from_secs(5))
        .await
        .unwrap();
    assert_eq!((state("old").await, state("failed").await), (None, None));
    assert!(state("kept").await.is_some());
    // Of an account that is removed nothing stays.
    bed.execute("DELETE FROM download").await;
    assert_eq!(bed.ledger.loose_files(9).await.unwrap(), ["kept"]);
}

pub(crate) async fn a_mail_about_a_download_goes_out_once(bed: Bed) {
    bed.ready("acme").await;
    let acme = id("acme");
    let session = link("jana");
    bed.ledger.add_portal_link(&by(), &session, &[1; 32]).await.unwrap();
    let wish = MailWish {
        session: "jana".to_owned(),
        actor: session.actor.clone(),
        language: Language::De,
        theme: Theme::Dark,
    };
    let wished = NewDownload { mail: Some(wish), ..new("d1", "acme") };
    assert!(bed.ledger.add_download(&wished, 20).await.unwrap());
    assert!(bed.ledger.add_download(&new("d2", "acme"), 20).await.unwrap());
    let one = async |id: &str| bed.ledger.download(&acme, id).await.unwrap().unwrap();
    assert_eq!((one("d1").await.new, one("d1").await.mailed), (wished, Some(MailState::Wanted)));
    assert_eq!(one("d2").await.mailed, None);
    assert_eq!(bed.ledger.take_download_mail().await.unwrap(), None, "it has not ended");
    for file in ["a", "b"] {
        let making = bed.ledger.begin_download(3).await.unwrap().unwrap();
        assert!(bed.ledger.name_download_file(&making, file).await.unwrap());
        assert!(bed.ledger.complete_download(&making, 20, &made(file), WEEK).await.unwrap());
    }
    let due = bed.ledger.take_download_mail().await.unwrap().unwrap();
    assert_eq!((due.download.new.id.as_str(), due.tries, due.may), ("d1", 1, true));
    assert_eq!(bed.ledger.take_download_mail().await.unwrap(), None, "somebody sends it");
    // Whoever has taken it is not heard of: another sends it, and what the first says later does not count.
    set_back(&bed, "mail_after", 301, "d1").await;
    let again = bed.ledger.take_download_mail().await.unwrap().unwrap();
    assert_eq!(again.tries, 2);
    bed.ledger.end_download_mail(&due, MailState::Failed, SignedDuration::ZERO).await.unwrap();
    assert_eq!(one("d1").await.mailed, Some(MailState::Wanted));
    // Refused for now: it waits. Revoked meanwhile: that is told.
    bed.ledger.end_download_mail(&again, MailState::Wanted, SignedDuration::from_mins(1)).await.unwrap();
    assert_eq!(bed.ledger.take_download_mail().await.unwrap(), None, "it waits a minute");
    bed.ledger.revoke_portal_session(&by(), &acme, "jana", at("04:10")).await.unwrap().unwrap();
    set_back(&bed, "mail_after", 61, "d1").await;
    let third = bed.ledger.take_download_mail().await.unwrap().unwrap();
    assert_eq!((third.tries, third.may), (3, false));
    bed.ledger.end_download_mail(&third, MailState::Sent, SignedDuration::ZERO).await.unwrap();
    assert_eq!(one("d1").await.mailed, Some(MailState::Sent));
    set_back(&bed, "mail_after", 100_000, "d1").await;
    assert_eq!(bed.ledger.take_download_mail().await.unwrap(), None, "it went out");
}
