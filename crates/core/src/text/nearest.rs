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

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn the_nearest_name_comes_first() {
        let known = ["worker.concurrency", "worker.lease", "ledger.url"];
        assert!(hint("worker.concurency", &known).starts_with(" (did you mean worker.concurrency"));
        assert_eq!(hint("zzz", &known), "");
    }
}
