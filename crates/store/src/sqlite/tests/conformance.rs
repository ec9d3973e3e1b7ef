//! Every test of the suite, on SQLite.

use super::Places;
use crate::conformance;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_given_can_be_read() {
    let places = Places::new();
    conformance::an_answer_that_was_given_can_be_read(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_session_is_none_and_not_a_fault() {
    let places = Places::new();
    conformance::an_unknown_session_is_none_and_not_a_fault(async |place: &str| places.open(place))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_refused_and_its_end_committed() {
    let places = Places::new();
    conformance::a_replay_is_refused_and_its_end_committed(async |place: &str| places.open(place))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_or_an_unchanged_decision_commits_nothing() {
    let places = Places::new();
    conformance::an_error_or_an_unchanged_decision_commits_nothing(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_in_the_order_of_commits_without_gaps() {
    let places = Places::new();
    conformance::events_are_in_the_order_of_commits_without_gaps(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_keeps_who_why_and_from_where() {
    let places = Places::new();
    conformance::an_event_keeps_who_why_and_from_where(async |place: &str| places.open(place))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_ends_the_subjects_sessions_and_no_others() {
    let places = Places::new();
    conformance::a_ban_ends_the_subjects_sessions_and_no_others(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_is_loaded_with_its_sessions_ended_ones_apart() {
    let places = Places::new();
    conformance::a_subject_is_loaded_with_its_sessions_ended_ones_apart(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bump_of_a_client_ends_its_sessions() {
    let places = Places::new();
    conformance::a_bump_of_a_client_ends_its_sessions(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_together_are_the_whole_list() {
    let places = Places::new();
    conformance::pages_together_are_the_whole_list(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subjects_list_has_its_sessions_alone() {
    let places = Places::new();
    conformance::a_subjects_list_has_its_sessions_alone(async |place: &str| places.open(place))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_is_spent_once_until_it_expires() {
    let places = Places::new();
    conformance::a_thing_is_spent_once_until_it_expires(async |place: &str| places.open(place))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_compared_and_set() {
    let places = Places::new();
    conformance::a_record_is_compared_and_set(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_answered_is_there_after_a_restart() {
    let places = Places::new();
    conformance::everything_answered_is_there_after_a_restart(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_lost_its_race_decides_again() {
    let places = Places::new();
    conformance::a_step_that_lost_its_race_decides_again(async |place: &str| places.open(place))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_refreshes_of_one_token_earn_one_successor() {
    let places = Places::new();
    conformance::racing_refreshes_of_one_token_earn_one_successor(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_sign_ins_never_exceed_a_device_limit() {
    let places = Places::new();
    conformance::racing_sign_ins_never_exceed_a_device_limit(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_races_refreshes_leaves_nothing_alive() {
    let places = Places::new();
    conformance::a_ban_that_races_refreshes_leaves_nothing_alive(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_races_a_ban_is_never_alive_after_it() {
    let places = Places::new();
    conformance::a_sign_in_that_races_a_ban_is_never_alive_after_it(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_that_races_refreshes_is_never_undone() {
    let places = Places::new();
    conformance::a_kick_that_races_refreshes_is_never_undone(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_callers_spend_a_thing_once() {
    let places = Places::new();
    conformance::racing_callers_spend_a_thing_once(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_bumps_each_count() {
    let places = Places::new();
    conformance::racing_bumps_each_count(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_never_created_over_another() {
    let places = Places::new();
    conformance::a_session_is_never_created_over_another(async |place: &str| places.open(place))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_writes_what_time_ended() {
    let places = Places::new();
    conformance::a_sweep_writes_what_time_ended(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_forgets_what_is_old_enough() {
    let places = Places::new();
    conformance::a_sweep_forgets_what_is_old_enough(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_forgets_what_was_spent_and_expired() {
    let places = Places::new();
    conformance::a_sweep_forgets_what_was_spent_and_expired(async |place: &str| places.open(place))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_forgets_ended_sessions_too() {
    let places = Places::new();
    conformance::erasing_forgets_ended_sessions_too(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_read_in_bounded_parts() {
    let places = Places::new();
    conformance::the_history_is_read_in_bounded_parts(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_the_history_looks_at_a_bounded_number_of_events() {
    let places = Places::new();
    conformance::a_call_for_the_history_looks_at_a_bounded_number_of_events(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_races_everything_leaves_nothing_alive() {
    let places = Places::new();
    conformance::a_ban_that_races_everything_leaves_nothing_alive(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_session_is_found_by_its_old_token() {
    let places = Places::new();
    conformance::an_imported_session_is_found_by_its_old_token(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_brings_nothing_twice() {
    let places = Places::new();
    conformance::an_import_brings_nothing_twice(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_imported_is_not_there() {
    let places = Places::new();
    conformance::what_would_be_imported_is_not_there(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_of_an_import_never_replace_known_ones() {
    let places = Places::new();
    conformance::roles_of_an_import_never_replace_known_ones(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_session_is_one_of_its_subjects() {
    let places = Places::new();
    conformance::an_imported_session_is_one_of_its_subjects(async |place: &str| places.open(place))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_races_a_ban_is_never_alive_after_it() {
    let places = Places::new();
    conformance::an_import_that_races_a_ban_is_never_alive_after_it(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_forgets_old_tokens_that_have_expired() {
    let places = Places::new();
    conformance::a_sweep_forgets_old_tokens_that_have_expired(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_cut_short_is_made_whole() {
    let places = Places::new();
    conformance::an_import_that_was_cut_short_is_made_whole(async |place: &str| places.open(place))
        .await;
}

#[tokio::test]
async fn a_survey_shows_every_session_once() {
    let places = Places::new();
    conformance::a_survey_shows_every_session_once(async |place: &str| places.open(place)).await;
}

#[tokio::test]
async fn a_history_that_is_too_long_loses_its_oldest() {
    let places = Places::new();
    conformance::a_history_that_is_too_long_loses_its_oldest(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_with_an_event_wakes_who_follows() {
    let places = Places::new();
    conformance::a_commit_with_an_event_wakes_who_follows(async |place: &str| places.open(place))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_needed_is_given_and_nothing_else() {
    let places = Places::new();
    conformance::what_is_still_needed_is_given_and_nothing_else(async |place: &str| {
        places.open(place)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn needed_events_come_a_part_at_a_time() {
    let places = Places::new();
    conformance::needed_events_come_a_part_at_a_time(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_events_outlive_their_time() {
    let places = Places::new();
    conformance::the_newest_events_outlive_their_time(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_answers_as_the_original_would() {
    let places = Places::new();
    conformance::a_copy_answers_as_the_original_would(async |place: &str| places.open(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_made_again_changes_nothing() {
    let places = Places::new();
    conformance::a_copy_that_is_made_again_changes_nothing(async |place: &str| places.open(place))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_keeps_its_bounds_in_a_later_epoch() {
    let places = Places::new();
    conformance::a_copy_keeps_its_bounds_in_a_later_epoch(async |place: &str| places.open(place))
        .await;
}
