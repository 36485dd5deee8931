//! What a bad network and a bad store do, and what comes of it: each fault at each kind of
//! store, for one put (`puts.rs`) and for an export from end to end (`exports.rs`).

mod buckets;
mod cases;
mod exports;
mod puts;

use crate::support::run;
use buckets::Kind;

/// Two tests of each case, at each kind of store.
macro_rules! faults {
    ($($case:ident)*) => {
        faults!(@store embedded Embedded: $($case)*);
        faults!(@store moto Moto: $($case)*);
        faults!(@store azurite Azurite: $($case)*);
        faults!(@store google Google: $($case)*);

        /// For `docs/book/src/proof/network-faults.md`: `cargo test --test contracts -- --ignored --nocapture network_faults::`
        #[test]
        #[ignore = "prints the table; each line of it is a test"]
        fn table() {
            run(puts::table(&[$(cases::$case),*]));
        }
    };
    (@store $name:ident $kind:ident: $($case:ident)*) => {
        mod $name {
            use super::*;
            mod put {
                use super::*;
                $(#[test]
                fn $case() {
                    run(puts::one(cases::$case(Kind::$kind), Kind::$kind));
                })*
            }
            mod export {
                use super::*;
                $(#[test]
                fn $case() {
                    run(exports::one(cases::$case(Kind::$kind), Kind::$kind));
                })*
            }
            #[test]
            fn a_connection_that_was_used_before_breaks() {
                run(puts::reused(Kind::$kind));
            }
            #[test]
            fn several_faults_in_a_row() {
                run(exports::several(Kind::$kind));
            }
            #[test]
            fn a_retention_after_a_lost_answer() {
                run(exports::retained(Kind::$kind));
            }
            #[test]
            fn a_key_that_was_used_before_the_first_attempt_is_a_strangers() {
                run(exports::foreign(Kind::$kind));
            }
        }
    };
}

faults!(
    refused
    dns_failure
    self_signed_certificate
    no_tls_behind_https
    reset_in_the_body
    answer_lost
    answer_cut
    internal_error_after_it_was_stored
    answer_after_the_timeout
    arrives_after_the_timeout
    sent_twice_and_answered_first
    sent_twice_and_answered_second
    forbidden
    conflict
    precondition_failed
    immutable
    too_many_requests
    slow_down
    internal_error
    unavailable
    page_of_a_portal
    page_after_it_was_stored
    no_content
);
