//! The steps of a test, as they end; and what a fix in the cloud's own words looks like.

use serde_json::Value;

use crate::http::pages::parts::{Html, escaped};
use crate::http::pages::words::{Language, words};
use crate::notifications::words::advice;
use crate::operations::probes::{ProbeResult, ProbeStep};
use crate::operations::set_up::Tried;
use auditferry_core::model::job::JobState;

words! {
    /// The words of the steps.
    Words {
        read(): "Read the secrets", "Geheimnisse lesen";
        resolve(): "Find the host", "Den Host finden";
        connect(): "Connect", "Verbinden";
        token(): "Get a token, and see that others get none", "Ein Token holen, und prüfen, dass andere keines bekommen";
        create(): "Write a test file", "Eine Testdatei schreiben";
        twice(): "A second file of the same name is refused", "Eine zweite Datei gleichen Namens wird abgewiesen";
        clean(): "Remove the test file, where that is allowed", "Die Testdatei entfernen, wo das erlaubt ist";
        clocks(): "Compare the clocks", "Die Uhren vergleichen";
        check(): "Check the fields", "Die Felder prüfen";
        missing(step: &str, permission: &str): "{step}: {permission} is missing", "{step}: {permission} fehlt";
        waits(): "waits", "wartet";
        at_work(): "at work", "läuft";
        took(milliseconds: u64): "{milliseconds} ms", "{milliseconds} ms";
        passed(passed: usize, all: usize): "{passed} of {all} steps passed", "{passed} von {all} Schritten bestanden";
        passed_failed(passed: usize, all: usize): "{passed} of {all} steps passed, 1 failed",
            "{passed} von {all} Schritten bestanden, 1 fehlgeschlagen";
        all_passed(): "All steps passed", "Alle Schritte bestanden";
        interrupted(): "The test was interrupted. Test again.", "Der Test wurde unterbrochen. Testen Sie erneut.";
        exactly(): "Exactly:", "Genau, auf Englisch:";
        policy(): "Policy statement", "Richtlinien-Anweisung";
    }
}

/// A step as it is shown.
pub(super) struct Shown {
    pub(super) tone: &'static str,
    pub(super) icon: &'static str,
    pub(super) title: String,
    pub(super) small: String,
    pub(super) failed: Option<Failed>,
}

/// What has failed, what the cloud said, and what to do.
pub(super) struct Failed {
    pub(super) said: String,
    pub(super) fix: Html,
}

/// A test as it is shown.
pub(super) struct Test {
    pub(super) id: String,
    pub(super) running: bool,
    pub(super) ready: bool,
    pub(super) told: String,
    pub(super) steps: Vec<Shown>,
}

/// The steps that a test has, in their order.
const ORDER: [&str; 6] =
    ["read secrets", "resolve", "connect", "authenticate and create", "refuse a second one", "clean up"];

fn title(w: Words, name: &str) -> String {
    match name {
        "read secrets" => w.read(),
        "read the destination" => w.check(),
        "resolve" => w.resolve(),
        "connect" => w.connect(),
        "get a token" => w.token(),
        "authenticate and create" | "authenticate" | "create" => w.create(),
        "refuse a second one" => w.twice(),
        "clean up" => w.clean(),
        "compare clocks" => w.clocks(),
        other => other.to_owned(),
    }
}

/// The permission that a fix names.
pub(super) fn permission(result: &ProbeResult) -> Option<String> {
    const NAMES: [&str; 6] = [
        "kms:GenerateDataKey",
        "s3:PutObject",
        "storage.objects.create",
        "sts:AssumeRole",
        "Storage Blob Data Contributor",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action",
    ];
    let refused = result.error.as_deref().is_some_and(|kind| kind == "denied");
    let (detail, fix) = (result.detail.as_deref()?, result.fix.as_deref()?);
    let named = |text: &str| NAMES.into_iter().find(|name| text.contains(name)).map(str::to_owned);
    if !refused {
        return None;
    }
    // Where the cloud says it itself, it knows best; a fix names first what is missing mostly.
    named(detail).or_else(|| {
        let mut found: Vec<(usize, &str)> =
            NAMES.into_iter().filter_map(|name| Some((fix.find(name)?, name))).collect();
        found.sort_unstable();
        found.first().map(|(_, name)| (*name).to_owned())
    })
}

