//! Times from slot to object.

use std::fmt::Write as _;

/// The value below which so many hundredths of sorted values lie: the nearest rank.
pub(crate) fn percentile(sorted: &[f64], hundredths: usize) -> f64 {
    let rank = (sorted.len() * hundredths).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// The columns that every table has for them.
pub(crate) const HEADER: [&str; 4] = ["p50 s", "p90 s", "p99 s", "max s"];

pub(crate) fn cells(sorted: &[f64]) -> [String; 4] {
    [50, 90, 99, 100].map(|hundredths| format!("{:.2}", percentile(sorted, hundredths)))
}

/// Upper ends of the histogram's steps, in seconds.
const STEPS: [f64; 10] = [0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, f64::INFINITY];
/// Signs of the longest bar.
const WIDTH: usize = 40;

/// How many values lie in each step, for several series beside each other.
pub(crate) fn histogram(series: &[(&str, &[f64])]) -> String {
    let mut out = String::new();
    for (name, values) in series {
        let _ = writeln!(out, "{name}: {} windows", values.len());
        let mut from = 0.0;
        for until in STEPS {
            let count = values.iter().filter(|value| (from..until).contains(*value)).count();
            let bar = "#".repeat((count * WIDTH).div_ceil(values.len().max(1)));
            let step = if until.is_finite() { format!("under {until} s") } else { "more".to_owned() };
            let _ = writeln!(out, "  {step:>10} {count:>6} {bar}");
            from = until;
        }
    }
    out
}
