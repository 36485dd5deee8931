//! What a value is, and how it gets onto one line of text.

use std::net::IpAddr;

use super::scan::first;

/// Whether it is an IP address, as the standard formats want one.
pub(super) fn is_ip(text: &str) -> bool {
    // The longest is IPv6 with IPv4 in it; a zone (`%eth0`) is none of it.
    text.len() <= 45 && text.parse::<IpAddr>().is_ok()
}

/// Whether it is an email address of ASCII, as OCSF's `email_t` has it: a name, an `@`, and a domain with a dot.
pub(super) fn is_address(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    let in_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let label = |label: &str| !label.is_empty() && label.bytes().all(in_label);
    !name.is_empty() && name.bytes().all(in_name) && domain.contains('.') && domain.split('.').all(label)
}

/// Whether there is nothing but space in it, as Python sees it: the separators of ASCII with it.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|sign| sign.is_whitespace() || matches!(sign, '\u{1c}'..='\u{1f}'))
}

/// Whether some reader ends a line at it: what Python's `splitlines` knows, and that is most.
pub(super) fn is_line_end(sign: char) -> bool {
    matches!(sign, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a byte must be looked at: controls, what CEF escapes, and how U+0085, U+2028 and U+2029 begin.
const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'\\') | (byte == b'|') | (byte == b'=') | (byte == 0xc2) | (byte == 0xe2)
}

/// Writes a text with some of its signs replaced. They must be among those that [`is_special`] sees.
pub(super) fn write_replaced(text: &str, out: &mut Vec<u8>, with: impl Fn(char) -> Option<&'static [u8]>) {
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text.as_bytes().get(at..).and_then(|rest| first(rest, is_special)) {
        at += found;
        // It begins a sign: no later byte of one is special.
        let Some(sign) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
        let next = at + sign.len_utf8();
        if let Some(other) = with(sign) {
            out.extend_from_slice(&text.as_bytes()[copied..at]);
            out.extend_from_slice(other);
            copied = next;
        }
        at = next;
    }
    out.extend_from_slice(&text.as_bytes()[copied..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_a_name() {
        for good in ["ana@acme.example", "o'neil+x@a-b.co", "a@b.c.d"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "ana",
            "@acme.example",
            "ana@acme",
            "a@b@c.d",
            "ana@.d",
            "ana@a..b",
            "zoë@acme.example",
            "a b@c.d",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
        assert!(is_ip("192.0.2.7") && is_ip("2001:db8::1") && is_ip("::ffff:192.0.2.7"));
        assert!(
            !is_ip("")
                && !is_ip("host")
                && !is_ip("fe80::1%eth0")
                && !is_ip("192.0.2.7:80")
                && !is_ip("192.0.2.07")
        );
    }

    #[test]
    fn every_sign_that_ends_a_line_is_seen() {
        let mut ends = 0;
        for sign in '\0'..=char::MAX {
            let mut out = Vec::new();
            write_replaced(&format!("before{sign}after"), &mut out, |sign| is_line_end(sign).then_some(b" "));
            let expected =
                if is_line_end(sign) { "before after".to_owned() } else { format!("before{sign}after") };
            assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
            ends += usize::from(is_line_end(sign));
        }
        assert_eq!(ends, 10);
    }
}
