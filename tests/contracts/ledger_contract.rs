//! One contract for every ledger: what the `Ledger` trait promises, on SQLite and on
//! Postgres alike.

mod accounts;
mod bed;
mod changes;
mod destinations;
mod downloads;
mod expiry;
mod extra_slots;
mod fence;
mod generations;
mod health;
mod history;
mod jobs;
mod leases;
mod notifications;
mod objects;
mod portal;
mod proofs;
mod replays;
mod schema;
mod sealed;
mod sessions;
mod suspension;
mod windows;
mod workers;

/// A test of each named clause, on both databases.
macro_rules! contract {
    ($($topic:ident: $($clause:ident)*;)*) => {
        mod sqlite {
            $(mod $topic {
                $(#[test]
                fn $clause() {
                    crate::support::run(async { crate::ledger_contract::$topic::$clause(crate::ledger_contract::bed::Bed::sqlite().await).await });
                })*
            })*
        }
        mod postgres {
            $(mod $topic {
                $(#[test]
                fn $clause() {
                    crate::support::run(async { crate::ledger_contract::$topic::$clause(crate::ledger_contract::bed::Bed::postgres().await).await });
                })*
            })*
        }
    };
}

contract!(
    accounts:
        an_account_reads_back_as_it_was_added
        a_second_account_of_one_id_is_refused
        accounts_come_in_the_order_of_ids_page_by_page
        an_edit_is_stored
        a_refused_edit_stores_nothing
        edits_of_one_account_wait_for_each_other
        a_removed_account_takes_its_history_with_it
        an_unknown_account_is_named;
    destinations:
        an_account_has_one_destination_at_a_time
        a_replaced_destination_keeps_the_watermark
        a_new_destination_is_tried_at_once
        a_window_goes_to_the_destination_that_it_was_planned_for
        repointing_gives_the_window_to_the_newest_destination
        new_credentials_for_the_same_bucket_keep_the_doubt
        repointing_leaves_what_is_delivered
        a_doubt_comes_back_with_its_bucket
        a_refusal_leaves_no_doubt_to_come_back
        repointing_needs_a_destination
        a_failure_at_a_replaced_destination_is_no_reason_to_wait
        an_external_id_is_made_once_and_goes_with_its_account;
    expiry:
        the_earlier_of_two_ends_counts
        an_end_is_warned_of_once_at_each_threshold
        ends_of_what_is_not_used_do_not_count;
    extra_slots:
        a_slot_beside_the_schedule_is_due_at_once_and_told
        a_slot_beside_the_schedule_keeps_the_order
        a_worker_that_claimed_before_does_not_take_it_back;
    downloads:
        a_download_goes_from_waiting_to_its_file
        another_accounts_download_is_none
        a_mail_about_a_download_goes_out_once
        downloads_are_bounded_and_begun_in_their_order
        one_that_is_silent_is_begun_by_another
        one_begins_what_many_want
        files_are_removed_of_what_is_gone;
    jobs:
        one_of_a_kind_runs_for_an_account
        a_job_tells_how_it_is_and_ends_once
        jobs_are_listed_newest_first_page_by_page_and_forgotten
        a_job_of_a_key_is_made_with_it;
    changes:
        every_change_of_an_account_is_told
        what_changes_nothing_or_is_refused_is_not_told
        a_change_waits_until_it_is_told
        a_replay_is_told_with_its_slots
        who_made_a_change_and_why_is_kept
        changes_can_be_filtered
        what_is_told_cannot_be_changed;
    proofs:
        a_destination_waits_beside_the_one_in_force
        wrong_tokens_are_counted_and_late_ones_refused
        what_is_used_as_the_worker_itself_is_not_set_unproved
        a_proof_counts_for_the_same_place_only
        the_secrets_of_a_destination_that_waits_stay;
    sealed:
        a_sealed_secret_is_its_accounts_alone
        the_secrets_of_a_replaced_destination_stay_until_its_window_is_done
        the_secrets_of_a_removed_destination_go
        a_repointed_window_needs_the_old_secrets_no_more
        rewrapping_replaces_only_what_was_read
        secrets_come_page_by_page_and_are_counted_by_key;
    leases:
        only_what_is_due_is_claimed
        nothing_is_due_while_nothing_may_start
        an_open_window_is_due_at_once
        the_longest_due_come_first
        a_claim_takes_no_more_than_its_limit
        a_claim_passes_over_endpoints_that_are_full
        an_account_stands_behind_the_others_after_each_object
        two_workers_never_get_the_same_account
        an_expired_lease_passes_on_with_a_higher_epoch
        a_released_account_is_free_at_once
        a_release_after_the_lease_is_lost_changes_nothing
        journalling_renews_the_lease
        renewed_leases_last_and_lost_ones_are_told
        the_next_due_account_is_one_that_nobody_works_on
        a_postponed_account_is_due_at_its_next_slot
        postponing_leaves_a_slot_that_a_person_has_set
        a_trouble_is_remembered_and_waited_for
        waits_can_be_forgotten;
    windows:
        a_planned_window_reads_back_whole
        windows_of_many_accounts_are_planned_together
        steps_of_many_accounts_at_once_are_those_of_each
        one_window_is_open_at_a_time
        a_slot_is_planned_once
        a_window_begins_where_the_last_one_ended
        an_account_that_was_changed_is_looked_at_again
        nothing_is_planned_on_an_old_view_of_the_account
        an_empty_window_closes_without_an_object
        a_window_is_closed_once
        a_window_cut_at_the_end_leaves_the_later_records
        the_customers_start_holds_until_a_window_is_whole
        skipping_records_a_gap
        skipping_is_refused_while_a_window_is_open
        a_refused_skip_stores_nothing
        a_watermark_that_moved_is_not_moved_again
        a_held_account_waits_for_a_person
        a_bad_record_is_left_out_and_remembered;
    objects:
        an_object_may_change_until_it_is_attempted
        an_attempted_object_must_come_out_the_same
        a_delivered_object_is_not_sealed_again
        attempts_count_up
        an_object_must_be_sealed_before_it_is_attempted
        no_attempt_begins_once_nothing_may_start
        an_unfinished_attempt_leaves_doubt
        an_unknown_failure_leaves_doubt
        a_definite_refusal_leaves_no_doubt
        doubt_outlives_a_later_refusal
        the_watermark_moves_with_the_last_object_only
        a_later_object_begins_where_the_delivered_one_ended
        a_receipt_counts_once
        success_clears_the_trouble;
    fence:
        a_worker_that_lost_its_lease_can_change_nothing
        a_worker_that_gave_its_lease_back_can_change_nothing
        a_lease_works_until_it_is_taken;
    suspension:
        nothing_starts_while_an_account_is_paused
        an_account_is_suspended_after_refusals_for_long_enough
        credentials_that_cannot_be_opened_count_too
        refusals_of_a_replaced_destination_do_not_count
        success_and_a_probe_end_a_suspension;
    generations:
        marks_are_counted
        a_ledger_that_went_back_holds_every_account
        the_watermark_of_each_window_is_known
        a_rewound_account_begins_a_new_generation
        a_refused_rewind_stores_nothing;
    replays:
        the_past_is_found_by_its_slots
        a_replay_changes_nothing_that_workers_read
        an_unfinished_replay_is_gone_on_with
        a_replayed_object_has_one_name_while_its_outcome_is_unknown;
    history:
        deliveries_come_newest_first
        deliveries_can_be_filtered
        a_delivery_tells_its_last_error
        attempts_are_told_one_by_one
        accounts_are_counted_by_state
        the_oldest_undelivered_slot_is_known
        windows_are_told_with_what_was_skipped_and_given_up
        windows_are_found_by_their_slots
        workers_leave_signs_of_their_work;
    health:
        sql_judges_as_the_code_does
        an_account_that_somebody_has_or_has_changed_is_attended
        pages_go_on_where_the_last_one_ended
        accounts_can_be_filtered
        what_is_due_next_and_what_waits_is_known;
    workers:
        a_worker_reads_back_as_it_said
        one_that_is_silent_or_has_ended_is_told_from_one_that_runs
        those_that_are_gone_for_long_are_forgotten;
    sessions:
        a_log_in_comes_back_once_and_in_time
        a_session_reads_back_and_ends
        a_session_of_a_token_is_what_the_token_is
        a_session_ends_with_its_account;
    portal:
        a_link_opens_its_session_once_and_in_time
        a_portal_session_ends_and_is_revoked
        the_portal_of_a_removed_account_is_shut;
    notifications:
        a_channel_reads_back_and_is_told
        a_changed_target_forgets_its_old_secrets
        a_notice_is_stored_with_its_state_or_not_at_all
        a_notice_is_sent_by_one_at_a_time
        what_came_of_a_try_is_kept
        a_disabled_channel_gets_nothing
        an_accounts_notices_are_its_own_and_go_with_it
        a_turn_is_one_workers;
    schema:
        migrating_twice_changes_nothing
        many_can_migrate_at_once
        a_newer_ledger_is_refused
        an_empty_database_is_outdated;
);
