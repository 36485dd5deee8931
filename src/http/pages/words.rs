//! What the pages say, in each language. A message is written once for each: one that lacks a language does not
//! compile. Records, and the words of clouds, are never translated.

pub(in crate::http) use auditferry_core::model::notification::Language;

/// Makes a type with a method for each message, from `name(argument: Type): "English", "German";`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident {
        $($key:ident($($argument:ident: $type:ty),*): $english:literal, $german:literal;)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(in crate::http) struct $name(pub(in crate::http) $crate::http::pages::words::Language);

        #[allow(clippy::useless_format, clippy::unused_self, reason = "one macro for all messages")]
        impl $name {
            $(pub(in crate::http) fn $key(self $(, $argument: $type)*) -> String {
                match self.0 {
                    $crate::http::pages::words::Language::En => format!($english),
                    $crate::http::pages::words::Language::De => format!($german),
                }
            })+
        }
    };
}
pub(in crate::http) use words;

/// The language of a header `Accept-Language`: the first of ours in it, by its weights.
pub(in crate::http) fn accepted(header: &str) -> Language {
    let weighed = header.split(',').filter_map(|part| {
        let mut pieces = part.split(';');
        let tag = pieces.next()?.trim();
        let quality = pieces.find_map(|piece| piece.trim().strip_prefix("q=")?.parse::<f32>().ok());
        let language = match tag.get(..2)?.to_ascii_lowercase().as_str() {
            "en" => Language::En,
            "de" => Language::De,
            _ => return None,
        };
        Some((quality.unwrap_or(1.0), language))
    });
    let mut best = (0.0, Language::En);
    for (quality, language) in weighed {
        if quality > best.0 {
            best = (quality, language);
        }
    }
    best.1
}

/// A number as people of a language read it: `1,204` and `1.204`.
pub(in crate::http) fn number(language: Language, number: impl TryInto<u64>) -> String {
    let digits = number.try_into().map_or_else(|_| "?".to_owned(), |number: u64| number.to_string());
    let mark = if language == Language::De { '.' } else { ',' };
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(mark);
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    words! {
        /// For the test.
        Sample { ends(at: &str): "Ends at {at}", "Endet um {at}"; }
    }

    #[test]
    fn a_message_is_there_in_both_languages() {
        assert_eq!(Sample(Language::En).ends("noon"), "Ends at noon");
        assert_eq!(Sample(Language::De).ends("noon"), "Endet um noon");
    }

    #[test]
    fn a_browser_says_which_language_it_wants() {
        assert_eq!(accepted("de-AT,de;q=0.9,en;q=0.8"), Language::De);
        assert_eq!(accepted("fr;q=1, en;q=0.5, de;q=0.7"), Language::De);
        assert_eq!(accepted("fr"), Language::En);
        assert_eq!(accepted(""), Language::En);
        assert_eq!(accepted("é"), Language::En);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(number(Language::En, 1_204_567_u64), "1,204,567");
        assert_eq!(number(Language::De, 1_204_u64), "1.204");
        assert_eq!(number(Language::En, 999_u64), "999");
    }
}
