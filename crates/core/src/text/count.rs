//! Numbers of things, as a person reads them.

/// `1 record`, `2 records`, `3 tries`; `one` is the word for one of them.
#[must_use]
pub fn counted(count: u64, one: &str) -> String {
    if count == 1 {
        return format!("1 {one}");
    }
    let consonant = |c: char| !"aeiou".contains(c);
    match one.strip_suffix('y') {
        Some(stem) if stem.ends_with(consonant) => format!("{count} {stem}ies"),
        _ => format!("{count} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one() {
        assert_eq!(counted(1, "record"), "1 record");
        assert_eq!(counted(0, "record"), "0 records");
        assert_eq!(counted(2, "try"), "2 tries");
        assert_eq!(counted(2, "key"), "2 keys");
    }
}
