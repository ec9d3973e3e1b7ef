//! What an engine acknowledged and has no more: it is counted and told, and whoever heard of it goes on refusing.

use crate::house::{House, redis_at};
use crate::node::ask;
use crate::redis::{Server, Watched};
use crate::{Ask, from_environment, pass, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use symbolon_verify::{Now, Policy, Presented, Rejected};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// How many lines a batch has.
const LINES: usize = 50;

/// How many batches are under way at once.
const BATCHES: usize = 8;

fn all_refuse(house: &House, access: &str) -> bool {
    house.verifiers.iter().all(|own| {
        let said = own.verify(&Presented::bearer(access), &Policy::offline(), Now::read());
        matches!(said, Err(Rejected::Revoked { .. }))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_that_redis_lost_is_counted_told_and_goes_on_being_refused() {
    // It keeps what it had when it was told to, and nothing that came afterwards.
    let mut store = Server::start("redis-server", &["--save", ""]).await;
    let mut house = House::on_redis(&store).await;
    let (alice, bob) = (house.sign_in("alice").await, house.sign_in("bob").await);
    assert!(store.ask("SAVE").contains("+OK"));
    let epochs = |house: &House| -> Vec<Option<u32>> {
        house.verifiers.iter().map(|own| own.status(Now::read().monotonic).epoch).collect()
    };
    let before = epochs(&house);
    let path = format!("/v1/sessions/{}", bob.sid);
    house.ask(0, Ask::delete(&path)).await.expect(200);
    until("it is refused", || async { all_refuse(&house, &bob.access).then_some(()) }).await;
    store.kill();
    store.run();
    house.healed().await;
    for node in 0..house.nodes.len() {
        until("it is told", || async { (house.lost_events(node).await == 1).then_some(()) }).await;
    }
    let found = house.doctor(0);
    let findings = found["findings"].as_array().unwrap();
    let told = findings.iter().find(|finding| finding["what"] == "lost events").unwrap();
    assert_eq!(told["health"], "warn", "{told}");
    assert!(told["found"].as_str().unwrap().starts_with("1 that"), "{told}");
    // The store knows nothing of the end, and every verifier has begun anew with what the store knows.
    until("another epoch", || async {
        epochs(&house).iter().zip(&before).all(|(now, was)| was < now).then_some(())
    })
    .await;
    assert_eq!(house.ask(1, Ask::get(&path)).await.expect(200).text("state"), "active");
    assert!(all_refuse(&house, &bob.access), "who heard of it goes on refusing");
    ask(house.nodes[2].address, Ask::refresh("app", &alice.refresh)).await.unwrap().expect(200);
    house.ask(2, Ask::delete(&path)).await.expect(200);
    let over = ask(house.nodes[0].address, Ask::refresh("app", &bob.refresh)).await.unwrap();
    over.expect_over("kicked");
}

/// How many subjects are revoked: `./scripts/long` asks for 10,000.
fn how_many() -> usize {
    let asked = from_environment("FAULT_REVOCATIONS").and_then(|text| text.parse().ok());
    asked.unwrap_or(1_000)
}

/// Signs somebody in for each of these subjects.
async fn sign_in(node: SocketAddr, key: &str, subjects: &[String]) {
    for subject in subjects {
        let body = json!({"subject": subject, "client_id": "app", "device": {"class": "app"}});
        ask(node, Ask::json("/v1/sessions", &body).key(key)).await.unwrap().expect(201);
    }
}

/// Revokes subjects at whichever node answers, until each is acknowledged.
async fn revoke(nodes: &[SocketAddr], key: &str, mut left: Vec<String>, done: &AtomicUsize) {
    for node in (0..nodes.len()).cycle() {
        let line = |subject: &String| {
            json!({"target": {"sub": subject}, "effect": "revoked", "reason": "admin"}).to_string()
        };
        let lines: Vec<_> = left.iter().map(line).collect();
        let question =
            Ask::new("POST", "/v1/revocations").with("content-type", "application/x-ndjson");
        let answer = ask(nodes[node], question.body(lines.join("\n")).key(key)).await;
        if let Some(answer) = answer.ok().filter(|answer| answer.status == 200) {
            let said = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let said: Vec<Value> = said.map(|line| serde_json::from_slice(line).unwrap()).collect();
            let refused = |line: &&Value| line["status"] != 200;
            let again = said.iter().filter(refused).map(|line| {
                assert_eq!(line["status"], 503, "{line}");
                left[line["line"].as_u64().unwrap() as usize - 1].clone()
            });
            let again: Vec<_> = again.collect();
            done.fetch_add(left.len() - again.len(), Ordering::AcqRel);
            left = again;
        }
        if left.is_empty() {
            return;
        }
        pass(Duration::from_millis(25)).await;
    }
}

/// All subjects of whom a node's history tells.
async fn told_of(house: &House) -> BTreeSet<String> {
    let (mut subjects, mut path) = (BTreeSet::new(), "/v1/events?limit=200".to_owned());
    loop {
        let page = house.ask(1, Ask::get(&path)).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        subjects
            .extend(items.iter().filter_map(|item| item["subject"].as_str().map(str::to_owned)));
        let Some(next) = page["next"].as_str() else { return subjects };
        path = format!("/v1/events?limit=200&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_promote_another_primary_while_thousands_are_revoked() {
    let store = Watched::start().await;
    let url = store.url();
    let mut house = House::on(redis_at(&store.servers[0]), |_| url.clone()).await;
    let all: Vec<String> = (0..how_many()).map(|number| format!("r{number}")).collect();
    let (done, mut callers) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    let begin = Arc::new(Barrier::new(BATCHES));
    for (number, part) in all.chunks(all.len().div_ceil(BATCHES)).enumerate() {
        let (part, begin) = (part.to_vec(), Arc::clone(&begin));
        let (nodes, key, done) = (house.addresses(), house.api_key.clone(), Arc::clone(&done));
        callers.spawn(async move {
            sign_in(nodes[number % nodes.len()], &key, &part).await;
            begin.wait().await;
            for batch in part.chunks(LINES) {
                revoke(&nodes, &key, batch.to_vec(), &done).await;
            }
        });
    }
    let third = || async { (all.len() / 3 <= done.load(Ordering::Acquire)).then_some(()) };
    until("a third is acknowledged", third).await;
    store.servers[0].kill();
    callers.join_all().await;
    house.healed().await;
    let told = told_of(&house).await;
    let gone = all.iter().filter(|subject| !told.contains(*subject)).count();
    let counted = house.lost_events(2).await;
    println!("{} revoked, {gone} gone, {counted} counted", all.len());
    assert_eq!(done.load(Ordering::Acquire), all.len());
    assert!(gone as u64 <= counted, "{gone} are gone and {counted} counted");
    assert!(
        counted < u64::from(u32::MAX),
        "{counted}: positions that nobody was given are none of them"
    );
}
