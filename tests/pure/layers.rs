//! The rooms stand in the order of the flow: each imports only those above it in src/lib.rs. The core
//! decides and does nothing, and one file reads the clock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod paths;

/// Crates, or families of them, that the core does not have.
const IMPURE_CRATES: [&str; 8] =
    ["tokio", "sqlx", "aws-", "azure_", "google-cloud", "axum", "reqwest", "hyper"];

/// Parts of the standard library that the core does not name.
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

/// What leads to PostgreSQL.
const POSTGRES_CONNECTIONS: [&str; 6] =
    ["PgConnection", "PgPool", "PgPoolOptions", "PgConnectOptions", "PgListener", "AnyConnection"];

fn root(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// The rooms in their order.
struct Order {
    rooms: Vec<String>,
}

impl Order {
    fn read() -> Self {
        let text = std::fs::read_to_string(root("src").join("lib.rs")).expect("src/lib.rs");
        let room = |line: &str| {
            let name = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "))?;
            name.strip_suffix(';').map(str::to_owned)
        };
        Self { rooms: text.lines().filter_map(room).collect() }
    }

    fn place(&self, room: &str) -> Option<usize> {
        self.rooms.iter().position(|known| known == room)
    }
}

/// The paths that each file below a folder names, by its place there.
fn files(below: &Path) -> BTreeMap<PathBuf, Vec<Vec<String>>> {
    fn walk(folder: &Path, below: &Path, files: &mut BTreeMap<PathBuf, Vec<Vec<String>>>) {
        for entry in std::fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                walk(&path, below, files);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("source");
                let name = path.strip_prefix(below).expect("below it").to_owned();
                files.insert(name, paths::paths(&text));
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(below, below, &mut files);
    files
}

/// The room to which a file belongs; none for lib.rs and main.rs.
fn room_of(file: &Path) -> Option<String> {
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

/// What a file of the room at `place` does against the order.
fn against_the_order(order: &Order, place: usize, depth: usize, path: &[String]) -> Option<String> {
    let shown = path.join("::");
    if path.iter().take_while(|name| *name == "super").count() >= depth {
        return Some(format!("{shown} reaches the crate's root; write crate::"));
    }
    if path.len() < 2 || path[0] != "crate" {
        return None;
    }
    match order.place(&path[1]) {
        None => Some(format!("{shown} is no room of src/lib.rs")),
        Some(used) if used > place => Some(format!("{shown} stands below it in src/lib.rs")),
        Some(_) => None,
    }
}

#[test]
fn each_room_imports_only_those_above_it() {
    let order = Order::read();
    let mut problems = Vec::new();
    let mut looked_at = 0;
    for (file, paths) in files(&root("src")) {
        let Some(room) = room_of(&file) else { continue };
        let place = order.place(&room).unwrap_or_else(|| panic!("{room} is not in src/lib.rs"));
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
fn every_room_of_the_design_is_there_in_its_order() {
    let rooms = Order::read().rooms;
    let design = [
        "base",
        "settings",
        "secrets",
        "source",
        "store",
        "oidc",
        "ledger",
        "destinations",
        "notifications",
        "observe",
        "chores",
        "delivery",
        "operations",
        "http",
        "client",
        "demo",
        "cli",
        "foreign",
    ];
    assert_eq!(rooms, design);
}

/// Cargo keeps databases, networks and clouds out of the core: it has none among its dependencies. The
/// standard library it cannot keep out.
#[test]
fn the_core_does_nothing_but_decide() {
    let manifest = std::fs::read_to_string(root("crates/core").join("Cargo.toml")).expect("Cargo.toml");
    for krate in IMPURE_CRATES {
        assert!(!manifest.contains(krate), "crates/core depends on {krate}");
    }
    let mut problems = Vec::new();
    let files = files(&root("crates/core/src"));
    for (file, paths) in &files {
        for path in paths {
            let impure = IMPURE_PATHS.iter().any(|impure| begins_with(path, impure))
                || CLOCK_READS.iter().any(|read| holds(path, read));
            if impure && path.len() > 1 {
                problems.push(format!("crates/core/src/{}: {}", file.display(), path.join("::")));
            }
        }
    }
    assert!(files.len() > 20, "only {} files were found", files.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A session knows whether its statements have names. On a connection without one they all would, and a
/// pooler in transaction mode would meet them.
#[test]
fn one_folder_connects_to_postgres() {
    let mut problems = Vec::new();
    let mut connecting = 0;
    for (file, paths) in files(&root("src")) {
        let inside = file.starts_with("base/database") || file == Path::new("base/database.rs");
        for path in paths {
            if !path.iter().any(|name| POSTGRES_CONNECTIONS.contains(&name.as_str())) {
                continue;
            }
            connecting += usize::from(inside);
            if !inside {
                problems.push(format!("src/{}: {}; take a Session", file.display(), path.join("::")));
            }
        }
    }
    assert!(connecting > 0, "src/base/database does not connect: the test does not see it");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn one_file_reads_the_clock() {
    let mut problems = Vec::new();
    let mut readers = 0;
    for (file, paths) in files(&root("src")) {
        for path in paths {
            let Some(read) = CLOCK_READS.iter().find(|read| holds(&path, read)) else { continue };
            // A measured duration is no time of day.
            let measuring = [
                "base/timing.rs",
                "observe/claim_health.rs",
                "delivery/export/window.rs",
                "destinations/probe.rs",
                "http/api.rs",
                "http/tls.rs",
            ]
            .iter()
            .any(|name| file == Path::new(name));
            let measures = measuring && *read == "Instant::now";
            if file == Path::new("base/clock.rs") {
                readers += 1;
            } else if !measures {
                problems.push(format!("src/{}: {}; ask the Clock", file.display(), path.join("::")));
            }
        }
    }
    assert!(readers > 0, "src/base/clock.rs does not read the clock: the test does not see it");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn an_import_from_below_is_seen() {
    let order = Order { rooms: ["a", "b", "c"].map(str::to_owned).to_vec() };
    let path = |text: &str| text.split("::").map(str::to_owned).collect::<Vec<_>>();
    let problem = |text: &str| against_the_order(&order, 1, 2, &path(text));
    assert_eq!(problem("crate::a::X"), None);
    assert_eq!(problem("crate::b::X"), None);
    assert_eq!(problem("super::X"), None);
    assert!(problem("crate::c::X").unwrap().contains("stands below"));
    assert!(problem("crate::d::X").unwrap().contains("no room"));
    assert!(problem("super::super::c").unwrap().contains("write crate::"));
    assert!(holds(&path("jiff::Timestamp::now"), "Timestamp::now"));
}
