//! Values that are longer than their readers take are cut, with a mark that says so.

use crate::model::record::{RecordKey, RecordRef};

/// Cuts the values of records. It keeps the memory of what it has cut.
#[derive(Debug, Clone, Default)]
pub struct Cutter {
    /// Most bytes of a value, the mark included; 0: no limit.
    most: usize,
    texts: [String; 5],
}

impl Cutter {
    /// Cuts to `most` bytes; to 0: nothing.
    #[must_use]
    pub fn new(most: u64) -> Self {
        Self { most: usize::try_from(most).unwrap_or(usize::MAX), texts: Default::default() }
    }

    /// The record with its values cut, and how many were.
    pub fn cut<'a>(&'a mut self, record: &RecordRef<'a>) -> (RecordRef<'a>, u64) {
        let texts = record.texts();
        if self.most == 0 || texts.iter().all(|text| text.len() <= self.most) {
            return (*record, 0);
        }
        let mut cut = 0;
        for (kept, text) in self.texts.iter_mut().zip(texts) {
            kept.clear();
            if text.len() <= self.most {
                kept.push_str(text);
            } else {
                shorten(text, self.most, kept);
                cut += 1;
            }
        }
        let [email, action, action_id, description, ip_address] = &self.texts;
        let key: RecordKey<'a> = record.key;
        let record = RecordRef {
            key,
            occurred_at: record.occurred_at,
            email,
            action,
            action_id: Some(action_id),
            description,
            ip_address: Some(ip_address),
        };
        (record, cut)
    }
}

/// The beginning of a text that is too long, cut between two characters, and how many bytes are missing:
/// `…[truncated 983040 bytes]`. Together at most `most` bytes.
fn shorten(text: &str, most: usize, kept: &mut String) {
    let mark = |missing: usize| format!("…[truncated {missing} bytes]");
    // As long as the mark can get.
    let room = most.saturating_sub(mark(text.len()).len());
    let beginning = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
    kept.push_str(beginning);
    kept.push_str(&mark(text.len() - beginning.len()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(description: &str) -> RecordRef<'_> {
        RecordRef {
            key: RecordKey::Number(7),
            occurred_at: jiff::Timestamp::UNIX_EPOCH,
            email: "ana@acme.example",
            action: "login",
            action_id: None,
            description,
            ip_address: None,
        }
    }

    #[test]
    fn a_long_value_says_how_much_is_missing() {
        let text = "x".repeat(1 << 20);
        let mut cutter = Cutter::new(65_536);
        let (cut, values) = cutter.cut(&record(&text));
        assert_eq!((cut.description.len(), values), (65_536, 1));
        assert!(cut.description.ends_with("x…[truncated 983068 bytes]"), "{}", &cut.description[65_490..]);
        assert_eq!(
            (cut.email, cut.action_id.unwrap_or_default(), cut.key),
            ("ana@acme.example", "", RecordKey::Number(7))
        );
        let (whole, values) = cutter.cut(&record("short"));
        assert_eq!((whole, values), (record("short"), 0));
        assert_eq!(Cutter::new(0).cut(&record(&text)), (record(&text), 0));
    }

    proptest! {
        #[test]
        fn what_is_cut_is_a_beginning_and_adds_up(text in "\\PC{0,200}", most in 64_usize..200) {
            let mut cutter = Cutter::new(most as u64);
            let (cut, values) = cutter.cut(&record(&text));
            prop_assert!(cut.description.len() <= most);
            if values == 0 {
                prop_assert_eq!(cut.description, &text);
            } else {
                let (beginning, mark) = cut.description.rsplit_once("…[truncated ").expect("a mark");
                prop_assert!(text.starts_with(beginning) && text.len() > most);
                let missing: usize = mark.strip_suffix(" bytes]").expect("its end").parse().expect("a number");
                prop_assert_eq!(beginning.len() + missing, text.len());
            }
        }
    }
}
