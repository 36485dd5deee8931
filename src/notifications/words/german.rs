//! German.

use super::{Phrase, day_and_time};
use auditferry_core::model::notification::{Change, Item, Topic};
use auditferry_core::store::PutErrorKind;

pub(super) fn said(phrase: Phrase<'_>) -> String {
    match phrase {
        Phrase::Title { troubles, over, more } => {
            let more = if more == 0 { String::new() } else { format!(", {more} weitere") };
            format!("Export von Audit-Logs: {troubles} zu prüfen, {over} behoben{more}")
        }
        Phrase::Headline { item, operator } => headline(item, operator),
        Phrase::Reason { kind } => PutErrorKind::parse(kind).map_or_else(String::new, reason),
        Phrase::Fix { item, operator } => fix(item, operator),
        Phrase::Message { message } => format!("Einzelheiten: {message}"),
        Phrase::Command { fix } => format!("Was zu tun ist (englisch): {fix}."),
        Phrase::More { more } => {
            format!("{more} weitere stehen nicht hier; `auditferry status` zeigt sie.")
        }
        Phrase::Closing { operator: true } => String::new(),
        Phrase::Closing { operator: false } => {
            "Es geht kein Eintrag verloren: Was nicht geliefert wurde, wartet und wird geliefert, sobald der Fehler \
             behoben ist."
                .to_owned()
        }
        Phrase::TestTitle => "Test einer Benachrichtigung".to_owned(),
        Phrase::TestBody => "Jemand hat diesen Kanal ausprobiert. Es ist nichts zu tun.".to_owned(),
    }
}

fn headline(item: &Item, operator: bool) -> String {
    let since = day_and_time(item.since);
    let account = item.account.as_ref().map(ToString::to_string).unwrap_or_default();
    let bucket = match &item.detail.bucket {
        Some(bucket) => format!(" in den Bucket {bucket}"),
        None => String::new(),
    };
    let ends = item.detail.ends_at.map(day_and_time).unwrap_or_default();
    let ended = item.detail.kind.as_deref() == Some("ended");
    match (item.topic, item.change) {
        (Topic::Export, change) => {
            let what = if operator {
                format!("Der Export des Kontos {account}{bucket}")
            } else {
                format!("Der Export Ihres Audit-Logs (Konto {account}){bucket}")
            };
            match change {
                Change::Began => format!("{what} schlägt seit {since} fehl."),
                Change::Worsened => {
                    format!("{what} schlägt seit {since} fehl, und es ist schlimmer geworden.")
                }
                Change::Reminder => format!("{what} schlägt noch immer fehl, seit {since}."),
                Change::Recovered => format!("{what} funktioniert wieder; er schlug seit {since} fehl."),
            }
        }
        (Topic::Addon, _) => format!("Das Add-on des Kontos {account} endet am {ends}."),
        (Topic::Credentials, _) if ended => {
            format!(
                "Die Zugangsdaten, mit denen das Konto {account}{bucket} exportiert, sind am {ends} abgelaufen."
            )
        }
        (Topic::Credentials, _) => {
            format!(
                "Die Zugangsdaten, mit denen das Konto {account}{bucket} exportiert, laufen am {ends} ab."
            )
        }
        (Topic::Retention, _) if ended => format!(
            "In der Quelle werden Einträge des Kontos {account} gelöscht, die nicht exportiert wurden: seit {ends}."
        ),
        (Topic::Retention, _) => format!(
            "In der Quelle werden ab {ends} Einträge des Kontos {account} gelöscht, die noch nicht exportiert sind."
        ),
        (Topic::Sweep, _) => {
            "Eine Änderung wurde abgelehnt, weil sie viele Konten auf einmal angehalten hätte.".to_owned()
        }
        (Topic::Workers, Change::Recovered) => {
            format!("Es läuft wieder ein Worker; seit {since} lief keiner.")
        }
        (Topic::Workers, _) => format!("Seit {since} läuft kein Worker: Es wird nichts geliefert."),
        (Topic::Backlog, Change::Recovered) => "Die Worker haben ihre Termine aufgeholt.".to_owned(),
        (Topic::Backlog, _) => {
            format!("Die Worker sind im Rückstand: Ein Termin wartet seit {since}, und keiner kam dazu.")
        }
        (Topic::Clock, Change::Recovered) => "Die Uhren der Worker gehen wieder richtig.".to_owned(),
        (Topic::Clock, _) => "Die Uhr eines Workers geht anders als die der Datenbank.".to_owned(),
        (Topic::Chores, Change::Recovered) => "Die Nebenarbeiten der Worker gelingen wieder.".to_owned(),
        (Topic::Chores, _) => format!("Eine Nebenarbeit eines Workers schlägt seit {since} fehl."),
    }
}