/// Where a fix names a command of the vendor's, and what shows the same here.
const HERE: (&str, &str) = ("`auditferry destination trust ACCOUNT` prints", "step 2 of the set-up shows");

/// A fix with its code as code, and a policy in lines of its own.
/// `kind`: of the failure, for a language in which a fix is not written.
pub(in crate::http) fn fix_html(language: Language, kind: Option<&str>, fix: &str) -> Html {
    let w = Words(language);
    let mut html = String::new();
    if let Some(advice) = kind.and_then(|kind| advice(language, kind)) {
        html.push_str(&format!(
            "<p>{}</p><p class=\"soft small\">{}</p>",
            escaped(&advice),
            escaped(&w.exactly())
        ));
    }
    html.push_str(r#"<p lang="en">"#);
    let mut policies = Vec::new();
    for (place, part) in fix.replace(HERE.0, HERE.1).split('`').enumerate() {
        if place % 2 == 0 {
            html.push_str(&escaped(part));
            continue;
        }
        match serde_json::from_str::<Value>(part) {
            Ok(policy @ Value::Object(_)) if part.contains("\"Action\"") => {
                html.push('↓');
                policies.push(serde_json::to_string_pretty(&policy).unwrap_or_default());
            }
            _ => {
                html.push_str("<code>");
                html.push_str(&escaped(part));
                html.push_str("</code>");
            }
        }
    }
    html.push_str("</p>");
    for policy in policies {
        html.push_str(&format!(
            r#"<pre class="snippet" tabindex="0" role="region" aria-label="{}">{}</pre>"#,
            escaped(&w.policy()),
            escaped(&policy)
        ));
    }
    Html::joined(html)
}

fn fix_of(language: Language, result: &ProbeResult) -> Html {
    fix_html(language, result.error.as_deref(), result.fix.as_deref().unwrap_or_default())
}

fn shown(w: Words, language: Language, step: &ProbeStep, result: Option<&ProbeResult>) -> Shown {
    let small = w.took(step.milliseconds);
    let name = title(w, &step.name);
    let decides = result.is_some_and(|result| !result.works);
    // A step that only helps to find a cause does not decide.
    if step.ok || !decides {
        let tone = if step.ok { ("ok", "okc") } else { ("late", "alert") };
        return Shown { tone: tone.0, icon: tone.1, title: name, small, failed: None };
    }
    let result = result.filter(|result| !result.works);
    let title = match result.and_then(permission) {
        Some(permission) => w.missing(&name, &permission),
        None => name,
    };
    let failed = result.map(|result| Failed {
        said: result.detail.clone().unwrap_or_else(|| step.detail.clone()),
        fix: fix_of(language, result),
    });
    Shown { tone: "bad", icon: "fail", title, small, failed }
}

/// A test as it is shown.
pub(super) fn test(language: Language, tried: &Tried) -> Test {
    let w = Words(language);
    let running = tried.state == JobState::Running;
    let result = tried.result.as_ref();
    let failed = result.is_some_and(|result| !result.works);
    let last = tried.steps.iter().rposition(|step| !step.ok);
    // A step that only helped to find the cause says no more than the one of its name that has failed.
    let failing = last.filter(|_| failed).map(|last| title(w, &tried.steps[last].name));
    let helped = |place: usize, step: &ProbeStep| {
        !step.ok
            && last.is_some_and(|last| place < last)
            && failing.as_deref() == Some(title(w, &step.name).as_str())
    };
    let mut steps: Vec<Shown> = tried
        .steps
        .iter()
        .enumerate()
        .filter(|(place, step)| !helped(*place, step))
        .map(|(place, step)| shown(w, language, step, result.filter(|_| last == Some(place))))
        .collect();
    // Why it does not work stands somewhere, also where no step says so.
    if let Some(result) = result
        && failed
        && last.is_none()
    {
        let fix = fix_of(language, result);
        let failed = Failed { said: result.detail.clone().unwrap_or_default(), fix };
        steps.push(Shown {
            tone: "bad",
            icon: "fail",
            title: w.check(),
            small: String::new(),
            failed: Some(failed),
        });
    }
    let passed = tried.steps.iter().filter(|step| step.ok).count();
    let reached = tried.steps.last().and_then(|last| {
        let name = match last.name.as_str() {
            "get a token" => "connect",
            "authenticate" | "create" => "authenticate and create",
            other => other,
        };
        ORDER.iter().position(|known| *known == name)
    });
    if running || failed {
        let rest = ORDER.iter().skip(reached.map_or(0, |reached| reached + 1));
        for (place, name) in rest.enumerate() {
            let busy = running && place == 0;
            steps.push(Shown {
                tone: if busy { "busy" } else { "" },
                icon: if busy { "run" } else { "todo" },
                title: title(w, name),
                small: if busy { w.at_work() } else { w.waits() },
                failed: None,
            });
        }
    }
    let all = steps.len();
    let told = match (&tried.state, failed, result) {
        (JobState::Interrupted | JobState::Failed, _, _) => w.interrupted(),
        (_, true, _) => w.passed_failed(passed, all),
        (_, false, Some(_)) => w.all_passed(),
        _ => w.passed(passed, all),
    };
    Test { id: tried.id.clone(), running, ready: tried.ready, told, steps }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_is_code_and_a_policy_stands_alone() {
        let fix = "The key may not `s3:PutObject` on `<x>`; add: `{\"Effect\":\"Allow\",\"Action\":\"s3:PutObject\"}`, and";
        let html = fix_html(Language::En, None, fix).to_string();
        assert!(
            html.contains("<code>s3:PutObject</code>") && html.contains("<code>&#60;x&#62;</code>"),
            "{html}"
        );
        assert!(html.contains("<pre") && html.contains("&#34;Effect&#34;: &#34;Allow&#34;"), "{html}");
    }

    #[test]
    fn a_german_page_says_the_fix_in_german_and_then_exactly() {
        let html = fix_html(Language::De, Some("no_such_bucket"), "create `acme`").to_string();
        assert!(html.starts_with("<p>Den Bucket gibt es nicht. Legen Sie den Bucket wieder an"), "{html}");
        assert!(
            html.contains("Genau, auf Englisch:") && html.contains("<p lang=\"en\">create <code>acme"),
            "{html}"
        );
        // What no store has said has no German words.
        assert!(fix_html(Language::De, Some("keys"), "wait").to_string().starts_with("<p lang=\"en\">wait"));
        assert!(
            fix_html(Language::En, Some("denied"), "wait").to_string().starts_with("<p lang=\"en\">wait")
        );
    }

    #[test]
    fn a_command_of_the_vendors_is_what_the_page_shows() {
        use auditferry_core::model::destination::Destination;
        let role: Destination = serde_json::from_str(
            r#"{"kind": "s3", "bucket": "acme-siem", "region": "eu-central-1",
                "credentials": {"assume_role": {"role_arn": "arn:aws:iam::123456789012:role/siem"}}}"#,
        )
        .expect("a destination");
        let kind = auditferry_core::store::PutErrorKind::InvalidCredentials;
        let fix = crate::destinations::remedy::remedy(kind, "", &role);
        let html = fix_html(Language::En, None, &fix).to_string();
        assert!(html.contains(HERE.1) && !html.contains("auditferry destination"), "{html}");
    }

    #[test]
    fn the_missing_permission_is_named() {
        let result = |error: &str, detail: &str, fix: &str| ProbeResult {
            works: false,
            steps: Vec::new(),
            error: Some(error.to_owned()),
            detail: Some(detail.to_owned()),
            fix: Some(fix.to_owned()),
        };
        let fix = "The role may not `s3:PutObject` …, and for a KMS key (`kms:GenerateDataKey`)";
        let named = |error, detail| permission(&result(error, detail, fix));
        assert_eq!(named("denied", "AccessDenied").as_deref(), Some("s3:PutObject"));
        assert_eq!(
            named("denied", "not authorized to perform kms:GenerateDataKey").as_deref(),
            Some("kms:GenerateDataKey")
        );
        assert_eq!(named("unreachable", "x"), None);
    }
}
