//! A notice in the words of a language: as text, as HTML and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::words::{Phrase, said};
use auditferry_core::model::notification::{Audience, Change, Language, Notice};

/// A notice in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub title: String,
    /// One for each thing that is told, with its own first line.
    pub parts: Vec<Part>,
    /// What is true of all of it.
    pub closing: Vec<String>,
}

/// One thing that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub headline: String,
    /// Reason, fix and whatever else is known.
    pub lines: Vec<String>,
}

impl Message {
    /// A notice in words.
    #[must_use]
    pub fn of(notice: &Notice, audience: &Audience, language: Language) -> Self {
        let say = |phrase| said(language, phrase);
        if notice.test {
            let lines = vec![say(Phrase::TestBody)];
            let title = say(Phrase::TestTitle);
            return Self { parts: vec![Part { headline: title.clone(), lines }], title, closing: Vec::new() };
        }
        let operator = *audience == Audience::Operator;
        let mut parts = Vec::new();
        for item in &notice.items {
            let mut lines = Vec::new();
            if item.change != Change::Recovered {
                let kind = item.detail.kind.as_deref().unwrap_or_default();
                lines.extend(Some(say(Phrase::Reason { kind })).filter(|line| !line.is_empty()));
                lines.extend(Some(say(Phrase::Fix { item, operator })).filter(|line| !line.is_empty()));
                lines.extend(item.detail.message.as_deref().map(|message| say(Phrase::Message { message })));
                lines.extend(item.detail.fix.as_deref().map(|fix| say(Phrase::Command { fix })));
            }
            parts.push(Part { headline: say(Phrase::Headline { item, operator }), lines });
        }
        let title = match &notice.items[..] {
            [_] if notice.more == 0 => parts[0].headline.clone(),
            items => {
                let count = |over: bool| {
                    let counted = items.iter().filter(|item| (item.change == Change::Recovered) == over);
                    u64::try_from(counted.count()).unwrap_or(u64::MAX)
                };
                say(Phrase::Title { troubles: count(false), over: count(true), more: notice.more })
            }
        };
        let mut closing = Vec::new();
        if notice.more > 0 {
            closing.push(say(Phrase::More { more: notice.more }));
        }
        if notice.items.iter().any(|item| item.change != Change::Recovered) {
            closing.extend(Some(say(Phrase::Closing { operator })).filter(|line| !line.is_empty()));
        }
        Self { title, parts, closing }
    }

    /// As plain text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}", self.title);
        for part in &self.parts {
            let _ = writeln!(text);
            if part.headline != self.title {
                let _ = writeln!(text, "{}", part.headline);
            }
            for line in &part.lines {
                let _ = writeln!(text, "{line}");
            }
        }
        for line in &self.closing {
            let _ = writeln!(text, "\n{line}");
        }
        text
    }

    /// As HTML, in which whatever came from outside is text.
    #[must_use]
    pub fn html(&self) -> String {
        let mut html = String::from("<!doctype html>\n<html><head><meta charset=\"utf-8\"></head><body>\n");
        for part in &self.parts {
            let _ = writeln!(html, "<h3>{}</h3>", escaped(&part.headline));
            for line in &part.lines {
                let _ = writeln!(html, "<p>{}</p>", escaped(line));
            }
        }
        for line in &self.closing {
            let _ = writeln!(html, "<p>{}</p>", escaped(line));
        }
        html.push_str("</body></html>\n");
        html
    }

    /// For a program: the body of a webhook.
    #[must_use]
    pub fn json(&self, notice: &Notice, audience: &Audience) -> Value {
        json!({
            "type": if notice.test { "auditferry.test" } else { "auditferry.notice" },
            "timestamp": notice.at,
            "data": {
                "account": audience.account(),
                "title": self.title,
                "text": self.text(),
                "items": notice.items,
                "more": notice.more,
            },
        })
    }
}

/// Text in HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests;