fn reason(kind: PutErrorKind) -> String {
    match kind {
        PutErrorKind::Exists => "Eine fremde Datei trägt schon den Namen der nächsten.",
        PutErrorKind::Conflict | PutErrorKind::Throttled | PutErrorKind::Unavailable => {
            "Der Speicherdienst war überlastet oder gestört."
        }
        PutErrorKind::InvalidCredentials => {
            "Der Speicherdienst erkennt die Zugangsdaten nicht an: Sie wurden widerrufen, ersetzt oder sind abgelaufen."
        }
        PutErrorKind::Denied => "Die Zugangsdaten dürfen nicht in den Bucket schreiben.",
        PutErrorKind::Clock => "Unsere Uhr geht falsch.",
        PutErrorKind::NoSuchBucket => "Den Bucket gibt es nicht.",
        PutErrorKind::Rejected => "Der Speicherdienst lehnt die Datei wegen einer Einstellung des Buckets ab.",
        PutErrorKind::Unreachable => "Der Speicherdienst ist nicht erreichbar.",
        PutErrorKind::Unknown => "Der Speicherdienst hat nicht geantwortet.",
        PutErrorKind::Misconfigured => "Das Ziel kann so, wie es eingerichtet ist, nicht benutzt werden.",
    }
    .to_owned()
}

fn fix(item: &Item, operator: bool) -> String {
    let fix = match item.topic {
        Topic::Export if !operator => {
            item.detail.kind.as_deref().and_then(PutErrorKind::parse).map(customers)
        }
        Topic::Credentials if !operator => {
            Some("Geben Sie uns vorher neue Zugangsdaten. Bis dahin werden die alten benutzt.")
        }
        Topic::Credentials => Some("Neue geben Sie mit `auditferry destination rotate KONTO …`."),
        Topic::Addon => Some(
            "Verlängern Sie es mit `auditferry addon enable KONTO --until DATUM`, oder sagen Sie es dem Kunden.",
        ),
        Topic::Retention => Some(
            "Lassen Sie die Quelle ihre Einträge länger behalten, und bringen Sie den Export wieder in Gang: \
             `auditferry account show KONTO`.",
        ),
        Topic::Sweep => Some(
            "Ist sie gewollt, wenden Sie sie mit der genannten Zahl noch einmal an; sonst berichtigen Sie die Datei.",
        ),
        Topic::Workers => Some(
            "Starten Sie einen Worker mit `auditferry run`; warum der letzte endete, steht in seinem Log.",
        ),
        Topic::Backlog => Some(
            "Sehen Sie sich `auditferry status` an. Starten Sie mehr Worker, oder erhöhen Sie worker.concurrency, \
             wenn alle beschäftigt sind.",
        ),
        Topic::Clock => Some(
            "Stellen Sie die Uhr dieser Maschine mit NTP. Ab einer Stunde Unterschied nimmt der Worker nichts mehr an.",
        ),
        Topic::Chores => Some("Sehen Sie sich das Log des Workers an. Geliefert wird weiterhin."),
        Topic::Export => None,
    };
    fix.map(str::to_owned).unwrap_or_default()
}

/// Why a store refuses, and what to do about it.
pub(super) fn advice(kind: PutErrorKind) -> String {
    let fix = customers(kind);
    format!("{} {}", reason(kind), fix.strip_prefix("Was zu tun ist: ").unwrap_or(fix))
}

/// What the owner of a bucket can do.
fn customers(kind: PutErrorKind) -> &'static str {
    match kind {
        PutErrorKind::Denied => {
            "Was zu tun ist: Erlauben Sie den Zugangsdaten, die Sie uns gegeben haben, in diesem Bucket unterhalb von \
             audit/ Objekte anzulegen."
        }
        PutErrorKind::InvalidCredentials => {
            "Was zu tun ist: Prüfen Sie, ob es den Schlüssel, die Rolle oder das Token, das Sie uns gegeben haben, noch \
             gibt und ob es aktiv ist, oder geben Sie uns ein anderes."
        }
        PutErrorKind::NoSuchBucket => {
            "Was zu tun ist: Legen Sie den Bucket wieder an, oder nennen Sie uns den, der benutzt werden soll."
        }
        PutErrorKind::Rejected => {
            "Was zu tun ist: Prüfen Sie Verschlüsselung, Speicherklasse, Aufbewahrung und Zugriffsregeln des Buckets."
        }
        PutErrorKind::Exists => {
            "Was zu tun ist: Finden Sie heraus, wer sonst unterhalb von audit/ schreibt, und räumen Sie die Datei weg."
        }
        PutErrorKind::Misconfigured => "Was zu tun ist: Richten Sie das Ziel neu ein.",
        PutErrorKind::Unreachable | PutErrorKind::Unknown => {
            "Was zu tun ist: Prüfen Sie, ob der Speicherdienst läuft und ob seine Firewall uns durchlässt."
        }
        PutErrorKind::Clock
        | PutErrorKind::Conflict
        | PutErrorKind::Throttled
        | PutErrorKind::Unavailable => "Sie müssen nichts tun: Es wird wieder versucht.",
    }
}
