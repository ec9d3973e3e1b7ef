//! Sessions that end because it is time: the real authority, by hands that are set on.

use crate::clocks::Clocked;
use crate::common::{Ask, Tokens, until};
use serde_json::{Value, json};
use symbolon::clock::Hands;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// The time of the day, so many hours from now on this machine, at which nobody's test begins.
fn in_hours(hours: u64) -> String {
    let minutes = (Hands::MACHINE.wall)().as_seconds() / 60 + hours * 60;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// Ends everybody each day at that time, and whoever sat there for an hour at every hour.
fn plans(at: &str) -> String {
    format!(
        "[[schedules]]\nname = \"nightly\"\nat = [\"{at}\"]\n\
         [[schedules]]\nname = \"idlers\"\nevery = \"1h\"\nunused_for = \"1h\"\n\
         device_classes = [\"desktop\"]\nreason = \"admin\"\n"
    )
}

async fn sign_in<const TEST: usize>(server: &Clocked<TEST>, class: &str) -> Tokens {
    let body = json!({"subject": "alice", "client_id": "web", "device": {"class": class}});
    Tokens::of(&server.ask(Ask::json("/v1/sessions", &body).key(&server.key)).await.expect(201))
}

async fn ended<const TEST: usize>(server: &Clocked<TEST>, tokens: &Tokens) -> Value {
    until("the schedule has run", || async {
        let shown = server.session(tokens).await.expect(200).json();
        (shown["state"] == "ended").then_some(shown)
    })
    .await
}

/// What is kept of a schedule; nothing, or nothing yet.
async fn progress<const TEST: usize>(server: &Clocked<TEST>, schedule: &str) -> Option<String> {
    let name = format!("schedule:{schedule}");
    let record = server.store.record(symbolon_store::Kind::Lease, &name).await.unwrap()?;
    Some(String::from_utf8(record.value).unwrap()).filter(|kept| !kept.is_empty())
}

/// The schedule was seen, so that its next time counts.
async fn begun<const TEST: usize>(server: &Clocked<TEST>, schedule: &str) {
    until("the schedule is known", || progress(server, schedule)).await;
}

#[tokio::test]
async fn everybody_is_signed_out_when_it_is_time_and_told_why_and_who_did_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Clocked::<10>::start_with(folder.path(), &plans(&in_hours(12))).await;
    begun(&server, "nightly").await;
    let (web, desktop) = (sign_in(&server, "web").await, sign_in(&server, "desktop").await);
    assert!(server.is_active(&web).await, "a schedule that is new begins with its next time");
    Clocked::<10>::wait(2 * HOUR);
    let shown = ended(&server, &desktop).await;
    assert_eq!((&shown["reason"], &shown["by"]), (&json!("admin"), &json!("schedule:idlers")));
    Clocked::<10>::wait(DAY);
    let shown = ended(&server, &web).await;
    assert_eq!((&shown["reason"], &shown["by"]), (&json!("expired"), &json!("schedule:nightly")));
    let history = server.ask(Ask::get("/v1/events?subject=alice").key(&server.key)).await;
    let history = history.expect(200).json();
    let by: Vec<_> = history["items"].as_array().unwrap().iter().map(|own| &own["by"]).collect();
    assert!(by.contains(&&json!("schedule:nightly")), "{history}");
    let refused = server.ask(Ask::refresh("web", &web.refresh)).await;
    refused.expect_oauth(400, "invalid_grant", Some("expired"));
    let again = sign_in(&server, "web").await;
    let before = progress(&server, "idlers").await;
    Clocked::<10>::wait(HOUR);
    until("the other schedule has run again", || async {
        progress(&server, "idlers").await.filter(|known| Some(known) != before.as_ref())
    })
    .await;
    assert!(server.is_active(&again).await, "who signs in after it stays until the next time");
    server.stop().await;
}

#[tokio::test]
async fn a_time_that_was_missed_is_made_up_for_and_another_plan_begins_with_its_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let usual = plans(&in_hours(12));
    let server = Clocked::<7>::start_with(folder.path(), &usual).await;
    begun(&server, "nightly").await;
    let missed = sign_in(&server, "web").await;
    server.stop().await;
    Clocked::<7>::wait(2 * DAY);
    let server = Clocked::<7>::start_with(folder.path(), &usual).await;
    let shown = ended(&server, &missed).await;
    assert_eq!(shown["by"], "schedule:nightly");
    let stays = sign_in(&server, "web").await;
    server.stop().await;
    Clocked::<7>::wait(2 * DAY);
    let other = in_hours(15);
    let server = Clocked::<7>::start_with(folder.path(), &plans(&other)).await;
    until("the other plan is known", || async {
        progress(&server, "nightly").await.filter(|known| known.contains(&other))
    })
    .await;
    assert!(server.is_active(&stays).await);
    Clocked::<7>::wait(DAY);
    assert_eq!(ended(&server, &stays).await["by"], "schedule:nightly");
    server.stop().await;
}

#[tokio::test]
async fn a_schedule_that_was_taken_out_and_comes_back_begins_with_its_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let usual = plans(&in_hours(12));
    let server = Clocked::<9>::start_with(folder.path(), &usual).await;
    begun(&server, "nightly").await;
    let stays = sign_in(&server, "web").await;
    server.stop().await;
    let server = Clocked::<9>::start_with(folder.path(), "").await;
    until("it is forgotten", || async {
        progress(&server, "nightly").await.is_none().then_some(())
    })
    .await;
    server.stop().await;
    Clocked::<9>::wait(2 * DAY);
    let server = Clocked::<9>::start_with(folder.path(), &usual).await;
    begun(&server, "nightly").await;
    assert!(server.is_active(&stays).await);
    Clocked::<9>::wait(DAY);
    assert_eq!(ended(&server, &stays).await["by"], "schedule:nightly");
    server.stop().await;
}

#[tokio::test]
async fn a_run_of_many_chunks_ends_all_of_them_while_they_are_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let server = Clocked::<8>::start_with(folder.path(), &plans(&in_hours(12))).await;
    begun(&server, "nightly").await;
    let mut all = Vec::new();
    for number in 0..600 {
        let answer = server.sign_in_as(&format!("person-{number}")).await;
        all.push(Tokens::of(&answer.expect(201)));
    }
    Clocked::<8>::wait(DAY);
    // Whoever is used at that instant is not forgotten.
    for own in &all {
        server.ask(Ask::refresh("web", &own.refresh)).await;
    }
    for own in &all {
        assert_eq!(ended(&server, own).await["by"], "schedule:nightly");
    }
    server.stop().await;
}
