//! Every test of the suite, on each kind of servers: a place is a prefix of keys.

/// Tests of the same names as the suite's functions, on servers that are had by `$servers` and named by `$url`.
macro_rules! suite {
    ($kind:ident, $servers:path, $url:expr; $($name:ident)*) => {
        mod $kind {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    let url = $url($servers().await);
                    symbolon_store::conformance::$name(async |place: &str| {
                        let number = stringify!($name).bytes().fold(7_u32, |sum, byte| {
                            sum.wrapping_mul(31).wrapping_add(u32::from(byte))
                        });
                        crate::open(&url, &format!("{number:08x}-{place}")).await
                    })
                    .await;
                }
            )*
        }
    };
}

macro_rules! on_each_kind {
    ($($name:ident)*) => {
        suite!(single, crate::servers::single, crate::servers::Server::url; $($name)*);
        suite!(cluster, crate::servers::cluster, crate::servers::url_of; $($name)*);
    };
}

on_each_kind! {
    a_ban_ends_the_subjects_sessions_and_no_others
    a_ban_that_races_everything_leaves_nothing_alive
    a_ban_that_races_refreshes_leaves_nothing_alive
    a_bump_of_a_client_ends_its_sessions
    a_call_for_the_history_looks_at_a_bounded_number_of_events
    a_commit_with_an_event_wakes_who_follows
    a_history_that_is_too_long_loses_its_oldest
    a_kick_that_races_refreshes_is_never_undone
    a_record_is_compared_and_set
    a_replay_is_refused_and_its_end_committed
    a_session_is_never_created_over_another
    a_sign_in_that_races_a_ban_is_never_alive_after_it
    a_step_that_lost_its_race_decides_again
    a_subject_is_loaded_with_its_sessions_ended_ones_apart
    a_subjects_list_has_its_sessions_alone
    a_survey_shows_every_session_once
    a_sweep_forgets_old_tokens_that_have_expired
    a_sweep_forgets_what_is_old_enough
    a_sweep_forgets_what_was_spent_and_expired
    a_sweep_writes_what_time_ended
    a_thing_is_spent_once_until_it_expires
    an_answer_that_was_given_can_be_read
    an_error_or_an_unchanged_decision_commits_nothing
    an_event_keeps_who_why_and_from_where
    an_import_brings_nothing_twice
    an_import_that_races_a_ban_is_never_alive_after_it
    an_import_that_was_cut_short_is_made_whole
    an_imported_session_is_found_by_its_old_token
    an_imported_session_is_one_of_its_subjects
    an_unknown_session_is_none_and_not_a_fault
    erasing_forgets_ended_sessions_too
    events_are_in_the_order_of_commits_without_gaps
    everything_answered_is_there_after_a_restart
    needed_events_come_a_part_at_a_time
    pages_together_are_the_whole_list
    racing_bumps_each_count
    racing_callers_spend_a_thing_once
    racing_refreshes_of_one_token_earn_one_successor
    racing_sign_ins_never_exceed_a_device_limit
    roles_of_an_import_never_replace_known_ones
    the_history_is_read_in_bounded_parts
    the_newest_events_outlive_their_time
    what_is_still_needed_is_given_and_nothing_else
    what_would_be_imported_is_not_there
}
