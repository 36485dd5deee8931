//! An account's one destination, and the proof of its owner.

use super::{Admin, AdminError};
use crate::destinations::proof::token_hash;
use crate::ledger::{LedgerError, NewProof, Proof};
use crate::secrets::Secret;
use crate::secrets::keys::{SealedSecret, random};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::{self, Destination};
use auditferry_core::refusal::{Refusal, RefusalCode};

impl Admin {
    /// That a destination may be set in the place of what there is.
    ///
    /// # Errors
    /// When there is one, and it is not to be replaced.
    pub fn check_destination(
        &self,
        id: &AccountId,
        current: Option<&Destination>,
        replace: bool,
    ) -> Result<(), AdminError> {
        match current {
            Some(current) if !replace => {
                let problem = format!("it has a destination already, {current}, and an account has one");
                Err(Refusal::account(id, RefusalCode::DestinationExists, problem)
                    .fix("add --replace to put this one in its place (the watermark stays)")
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// That the credentials of a destination have not ended, as far as it says.
    ///
    /// # Errors
    /// When they have.
    pub fn check_end(&self, destination: &Destination) -> Result<(), AdminError> {
        match destination.expires {
            Some(end) if end <= self.clock.now() => {
                Err(Refusal::field("expires", RefusalCode::HasPassed, format!("{end} has passed"))
                    .fix("give credentials that are in force, with the date on which they end")
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// That the account's objects can lie at a destination, as their format has them.
    ///
    /// # Errors
    /// When they cannot, or the ledger fails.
    pub async fn check_format(&self, id: &AccountId, destination: &Destination) -> Result<(), AdminError> {
        match self.ledger.account(id).await {
            Err(LedgerError::NoAccount(_)) => Ok(()),
            known => Ok(destination.admits(&known?.format, id)?),
        }
    }

    /// The external id of the account's roles, made now if there is none.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn external_id(&self, by: &By, id: &AccountId) -> Result<String, AdminError> {
        let new = destination::external_id(&random()?);
        Ok(self.ledger.make_external_id(by, id, &new).await?)
    }

    /// A destination with what auditferry itself adds to it.
    ///
    /// # Errors
    /// When it says otherwise, or the account has no external id yet and needs one.
    pub async fn completed(
        &self,
        id: &AccountId,
        destination: Destination,
    ) -> Result<Destination, AdminError> {
        if !destination.needs_external_id() {
            return Ok(destination);
        }
        let external_id = match self.ledger.external_id(id).await {
            Err(LedgerError::NoAccount(_)) => None,
            known => known?,
        };
        Ok(destination.completed(id, external_id.as_deref())?)
    }

    /// Sets the account's one destination, with its sealed secrets. A second one is refused unless `replace`.
    ///
    /// # Errors
    /// When the destination cannot be right, or there is one already.
    pub async fn set_destination(
        &self,
        by: &By,
        id: &AccountId,
        destination: &Destination,
        sealed: &[SealedSecret],
        replace: bool,
    ) -> Result<u64, AdminError> {
        let destination = self.completed(id, destination.clone()).await?;
        destination.validate()?;
        self.check_format(id, &destination).await?;
        self.check_end(&destination)?;
        self.check_destination(id, self.ledger.destination(id).await?.as_ref(), replace)?;
        Ok(self.ledger.set_destination(by, id, &destination, sealed).await?)
    }

    /// Whether the owner of a destination has to prove it theirs before it is in force.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn asks_for_proof(
        &self,
        id: &AccountId,
        destination: &Destination,
    ) -> Result<bool, AdminError> {
        if !destination.needs_proof() {
            return Ok(false);
        }
        let current = match self.ledger.destination(id).await {
            Err(LedgerError::NoAccount(_)) => None,
            known => known?,
        };
        let same = current.is_some_and(|current| destination.is_same_place(&current));
        Ok(!same || self.ledger.proved_at(id).await?.is_none())
    }

    /// Lets a destination wait for the proof of its owner; the one in force stays.
    ///
    /// # Errors
    /// As [`Admin::set_destination`].
    pub async fn await_proof(
        &self,
        by: &By,
        id: &AccountId,
        destination: &Destination,
        sealed: &[SealedSecret],
        replace: bool,
        proof: &NewProof,
    ) -> Result<u64, AdminError> {
        let destination = self.completed(id, destination.clone()).await?;
        destination.validate()?;
        self.check_format(id, &destination).await?;
        self.check_end(&destination)?;
        self.check_destination(id, self.ledger.destination(id).await?.as_ref(), replace)?;
        Ok(self.ledger.await_proof(by, id, &destination, sealed, proof).await?)
    }

    /// Puts the destination that waits in force, if this is its token.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn prove(&self, by: &By, id: &AccountId, token: &Secret) -> Result<Proof, AdminError> {
        Ok(self.ledger.prove(by, id, &token_hash(token), self.clock.now()).await?)
    }

    /// Takes the destination away, and one that waits for a proof; returns whether one did. The
    /// watermark stays.
    ///
    /// # Errors
    /// When there is no such account, or neither of them.
    pub async fn remove_destination(&self, by: &By, id: &AccountId) -> Result<bool, AdminError> {
        let withdrawn = self.ledger.withdraw_proof(by, id).await?;
        self.ledger
            .edit_account(by, id, &mut |account| {
                if account.destination_version.take().is_none() && !withdrawn {
                    return Err(
                        Refusal::account(id, RefusalCode::NoDestination, "it has no destination").into()
                    );
                }
                Ok(())
            })
            .await?;
        Ok(withdrawn)
    }
}
