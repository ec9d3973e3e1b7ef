//! Every test of the suite, on PostgreSQL.

use super::server;
use std::sync::atomic::{AtomicUsize, Ordering};
use symbolon_store::Store;
use symbolon_store::conformance::{self, Open};
use symbolon_store::postgres::Address;

/// Places of one test: schemas that no other test uses.
fn places() -> impl Open {
    static TESTS: AtomicUsize = AtomicUsize::new(0);
    let test = TESTS.fetch_add(1, Ordering::Relaxed);
    async move |place: &str| {
        let url = server::shared().url(&format!("t{test}_{place}"));
        Store::open_postgres(&Address::parse(&url).unwrap()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_given_can_be_read() {
    conformance::an_answer_that_was_given_can_be_read(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_session_is_none_and_not_a_fault() {
    conformance::an_unknown_session_is_none_and_not_a_fault(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_refused_and_its_end_committed() {
    conformance::a_replay_is_refused_and_its_end_committed(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_or_an_unchanged_decision_commits_nothing() {
    conformance::an_error_or_an_unchanged_decision_commits_nothing(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_in_the_order_of_commits_without_gaps() {
    conformance::events_are_in_the_order_of_commits_without_gaps(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_keeps_who_why_and_from_where() {
    conformance::an_event_keeps_who_why_and_from_where(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_ends_the_subjects_sessions_and_no_others() {
    conformance::a_ban_ends_the_subjects_sessions_and_no_others(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_is_loaded_with_its_sessions_ended_ones_apart() {
    conformance::a_subject_is_loaded_with_its_sessions_ended_ones_apart(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bump_of_a_client_ends_its_sessions() {
    conformance::a_bump_of_a_client_ends_its_sessions(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_together_are_the_whole_list() {
    conformance::pages_together_are_the_whole_list(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subjects_list_has_its_sessions_alone() {
    conformance::a_subjects_list_has_its_sessions_alone(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_is_spent_once_until_it_expires() {
    conformance::a_thing_is_spent_once_until_it_expires(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_compared_and_set() {
    conformance::a_record_is_compared_and_set(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_answered_is_there_after_a_restart() {
    conformance::everything_answered_is_there_after_a_restart(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_lost_its_race_decides_again() {
    conformance::a_step_that_lost_its_race_decides_again(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_refreshes_of_one_token_earn_one_successor() {
    conformance::racing_refreshes_of_one_token_earn_one_successor(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_sign_ins_never_exceed_a_device_limit() {
    conformance::racing_sign_ins_never_exceed_a_device_limit(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_races_refreshes_leaves_nothing_alive() {
    conformance::a_ban_that_races_refreshes_leaves_nothing_alive(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_races_a_ban_is_never_alive_after_it() {
    conformance::a_sign_in_that_races_a_ban_is_never_alive_after_it(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_that_races_refreshes_is_never_undone() {
    conformance::a_kick_that_races_refreshes_is_never_undone(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_callers_spend_a_thing_once() {
    conformance::racing_callers_spend_a_thing_once(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_bumps_each_count() {
    conformance::racing_bumps_each_count(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_never_created_over_another() {
    conformance::a_session_is_never_created_over_another(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_writes_what_time_ended() {
    conformance::a_sweep_writes_what_time_ended(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_forgets_what_is_old_enough() {
    conformance::a_sweep_forgets_what_is_old_enough(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_forgets_what_was_spent_and_expired() {
    conformance::a_sweep_forgets_what_was_spent_and_expired(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_forgets_ended_sessions_too() {
    conformance::erasing_forgets_ended_sessions_too(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_read_in_bounded_parts() {
    conformance::the_history_is_read_in_bounded_parts(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_the_history_looks_at_a_bounded_number_of_events() {
    conformance::a_call_for_the_history_looks_at_a_bounded_number_of_events(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_races_everything_leaves_nothing_alive() {
    conformance::a_ban_that_races_everything_leaves_nothing_alive(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_session_is_found_by_its_old_token() {
    conformance::an_imported_session_is_found_by_its_old_token(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_brings_nothing_twice() {
    conformance::an_import_brings_nothing_twice(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_imported_is_not_there() {
    conformance::what_would_be_imported_is_not_there(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_of_an_import_never_replace_known_ones() {
    conformance::roles_of_an_import_never_replace_known_ones(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_session_is_one_of_its_subjects() {
    conformance::an_imported_session_is_one_of_its_subjects(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_races_a_ban_is_never_alive_after_it() {
    conformance::an_import_that_races_a_ban_is_never_alive_after_it(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_forgets_old_tokens_that_have_expired() {
    conformance::a_sweep_forgets_old_tokens_that_have_expired(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_cut_short_is_made_whole() {
    conformance::an_import_that_was_cut_short_is_made_whole(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_shows_every_session_once() {
    conformance::a_survey_shows_every_session_once(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_too_long_loses_its_oldest() {
    conformance::a_history_that_is_too_long_loses_its_oldest(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_with_an_event_wakes_who_follows() {
    conformance::a_commit_with_an_event_wakes_who_follows(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_needed_is_given_and_nothing_else() {
    conformance::what_is_still_needed_is_given_and_nothing_else(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn needed_events_come_a_part_at_a_time() {
    conformance::needed_events_come_a_part_at_a_time(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_events_outlive_their_time() {
    conformance::the_newest_events_outlive_their_time(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_answers_as_the_original_would() {
    conformance::a_copy_answers_as_the_original_would(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_keeps_its_bounds_in_a_later_epoch() {
    conformance::a_copy_keeps_its_bounds_in_a_later_epoch(places()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_made_again_changes_nothing() {
    conformance::a_copy_that_is_made_again_changes_nothing(places()).await;
}
