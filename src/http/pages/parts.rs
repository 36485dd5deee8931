//! Small pieces of HTML that stand in many pages. Each escapes what it is given.

use std::fmt;

use askama::filters::{Escaper as _, Html as HtmlEscaper, HtmlSafe};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// HTML that is safe as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http) struct Html(pub(super) String);

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Html {}

impl Html {
    /// Of pieces that are HTML already, or text without any sign of HTML.
    pub(in crate::http) fn joined(html: String) -> Self {
        Self(html)
    }

    /// Whether there is nothing.
    pub(in crate::http) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Text, escaped.
pub(in crate::http) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let _ = HtmlEscaper.write_escaped_str(&mut out, text);
    out
}

/// A long value that may be broken after `@`, `_`, `/` and `:`.
pub(in crate::http) fn breaking(text: &str) -> Html {
    let mut out = String::new();
    for (place, part) in text.split_inclusive(['@', '_', '/', ':']).enumerate() {
        if place > 0 {
            out.push_str("<wbr>");
        }
        out.push_str(&escaped(part));
    }
    Html(out)
}

/// Words in which commands stand between backticks.
pub(in crate::http) fn coded(text: &str) -> Html {
    let mut parts = text.split('`');
    let mut out = escaped(parts.next().unwrap_or_default());
    while let Some(code) = parts.next() {
        match parts.next() {
            Some(after) => out.push_str(&format!("<code>{}</code>{}", escaped(code), escaped(after))),
            // One that nothing closes is a backtick.
            None => out.push_str(&format!("`{}", escaped(code))),
        }
    }
    Html(out)
}

/// A hash, shortened in the middle; all of it is in its title.
pub(in crate::http) fn hash(text: &str) -> Html {
    let short = match (text.get(..8), text.len().checked_sub(6).and_then(|from| text.get(from..))) {
        (Some(first), Some(last)) if text.len() > 18 => format!("{first}…{last}"),
        _ => text.to_owned(),
    };
    Html(format!(r#"<code title="{}">{}</code>"#, escaped(text), escaped(&short)))
}

/// A drawing of the sprite.
pub(in crate::http) fn icon(name: &str) -> Html {
    Html(format!(r##"<svg class="icon" aria-hidden="true"><use href="#i-{}"/></svg>"##, escaped(name)))
}

/// How something is: its colour and its drawing. The word beside it says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Tone {
    /// Well.
    Ok,
    /// It mends itself, or is late.
    Late,
    /// A person is needed.
    Bad,
    /// Under way.
    Busy,
    /// Stopped on a person's word.
    Paused,
    /// Over, or nothing to say.
    Off,
}

impl Tone {
    /// Its class in the stylesheet.
    pub(in crate::http) fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Late => "late",
            Self::Bad => "bad",
            Self::Busy => "busy",
            Self::Paused => "paused",
            Self::Off => "",
        }
    }

    /// Its drawing.
    pub(in crate::http) fn icon(self) -> &'static str {
        match self {
            Self::Ok => "okc",
            Self::Late => "alert",
            Self::Bad => "fail",
            Self::Busy => "run",
            Self::Paused => "pause",
            Self::Off => "off",
        }
    }
}

/// A state: a word and a shape.
pub(in crate::http) fn badge(tone: Tone, word: &str) -> Html {
    Html(format!(r#"<span class="badge {}">{}{}</span>"#, tone.class(), icon(tone.icon()), escaped(word)))
}

/// How exactly a time is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Exact {
    /// To the minute.
    Minute,
    /// To the second.
    Second,
    /// To the millisecond.
    Millisecond,
}

/// The zone in which a page tells times, which always say their offset.
#[derive(Debug, Clone)]
pub(in crate::http) struct Clock {
    zone: TimeZone,
    utc: bool,
}

impl Clock {
    /// In UTC, whose offset is written `Z`.
    pub(in crate::http) fn utc() -> Self {
        Self { zone: TimeZone::UTC, utc: true }
    }

    /// In a zone.
    pub(in crate::http) fn of(zone: TimeZone) -> Self {
        Self { zone, utc: false }
    }

    fn offset(&self, at: Timestamp) -> String {
        if self.utc { "Z".to_owned() } else { at.to_zoned(self.zone.clone()).strftime("%:z").to_string() }
    }

    /// `2026-11-30 12:14 +01:00`, as plain text.
    pub(in crate::http) fn text(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.zone.clone());
        format!("{} {}", local.strftime("%Y-%m-%d %H:%M"), self.offset(at))
    }

    /// `2026-11-30 12:14:41 +01:00`, in its element.
    pub(in crate::http) fn exactly(&self, at: Timestamp, exact: Exact) -> Html {
        let local = at.to_zoned(self.zone.clone());
        let time = match exact {
            Exact::Minute => "%H:%M",
            Exact::Second => "%H:%M:%S",
            Exact::Millisecond => "%H:%M:%S%.3f",
        };
        let (date, time, offset) =
            (local.strftime("%Y-%m-%d"), local.strftime(time).to_string(), self.offset(at));
        Html(format!(
            r#"<time datetime="{date}T{time}{offset}"><span class="keep">{date}</span> <span class="keep">{time} <span class="zone">{offset}</span></span></time>"#
        ))
    }

    /// To the minute.
    pub(in crate::http) fn minute(&self, at: Timestamp) -> Html {
        self.exactly(at, Exact::Minute)
    }

    /// To the second.
    pub(in crate::http) fn second(&self, at: Timestamp) -> Html {
        self.exactly(at, Exact::Second)
    }

    /// The time of the day alone: where the day is clear.
    pub(in crate::http) fn of_day(&self, at: Timestamp) -> Html {
        let local = at.to_zoned(self.zone.clone());
        let (date, time, offset) = (local.strftime("%Y-%m-%d"), local.strftime("%H:%M"), self.offset(at));
        Html(format!(
            r#"<time datetime="{date}T{time}{offset}"><span class="keep">{time} <span class="zone">{offset}</span></span></time>"#
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_escaped() {
        assert_eq!(breaking("a@<b>").0, "a@<wbr>&#60;b&#62;");
        assert_eq!(coded("run `a <b>`, then ` c").0, "run <code>a &#60;b&#62;</code>, then ` c");
        assert!(!badge(Tone::Ok, "<i>").0.contains("<i>"));
        assert_eq!(
            hash("0123456789abcdef0123").0,
            r#"<code title="0123456789abcdef0123">01234567…ef0123</code>"#
        );
    }

    #[test]
    fn a_time_says_its_offset() {
        let at: Timestamp = "2026-10-25T00:30:05.25Z".parse().expect("an instant");
        let berlin = Clock::of(TimeZone::get("Europe/Berlin").expect("zone"));
        assert_eq!(berlin.text(at), "2026-10-25 02:30 +02:00");
        assert_eq!(berlin.text(at + jiff::SignedDuration::from_hours(1)), "2026-10-25 02:30 +01:00");
        assert_eq!(Clock::utc().text(at), "2026-10-25 00:30 Z");
        assert!(
            berlin.exactly(at, Exact::Millisecond).0.contains(r#"datetime="2026-10-25T02:30:05.250+02:00""#)
        );
    }
}
