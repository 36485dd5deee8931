//! The API as it is served: who may do what, what may come twice, and what it never says.

mod document;
mod destinations;
mod listings;
mod oidc;
mod portal;
mod roles;
mod server;
mod sign_in;
mod tls;
mod writes;
