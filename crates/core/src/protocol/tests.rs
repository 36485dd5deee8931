use super::*;

#[derive(Debug)]
struct Names;

impl Tokens for Names {
    type Sealed = &'static str;
    type Attempt = u32;
    type Receipt = &'static str;
}

#[test]
fn a_window_of_two_objects_runs_in_order() {
    assert!(matches!(decide::<Names>(Event::Resumed), Effect::Seal));
    assert!(matches!(decide::<Names>(Event::Sealed("one")), Effect::Journal("one")));
    assert!(matches!(decide::<Names>(Event::Journaled("one", 1)), Effect::Put("one", 1)));
    assert!(matches!(decide::<Names>(Event::Delivered("receipt")), Effect::Commit("receipt")));
    assert!(matches!(decide::<Names>(Event::Committed { last: false }), Effect::Seal));
    assert!(matches!(decide::<Names>(Event::Committed { last: true }), Effect::Stop(Stop::Closed)));
    assert!(matches!(decide::<Names>(Event::Exhausted), Effect::Close));
}

#[test]
fn an_object_that_exists_is_ours_only_after_a_doubtful_attempt() {
    assert_eq!(judge(PutAnswer::Exists, true), Verdict::Head);
    assert_eq!(judge_head(HeadResult::Ours, 2), Verdict::Delivered);
    assert_eq!(judge_head(HeadResult::Hidden, 2), Verdict::Delivered);
    assert_eq!(judge_head(HeadResult::Foreign, LAST_HEAD), Verdict::Foreign);
    assert_eq!(judge_head(HeadResult::Failed, LAST_HEAD - 1), Verdict::Open);
    assert_eq!(judge_head(HeadResult::Failed, LAST_HEAD), Verdict::Delivered);
    assert_eq!(judge(PutAnswer::Exists, false), Verdict::Foreign);
    assert_eq!(judge(PutAnswer::Created, false), Verdict::Delivered);
    assert_eq!(judge(PutAnswer::Unknown, true), Verdict::Open);
    assert_eq!(judge(PutAnswer::Refused, true), Verdict::Open);
}

#[test]
fn trouble_stops_the_window_and_never_closes_it() {
    assert!(matches!(decide::<Names>(Event::Foreign), Effect::Stop(Stop::Held(Hold::ForeignObject))));
    assert!(matches!(decide::<Names>(Event::Differs), Effect::Stop(Stop::Held(Hold::ContentChanged))));
    let failed = decide::<Names>(Event::Failed(Setback::NeedsCustomer));
    assert!(matches!(failed, Effect::Stop(Stop::Later(Setback::NeedsCustomer))));
}

#[test]
fn what_the_ledger_refused_is_looked_at_afresh() {
    for event in [Event::LeaseLost, Event::Changed, Event::LedgerFailed] {
        assert!(matches!(decide::<Names>(event), Effect::Stop(Stop::Reload)));
    }
    let rewound = decide::<Names>(Event::Rewound);
    assert!(matches!(rewound, Effect::Stop(Stop::Held(Hold::SourceRewound))));
    let rewritten = decide::<Names>(Event::Rewritten);
    assert!(matches!(rewritten, Effect::Stop(Stop::Held(Hold::SourceRewritten))));
    let bad = decide::<Names>(Event::BadRecord);
    assert!(matches!(bad, Effect::Stop(Stop::Held(Hold::BadRecord))));
}

#[test]
fn a_refusal_takes_no_doubt_away() {
    let attempt = |doubtful| Attempt { window: 1, ordinal: 1, number: 2, doubtful };
    assert!(attempt(true).doubtful_after(PutAnswer::Refused.leaves_doubt()));
    assert!(attempt(false).doubtful_after(PutAnswer::Unknown.leaves_doubt()));
    assert!(!attempt(false).doubtful_after(PutAnswer::Refused.leaves_doubt()));
    assert!(!attempt(false).doubtful_after(PutAnswer::Exists.leaves_doubt()));
}

#[test]
fn waiting_doubles_up_to_the_cap_and_respects_the_store() {
    let second = Duration::from_secs(1);
    let wait = |failures, asked| backoff(failures, second, second * 60, asked, 0.0).as_secs();
    assert_eq!([wait(1, None), wait(2, None), wait(3, None), wait(30, None)], [1, 2, 4, 60]);
    assert_eq!(wait(1, Some(second * 20)), 20);
    assert_eq!(wait(1, Some(second * 3600)), 60);
    assert_eq!(backoff(1, second * 4, second * 60, None, 1.0), second * 3);
}
