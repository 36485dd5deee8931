//! The paths that a Rust file names, found without a compiler: enough to see who uses whom.

/// Every path of the code outside of tests, with the groups of `use` written out:
/// `use a::{b, c::D};` gives `a::b` and `a::c::D`.
pub(crate) fn paths(source: &str) -> Vec<Vec<String>> {
    let mut tokens = tokens(&without_tests(&without_texts(source))).into_iter().peekable();
    let mut paths = Vec::new();
    while let Some(token) = tokens.next() {
        if token == "use" {
            let tree: Vec<String> = tokens.by_ref().take_while(|token| token != ";").collect();
            use_tree(&tree, &[], &mut paths);
        } else if is_name(&token) {
            let mut path = vec![token];
            while tokens.next_if(|token| token == "::").is_some() {
                match tokens.next_if(|token| is_name(token)) {
                    Some(name) => path.push(name),
                    None => break,
                }
            }
            paths.push(path);
        }
    }
    paths
}

fn use_tree(tree: &[String], before: &[String], paths: &mut Vec<Vec<String>>) {
    let mut path = before.to_vec();
    let mut at = 0;
    while let Some(token) = tree.get(at) {
        match token.as_str() {
            "{" => {
                let (mut depth, mut start) = (0, at + 1);
                for (end, token) in tree.iter().enumerate().skip(at) {
                    match token.as_str() {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 || (depth == 1 && token == ",") {
                        use_tree(&tree[start..end], &path, paths);
                        start = end + 1;
                    }
                    if depth == 0 {
                        return;
                    }
                }
            }
            "as" => break,
            "::" => {}
            name => path.push(name.to_owned()),
        }
        at += 1;
    }
    if path.len() > before.len() {
        paths.push(path);
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and every other sign by itself.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut inside_name = false;
    for c in code.chars() {
        let name = c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some(last) if name && inside_name => last.push(c),
            Some(last) if c == ':' && last == ":" => last.push(c),
            _ if c.is_whitespace() => {}
            _ => tokens.push(c.to_string()),
        }
        inside_name = name;
    }
    tokens
}

/// The code without comments, and with empty texts.
fn without_texts(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw_text(rest, &code) {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = hashes + 2;
            rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
        } else if c == '"' {
            closing(rest, '"')
        } else if is_character(rest) {
            closing(rest, '\'')
        } else {
            code.push(c);
            c.len_utf8()
        };
        if rest[..length].contains('\n') && length > 1 {
            code.push('\n');
        }
        rest = &rest[length..];
    }
    code
}

/// How many `#` a raw text that starts here has.
fn raw_text(rest: &str, before: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let whole_word = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_') || before.ends_with('b');
    let hashes = after.len() - after.trim_start_matches('#').len();
    (whole_word && after[hashes..].starts_with('"')).then_some(hashes)
}

/// Whether a character, and not a lifetime, starts here.
fn is_character(rest: &str) -> bool {
    let mut chars = rest.chars();
    if chars.next() != Some('\'') {
        return false;
    }
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

/// The length of a text up to and with its closing sign.
fn closing(rest: &str, sign: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if !escaped && c == sign {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// The code without the items under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        kept.push_str(&rest[..at]);
        let item = &rest[at + MARK.len()..];
        let mut depth = 0;
        let end = item.char_indices().find_map(|(at, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            (depth == 0 && matches!(c, '}' | ';')).then_some(at + 1)
        });
        rest = &item[end.unwrap_or(item.len())..];
    }
    kept + rest
}

#[test]
fn paths_are_found_in_uses_and_in_code_but_not_in_texts_comments_and_tests() {
    let source = r##"
        //! crate::no1
        use crate::a::{self, B, c::{D as E, F}};
        use super::g;
        /* crate::no2 */
        fn f<'a>(x: &'a str) -> crate::h::I {
            let (quote, escaped) = ('"', '\'');
            let text = ("crate::no3 \" crate::no4", r#"crate::no5 " "#, br"\", '{');
            tokio::spawn(Timestamp::now())
        }
        #[cfg(test)]
        mod tests { use crate::no6; fn x() { if true { crate::no7() } } }
        const LAST: crate::j::K = 1;
    "##;
    let found: Vec<String> =
        paths(source).iter().map(|path| path.join("::")).filter(|path| path.contains("::")).collect();
    assert_eq!(
        found,
        [
            "crate::a::self",
            "crate::a::B",
            "crate::a::c::D",
            "crate::a::c::F",
            "super::g",
            "crate::h::I",
            "tokio::spawn",
            "Timestamp::now",
            "crate::j::K"
        ]
    );
}
