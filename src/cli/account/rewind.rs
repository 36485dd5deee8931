//! `auditferry account rewind`

use crate::cli::{CliResult, output};
use crate::ledger::Account;
use crate::operations::admin::Admin;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::object_key::slot_name;
use auditferry_core::model::start::Start;
use auditferry_core::text::shell::shell_word;

pub(super) async fn rewind(admin: &Admin, by: &By, one: Option<AccountId>, from: Option<Start>) -> CliResult {
    let ids = match one {
        Some(id) => vec![id],
        None => admin
            .all_accounts()
            .await?
            .into_iter()
            .filter(|account| match account.held {
                Some(hold) => hold.ends_with_rewind(),
                None => account.clock_was_ahead(admin.clock.now()),
            })
            .map(|account| account.id)
            .collect(),
    };
    for id in &ids {
        let before = admin.ledger.account(id).await?;
        let account = admin.rewind(by, id, from).await?;
        if before.clock_was_ahead(admin.clock.now()) {
            tell_set_back(admin, &before, &account).await?;
            continue;
        }
        output::line(format!(
            "Account {id} continues from its watermark of {} as generation {}.",
            output::utc(account.watermark.at),
            account.generation
        ));
    }
    if ids.is_empty() {
        output::line(
            "No account is held because the source or the ledger went back or was changed, and none has slots to come.",
        );
    }
    Ok(())
}

/// Tells what the reader of the bucket has to know: the next names sort before earlier ones.
async fn tell_set_back(admin: &Admin, before: &Account, after: &Account) -> CliResult {
    let (id, ahead, now) = (&after.id, slot_name(before.last_slot), slot_name(after.last_slot));
    let prefix =
        admin.ledger.destination(id).await?.map(|destination| destination.prefix).unwrap_or_default();
    let folder = format!("{prefix}audit/{encoded}/audit_{encoded}_", encoded = id.encoded());
    let generation = after.generation;
    output::line(format!(
        "Account {id} continues from its watermark as generation {generation}; next slot {}.\n\
         Its next objects, …_g{generation:04}, sort before those that were named up to {ahead}. A reader that lists \
         from a marker (start-after) does not see them: set its marker back to {folder}{now}, with which it reads the \
         objects of the slots to come once more; or, before the next slot, let the account go to another prefix with \
         `auditferry destination set {} --replace --prefix …`, and point the reader there.",
        output::maybe_utc(after.next_slot),
        shell_word(id.as_str()),
    ));
    Ok(())
}
