//! A ban that races refreshes and sign-ins: after its 200 nothing of the subject lives.

use crate::common::{Ask, Server, Tokens};
use serde_json::json;
use std::sync::Arc;
use tokio::task::JoinSet;

const ROUNDS: usize = 500;

/// How many rounds are under way at once.
const LANES: usize = 8;

#[tokio::test]
async fn nothing_lives_after_the_200_of_a_ban_that_races_everything() {
    let server = Arc::new(Server::with(&["--grace", "60s"]).await);
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        let server = Arc::clone(&server);
        lanes.spawn(async move {
            for round in (lane..ROUNDS).step_by(LANES) {
                race(&server, round).await;
            }
        });
    }
    while let Some(lane) = lanes.join_next().await {
        lane.unwrap();
    }
}

async fn race(server: &Arc<Server>, round: usize) {
    let subject = format!("s{round}");
    let first = server.sign_in(&subject).await;
    let mut callers = JoinSet::new();
    for turn in 0..4 {
        let (server, subject, token) = (Arc::clone(server), subject.clone(), first.refresh.clone());
        callers.spawn(async move {
            let answer = match turn % 2 {
                0 => server.refresh(&token).await,
                _ => {
                    let device = json!({"class": "web"});
                    let body = json!({"subject": subject, "client_id": "web", "device": device});
                    server.start_session(&body).await
                }
            };
            answer.status.is_success().then(|| Tokens::of(&answer))
        });
    }
    for _ in 0..round % 8 {
        tokio::task::yield_now().await;
    }
    let path = format!("/v1/subjects/{subject}/ban");
    server.ask_as_back_end(Ask::put(&path, &json!({}))).await.expect(200);
    assert_eq!(server.active(&subject).await, [] as [String; 0], "round {round}");
    let mut earned = vec![first];
    while let Some(tokens) = callers.join_next().await {
        earned.extend(tokens.unwrap());
    }
    assert_eq!(server.active(&subject).await, [] as [String; 0], "round {round}");
    for tokens in earned {
        let told = server.introspect(&tokens.access).await;
        assert_eq!(told, json!({"active": false}), "round {round}");
        let refused = server.refresh(&tokens.refresh).await;
        assert_eq!(refused.status, 400, "round {round}: {refused:?}");
    }
}
