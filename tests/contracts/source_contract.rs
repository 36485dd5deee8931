//! One contract for every source: what the `Source` trait promises, on SQLite, on Postgres
//! and on a vendor's own table alike. Records are inserted past our code, with plain SQL, as applications do.

mod append_only;
mod bed;
mod browsing;
mod by_time;
mod commits;
mod counting;
mod digits;
mod import;
mod marks;
mod order;
mod partitions;
mod patience;
mod reading;
mod rights;
mod schema;
mod sqlite_times;
mod standby;
mod together;
mod vendors_table;
mod wal;

/// A test of each named clause, on each of the sources.
macro_rules! contract {
    ($($source:ident)* => $topics:tt) => {
        $(contract!(@on $source $topics);)*
    };
    (@on $source:ident { $($topic:ident: $($clause:ident)*;)* }) => {
        mod $source {
            $(mod $topic {
                $(#[test]
                fn $clause() {
                    crate::support::run(async { crate::source_contract::$topic::$clause(crate::source_contract::bed::Bed::$source().await).await });
                })*
            })*
        }
    };
}

contract!(sqlite postgres => {
    reading:
        records_come_in_commit_order_with_all_fields
        texts_come_back_byte_for_byte
        what_an_application_leaves_out_has_a_default
        an_account_gets_its_own_records_only
        a_window_is_closed
        windows_meet_without_gap_or_overlap
        pages_of_any_size_give_the_same_list
        a_record_has_one_key_however_it_is_read
        since_and_until_cut_at_the_instant
        instants_are_compared_to_the_microsecond
        what_was_delivered_ahead_is_left_out
        what_is_skipped_is_left_out;
    browsing:
        pages_of_any_size_are_a_plain_sort_cut_in_pieces
        filters_say_what_the_pure_ones_say
        no_sign_is_a_wildcard
        letters_beyond_ascii_are_looked_for_too
        the_span_begins_with_its_first_instant_and_ends_before_its_last
        an_account_sees_nothing_of_another
        a_record_is_found_at_its_place_and_in_its_window
        counting_stops_where_it_is_told_to
        a_closed_set_is_the_same_again
        a_place_that_is_none_is_refused
        a_search_that_takes_too_long_is_broken_off;
    counting:
        what_waits_is_counted
        the_oldest_is_the_earliest_instant
        what_was_delivered_ahead_does_not_wait
        counting_stops_at_a_limit;
    import:
        an_import_keeps_the_order_and_every_field
        an_import_that_is_dropped_leaves_nothing
        an_import_with_a_bad_record_leaves_nothing
        a_change_of_a_ledger_becomes_one_record;
    append_only:
        records_are_not_changed
        records_are_not_deleted
        an_account_id_must_be_one;
    order:
        a_bound_is_not_behind_itself_or_an_earlier_one
        a_source_that_went_back_is_noticed
        a_bound_of_another_source_is_refused;
    marks:
        a_bound_is_recognised_by_its_mark
        a_source_without_the_mark_has_gone_back
        no_window_is_exported_when_a_mark_of_it_is_gone
        the_newest_mark_of_each_ledger_is_known
        a_mark_is_left_once
        old_marks_are_forgotten;
    schema:
        migrating_twice_changes_nothing
        many_can_migrate_at_once
        an_empty_database_is_not_current
        a_newer_source_is_refused;
});

// A vendor's table is not ours to write to, to mark or to migrate, and has an order of its own.
contract!(table => {
    reading:
        texts_come_back_byte_for_byte
        what_an_application_leaves_out_has_a_default
        an_account_gets_its_own_records_only
        a_window_is_closed
        windows_meet_without_gap_or_overlap
        pages_of_any_size_give_the_same_list
        a_record_has_one_key_however_it_is_read
        since_and_until_cut_at_the_instant
        instants_are_compared_to_the_microsecond
        what_was_delivered_ahead_is_left_out
        what_is_skipped_is_left_out;
    browsing:
        pages_of_any_size_are_a_plain_sort_cut_in_pieces
        filters_say_what_the_pure_ones_say
        no_sign_is_a_wildcard
        letters_beyond_ascii_are_looked_for_too
        the_span_begins_with_its_first_instant_and_ends_before_its_last
        an_account_sees_nothing_of_another
        a_record_is_found_at_its_place_and_in_its_window
        counting_stops_where_it_is_told_to
        a_closed_set_is_the_same_again
        a_place_that_is_none_is_refused
        a_search_that_takes_too_long_is_broken_off;
    counting:
        what_waits_is_counted
        the_oldest_is_the_earliest_instant
        what_was_delivered_ahead_does_not_wait;
    order:
        a_bound_is_not_behind_itself_or_an_earlier_one
        a_source_that_went_back_is_noticed
        a_bound_of_another_source_is_refused;
});

// Only PostgreSQL reads several sets with one statement.
mod one_statement {
    contract!(postgres => {
    together:
        each_set_gets_its_own_records
        who_has_enough_goes_on_behind_it
        no_more_than_the_limit_comes_of_each
        what_nobody_wants_is_not_read_on
        a_set_whose_mark_is_gone_leaves_the_others_alone
        a_record_that_is_none_leaves_the_others_alone
        a_set_that_cannot_be_read_is_everybodys_failure
        a_server_that_ends_in_the_middle_is_everybodys_failure;
    });
}
