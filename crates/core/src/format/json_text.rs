//! Texts as strings of JSON, on one line whatever they hold.

use std::io::Write as _;

use super::scan::first;

/// JSON string (RFC 8259, section 7).
pub(super) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    write_escaped(text, out);
    out.push(b'"');
}

/// A member of an object: what stands before its value, with its name, and the value.
pub(super) fn write_member(name: &[u8], text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    write_string(text, out);
}

/// What is between a string's quotes, with the three line separators escaped.
pub(super) fn write_escaped(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len());
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = first(&bytes[at..], is_special) {
        at += found;
        let length = match bytes[at..] {
            [0xc2, 0x85, ..] => 2,
            [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
            [0xc2 | 0xe2, ..] => 0,
            _ => 1,
        };
        if length > 0 {
            out.extend_from_slice(&bytes[copied..at]);
            write_escape(&bytes[at..at + length], out);
            copied = at + length;
        }
        at += length.max(1);
    }
    out.extend_from_slice(&bytes[copied..]);
}

fn write_escape(sign: &[u8], out: &mut Vec<u8>) {
    let escape: &[u8] = match sign {
        b"\"" => b"\\\"",
        b"\\" => b"\\\\",
        b"\n" => b"\\n",
        b"\r" => b"\\r",
        b"\t" => b"\\t",
        [0x08] => b"\\b",
        [0x0c] => b"\\f",
        [0xc2, _] => b"\\u0085",
        [0xe2, _, 0xa8] => b"\\u2028",
        [0xe2, _, _] => b"\\u2029",
        _ => {
            for byte in sign {
                let _ = write!(out, "\\u{byte:04x}");
            }
            return;
        }
    };
    out.extend_from_slice(escape);
}

/// Whether a byte must be looked at: what JSON escapes, and how U+0085, U+2028 and U+2029 begin.
const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0xc2) | (byte == 0xe2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What every escape must give: serde_json's text with the three separators escaped.
    fn escaped(text: &str) -> String {
        let json = serde_json::to_string(text).expect("JSON");
        json.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
    }

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write_string(text, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn every_character_is_escaped_as_serde_json_does_and_the_separators_besides() {
        for sign in '\0'..=char::MAX {
            let text = sign.to_string();
            assert_eq!(written(&text), escaped(&text), "{sign:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_escaped_as_serde_json_does(text in any::<String>(), plain in "[ -~]{0,40}") {
            let text = format!("{plain}{text}{plain}");
            prop_assert_eq!(written(&text), escaped(&text));
            let separators = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
            prop_assert!(!written(&text).contains(separators));
        }

        #[test]
        fn signs_at_any_place_are_found(
            parts in prop::collection::vec(
                prop_oneof![
                    Just("\u{85}"), Just("\u{2028}"), Just("\u{2029}"), Just("\u{2027}"), Just("é"), Just("\""),
                    Just("\\"), Just("\u{1}"), Just("seven b"), Just("sixteen bytes ab"), Just("x")
                ],
                0..60,
            )
        ) {
            let text = parts.concat();
            prop_assert_eq!(written(&text), escaped(&text));
        }
    }
}
