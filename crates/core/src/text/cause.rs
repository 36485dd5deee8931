//! Finds the cause that says something in a chain of errors, and lets no secret out with it.

/// The first error of a type in the chain of causes.
pub fn find<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

/// The innermost cause of an error: the outer ones name the request, whose URL may
/// carry a signature.
pub fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    without_queries(&cause.to_string())
}

/// The text with the query of every URL taken out.
fn without_queries(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut in_query = false;
    for c in text.chars() {
        in_query = if in_query { !(c.is_whitespace() || "\"')>".contains(c)) } else { c == '?' };
        if !in_query {
            clean.push(c);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_an_error_holds_no_query() {
        let inner = std::io::Error::other("for url (https://a.example/c/k?sig=SECRET&se=1) refused");
        let outer = std::io::Error::other(inner);
        assert_eq!(root_cause(&outer), "for url (https://a.example/c/k) refused");
    }
}
