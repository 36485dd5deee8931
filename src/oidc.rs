//! An OpenID Connect provider: whose tokens it has signed, and who logs in there. What the claims mean is decided
//! in the core.

mod answer;
mod exchange;
mod jws;
mod keys;
mod provider;

pub use exchange::{ExchangeError, Login};
pub use provider::{Denied, Person, Provider};
