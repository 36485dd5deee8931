//! A mail: as text and as HTML. It may hold a link that opens something, so it has no `Debug`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::message::{Message, escaped};
use crate::secrets::Secret;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::notification::Language;

/// A mail to one person.
pub struct Letter {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// What is told of a download that has ended.
pub struct DownloadNews<'a> {
    /// What its maker calls it.
    pub name: &'a str,
    /// Whose records it holds.
    pub account: &'a AccountId,
    /// How many records, and until when its file is kept; none: it could not be made.
    pub made: Option<(u64, Timestamp)>,
    /// Opens the portal once, and until when.
    pub link: (Secret, Timestamp),
    /// The account's zone.
    pub zone: TimeZone,
}

/// The same in words.
struct Said {
    subject: String,
    first: String,
    kept: Option<String>,
    button: &'static str,
    once: String,
    unasked: &'static str,
}

impl DownloadNews<'_> {
    fn said(&self, language: Language) -> Said {
        let time =
            |at: Timestamp| at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M (%:z)").to_string();
        let (name, account, until) = (self.name, self.account, time(self.link.1));
        match language {
            Language::En => Said {
                subject: match self.made {
                    Some(_) => format!("Ready: {name}"),
                    None => format!("Not made: {name}"),
                },
                first: match self.made {
                    Some((1, _)) => {
                        format!("The download “{name}” of the audit log of {account} is ready: 1 record.")
                    }
                    Some((records, _)) => {
                        format!(
                            "The download “{name}” of the audit log of {account} is ready: {records} records."
                        )
                    }
                    None => format!(
                        "The download “{name}” of the audit log of {account} could not be made. The list of downloads says why."
                    ),
                },
                kept: self.made.map(|(_, end)| format!("The file is kept until {}.", time(end))),
                button: "Open the downloads",
                once: format!("The link counts once, until {until}. It is yours: do not pass it on."),
                unasked: "You get this mail because it was wished for with the download.",
            },
            Language::De => Said {
                subject: match self.made {
                    Some(_) => format!("Fertig: {name}"),
                    None => format!("Nicht erstellt: {name}"),
                },
                first: match self.made {
                    Some((1, _)) => {
                        format!(
                            "Der Download „{name}“ aus dem Audit-Log von {account} ist fertig: 1 Eintrag."
                        )
                    }
                    Some((records, _)) => {
                        format!(
                            "Der Download „{name}“ aus dem Audit-Log von {account} ist fertig: {records} Einträge."
                        )
                    }
                    None => format!(
                        "Der Download „{name}“ aus dem Audit-Log von {account} konnte nicht erstellt werden. \
                         Die Liste der Downloads sagt, warum."
                    ),
                },
                kept: self.made.map(|(_, end)| format!("Die Datei wird bis {} aufbewahrt.", time(end))),
                button: "Die Downloads öffnen",
                once: format!(
                    "Der Link zählt einmal, bis {until}. Er ist für Sie: geben Sie ihn nicht weiter."
                ),
                unasked: "Sie erhalten diese Mail, weil sie mit dem Download gewünscht wurde.",
            },
        }
    }
}

impl Letter {
    /// A notice.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        Self { subject: message.title.clone(), text: message.text(), html: message.html() }
    }

    /// That a download has ended.
    #[must_use]
    pub fn of_download(news: &DownloadNews<'_>, language: Language) -> Self {
        let said = news.said(language);
        let link = news.link.0.expose();
        let kept = said.kept.iter().map(String::as_str);
        let lines: Vec<&str> = std::iter::once(said.first.as_str()).chain(kept).collect();
        let text =
            format!("{}\n\n{}:\n{link}\n{}\n\n{}\n", lines.join("\n"), said.button, said.once, said.unasked);
        let paragraphs: String = lines.iter().map(|line| format!("<p>{}</p>\n", escaped(line))).collect();
        let html = format!(
            "<!doctype html>\n<html><head><meta charset=\"utf-8\"></head><body>\n{paragraphs}\
             <p><a href=\"{}\">{}</a></p>\n<p>{}</p>\n<p>{}</p>\n</body></html>\n",
            escaped(link),
            said.button,
            escaped(&said.once),
            said.unasked
        );
        Self { subject: said.subject, text, html }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_says_what_is_there_and_how_long() {
        let end: Timestamp = "2026-12-08T04:00:00Z".parse().expect("instant");
        let account: AccountId = "acme <b>".parse().expect("id");
        let made = Some((1_200, end));
        let zone = TimeZone::get("Asia/Kolkata").expect("zone");
        let link = || (Secret::new("https://exports.example.com/portal/enter#apl_1".to_owned()), end);
        let told =
            DownloadNews { name: "Week <1>", account: &account, made, link: link(), zone: zone.clone() };
        let letter = Letter::of_download(&told, Language::En);
        assert_eq!(letter.subject, "Ready: Week <1>");
        assert!(letter.text.contains("1200 records."), "{}", letter.text);
        assert!(letter.text.contains("kept until 2026-12-08 09:30 (+05:30)."), "{}", letter.text);
        assert!(
            letter.text.contains("\nhttps://exports.example.com/portal/enter#apl_1\n"),
            "{}",
            letter.text
        );
        assert!(letter.html.contains("Week &lt;1&gt;") && !letter.html.contains("<b>"), "{}", letter.html);
        assert!(letter.html.contains("<a href=\"https://exports.example.com/portal/enter#apl_1\">"));
        let told = DownloadNews { name: "Woche", account: &account, made: None, link: link(), zone };
        let letter = Letter::of_download(&told, Language::De);
        assert_eq!(letter.subject, "Nicht erstellt: Woche");
        assert!(letter.text.contains("konnte nicht erstellt werden") && !letter.text.contains("aufbewahrt"));
    }
}
