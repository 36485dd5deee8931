//! The strip: the slots of the last days as a drawing, days beside each other where there is room, else below each
//! other. Each slot is a letter in a shape; its title says the same in words.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::parts::{Html, escaped};
use super::words::{Language, words};
use crate::operations::timeline::{SlotState, Timeline};

/// A day is told by at most this many times: beyond that the drawing would be no look any more.
const MOST_TIMES: usize = 12;

words! {
    /// The words of the strip.
    Words {
        delivered(): "delivered", "geliefert";
        late(): "late by more than 15 minutes", "mehr als 15 Minuten zu spät";
        empty(): "empty: no records", "leer: keine Einträge";
        open(): "not delivered yet", "noch nicht geliefert";
        failing(): "failing", "schlägt fehl";
        merged(): "its records are in a later file", "seine Einträge sind in einer späteren Datei";
        skipped(): "skipped", "übersprungen";
        given_up(): "given up by a rewind", "durch ein Zurücksetzen aufgegeben";
        paused(): "paused", "angehalten";
        no_destination(): "no destination", "kein Ziel";
        expired(): "the add-on had ended", "die Zusatzleistung war zu Ende";
        disabled(): "the add-on was off", "die Zusatzleistung war aus";
        next(): "next", "der nächste";
        not_yet(): "not yet", "noch nicht";
        last_days(days: usize): "Slots of the last {days} days", "Termine der letzten {days} Tage";
        all_well(): "all delivered or empty", "alle geliefert oder leer";
        others(): "all others delivered or empty", "alle anderen geliefert oder leer";
    }
}

/// The letter, its shape, and the words of what became of a slot.
fn sign(language: Language, state: SlotState) -> (char, &'static str, String) {
    let words = Words(language);
    match state {
        SlotState::Delivered => ('D', "d", words.delivered()),
        SlotState::Late => ('L', "l", words.late()),
        SlotState::Empty => ('E', "e", words.empty()),
        SlotState::Open => ('O', "o", words.open()),
        SlotState::Failing => ('F', "f", words.failing()),
        SlotState::Merged => ('M', "s", words.merged()),
        SlotState::Skipped => ('S', "s", words.skipped()),
        SlotState::GivenUp => ('G', "s", words.given_up()),
        SlotState::Paused => ('P', "p", words.paused()),
        SlotState::NoDestination => ('N', "s", words.no_destination()),
        SlotState::Expired => ('X', "s", words.expired()),
        SlotState::Disabled => ('X', "s", words.disabled()),
    }
}

/// What a state is called.
pub(in crate::http) fn state_words(language: Language, state: SlotState) -> String {
    sign(language, state).2
}

