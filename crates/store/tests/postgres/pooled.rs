//! Through a real pgbouncer in transaction mode, with fewer connections to the server than we have to it.

use super::nodes::open;
use super::server::{command, directory, free_port, shared, text};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use symbolon_store::conformance::{self, AT, Open, kick, sign_in};

struct Pooler {
    port: u16,
    _child: Child,
}

fn pooler() -> &'static Pooler {
    static POOLER: OnceLock<Pooler> = OnceLock::new();
    POOLER.get_or_init(|| {
        let place = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].map(Path::new);
        let program = place.into_iter().find(|path| path.exists());
        let program = program.expect("pgbouncer is missing: apt-get install pgbouncer");
        let (directory, port) = (directory(), free_port());
        let ini = directory.join("pgbouncer.ini");
        let settings = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} dbname=postgres\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 500\n\
             logfile = {}\n",
            shared().port,
            text(&directory.join("log"))
        );
        // `any` lets everybody in as the user that stands in the database's line.
        let settings = settings.replace("dbname=postgres", "dbname=postgres user=symbolon");
        std::fs::write(&ini, settings).unwrap();
        let child = command(program)
            .args(["-q", text(&ini)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        watch(&child, &directory);
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "pgbouncer did not start");
        }
        Pooler { port, _child: child }
    })
}

/// Stops it and removes its directory once we are gone.
fn watch(child: &Child, directory: &Path) {
    let mut watch = Command::new("sh");
    watch.args(["-c", r#"read -r _; kill -KILL "$1"; rm -rf "$2""#, "watch"]);
    watch.args([&child.id().to_string(), text(directory)]).stdin(Stdio::piped());
    std::mem::forget(watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
}

fn url(place: &str) -> String {
    format!(
        "postgres://symbolon@127.0.0.1:{}/postgres?pgbouncer=true&schema={place}",
        pooler().port
    )
}

fn places(test: &str) -> impl Open {
    async move |place: &str| open(&url(&format!("p_{test}_{place}").replace(' ', "_"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_given_can_be_read() {
    conformance::an_answer_that_was_given_can_be_read(places("answer")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_in_the_order_of_commits_without_gaps() {
    conformance::events_are_in_the_order_of_commits_without_gaps(places("order")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_refreshes_of_one_token_earn_one_successor() {
    conformance::racing_refreshes_of_one_token_earn_one_successor(places("refresh")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_sign_ins_never_exceed_a_device_limit() {
    conformance::racing_sign_ins_never_exceed_a_device_limit(places("devices")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_races_a_ban_is_never_alive_after_it() {
    conformance::a_sign_in_that_races_a_ban_is_never_alive_after_it(places("ban")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_callers_spend_a_thing_once() {
    conformance::racing_callers_spend_a_thing_once(places("spend")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_bumps_each_count() {
    conformance::racing_bumps_each_count(places("bumps")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_brings_nothing_twice() {
    conformance::an_import_brings_nothing_twice(places("import")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_forgets_what_is_old_enough() {
    conformance::a_sweep_forgets_what_is_old_enough(places("sweep")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_answered_is_there_after_a_restart() {
    conformance::everything_answered_is_there_after_a_restart(places("restart")).await;
}

/// Notifications do not pass a pooler; the poll finds what they would have told.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_commits_is_found_by_another_without_being_woken() {
    let (here, there) = (open(&url("p_waking")).await, open(&url("p_waking")).await);
    let mut heads = there.heads();
    let sid = sign_in(&here, "10086", 1).await.grant.session.sid;
    let position = kick(&here, sid, AT).await.position;
    let found = heads.wait_for(|head| *head == position);
    tokio::time::timeout(Duration::from_secs(10), found).await.unwrap().unwrap();
}

/// Nothing of ours stays on a connection that others are given next.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_on_a_connection() {
    let store = open(&url("p_kept")).await;
    sign_in(&store, "10086", 1).await;
    let pooled = "FROM pg_stat_activity WHERE client_port IS NOT NULL";
    assert_ne!(shared().sql(&format!("SELECT count(*) {pooled}")), "0");
    let port = pooler().port.to_string();
    let mut asks = command(&super::server::program("psql"));
    asks.args([
        "-X",
        "-A",
        "-t",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-U",
        "symbolon",
        "-d",
        "postgres",
    ]);
    asks.args([
        "-c",
        "SELECT current_setting('enable_hashjoin'), count(*) FROM pg_prepared_statements",
    ]);
    let said = String::from_utf8(asks.output().unwrap().stdout).unwrap();
    assert_eq!(said.trim(), "on|0");
}
