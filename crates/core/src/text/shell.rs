//! Words as a POSIX shell reads them, for commands that people copy.

/// A word, quoted when it must be.
#[must_use]
pub fn shell_word(word: &str) -> String {
    // Only a NUL cannot be quoted, and no name of ours holds one.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_shell_reads_the_same_word() {
        assert_eq!(shell_word("acme-siem/eu_1.x"), "acme-siem/eu_1.x");
        for word in ["", "two words", "it's", "$HOME", "a\"b", "~x", "*", "a;b", "Zürich", "-x"] {
            assert_eq!(shlex::split(&shell_word(word)), Some(vec![word.to_owned()]));
        }
    }
}
