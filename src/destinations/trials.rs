//! Many destinations tried at once, so that one that hangs does not keep the others waiting.

use futures_util::StreamExt as _;

use crate::destinations::cache::StoreCache;
use crate::destinations::probe::{Examination, Trial, UNHEARD, examine};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::Destination;

/// How many are tried at once.
const AT_ONCE: usize = 16;

/// A destination that was tried.
pub struct Tried {
    /// Whose.
    pub account: AccountId,
    /// The destination.
    pub destination: Destination,
    /// How it went.
    pub examination: Examination,
}

/// Tries destinations, and gives them back in their order. `done` hears of each that is over.
pub async fn examine_all(
    stores: &StoreCache,
    places: Vec<(AccountId, Destination)>,
    done: &(dyn Fn() + Sync),
) -> Vec<Tried> {
    let trials = places.into_iter().map(|(account, destination)| async move {
        let examination = examine(stores, &account, &destination, None, Trial::Removed, UNHEARD).await;
        done();
        Tried { account, destination, examination }
    });
    futures_util::stream::iter(trials).buffered(AT_ONCE).collect().await
}
