//! What others wrote, as a part of one line of ours: in a log, a table or a terminal.

/// The text in at most `most` characters, without control characters: a line break would
/// begin a line of its own, and an escape sequence would speak to the terminal.
#[must_use]
pub fn one_line(text: &str, most: usize) -> String {
    let mut chars = text.chars();
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut line: String = chars.by_ref().take(most).map(plain).collect();
    if chars.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_cut_and_speaks_to_no_terminal() {
        assert_eq!(one_line("plain, ü", 8), "plain, ü");
        assert_eq!(one_line("plain, über", 8), "plain, …");
        assert_eq!(one_line("a\u{1b}[2Jb\nc\u{85}", 20), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
    }
}
