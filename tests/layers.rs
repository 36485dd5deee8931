//! The modules stand in the order of the flow: each imports only those above it in
//! src/lib.rs, the first group is pure, and one file reads the clock.
#![allow(unreachable_pub, reason = "modules of a test are of no crate")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[path = "layers/paths.rs"]
mod paths;

/// Crates that a pure module does not name; those that end in `_` are families.
const IMPURE_CRATES: [&str; 8] =
    ["tokio", "tokio_util", "sqlx", "aws_", "azure_", "google_cloud_", "axum", "reqwest"];

/// Parts of the standard library that a pure module does not name.
const IMPURE_PATHS: [&str; 8] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::time::SystemTime",
    "std::time::Instant",
];

/// What reads the clock.
const CLOCK_READS: [&str; 5] =
    ["Timestamp::now", "Zoned::now", "SystemTime::now", "Instant::now", "Utc::now"];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The modules in their order, and how many of them are pure.
struct Order {
    modules: Vec<String>,
    pure: usize,
}

impl Order {
    fn read() -> Self {
        let text = std::fs::read_to_string(src().join("lib.rs")).expect("src/lib.rs");
        let mut order = Self { modules: Vec::new(), pure: 0 };
        for line in text.lines() {
            if line.starts_with("// Shell") {
                order.pure = order.modules.len();
            }
            let module = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "));
            if let Some(name) = module.and_then(|rest| rest.strip_suffix(';')) {
                order.modules.push(name.to_owned());
            }
        }
        order
    }

    fn place(&self, module: &str) -> Option<usize> {
        self.modules.iter().position(|known| known == module)
    }
}

/// The paths that each file names, by its place under src/.
fn files() -> BTreeMap<PathBuf, Vec<Vec<String>>> {
    fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<Vec<String>>>) {
        for entry in std::fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("source");
                let name = path.strip_prefix(src()).expect("under src").to_owned();
                files.insert(name, paths::paths(&text));
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(&src(), &mut files);
    files
}

/// The module of src/lib.rs to which a file belongs; none for lib.rs and main.rs.
fn module_of(file: &Path) -> Option<String> {
    let first = Path::new(file.components().next()?.as_os_str()).with_extension("");
    let name = first.to_string_lossy().into_owned();
    (!matches!(name.as_str(), "lib" | "main")).then_some(name)
}

fn begins_with(path: &[String], wanted: &str) -> bool {
    let wanted: Vec<&str> = wanted.split("::").collect();
    path.len() >= wanted.len() && path.iter().zip(&wanted).all(|(name, wanted)| name == wanted)
}

/// Whether `A::b` stands anywhere in a path.
fn holds(path: &[String], wanted: &str) -> bool {
    (0..path.len()).any(|start| begins_with(&path[start..], wanted))
}

/// What a file of the module at `place` does against the order.
fn against_the_order(order: &Order, place: usize, depth: usize, path: &[String]) -> Option<String> {
    let shown = path.join("::");
    if path.iter().take_while(|name| *name == "super").count() >= depth {
        return Some(format!("{shown} reaches the crate's root; write crate::"));
    }
    if path.len() < 2 || path[0] != "crate" {
        return None;
    }
    match order.place(&path[1]) {
        None => Some(format!("{shown} is no module of src/lib.rs")),
        Some(used) if used > place => Some(format!("{shown} stands below it in src/lib.rs")),
        Some(_) => None,
    }
}

#[test]
fn each_module_imports_only_those_above_it() {
    let order = Order::read();
    let mut problems = Vec::new();
    let mut looked_at = 0;
    for (file, paths) in files() {
        let Some(module) = module_of(&file) else { continue };
        let place = order.place(&module).unwrap_or_else(|| panic!("{module} is not in src/lib.rs"));
        // The statements are compiled inside ledger/sqlite and ledger/postgres.
        let depth = file.components().count() + usize::from(file.starts_with("ledger/sql"));
        for path in paths {
            looked_at += usize::from(path[0] == "crate");
            let problem = against_the_order(&order, place, depth, &path);
            problems.extend(problem.map(|problem| format!("src/{}: {problem}", file.display())));
        }
    }
    assert!(looked_at > 100, "only {looked_at} imports were found: the test does not see them");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_module_of_the_design_is_there_in_its_order() {
    let order = Order::read();
    let flow = [
        "account",
        "destination",
        "record",
        "window",
        "schedule",
        "protocol",
        "settings",
        "clock",
        "secrets",
        "source",
        "archive",
        "store",
        "ledger",
        "export",
        "worker",
        "http",
        "cli",
    ];
    let places: Vec<usize> =
        flow.iter().map(|name| order.place(name).unwrap_or_else(|| panic!("no module {name}"))).collect();
    assert!(places.is_sorted(), "{flow:?} stand at {places:?}");
    assert!(order.place("protocol") < Some(order.pure) && order.place("settings") >= Some(order.pure));
}

#[test]
fn pure_modules_do_nothing_but_decide() {
    let order = Order::read();
    let mut problems = Vec::new();
    let mut pure_files = 0;
    for (file, paths) in files() {
        let Some(place) = module_of(&file).and_then(|module| order.place(&module)) else { continue };
        if place >= order.pure {
            continue;
        }
        pure_files += 1;
        for path in paths {
            let name = path[0].as_str();
            let impure = IMPURE_CRATES
                .iter()
                .any(|krate| if krate.ends_with('_') { name.starts_with(krate) } else { name == *krate })
                || IMPURE_PATHS.iter().any(|impure| begins_with(&path, impure))
                || CLOCK_READS.iter().any(|read| holds(&path, read));
            // `tokio` alone may be a variable; a path or an import is not.
            if impure && path.len() > 1 {
                problems.push(format!("src/{}: {} in a pure module", file.display(), path.join("::")));
            }
        }
    }
    assert!(pure_files >= order.pure, "a pure module has no file");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn one_file_reads_the_clock() {
    let mut problems = Vec::new();
    let mut readers = 0;
    for (file, paths) in files() {
        for path in paths {
            let Some(read) = CLOCK_READS.iter().find(|read| holds(&path, read)) else { continue };
            // A measured duration is no time of day.
            let measuring =
                ["claim_health.rs", "export.rs", "probe.rs"].iter().any(|name| file == Path::new(name));
            let measures = measuring && *read == "Instant::now";
            if file == Path::new("clock.rs") {
                readers += 1;
            } else if !measures {
                problems.push(format!("src/{}: {}; ask the Clock", file.display(), path.join("::")));
            }
        }
    }
    assert!(readers > 0, "src/clock.rs does not read the clock: the test does not see it");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn an_import_from_below_is_seen() {
    let order = Order { modules: ["a", "b", "c"].map(str::to_owned).to_vec(), pure: 1 };
    let path = |text: &str| text.split("::").map(str::to_owned).collect::<Vec<_>>();
    let problem = |text: &str| against_the_order(&order, 1, 2, &path(text));
    assert_eq!(problem("crate::a::X"), None);
    assert_eq!(problem("crate::b::X"), None);
    assert_eq!(problem("super::X"), None);
    assert!(problem("crate::c::X").unwrap().contains("stands below"));
    assert!(problem("crate::d::X").unwrap().contains("no module"));
    assert!(problem("super::super::c").unwrap().contains("write crate::"));
    assert!(holds(&path("jiff::Timestamp::now"), "Timestamp::now"));
}
