//! `auditferry account show`

use super::strip;
use crate::cli::service::Service;
use crate::cli::{CliResult, output};
use crate::operations::explanation::Explanation;
use auditferry_core::model::account::AccountId;
use auditferry_core::text::count::counted;

pub(super) async fn show(service: &dyn Service, id: &AccountId, json: bool) -> CliResult {
    let view = service.account(id).await?;
    if json {
        output::json(&view);
    } else {
        print(service, &view.explanation);
        if let Ok(zone) = service.zones().find(&view.last_days.zone) {
            strip::print(&view.last_days, zone.rules());
        }
    }
    Ok(())
}

fn print(service: &dyn Service, shown: &Explanation) {
    let now = service.now();
    let zone = service.zones().find(&shown.zone).ok();
    let both = |at: jiff::Timestamp| {
        let when = output::relative(at, now);
        let local = zone.as_ref().map_or_else(String::new, |zone| {
            at.to_zoned(zone.rules().clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
        });
        format!("{local} = {} ({when})", output::utc(at))
    };
    let until = match (shown.addon, shown.addon_until) {
        (auditferry_core::model::account::AddOnState::Active, None) => ", without end".to_owned(),
        (_, None) => String::new(),
        (_, Some(until)) => format!(", until {}", both(until)),
    };
    let reason = shown.addon_reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    let mut facts = Vec::new();
    if let Some(none) = &shown.no_worker {
        facts.push(("worker", none.clone()));
    }
    facts.extend([
        ("account", shown.account.clone()),
        ("health", shown.health.as_str().to_owned()),
        ("to do", shown.advice.clone()),
        ("add-on", format!("{}{until}{reason}", shown.addon)),
        ("destination", destination(shown)),
        ("credentials", credentials(shown, &both)),
        ("schedule", schedule(shown)),
        ("format", shown.format.words()),
        ("next slot", shown.next_slot.map_or_else(|| "none".to_owned(), both)),
        ("looked at", shown.looked_at.map_or_else(|| "by no worker yet".to_owned(), both)),
        ("last delivery", last_delivery(shown, &both)),
        ("waiting", waiting(shown)),
    ]);
    if let Some(holder) = &shown.held_back {
        facts.push(("  wait for", holder.words()));
    }
    if shown.starts_when_enabled {
        facts.push(("begins", "with what commits after the first `auditferry addon enable`".to_owned()));
    }
    if let Some(pause) = &shown.paused {
        let reason = pause.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        facts.push(("paused", format!("since {}{reason}", both(pause.at))));
    }
    if let Some(awaited) = &shown.awaits_proof {
        let token = if awaited.expired { "the token expired" } else { "the token counts until" };
        let at = both(awaited.expires_at);
        facts.push(("awaits proof", format!("{}: {}, {token} {at}", awaited.destination, awaited.key)));
    }
    if let Some(bytes) = shown.long_names {
        let problem = "unzip, Python, Java and some stores take 255; a new account would need a shorter id";
        facts.push(("long names", format!("up to {bytes} bytes: {problem}")));
    }
    if let Some(since) = shown.denied_since {
        facts.push(("refused", format!("since {}", both(since))));
    }
    if let Some(at) = shown.suspended_at {
        facts.push(("suspended", format!("since {}", both(at))));
    }
    if let Some(window) = shown.open_window {
        facts.push(("in delivery", format!("window {window}")));
    }
    if let Some(error) = &shown.error {
        facts.push(("last error", format!("{}: {}", error.kind, error.message)));
        facts.push(("  when", both(error.at)));
        // What is to be done says it already.
        if !shown.advice.contains(&error.fix) {
            facts.push(("  fix", error.fix.clone()));
        }
        if let Some(at) = shown.retry_at {
            facts.push(("  next try", both(at)));
        }
    }
    output::facts(&facts);
}

fn schedule(shown: &Explanation) -> String {
    let before = shown
        .schedule_before
        .as_ref()
        .map_or_else(String::new, |before| format!(" (written as \"{before}\" when 1 was Sunday)"));
    format!("\"{}\" in {}{before}", shown.schedule, shown.zone)
}

fn destination(shown: &Explanation) -> String {
    let asked = shown.asked.as_ref().map_or_else(String::new, |asked| format!(", {asked}"));
    let at: String = shown.place.iter().map(|fact| format!(", {} {}", fact.name, fact.value)).collect();
    shown.destination.as_ref().map_or_else(|| "-".to_owned(), |place| format!("{place}{at}{asked}"))
}

fn credentials(shown: &Explanation, both: &dyn Fn(jiff::Timestamp) -> String) -> String {
    match &shown.credentials {
        None => "no end is known".to_owned(),
        Some(end) => {
            let word = if end.ended { "ENDED" } else { "end" };
            let fix = end.fix.as_ref().map_or_else(String::new, |fix| format!("; {fix}"));
            format!("{word} {}{fix}", both(end.at))
        }
    }
}

fn last_delivery(shown: &Explanation, both: &dyn Fn(jiff::Timestamp) -> String) -> String {
    match &shown.last_delivery {
        None => "none yet".to_owned(),
        Some(last) => {
            let at = last.delivered_at.map_or_else(String::new, both);
            format!("{}, {}, {at}", last.key, counted(last.records, "record"))
        }
    }
}

fn waiting(shown: &Explanation) -> String {
    match &shown.waiting {
        None => "unknown: the source cannot be read".to_owned(),
        Some(waiting) => {
            let records = if waiting.records >= u64::from(crate::source::WAITING_LIMIT) {
                format!("{} or more records", waiting.records)
            } else {
                counted(waiting.records, "record")
            };
            let oldest =
                waiting.oldest.map_or_else(String::new, |at| format!(", the oldest of {}", output::utc(at)));
            format!("{records}{oldest}")
        }
    }
}
