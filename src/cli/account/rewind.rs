//! `auditferry account rewind`

use crate::cli::service::Service;
use crate::cli::{CliResult, output};
use crate::operations::admin::{Rewound, SetBack};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::object_key::slot_name;
use auditferry_core::model::start::Start;
use auditferry_core::text::shell::shell_word;

pub(super) async fn rewind(service: &dyn Service, one: Option<AccountId>, from: Option<Start>) -> CliResult {
    let ids = match one {
        Some(id) => vec![id],
        None => service.awaiting_rewind().await?,
    };
    for id in &ids {
        let rewound = service.rewind(id, from).await?;
        match &rewound.set_back {
            Some(set_back) => tell_set_back(&rewound, set_back),
            None => output::line(format!(
                "Account {id} continues from its watermark of {} as generation {}.",
                output::utc(rewound.watermark_at),
                rewound.generation
            )),
        }
    }
    if ids.is_empty() {
        output::line(
            "No account is held because the source or the ledger went back or was changed, and none has slots to come.",
        );
    }
    Ok(())
}

/// Tells what the reader of the bucket has to know: the next names sort before earlier ones.
fn tell_set_back(rewound: &Rewound, SetBack { from, marker, .. }: &SetBack) {
    let (id, ahead) = (&rewound.account, slot_name(*from));
    let generation = rewound.generation;
    output::line(format!(
        "Account {id} continues from its watermark as generation {generation}; next slot {}.\n\
         Its next objects, …_g{generation:04}, sort before those that were named up to {ahead}. A reader that lists \
         from a marker (start-after) does not see them: set its marker back to {marker}, with which it reads the \
         objects of the slots to come once more; or, before the next slot, let the account go to another prefix with \
         `auditferry destination set {} --replace --prefix …`, and point the reader there.",
        output::maybe_utc(rewound.next_slot),
        shell_word(id.as_str()),
    ));
}
