//! `/metrics`: what was counted and what is measured, on a listener of its own.

use crate::common::{Ask, Configuration, Server, until};
use serde_json::json;

/// The value of a series.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{metrics}")).parse().unwrap()
}

#[tokio::test]
async fn what_happens_is_counted() {
    let server = Server::with(&[]).await;
    let first = server.sign_in("10086").await;
    let second = server.renew(&first.refresh).await;
    server.renew(&first.refresh).await;
    server.kick(&second.sid).await.expect(200);
    server.refresh(&second.refresh).await.expect(400);
    let metrics = server.metrics().await;
    for (series, expected) in [
        (r#"symbolon_grants_total{client="web",what="started"}"#, 1.0),
        (r#"symbolon_grants_total{client="web",what="advanced"}"#, 1.0),
        (r#"symbolon_grants_total{client="web",what="repeated"}"#, 1.0),
        (r#"symbolon_refusals_total{client="web",what="kicked"}"#, 1.0),
        (r#"symbolon_sessions_ended_total{client="web",what="kicked"}"#, 1.0),
        (r#"symbolon_windows_open{client="web"}"#, 1.0),
        ("symbolon_store_epoch", 0.0),
    ] {
        assert!((value(&metrics, series) - expected).abs() < 0.1, "{series}\n{metrics}");
    }
}

#[tokio::test]
async fn nothing_waits_for_long() {
    let server = Server::with(&[]).await;
    // The sweep may commit at the very moment of an answer.
    let idle =
        || async { (value(&server.metrics().await, "symbolon_store_waiting") < 0.1).then_some(()) };
    until("nothing waits for its commit", idle).await;
}

#[tokio::test]
async fn commits_are_a_histogram_that_adds_up() {
    let server = Server::with(&[]).await;
    server.sign_in("10086").await;
    let metrics = server.metrics().await;
    let count = value(&metrics, "symbolon_store_commit_seconds_count");
    assert!(0.0 < count);
    let all = value(&metrics, r#"symbolon_store_commit_seconds_bucket{le="+Inf"}"#);
    assert!((all - count).abs() < 0.1);
    assert!(0.0 < value(&metrics, "symbolon_store_commit_seconds_sum"));
    let buckets = metrics.lines().filter_map(|line| {
        let bucket = line.strip_prefix("symbolon_store_commit_seconds_bucket")?;
        bucket.split(' ').next_back()?.parse::<u64>().ok()
    });
    assert!(buckets.is_sorted(), "{metrics}");
}

#[tokio::test]
async fn the_answer_is_open_metrics_and_names_nobody() {
    let server = Server::with(&[]).await;
    let tokens = server.sign_in("somebody-special").await;
    let metrics = server.metrics().await;
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    assert_eq!(metrics.matches("# EOF").count(), 1);
    for name in ["somebody-special", &tokens.sid, &tokens.access, &tokens.refresh] {
        assert!(!metrics.contains(name), "{name}\n{metrics}");
    }
}

#[tokio::test]
async fn every_end_is_counted_once_whatever_writes_it_down() {
    let usual = "devices = { per_subject = 50 }";
    let short = "access_token = { ttl = \"1s\" }\nrefresh = { idle = \"1s\", grace = \"0s\" }";
    let configuration = Configuration::new().client("web", usual).client("app", short);
    let server = Server::configured(&configuration).await;
    server.sign_in("banned").await;
    server.sign_in("banned").await;
    let one = server.sign_in("revoked").await;
    server.sign_in("of everybody").await;
    let ban = Ask::put("/v1/subjects/banned/ban", &json!({}));
    server.ask_as_back_end(ban).await.expect(200);
    for target in [json!({"sub": "revoked"}), json!({"everything": true})] {
        let body = json!({"target": target, "effect": "revoked", "reason": "admin"});
        server.ask_as_back_end(Ask::json("/v1/revocations", &body)).await.expect(200);
    }
    server.refresh(&one.refresh).await.expect_over("admin");
    let idle = json!({"subject": "idle", "client_id": "app", "device": {"class": "app"}});
    server.start_session(&idle).await.expect(201);
    let timed_out = r#"symbolon_sessions_ended_total{client="app",what="idle"} 1"#;
    let swept = || async { Some(server.metrics().await).filter(|all| all.contains(timed_out)) };
    let metrics = until("the sweep came by all of them", swept).await;
    for (reason, expected) in [("banned", 2.0), ("admin", 2.0)] {
        let series = format!("symbolon_sessions_ended_total{{client=\"web\",what=\"{reason}\"}}");
        assert!((value(&metrics, &series) - expected).abs() < 0.1, "{series}\n{metrics}");
    }
}
