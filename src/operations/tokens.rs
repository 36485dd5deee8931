//! Tokens of the API: made, listed, revoked, and what a presented one opens.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256 as Hasher};
use zeroize::Zeroizing;

use super::admin::{Admin, AdminError};
use crate::ledger::{LedgerError, Sha256};
use crate::secrets::keys::random;
use auditferry_core::model::access::{Grant, Reach, Role};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::{By, words};
use auditferry_core::model::token::{self, ApiToken, SECRET_BYTES, Unusable};
use auditferry_core::refusal::{Refusal, RefusalCode};
use auditferry_core::text::hex::hex;

/// Longest life of a token that has an end, so that a typing mistake in a year is noticed.
const LONGEST: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);

/// How often it is stored that a token is used.
const USE_NOTED: SignedDuration = SignedDuration::from_secs(60);

/// What a token is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for: the program or person that holds it.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// The accounts to which it is limited; absent: to none.
    #[serde(default)]
    pub accounts: Option<BTreeSet<AccountId>>,
    /// When it ends by itself; absent: never.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// A token that was made: the only time that its secret is shown.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreatedToken {
    /// The token as it is sent, `Authorization: Bearer …`; absent when this answer is repeated.
    #[schema(value_type = Option<String>)]
    pub secret: Option<Zeroizing<String>>,
    /// What is known of it.
    #[serde(flatten)]
    pub token: ApiToken,
}

/// Who a token is, as its holder is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenHolder {
    /// Its id, which is no secret.
    pub id: String,
    /// What it is for, in the words of whoever made it.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// The accounts to which it is limited; absent: it is not.
    pub accounts: Option<BTreeSet<AccountId>>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

impl TokenHolder {
    /// Who a token is.
    #[must_use]
    pub fn of(token: &ApiToken) -> Self {
        let ApiToken { id, name, role, accounts, expires_at, .. } = token.clone();
        Self { id, name, role, accounts, expires_at }
    }

    /// Somebody whom an OpenID Connect provider knows.
    #[must_use]
    pub fn person(id: &str, name: &str, grant: &Grant) -> Self {
        let accounts = match &grant.reach {
            Reach::All => None,
            Reach::Only(accounts) => Some(accounts.clone()),
        };
        Self { id: id.to_owned(), name: name.to_owned(), role: grant.role, accounts, expires_at: None }
    }
}

/// Who a presented token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The token.
    pub token: ApiToken,
    /// What it opens.
    pub grant: Grant,
}

fn hash(secret: &str) -> Sha256 {
    Hasher::digest(secret.as_bytes()).into()
}

fn checked(new: &NewToken, now: Timestamp) -> Result<String, Refusal> {
    let invalid = |field, problem: &str| Refusal::field(field, RefusalCode::InvalidValue, problem);
    let name = words(&new.name).map_err(|problem| invalid("name", &problem))?;
    if new.accounts.as_ref().is_some_and(BTreeSet::is_empty) {
        return Err(invalid("accounts", "it is empty, so the token would open nothing")
            .fix("name an account, or leave it out"));
    }
    let one = new.accounts.as_ref().is_some_and(|accounts| accounts.len() == 1);
    if new.role == Role::AccountAdmin && !one {
        return Err(
            invalid("accounts", "the role account_admin is of one account").fix("name exactly one account")
        );
    }
    if new.role == Role::Operator && new.accounts.is_some() {
        return Err(invalid("accounts", "the role operator is of the whole installation")
            .fix("leave accounts out, or choose support, account_admin or reader"));
    }
    match new.expires_at {
        Some(at) if at <= now => {
            Err(Refusal::field("expires_at", RefusalCode::HasPassed, format!("{at} has passed"))
                .fix("give a later instant"))
        }
        Some(at) if at.duration_since(now) > LONGEST => {
            Err(invalid("expires_at", "it is more than ten years ahead")
                .fix("give a nearer instant, or leave it out"))
        }
        _ => Ok(name),
    }
}

impl Admin {
    /// Makes a token.
    ///
    /// # Errors
    /// When a value cannot be right, an account is not there, or the ledger fails.
    pub async fn create_token(&self, by: &By, new: &NewToken) -> Result<CreatedToken, AdminError> {
        let now = self.clock.now();
        let name = checked(new, now)?;
        for account in new.accounts.iter().flatten() {
            if let Err(LedgerError::NoAccount(id)) = self.ledger.account(account).await {
                let problem = format!("there is no account {id}");
                let refusal = Refusal::field("accounts", RefusalCode::InvalidValue, problem);
                return Err(refusal.fix("name accounts that are there").into());
            }
        }
        let secret = Zeroizing::new(token::write(new.role, &Zeroizing::new(random::<SECRET_BYTES>()?)));
        let id = hex(&random::<8>()?);
        let token = ApiToken {
            id,
            name,
            role: new.role,
            accounts: new.accounts.clone(),
            created_by: by.actor.name.clone(),
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        self.ledger.add_token(by, &token, &hash(&secret)).await?;
        Ok(CreatedToken { secret: Some(secret), token })
    }

    /// All tokens, the newest first.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn tokens(&self) -> Result<Vec<ApiToken>, AdminError> {
        Ok(self.ledger.tokens().await?)
    }

    /// Revokes a token: from the next request on it opens nothing. One that is revoked stays so.
    ///
    /// # Errors
    /// When there is no such token, or the ledger fails.
    pub async fn revoke_token(&self, by: &By, id: &str) -> Result<ApiToken, AdminError> {
        self.ledger.revoke_token(by, id, self.clock.now()).await?.ok_or_else(|| {
            Refusal::field("token", RefusalCode::NoSuchToken, format!("there is none with the id {id:?}"))
                .fix("`auditferry token ls` shows all")
                .into()
        })
    }

    /// Who a presented token is; none: nobody. It is read from the ledger each time, so that one that is
    /// revoked ends at once.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn holder(&self, secret: &str) -> Result<Result<Holder, Option<Unusable>>, AdminError> {
        if !token::is_one(secret) {
            return Ok(Err(None));
        }
        let Some(token) = self.ledger.token_of(&hash(secret)).await? else { return Ok(Err(None)) };
        let now = self.clock.now();
        let grant = match token.grant(now) {
            Ok(grant) => grant,
            Err(unusable) => return Ok(Err(Some(unusable))),
        };
        if token.last_used_at.is_none_or(|at| now.duration_since(at) >= USE_NOTED) {
            self.ledger.note_token_used(&token.id, now).await?;
        }
        Ok(Ok(Holder { token, grant }))
    }
}
