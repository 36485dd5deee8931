//! What a vendor's own table has beside the contract.

mod catalogue;
mod commits;
mod nodes;
mod rewrites;
mod wraparound;
