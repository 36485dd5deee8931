//! "Did you mean": the known names that are nearest to a mistyped one.

/// How alike a known name must be to be offered, from 0 to 1.
const ALIKE: f64 = 0.75;

/// `, did you mean A or B?` with at most three names, or nothing when none is near.
#[must_use]
pub fn hint<S: AsRef<str>>(name: &str, known: &[S]) -> String {
    let wanted = name.to_lowercase();
    let mut near: Vec<(f64, &str)> = known
        .iter()
        .map(|k| (strsim::jaro_winkler(&wanted, &k.as_ref().to_lowercase()), k.as_ref()))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let names: Vec<&str> = near.into_iter().take(3).map(|(_, name)| name).collect();
    if names.is_empty() { String::new() } else { format!(" (did you mean {}?)", names.join(" or ")) }
}

/// The same for names with parts, such as `Europe/Berlin`, of which a person may give the last alone.
#[must_use]
pub fn hint_by_last_part(name: &str, known: &[String]) -> String {
    let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_lowercase();
    let wanted = last(&name.replace(' ', "_"));
    let of_that_name: Vec<&str> = known
        .iter()
        .map(String::as_str)
        .filter(|known| known.contains('/') && last(known) == wanted)
        .collect();
    if !of_that_name.is_empty() && of_that_name.len() <= 3 {
        return format!(" (did you mean {}?)", of_that_name.join(" or "));
    }
    if name.contains('/') {
        return hint(name, known);
    }
    // A mistyped city is compared with cities.
    let cities: Vec<String> = known.iter().map(|known| last(known)).collect();
    let mut near: Vec<(f64, &str)> = known
        .iter()
        .zip(&cities)
        .map(|(known, city)| (strsim::jaro_winkler(&wanted, city), known.as_str()))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let names: Vec<&str> = near.into_iter().take(3).map(|(_, name)| name).collect();
    if names.is_empty() { String::new() } else { format!(" (did you mean {}?)", names.join(" or ")) }
}

#[cfg(test)]
mod tests {
    use super::{hint, hint_by_last_part};

    #[test]
    fn a_city_leads_to_its_zone() {
        let known =
            ["Brazil/East", "Europe/Berlin", "Europe/Dublin", "America/New_York", "UTC"].map(str::to_owned);
        assert_eq!(hint_by_last_part("Berlin", &known), " (did you mean Europe/Berlin?)");
        assert_eq!(hint_by_last_part("Germany/berlin", &known), " (did you mean Europe/Berlin?)");
        assert_eq!(hint_by_last_part("new york", &known), " (did you mean America/New_York?)");
        assert!(hint_by_last_part("Berln", &known).starts_with(" (did you mean Europe/Berlin"));
        assert!(hint_by_last_part("Europe/Berln", &known).contains("Europe/Berlin"));
        assert_eq!(hint_by_last_part("zzz", &known), "");
    }

    #[test]
    fn the_nearest_name_comes_first() {
        let known = ["worker.concurrency", "worker.lease", "ledger.url"];
        assert!(hint("worker.concurency", &known).starts_with(" (did you mean worker.concurrency"));
        assert_eq!(hint("zzz", &known), "");
    }
}
