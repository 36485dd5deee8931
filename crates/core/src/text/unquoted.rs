//! What a parser says, without the values that it quotes: one in the wrong place may be a secret.

/// What stands in the place of a value.
const LEFT_OUT: &str = "…";

/// Before the values that serde quotes with backticks; names of fields are quoted so too, and stay.
const VARIANT: &str = "unknown variant `";

/// A parser's words without quoted values.
#[must_use]
pub fn without_values(problem: &str) -> String {
    let mut words = String::new();
    // A value may hold quotes itself: all from the first to the last one goes.
    match (problem.find('"'), problem.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            words.push_str(&problem[..first]);
            words.push_str(LEFT_OUT);
            words.push_str(&problem[last + 1..]);
        }
        _ => words.push_str(problem),
    }
    let Some(at) = words.find(VARIANT) else { return words };
    let value = at + VARIANT.len();
    // As above: the list of what is right comes after the value.
    let end = words[value..].find("`, expected").or_else(|| words[value..].rfind('`'));
    let rest = end.map_or("", |end| &words[value + end..]);
    format!("{}{LEFT_OUT}{rest}", &words[..value])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_left() {
        for (problem, words) in [
            (r#"invalid type: string "hunter2", expected u32"#, "invalid type: string …, expected u32"),
            (r#"invalid type: string "hun\"ter2", expected u32"#, "invalid type: string …, expected u32"),
            ("unknown variant `hunter2`, expected `a` or `b`", "unknown variant `…`, expected `a` or `b`"),
            ("unknown variant `hun`ter2`, expected `a`", "unknown variant `…`, expected `a`"),
            ("unknown field `buckett`, expected `bucket`", "unknown field `buckett`, expected `bucket`"),
        ] {
            assert_eq!(without_values(problem), words);
        }
    }
}
