//! Tables for a person: on a narrow terminal long keys lose their middle, texts are wrapped between words, and
//! the columns that matter least are left out. No word is broken.

use unicode_width::UnicodeWidthStr as _;

use super::paint::{Paint, painted};

/// Blanks between two columns.
const GAP: usize = 2;
/// The least that is left of a key.
const LEAST_KEY: usize = 24;
/// The narrowest column of text.
const LEAST_TEXT: usize = 24;

/// What may be done to a column that does not fit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// Nothing.
    Whole,
    /// Its middle may be left out: a key ends in what tells it from others.
    Key,
    /// It may be wrapped between words.
    Text,
}

/// A column of a table.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    name: &'static str,
    fit: Fit,
    /// The higher, the earlier it is left out; 0: never.
    expendable: u8,
    paint: Option<Paint>,
}

impl Column {
    /// One whose values are short.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, fit: Fit::Whole, expendable: 0, paint: None }
    }

    /// One with keys of objects.
    pub(crate) const fn key(name: &'static str) -> Self {
        Self { fit: Fit::Key, ..Self::new(name) }
    }

    /// One with sentences.
    pub(crate) const fn text(name: &'static str) -> Self {
        Self { fit: Fit::Text, ..Self::new(name) }
    }

    /// The same, left out where there is no room; a higher `rank` goes first.
    pub(crate) const fn expendable(self, rank: u8) -> Self {
        Self { expendable: rank, ..self }
    }

    /// The same, in colours.
    pub(crate) const fn painted(self, paint: Paint) -> Self {
        Self { paint: Some(paint), ..self }
    }
}

/// The lines of a table. `width`: of the terminal, if there is one.
pub(super) fn lines(
    columns: &[Column],
    rows: &[Vec<String>],
    width: Option<usize>,
    colours: bool,
) -> Vec<String> {
    let natural = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.width());
        cells.chain([columns[at].name.width()]).max().unwrap_or(0)
    };
    let mut widths: Vec<(usize, usize)> = (0..columns.len()).map(|at| (at, natural(at))).collect();
    if let Some(width) = width {
        fit(columns, &mut widths, width);
    }
    let mut lines = Vec::new();
    let header: Vec<String> = columns.iter().map(|column| column.name.to_owned()).collect();
    push(&mut lines, columns, &header, &widths, false);
    for row in rows {
        push(&mut lines, columns, row, &widths, colours);
    }
    lines
}

/// Makes columns narrower, or leaves them out, until the table fits; what cannot be helped stays.
fn fit(columns: &[Column], widths: &mut Vec<(usize, usize)>, width: usize) {
    let total = |widths: &[(usize, usize)]| {
        widths.iter().map(|(_, width)| width).sum::<usize>() + GAP * widths.len().saturating_sub(1)
    };
    let natural = widths.clone();
    loop {
        for (fit, least) in [(Fit::Text, LEAST_TEXT), (Fit::Key, LEAST_KEY)] {
            for at in 0..widths.len() {
                let over = total(widths).saturating_sub(width);
                let (column, now) = widths[at];
                let least = least.max(columns[column].name.width());
                if columns[column].fit == fit && over > 0 && now > least {
                    widths[at].1 = now.saturating_sub(over).max(least);
                }
            }
        }
        let rank = |(column, _): &(usize, usize)| columns[*column].expendable;
        let highest = widths.iter().map(rank).max().unwrap_or(0);
        if total(widths) <= width || highest == 0 {
            return;
        }
        // There is room again for what was made narrow.
        let kept = |column: &(usize, usize)| rank(column) < highest;
        *widths = natural.iter().filter(|column| kept(column)).copied().collect();
    }
}

fn push(
    lines: &mut Vec<String>,
    columns: &[Column],
    row: &[String],
    widths: &[(usize, usize)],
    colours: bool,
) {
    let cells: Vec<Vec<String>> = widths
        .iter()
        .map(|(at, width)| {
            let cell = row.get(*at).map_or("", String::as_str);
            match columns[*at].fit {
                Fit::Whole => vec![cell.to_owned()],
                Fit::Key => vec![without_middle(cell, *width)],
                Fit::Text => wrapped(cell, *width),
            }
        })
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for number in 0..height {
        let mut line = String::new();
        for ((at, width), parts) in widths.iter().zip(&cells) {
            let part = parts.get(number).map_or("", String::as_str);
            let blanks = (width + GAP).saturating_sub(part.width());
            match columns[*at].paint.filter(|_| colours) {
                Some(paint) => line.push_str(&painted(paint, part)),
                None => line.push_str(part),
            }
            line.extend(std::iter::repeat_n(' ', blanks));
        }
        lines.push(line.trim_end().to_owned());
    }
}

/// A key in so many columns; one that is longer keeps its end, which names the slot.
fn without_middle(key: &str, width: usize) -> String {
    if key.width() <= width {
        return key.to_owned();
    }
    let end = width.saturating_sub(1) * 2 / 3;
    let begin = width.saturating_sub(1) - end;
    let chars: Vec<char> = key.chars().collect();
    let (first, last) = (&chars[..begin.min(chars.len())], &chars[chars.len().saturating_sub(end)..]);
    first.iter().chain(['…'].iter()).chain(last).collect()
}

/// A text in lines of so many columns, parted between words; a longer word stands alone.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    if text.width() <= width {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] =
        [Column::new("STATE"), Column::key("KEY"), Column::new("BYTES").expendable(1), Column::text("FIX")];

    fn rows() -> Vec<Vec<String>> {
        let key = "siem/audit/acme-corporation/audit_acme-corporation_20261121T040000Z.zip";
        let fix = "create the bucket, or correct its name in the destination";
        vec![["sealed", key, "1.11 KiB", fix].map(str::to_owned).to_vec()]
    }

    #[test]
    fn nothing_is_cut_without_a_terminal() {
        let whole = lines(&COLUMNS, &rows(), None, false);
        assert_eq!(whole.len(), 2);
        assert!(rows()[0].iter().all(|cell| whole[1].contains(cell)), "{whole:?}");
    }

    #[test]
    fn a_narrow_table_breaks_no_word() {
        for width in [60, 70, 80, 100, 140] {
            let narrow = lines(&COLUMNS, &rows(), Some(width), false);
            assert!(narrow.iter().all(|line| line.width() <= width), "{width}: {narrow:#?}");
            assert!(narrow[1].contains("T040000Z.zip"), "the end of the key is kept: {narrow:#?}");
            let words = rows()[0][3].split(' ').map(str::to_owned).collect::<Vec<_>>();
            let text = narrow.join(" ");
            assert!(words.iter().all(|word| text.split_whitespace().any(|part| part == word)), "{narrow:#?}");
        }
        let narrow = lines(&COLUMNS, &rows(), Some(60), false);
        assert!(!narrow[0].contains("BYTES") && narrow[1].contains('…'), "{narrow:#?}");
    }

    #[test]
    fn a_long_word_stands_alone() {
        assert_eq!(
            wrapped("see https://example.com/a/long/path now", 10),
            ["see", "https://example.com/a/long/path", "now"]
        );
    }
}
