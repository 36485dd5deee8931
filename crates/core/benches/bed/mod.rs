//! What the benchmarks here and in `benches/hot_path.rs` of the program share: records, a window, and sealing.

use std::sync::Arc;

use auditferry_core::archive::{ObjectBuilder, Sealed};
use auditferry_core::format::writer::Writer;
use auditferry_core::model::bound::{Bound, Cursor, RecordSet};
use auditferry_core::model::format::Format;
use auditferry_core::model::record::{Record, RecordRef};
use auditferry_core::model::window::Window;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Records of one round: enough that what is kept from one to the next counts.
pub(crate) const RECORDS: u32 = 10_000;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        let number = self.below(choices.len() as u64);
        choices[usize::try_from(number).unwrap()]
    }
}

/// Records as an application writes them: few kinds of words, ids that are all different.
pub(crate) fn records() -> Vec<Record> {
    let mut dice = Dice(1);
    let first: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
    (0..RECORDS)
        .map(|number| Record {
            occurred_at: first + SignedDuration::from_micros(i64::from(number) * 37_123),
            email: format!(
                "{}.{}@acme.example",
                dice.pick(&["ana", "omar", "zoë", "fatima"]),
                dice.below(500)
            ),
            action: dice.pick(&["login", "role.granted", "document.shared", "key.rotated"]).to_owned(),
            action_id: (number % 10 != 0).then(|| format!("ACT-{}", dice.below(10_000))),
            description: format!(
                "{} {} {}, request {:016x}{:016x} in session {}",
                dice.pick(&["ana", "omar", "eva"]),
                dice.pick(&["opened", "changed", "approved"]),
                dice.pick(&["the quarterly report", "an \"invoice\"", "the access group for auditors"]),
                dice.below(u64::MAX),
                dice.below(u64::MAX),
                dice.below(1_000_000),
            ),
            ip_address: (number % 20 != 0).then(|| format!("10.0.{}.{}", dice.below(256), dice.below(256))),
        })
        .collect()
}

/// A window of that format and content version.
pub(crate) fn window(format: Format, content_version: u32) -> Arc<Window> {
    let at = |text: &str| text.parse().unwrap();
    Arc::new(Window {
        account: "acme".parse().unwrap(),
        number: 1,
        generation: 1,
        slot: at("2026-11-21T04:00:00Z"),
        set: RecordSet::between(Bound("0".into()), Bound("9".into())),
        from: at("2026-11-21T00:00:00Z"),
        to: at("2026-11-21T04:00:00Z"),
        zone: "Asia/Kolkata".into(),
        format,
        prefix: String::new(),
        destination_version: 1,
        content_version,
    })
}

/// Records to the bytes of an object, on one thread.
pub(crate) fn seal(window: &Arc<Window>, records: &[RecordRef<'_>]) -> Sealed {
    let writer = Writer::of(window, TimeZone::get(&window.zone).unwrap()).unwrap();
    let mut builder = ObjectBuilder::new(Arc::clone(window), writer, 1);
    for record in records {
        builder.offer(record);
        if let Some(piece) = builder.cut() {
            builder.append(piece.pack().unwrap());
        }
    }
    let (piece, mut unsealed) = builder.finish(Some(Cursor("9".to_owned())), true);
    unsealed.append(piece.pack().unwrap());
    unsealed.seal().unwrap()
}
