//! Servers that die, lose what they acknowledged, are emptied, or are not what they must be.

use crate::open;
use crate::servers::{KEEPING, Server, Watched, new_cluster, single, until, url_of};
use crate::story::{bump, sign_in_at, try_kick, try_refresh};
use core::time::Duration;
use symbolon_core::{ClientId, Effect, Fault, RefreshToken, Session, StoreEpoch};
use symbolon_store::conformance::{AT, token_of};
use symbolon_store::copy::Part;
use symbolon_store::redis::Address;
use symbolon_store::{Kind, Refusal, Store};

/// Waits until a node answers with the session's next generation.
async fn goes_on(store: &Store, token: &RefreshToken, minute: u64) -> Session {
    let at = AT.after(Duration::from_secs(60 * minute));
    let mut session = None;
    until("refreshes are answered again", async || {
        session = try_refresh(store, token, at)
            .await
            .ok()
            .map(|answer| answer.expect("nobody is logged out"));
        session.is_some()
    })
    .await;
    session.unwrap()
}

async fn epoch_after(stores: &[&Store], before: StoreEpoch) -> StoreEpoch {
    until("all nodes are in another epoch", async || {
        stores.iter().all(|store| before < store.cutoffs().epoch)
    })
    .await;
    let epoch = stores[0].cutoffs().epoch;
    assert!(stores.iter().all(|store| store.cutoffs().epoch == epoch), "they disagree");
    epoch
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_lost_writes_opens_one_epoch_and_says_what_is_lost() {
    let mut server = Server::start("redis-server", &["--save", ""]).await;
    let nodes = [open(&server.url(), "lost").await, open(&server.url(), "lost").await];
    let before = nodes[0].cutoffs().epoch;
    let kept = sign_in_at(&nodes[0], 3, 1).await;
    let kicked = sign_in_at(&nodes[0], 40, 2).await;
    assert!(server.ask("SAVE").contains("+OK"));
    let rotated = goes_on(&nodes[1], &token_of(&kept), 1).await;
    let position = try_kick(&nodes[0], kicked.sid).await.unwrap().position;
    let bumped = bump(&nodes[0], Effect::Stale).await;
    until("both nodes know the head", async || nodes.iter().all(|node| node.head() == bumped))
        .await;
    assert_eq!((position, bumped), (1, 2));
    server.kill();
    server.run();
    let epoch = epoch_after(&[&nodes[0], &nodes[1]], before).await;
    assert_eq!(epoch, StoreEpoch(before.0 + 1), "once, though two nodes saw it");
    // The lost rotation logs nobody out; the lost bump is in force again, since a node remembered it.
    let on = goes_on(&nodes[0], &token_of(&rotated), 2).await;
    assert_eq!(on.generation.0, rotated.generation.0 + 1);
    let web = ClientId::parse("web").unwrap();
    assert_eq!(nodes[1].cutoffs().clients[&web].epochs.counter, 1);
    // The lost revocation is back, and it is known that two events are gone.
    assert!(nodes[1].session(kicked.sid).await.unwrap().unwrap().session.end.is_none());
    until("both know what is lost", async || nodes.iter().all(|node| node.lost() == 2)).await;
    let again = try_kick(&nodes[1], kicked.sid).await.unwrap().position;
    assert!(bumped < again, "no position is given out twice");
    let feed = nodes[0].events_after(bumped, 10).await.unwrap();
    assert_eq!(feed.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [again]);
    let first = nodes[0].needed(0, AT).await.unwrap();
    let rest = nodes[0].needed(first.next.unwrap(), AT).await.unwrap();
    assert_eq!(
        (first.events.len(), rest.events.len(), rest.next),
        (0, 1, None),
        "no step in between"
    );
    drop(nodes);
    let later = open(&server.url(), "lost").await;
    assert_eq!((later.cutoffs().epoch, later.lost(), later.head()), (epoch, 2, again));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_is_counted_though_another_comes_first_that_had_not_heard_of_it() {
    const ANN: &str = "ACL SETUSER ann on >secret ~* &* +@all";
    let mut server = Server::start("redis-server", &["--save", ""]).await;
    assert!(server.ask(ANN).contains("+OK"));
    let store = open(&format!("redis://ann:secret@127.0.0.1:{}/0", server.port), "first").await;
    let before = store.cutoffs().epoch;
    let mut sids = Vec::new();
    for lane in 0..3 {
        sids.push(sign_in_at(&store, lane, 1).await.sid);
    }
    try_kick(&store, sids[0]).await.unwrap();
    assert!(server.ask("SAVE").contains("+OK"));
    for sid in &sids[1..] {
        try_kick(&store, *sid).await.unwrap();
    }
    server.kill();
    server.run();
    until("the server answers", async || server.try_ask("PING").is_some()).await;
    // It knows no Ann any more, so that another opens the epoch.
    let first = open(&server.url(), "first").await;
    assert!(before < first.cutoffs().epoch);
    assert!(server.ask(ANN).contains("+OK"));
    epoch_after(&[&store, &first], before).await;
    until("both know what is lost", async || store.lost() == 2 && first.lost() == 2).await;
    // Nothing has happened in this epoch yet, and whoever reads all that is needed is done at once.
    assert_eq!(first.needed(0, AT).await.unwrap().next, None);
    let position = try_kick(&first, sids[1]).await.unwrap().position;
    until("it is heard", async || store.head() == position).await;
    drop((store, first));
    let later = open(&server.url(), "first").await;
    assert_eq!(later.lost(), 2, "once");
    // Between the two positions lie those that are left out.
    let history = later.history(0, 10, |_| true).await.unwrap();
    let positions: Vec<u64> = history.events.iter().map(|(position, _)| *position).collect();
    assert_eq!((positions, history.next), (vec![1, position], None));
    let (mut copied, mut after) = (0, None);
    loop {
        let part = later.copy_out(Part::Events, after.as_deref()).await.unwrap();
        copied += part.rows.len();
        after = part.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(copied, 2, "and a copy has both");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_by_sentinels_opens_one_epoch_and_sessions_go_on() {
    let watched = Watched::start().await;
    let nodes = [open(&watched.url(), "watched").await, open(&watched.url(), "watched").await];
    let before = nodes[0].cutoffs().epoch;
    let mut sessions = Vec::new();
    for lane in 0..16 {
        sessions.push(sign_in_at(&nodes[0], lane * 4, 1).await);
    }
    let kicked = sign_in_at(&nodes[1], 7, 2).await.sid;
    let position = try_kick(&nodes[1], kicked).await.unwrap().position;
    assert!(watched.servers[0].ask("WAIT 2 5000").contains(":"));
    until("the replicas have all", async || {
        let offset = |server: &Server| server.info("master_repl_offset");
        let all: Vec<_> = watched.servers.iter().map(offset).collect();
        all.iter().all(|offset| *offset == all[0])
    })
    .await;
    watched.servers[0].kill();
    let on = goes_on(&nodes[0], &token_of(&sessions[0]), 1).await;
    assert_eq!(on.generation.0, 1);
    let epoch = epoch_after(&[&nodes[0], &nodes[1]], before).await;
    assert_eq!(epoch, StoreEpoch(before.0 + 1));
    for session in &sessions[1..] {
        goes_on(&nodes[1], &token_of(session), 1).await;
    }
    assert!(nodes[1].session(kicked).await.unwrap().unwrap().session.end.is_some());
    let again = try_kick(&nodes[1], sessions[3].sid).await.unwrap().position;
    assert!(position < again);
    // Nothing more changes: the epoch stays, also for who comes later.
    let third = open(&watched.url(), "watched").await;
    assert_eq!((third.cutoffs().epoch, third.lost()), (epoch, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_of_a_cluster_that_dies_is_followed_by_its_replica() {
    let servers = new_cluster().await;
    let nodes = [open(&url_of(&servers), "c").await, open(&url_of(&servers), "c").await];
    let before = nodes[0].cutoffs().epoch;
    let mut sessions = Vec::new();
    for lane in 0..64 {
        sessions.push(sign_in_at(&nodes[usize::from(lane) % 2], lane, 1).await);
    }
    let primaries = || servers.iter().filter(|one| one.info("role").as_deref() == Some("master"));
    until("the replicas have all", async || {
        primaries().all(|one| {
            let told = one.try_ask("INFO replication").unwrap_or_default();
            let offset = one.info("master_repl_offset").unwrap_or_default();
            told.contains(&format!("offset={offset},"))
        })
    })
    .await;
    primaries().next().unwrap().kill();
    for (number, session) in sessions.iter().enumerate() {
        let on = goes_on(&nodes[number % 2], &token_of(session), 1).await;
        assert_eq!(on.generation.0, 1);
    }
    let epoch = epoch_after(&[&nodes[0], &nodes[1]], before).await;
    assert_eq!(epoch, StoreEpoch(before.0 + 1));
    let position = try_kick(&nodes[0], sessions[9].sid).await.unwrap().position;
    until("the other hears of it", async || nodes[1].head() == position).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_emptied_refuses_until_it_is_opened_anew_in_another_epoch() {
    let server = Server::start("redis-server", &KEEPING).await;
    let store = open(&server.url(), "gone").await;
    let session = sign_in_at(&store, 3, 1).await;
    store.put_record(Kind::ApiKey, "ops", b"digest", None).await.unwrap();
    let before = store.cutoffs().epoch;
    assert!(server.ask("FLUSHALL").contains("+OK"));
    let refreshed = try_refresh(&store, &token_of(&session), AT).await;
    assert!(matches!(refreshed, Err(Fault::Store(_))), "{:?}", refreshed.map(|_| ()));
    assert!(store.session(session.sid).await.is_err(), "gone is not unknown");
    assert!(store.record(Kind::ApiKey, "ops").await.is_err());
    assert!(store.records(Kind::ApiKey).await.is_err());
    assert!(store.put_record(Kind::ApiKey, "ops", b"digest", None).await.is_err());
    assert!(store.spend([1; 32], b"", AT.after(Duration::from_secs(1)), AT).await.is_err());
    assert!(!store.takes_writes());
    // A second has passed since it was made, or the epoch would be its successor's too.
    until("the clock went on", async || {
        let told = server.ask("TIME");
        let seconds = told.lines().nth(2).unwrap().trim().parse::<u64>().unwrap();
        u64::from(before.0) + 1_767_225_600 < seconds
    })
    .await;
    let anew = open(&server.url(), "gone").await;
    assert!(before < anew.cutoffs().epoch);
    assert!(anew.session(session.sid).await.unwrap().is_none());
    // Whoever served from the lost store does not go on with another as if nothing had been.
    assert!(try_refresh(&store, &token_of(&session), AT).await.is_err());
    drop(store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_a_fault_within_a_bound_and_comes_back() {
    let mut server = Server::start("redis-server", &KEEPING).await;
    let store = open(&server.url(), "away").await;
    let session = sign_in_at(&store, 3, 1).await;
    server.kill();
    let asked = tokio::time::Instant::now();
    let fault = try_refresh(&store, &token_of(&session), AT).await;
    assert!(matches!(fault, Err(Fault::Store(_))), "{:?}", fault.map(|_| ()));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    until("it is told", async || !store.takes_writes()).await;
    server.run();
    goes_on(&store, &token_of(&session), 1).await;
    assert!(store.takes_writes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_too_few_replicas_have_is_a_fault() {
    let server = single().await;
    let address = Address::parse(&format!("{}?prefix=few&min_replicas=1", server.url())).unwrap();
    let store = Store::open_redis(&address).await.unwrap();
    let session = sign_in_at(&store, 3, 1).await;
    let kicked = try_kick(&store, session.sid).await.map(|committed| committed.reply);
    let Err(Fault::Store(said)) = kicked else { panic!("{kicked:?}") };
    assert!(said.contains("fewer than 1 replicas"), "{said}");
}

async fn refusal(text: &str) -> String {
    let address = Address::parse(text).unwrap();
    match Store::open_redis(&address).await {
        Ok(_) => panic!("{text} was opened"),
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(!text.contains("secret"), "{text}");
            assert!(!matches!(refusal, Refusal::Io { .. }), "{text}");
            text
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_served_from_is_refused_with_what_to_do() {
    let mut settings = KEEPING.to_vec();
    settings.extend(["--maxmemory-policy", "allkeys-lru", "--requirepass", "secret"]);
    let evicting = Server::start("redis-server", &settings).await;
    let at = format!("127.0.0.1:{}", evicting.port);
    let told = refusal(&format!("redis://:secret@{at}/0")).await;
    assert!(told.contains("allkeys-lru") && told.contains("CONFIG SET"), "{told}");
    assert!(refusal(&format!("redis://:secretly@{at}/0")).await.contains("check user, password"));
    let told = refusal(&format!("redis://{at}/0")).await;
    assert!(told.contains("check user, password"), "{told}");
    let single = single().await;
    let of = single.port.to_string();
    let mut settings = KEEPING.to_vec();
    settings.extend(["--replicaof", "127.0.0.1", &of]);
    let replica = Server::start("redis-server", &settings).await;
    let told = refusal(&replica.url()).await;
    assert!(told.contains("is a replica") && told.contains("name the primary"), "{told}");
    let told = refusal(&format!("redis+cluster://127.0.0.1:{}", single.port)).await;
    assert!(told.contains("write redis://host:port/0"), "{told}");
    let cluster = crate::servers::cluster().await;
    let told = refusal(&cluster[0].url()).await;
    assert!(told.contains("write redis+cluster://"), "{told}");
    assert!(single.ask("SET {foreign:log}:state mine").contains("+OK"));
    let told = refusal(&format!("{}?prefix=foreign", single.url())).await;
    assert!(told.contains("another program"), "{told}");
    drop(open(&single.url(), "newer").await);
    assert!(single.ask("HSET {newer:log}:state schema 99").contains(":0"));
    let told = refusal(&format!("{}?prefix=newer", single.url())).await;
    assert!(told.contains("schema 99"), "{told}");
    assert!(refusal("redis://127.0.0.1:1/0").await.contains("cannot be reached"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_rights_that_the_guide_names_is_enough() {
    let server = Server::start("redis-server", &KEEPING).await;
    let rights = "ACL SETUSER ann on >secret ~{symbolon:* &symbolon:events +@read +@write +@connection \
         +@scripting +@transaction +info +time +wait +cluster|slots +cluster|keyslot +publish +subscribe";
    assert!(server.ask(rights).contains("+OK"));
    let address =
        Address::parse(&format!("redis://ann:secret@127.0.0.1:{}/0", server.port)).unwrap();
    let store = Store::open_redis(&address).await.unwrap();
    let session = sign_in_at(&store, 3, 1).await;
    let position = try_kick(&store, session.sid).await.unwrap().position;
    assert_eq!(position, bump(&store, Effect::Stale).await - 1);
    let findings = symbolon_store::redis::doctor(&address).await.unwrap();
    assert_eq!((findings[0].appends, findings[0].replicas), (true, 0));
    assert!(findings[0].version.starts_with(char::is_numeric) && findings[0].used_memory > 0);
    assert_eq!(findings[0].maxmemory_policy, "noeviction");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_tls_is_trusted_by_its_certificate_alone() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let place = tempfile::tempdir().unwrap();
    let (cert, key) = (place.path().join("cert.pem"), place.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (cert, key) = (cert.display().to_string(), key.display().to_string());
    let port = crate::servers::free_port();
    let text = port.to_string();
    let mut settings = KEEPING.to_vec();
    settings.extend(["--tls-port", &text, "--tls-cert-file", &cert, "--tls-key-file", &key]);
    settings.extend(["--tls-auth-clients", "no"]);
    let _server = Server::start("redis-server", &settings).await;
    let told = refusal(&format!("rediss://localhost:{port}/0")).await;
    assert!(told.contains("cannot be reached"), "{told}");
    let address = Address::parse(&format!("rediss://localhost:{port}/0?ca={cert}")).unwrap();
    let store = Store::open_redis(&address).await.unwrap_or_else(|refusal| panic!("{refusal}"));
    let session = sign_in_at(&store, 3, 1).await;
    goes_on(&store, &token_of(&session), 1).await;
}