/// A shape around a place, with its letter.
fn shape(kind: &str, letter: char, (x, y): (i32, i32)) -> String {
    let (drawn, below) = match kind {
        "d" => {
            (format!(r#"<rect class="s-d" x="{}" y="{}" width="22" height="22" rx="5"/>"#, x - 11, y - 11), 4)
        }
        "e" => (format!(r#"<circle class="s-e" cx="{x}" cy="{y}" r="10.5"/>"#), 4),
        "l" => (format!(r#"<path class="s-l" d="M{x} {} l14 24 h-28 z"/>"#, y - 13), 8),
        "f" => (
            format!(r#"<path class="s-f" d="M{} {} h10 l7 7 v10 l-7 7 h-10 l-7 -7 v-10 z"/>"#, x - 5, y - 12),
            4,
        ),
        "p" => (format!(r#"<path class="s-p" d="M{x} {} l14 14 l-14 14 l-14 -14 z"/>"#, y - 14), 4),
        "o" => (format!(r#"<circle class="next" cx="{x}" cy="{y}" r="10"/>"#), 4),
        _ => (format!(r#"<rect class="s-s" x="{}.5" y="{}.5" width="21" height="21"/>"#, x - 11, y - 11), 4),
    };
    format!(r#"{drawn}<text class="l-{kind}" text-anchor="middle" x="{x}" y="{}">{letter}</text>"#, y + below)
}

/// A slot to come.
fn to_come(next: bool, (x, y): (i32, i32)) -> String {
    let ring =
        if next { format!(r#"<circle class="next" cx="{x}" cy="{y}" r="8"/>"#) } else { String::new() };
    format!(r#"{ring}<circle class="s-n" cx="{x}" cy="{y}" r="2"/>"#)
}

struct Cell {
    day: usize,
    time: usize,
    title: String,
    drawn: Drawn,
    href: Option<String>,
    chosen: bool,
}

enum Drawn {
    Past(&'static str, char),
    ToCome(bool),
}

/// What is drawn.
pub(in crate::http) struct Strip<'a> {
    /// The slots, and those to come.
    pub(in crate::http) timeline: &'a Timeline,
    /// The zone of the account.
    pub(in crate::http) zone: &'a TimeZone,
    /// What is today.
    pub(in crate::http) now: Timestamp,
    /// In which language.
    pub(in crate::http) language: Language,
    /// Where each slot leads; none: nowhere.
    pub(in crate::http) link: Option<&'a dyn Fn(Timestamp) -> String>,
    /// The slot whose story is told beside it.
    pub(in crate::http) chosen: Option<Timestamp>,
}

fn i(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl Strip<'_> {
    fn day_words(&self, day: Date) -> (String, String) {
        let names = match self.language {
            Language::En => ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
            Language::De => ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"],
        };
        let place = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or(0);
        let months = match self.language {
            Language::En => {
                ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            }
            Language::De => [
                "Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sep.", "Okt.", "Nov.", "Dez.",
            ],
        };
        let month = months.get(usize::try_from(day.month() - 1).unwrap_or(0)).copied().unwrap_or_default();
        let name = names.get(place).copied().unwrap_or_default();
        let date = match self.language {
            Language::En => format!("{} {month}", day.day()),
            Language::De => format!("{}. {month}", day.day()),
        };
        (name.to_owned(), date)
    }

    fn cells(&self) -> (Vec<Date>, Vec<Time>, Vec<Cell>) {
        let local = |at: Timestamp| at.to_zoned(self.zone.clone()).datetime();
        let today = local(self.now).date();
        let mut days: Vec<Date> = Vec::new();
        let mut day = local(self.timeline.from).date();
        while day <= today && days.len() < 31 {
            days.push(day);
            let Ok(tomorrow) = day.tomorrow() else { break };
            day = tomorrow;
        }
        let minute = |at: Timestamp| {
            let time = local(at).time();
            Time::new(time.hour(), time.minute(), 0, 0).unwrap_or_default()
        };
        let shown: Vec<_> =
            self.timeline.next.iter().copied().filter(|at| days.contains(&local(*at).date())).collect();
        let all = self.timeline.slots.iter().filter(|slot| slot.scheduled).map(|slot| slot.slot);
        let times: BTreeSet<Time> = all.chain(shown.iter().copied()).map(minute).collect();
        let times: Vec<Time> = times.into_iter().collect();
        let place = |at: Timestamp| {
            Some((
                days.iter().position(|day| *day == local(at).date())?,
                times.iter().position(|time| *time == minute(at))?,
            ))
        };
        let title = |at: Timestamp, words: &str| {
            let (name, date) = self.day_words(local(at).date());
            format!("{name} {date} {}: {words}", local(at).time().strftime("%H:%M"))
        };
        let mut cells = Vec::new();
        for slot in &self.timeline.slots {
            let Some((day, time)) = place(slot.slot) else { continue };
            let (letter, kind, words) = sign(self.language, slot.state);
            cells.push(Cell {
                day,
                time,
                title: title(slot.slot, &words),
                drawn: Drawn::Past(kind, letter),
                href: self.link.map(|link| link(slot.slot)),
                chosen: self.chosen == Some(slot.slot),
            });
        }
        let words = Words(self.language);
        for (number, at) in shown.iter().enumerate() {
            let Some((day, time)) = place(*at) else { continue };
            let said = if number == 0 { words.next() } else { words.not_yet() };
            let drawn = Drawn::ToCome(number == 0);
            cells.push(Cell { day, time, title: title(*at, &said), drawn, href: None, chosen: false });
        }
        (days, times, cells)
    }

    /// What it shows, in one sentence.
    pub(in crate::http) fn summary(&self) -> String {
        let words = Words(self.language);
        let quiet = [SlotState::Delivered, SlotState::Empty];
        let mut counted: Vec<(SlotState, usize)> = Vec::new();
        for state in self.timeline.slots.iter().map(|slot| slot.state) {
            match counted.iter_mut().find(|(counted, _)| *counted == state) {
                _ if quiet.contains(&state) => {}
                Some((_, count)) => *count += 1,
                None => counted.push((state, 1)),
            }
        }
        let days = usize::try_from(crate::operations::timeline::DAYS).unwrap_or(14);
        let said: Vec<String> = counted
            .iter()
            .map(|(state, count)| format!("{count} {}", sign(self.language, *state).2))
            .collect();
        match said.is_empty() {
            true => format!("{}: {}.", words.last_days(days), words.all_well()),
            false => format!("{}: {}; {}.", words.last_days(days), said.join(", "), words.others()),
        }
    }

    /// Both drawings; nothing where a day has too many times.
    pub(in crate::http) fn html(&self) -> Html {
        let (days, times, cells) = self.cells();
        if times.is_empty() || times.len() > MOST_TIMES {
            return Html::default();
        }
        Html(format!("{}{}", self.wide(&days, &times, &cells), self.tall(&days, &times, &cells)))
    }

    fn head(&self, kind: &str, (width, height): (i32, i32)) -> String {
        let role = if self.link.is_some() { "group" } else { "img" };
        format!(
            r#"<svg class="strip {kind}" role="{role}" aria-label="{}" width="{width}" height="{height}" viewBox="0 0 {width} {height}">"#,
            escaped(&self.summary())
        )
    }

    fn cell(cell: &Cell, at: (i32, i32)) -> String {
        let drawn = match cell.drawn {
            Drawn::Past(kind, letter) => shape(kind, letter, at),
            Drawn::ToCome(next) => to_come(next, at),
        };
        let chosen = match cell.chosen {
            true => format!(
                r#"<rect class="chosen" x="{}" y="{}" width="30" height="30" rx="7"/>"#,
                at.0 - 15,
                at.1 - 15
            ),
            false => String::new(),
        };
        let title = escaped(&cell.title);
        match &cell.href {
            Some(href) => format!(
                r#"<a href="{}" aria-label="{title}"{}><title>{title}</title>{drawn}{chosen}</a>"#,
                escaped(href),
                if cell.chosen { r#" aria-current="true""# } else { "" }
            ),
            None => format!("<g><title>{title}</title>{drawn}</g>"),
        }
    }

    fn wide(&self, days: &[Date], times: &[Time], cells: &[Cell]) -> String {
        let (width, height) = (46 + 44 * i(days.len()), 40 + 32 * i(times.len()));
        let mut svg = self.head("wide", (width, height));
        let x = |day: usize| 68 + 44 * i(day);
        let y = |time: usize| 56 + 32 * i(time);
        if let Some(last) = days.len().checked_sub(1) {
            let _ = write!(
                svg,
                r#"<rect class="band" x="{}" y="0" width="42" height="{height}" rx="6"/>"#,
                x(last) - 21
            );
        }
        for (place, day) in days.iter().enumerate() {
            let (name, _) = self.day_words(*day);
            let class = if place + 1 == days.len() { r#"class="today" "# } else { "" };
            let (x, number) = (x(place), day.day());
            let _ = write!(
                svg,
                r#"<text {class}text-anchor="middle" x="{x}" y="14">{name}</text><text {class}text-anchor="middle" x="{x}" y="29">{number}</text>"#
            );
        }
        for (place, time) in times.iter().enumerate() {
            let _ = write!(svg, r#"<text x="0" y="{}">{}</text>"#, y(place) + 4, time.strftime("%H:%M"));
        }
        for cell in cells {
            svg.push_str(&Self::cell(cell, (x(cell.day), y(cell.time))));
        }
        svg.push_str("</svg>");
        svg
    }

    fn tall(&self, days: &[Date], times: &[Time], cells: &[Cell]) -> String {
        let (width, height) = (82 + 40 * i(times.len()), 24 + 32 * i(days.len()));
        let mut svg = self.head("tall", (width, height));
        let x = |time: usize| 102 + 40 * i(time);
        // The newest day is on top.
        let y = |day: usize| 40 + 32 * (i(days.len()) - 1 - i(day));
        let _ = write!(svg, r#"<rect class="band" x="0" y="25" width="{width}" height="30" rx="6"/>"#);
        for (place, time) in times.iter().enumerate() {
            let _ = write!(
                svg,
                r#"<text text-anchor="middle" x="{}" y="13">{}</text>"#,
                x(place),
                time.strftime("%H:%M")
            );
        }
        for (place, day) in days.iter().enumerate() {
            let (name, date) = self.day_words(*day);
            let class = if place + 1 == days.len() { r#"class="today" "# } else { "" };
            let _ = write!(svg, r#"<text {class}x="6" y="{}">{name} {date}</text>"#, y(place) + 4);
        }
        for cell in cells.iter().rev() {
            svg.push_str(&Self::cell(cell, (x(cell.time), y(cell.day))));
        }
        svg.push_str("</svg>");
        svg
    }

    /// What the letters mean, of those that are there.
    pub(in crate::http) fn legend(&self) -> Html {
        let mut html = String::from(r#"<p class="legend">"#);
        let entry = |drawn: &str, words: &str| {
            format!(
                r#"<span><svg class="strip" aria-hidden="true" width="28" height="28" viewBox="0 0 28 28">{drawn}</svg>{}</span>"#,
                escaped(words)
            )
        };
        for state in SlotState::ALL {
            if self.timeline.slots.iter().any(|slot| slot.state == state) {
                let (letter, kind, words) = sign(self.language, state);
                html.push_str(&entry(&shape(kind, letter, (14, 14)), &words));
            }
        }
        if !self.timeline.next.is_empty() {
            html.push_str(&entry(&to_come(true, (14, 14)), &Words(self.language).next()));
        }
        html.push_str("</p>");
        Html(html)
    }
}
