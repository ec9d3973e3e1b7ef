//! The feed without a network: what a follower believes, and what it does not.

use crate::script::{Script, kicked, text};
use crate::tokens::{AUDIENCE, key, keys};
use std::time::Duration;
use symbolon_core::StoreEpoch;
use symbolon_verify::feed::{Follower, Gap, Want};
use symbolon_verify::{
    Algorithm, Distrust, Policy, Rejected, SetupError, Timestamp, Unknown, Verifier,
};
use symbolon_wire::SigningKey;
use symbolon_wire::feed::{BLOCK, Checkpoint, Cursor, Frame};

pub(crate) fn verifier(script: &Script) -> Verifier {
    let builder = Verifier::builder(&script.issuer).audience(AUDIENCE);
    builder.offline(keys(&[&script.key])).unwrap()
}

fn bounded() -> Policy {
    Policy::bounded(Duration::from_secs(5))
}

fn strict(milliseconds: u64) -> Policy {
    Policy::strict(Duration::from_millis(milliseconds))
}

const OLD: Result<(), Rejected> = Err(Rejected::Unverifiable(Unknown::Session));

/// Where a follower wants to go on.
pub(crate) fn after(follower: &Follower) -> String {
    match follower.wants() {
        Want::Stream { after } => after,
        other @ (Want::Keys | Want::Snapshot | _) => panic!("{other:?}"),
    }
}

pub(crate) fn ask_time(script: &Script, follower: &mut Follower) {
    if let Some(question) = follower.ask_time([7; 16], script.reading()) {
        let (_, nonce) = question
            .path()
            .split_once("nonce=")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        let answer = script.checkpoint(Some(&nonce)).to_text();
        follower.on_time(answer.as_bytes(), script.reading()).unwrap();
    }
}

/// Snapshot and time, as they come.
pub(crate) fn begin(script: &Script, follower: &mut Follower) {
    follower.on_snapshot(&script.snapshot(), script.reading()).unwrap();
    ask_time(script, follower);
}

/// Everything that there is after the follower's place.
fn catch_up(script: &Script, follower: &mut Follower) -> Result<usize, Gap> {
    let frames = script.frames(&after(follower)).unwrap();
    follower.on_bytes(text(&frames).as_bytes(), script.reading()).map(|heard| heard.applied)
}

fn following() -> (Script, Verifier, Follower) {
    let mut script = Script::new();
    script.kick(0);
    let verifier = verifier(&script);
    let mut follower = Follower::new(&verifier);
    begin(&script, &mut follower);
    (script, verifier, follower)
}

#[test]
fn what_the_snapshot_and_the_stream_revoke_is_refused_and_nothing_else() {
    let (mut script, verifier, mut follower) = following();
    script.kick(1);
    assert_eq!(catch_up(&script, &mut follower), Ok(1));
    for (number, expected) in [(0, kicked()), (1, kicked()), (2, Ok(()))] {
        for policy in [Policy::offline(), bounded(), strict(1000)] {
            assert_eq!(script.judged(&verifier, number, &policy), expected, "{number}");
        }
    }
    let status = verifier.status(script.reading().monotonic);
    assert_eq!((status.entries, status.age), (2, Some(Duration::from_millis(2))));
    assert_eq!(status.cache_hits, 6, "three tokens, each found again twice");
    assert_eq!(status.rejected.iter().find(|(word, _)| *word == "revoked"), Some(&("revoked", 6)));
    assert_eq!(follower.position(), Some((1, 2)));
}

#[test]
fn verifiers_that_share_know_the_same_and_each_lets_its_own_audience_in() {
    let (mut script, verifier, mut follower) = following();
    let other = |issuer: &str, audience: &str| {
        Verifier::builder(issuer).audience(audience).sharing(&verifier)
    };
    let twin = other(&script.issuer, AUDIENCE).unwrap();
    let stranger = other(&script.issuer, "billing").unwrap();
    assert!(matches!(other("https://elsewhere.example", AUDIENCE), Err(SetupError::Issuer(_))));
    assert_eq!(script.judged(&twin, 1, &strict(1_000)), Ok(()), "it follows nothing itself");
    let not_for_us = Err(Rejected::Untrusted(Distrust::Audience));
    assert_eq!(script.judged(&stranger, 1, &Policy::offline()), not_for_us);
    script.kick(1);
    catch_up(&script, &mut follower).unwrap();
    assert_eq!(script.judged(&twin, 1, &Policy::offline()), kicked());
    verifier.replace_keys(keys(&[&key(Algorithm::Es256)]));
    let unknown = Err(Rejected::Untrusted(Distrust::Key));
    assert_eq!(script.judged(&twin, 2, &Policy::offline()), unknown);
}

#[test]
fn a_banned_subject_is_refused_on_every_session() {
    let (mut script, verifier, mut follower) = following();
    script.ban("42");
    catch_up(&script, &mut follower).unwrap();
    let banned = Err(Rejected::Revoked { ended: Some(symbolon_verify::Reason::Banned) });
    assert_eq!(script.judged(&verifier, 1, &Policy::offline()), banned);
    assert_eq!(script.judged(&verifier, 2, &strict(1_000)), banned);
}

#[test]
fn nobody_is_let_in_before_the_snapshot_and_an_answer_to_our_own_nonce() {
    let mut script = Script::new();
    let verifier = verifier(&script);
    let mut follower = Follower::new(&verifier);
    let judged = |script: &Script| script.judged(&verifier, 1, &bounded());
    assert_eq!(follower.wants(), Want::Snapshot);
    assert_eq!(judged(&script), Err(Rejected::Ask));
    assert_eq!(script.judged(&verifier, 1, &strict(1_000)), OLD);
    follower.on_snapshot(&script.snapshot(), script.reading()).unwrap();
    assert_eq!(judged(&script), Err(Rejected::Ask));
    script.pass(500);
    catch_up(&script, &mut follower).unwrap();
    assert_eq!(judged(&script), Err(Rejected::Ask), "nobody knows how old that checkpoint is");
    ask_time(&script, &mut follower);
    assert_eq!(judged(&script), Ok(()));
}

#[test]
fn a_checkpoint_that_comes_late_is_old() {
    let (mut script, verifier, mut follower) = following();
    let held_back = script.checkpoint(None).to_text();
    script.pass(4_000);
    follower.on_bytes(held_back.as_bytes(), script.reading()).unwrap();
    assert_eq!(script.judged(&verifier, 1, &strict(3_900)), OLD);
    assert_eq!(script.judged(&verifier, 1, &strict(4_100)), Ok(()));
    script.pass(1_100);
    assert_eq!(script.judged(&verifier, 1, &bounded()), Err(Rejected::Ask));
    assert_eq!(script.judged(&verifier, 1, &strict(60_000)), OLD, "the verifier's own bound");
    assert_eq!(script.judged(&verifier, 1, &Policy::offline()), Ok(()));
    catch_up(&script, &mut follower).unwrap();
    assert_eq!(script.judged(&verifier, 1, &strict(10)), Ok(()));
}

#[test]
fn an_answer_to_somebody_elses_nonce_or_to_none_tells_no_time() {
    let script = Script::new();
    let verifier = verifier(&script);
    let mut follower = Follower::new(&verifier);
    follower.on_snapshot(&script.snapshot(), script.reading()).unwrap();
    let question = follower.ask_time([7; 16], script.reading()).unwrap();
    assert!(question.path().ends_with("&nonce=07070707070707070707070707070707"));
    for nonce in [None, Some("08080808080808080808080808080808")] {
        let answer = script.checkpoint(nonce).to_text();
        assert_eq!(follower.on_time(answer.as_bytes(), script.reading()), Err(Gap::Forged));
    }
    assert_eq!(script.judged(&verifier, 1, &bounded()), Err(Rejected::Ask));
}

#[test]
fn the_time_is_counted_from_before_the_question() {
    let mut script = Script::new();
    let verifier = verifier(&script);
    let mut follower = Follower::new(&verifier);
    follower.on_snapshot(&script.snapshot(), script.reading()).unwrap();
    follower.ask_time([7; 16], script.reading()).unwrap();
    // Answered at once and held back for three seconds: as old as if it had been signed when it was asked.
    let answer = script.checkpoint(Some(&"07".repeat(16))).to_text();
    script.pass(3_000);
    follower.on_time(answer.as_bytes(), script.reading()).unwrap();
    assert_eq!(script.judged(&verifier, 1, &strict(2_900)), OLD);
    assert_eq!(script.judged(&verifier, 1, &strict(3_100)), Ok(()));
}

#[test]
fn a_wall_clock_that_jumps_opens_no_hole() {
    let (mut script, verifier, mut follower) = following();
    let token = script.token(0);
    let presented = symbolon_verify::Presented::bearer(&token);
    let known = verifier.check(&presented, &Policy::offline(), script.reading(), |_| ());
    assert_eq!(known, kicked(), "and found again from now on");
    // Two hours on, the session's entry has left the mirror, as its tokens have expired long ago.
    script.pass(2 * 3600 * 1000);
    catch_up(&script, &mut follower).unwrap();
    ask_time(&script, &mut follower);
    // A mirror gives memory back by and by.
    (0..16).for_each(|_| assert_eq!(catch_up(&script, &mut follower), Ok(0)));
    assert_eq!(verifier.status(script.reading().monotonic).entries, 0);
    let mut set_back = script.reading();
    set_back.wall = set_back.wall.before(Duration::from_secs(2 * 3600));
    let judged = || verifier.check(&presented, &Policy::offline(), set_back, |_| ());
    assert_eq!(judged(), Err(Rejected::Expired), "found");
    verifier.replace_keys(keys(&[&SigningKey::generate(Algorithm::EdDsa).unwrap()]));
    verifier.replace_keys(keys(&[&script.key]));
    assert_eq!(judged(), Err(Rejected::Expired), "verified anew");
}

#[test]
fn time_that_the_steady_clock_slept_through_makes_knowledge_old() {
    let (script, verifier, mut follower) = following();
    assert_eq!(script.judged(&verifier, 1, &bounded()), Ok(()));
    let mut woken = script.reading();
    woken.wall = woken.wall.after(Duration::from_secs(60));
    follower.on_bytes(b":\n\n", woken).unwrap();
    assert_eq!(script.judged(&verifier, 1, &bounded()), Err(Rejected::Ask));
}

#[test]
fn an_authority_whose_clock_steps_makes_nothing_look_fresh() {
    for step in [-3600_i64, 3600] {
        let (mut script, verifier, mut follower) = following();
        script.begin =
            Timestamp::from_millis(script.begin.as_millis().saturating_add_signed(step * 1000));
        script.pass(1_000);
        let checkpoint = script.checkpoint(None).to_text();
        let steady = |script: &Script| {
            let mut now = script.reading();
            now.wall = Timestamp::from_seconds(crate::script::BEGIN).after(script.elapsed);
            now
        };
        follower.on_bytes(checkpoint.as_bytes(), steady(&script)).unwrap();
        let question = follower.ask_time([9; 16], steady(&script)).expect("a step is suspicious");
        let nonce = question.path().split_once("nonce=").unwrap().1.to_owned();
        let answer = script.checkpoint(Some(&nonce)).to_text();
        follower.on_time(answer.as_bytes(), steady(&script)).unwrap();
        // From here on silence: within the bound the verifier knows that it knows nothing.
        script.pass(5_100);
        let age = verifier.status(steady(&script).monotonic).age.unwrap();
        assert!(Duration::from_millis(5_000) <= age, "{step}: {age:?}");
        assert!(age <= Duration::from_secs(6), "{step}: it healed: {age:?}");
    }
}

#[test]
fn a_checkpoint_that_tells_no_time_of_reading_makes_nothing_older_or_younger() {
    let (mut script, verifier, mut follower) = following();
    script.pass(1_000);
    catch_up(&script, &mut follower).unwrap();
    (1..=BLOCK).for_each(|number| script.kick(number));
    script.pass(2_000);
    // Of a block that ended before its sender began, the sender knows the digest and no more.
    let untold = |frames: Vec<Frame>| {
        let to_boundary = frames.into_iter().take(usize::try_from(BLOCK).unwrap() - 1);
        let cursor = script.boundary();
        let said =
            Checkpoint { cursor, read_at: Timestamp::default(), ..script.checkpoint_of(None) };
        to_boundary.chain([script.signed(&said)]).collect::<Vec<_>>()
    };
    let frames = untold(script.frames(&after(&follower)).unwrap());
    let age = || verifier.status(script.reading().monotonic).age;
    let before = age();
    assert_eq!(before, Some(Duration::from_millis(2_002)));
    let heard = follower.on_bytes(text(&frames).as_bytes(), script.reading()).unwrap();
    assert!(heard.vouched, "for what it says");
    assert_eq!((age(), script.judged(&verifier, 2, &bounded())), (before, kicked()));
    assert_eq!(script.judged(&verifier, 5_000, &strict(2_001)), OLD);
    assert_eq!(script.judged(&verifier, 5_000, &strict(2_003)), Ok(()));
    assert_eq!(after(&follower), script.boundary().to_text(), "the place is vouched for");
    assert_eq!(catch_up(&script, &mut follower), Ok(1));
    assert_eq!(age(), Some(Duration::from_millis(2)));
}

#[test]
fn a_snapshot_that_tells_no_time_of_reading_makes_nobody_ready() {
    let script = Script::new();
    let verifier = verifier(&script);
    let mut follower = Follower::new(&verifier);
    follower.on_snapshot(&script.snapshot_read_at(Timestamp::default()), script.reading()).unwrap();
    let question = follower.ask_time([7; 16], script.reading()).unwrap();
    let nonce = question.path().split_once("nonce=").unwrap().1.to_owned();
    let said = Checkpoint { read_at: Timestamp::default(), ..script.checkpoint_of(Some(&nonce)) };
    let answer = script.signed(&said).to_text();
    follower.on_time(answer.as_bytes(), script.reading()).unwrap();
    assert_eq!(script.judged(&verifier, 1, &strict(5_000)), OLD);
    assert_eq!(verifier.status(script.reading().monotonic).age, None);
    catch_up(&script, &mut follower).unwrap();
    assert_eq!(script.judged(&verifier, 1, &strict(5_000)), Ok(()));
}

#[test]
fn a_frame_that_is_lost_doubled_or_moved_is_a_gap() {
    type Fault = fn(&mut Vec<Frame>);
    // With which frame it shows: only what was lost at the end waits for the checkpoint.
    for (what, shows_with, fault) in [
        ("lost", 2, (|frames: &mut Vec<Frame>| drop(frames.remove(1))) as Fault),
        ("doubled", 3, |frames| frames.insert(1, frames[1].clone())),
        ("moved", 1, |frames| frames.swap(0, 1)),
        ("lost at the end", 3, |frames| drop(frames.remove(2))),
    ] {
        let (mut script, _, mut follower) = following();
        (1..=3).for_each(|number| script.kick(number));
        let mut frames = script.frames(&after(&follower)).unwrap();
        fault(&mut frames);
        frames.truncate(shows_with);
        let heard = follower.on_bytes(text(&frames).as_bytes(), script.reading());
        assert_eq!(heard.err(), Some(Gap::Order), "{what}");
        assert_eq!((follower.wants(), follower.resyncs()), (Want::Snapshot, 1), "{what}");
    }
}

#[test]
fn what_no_checkpoint_vouched_for_is_fetched_again() {
    let (mut script, verifier, mut follower) = following();
    let place = after(&follower);
    script.kick(1);
    let mut frames = script.frames(&place).unwrap();
    frames.truncate(1);
    follower.on_bytes(text(&frames).as_bytes(), script.reading()).unwrap();
    assert_eq!(script.judged(&verifier, 1, &Policy::offline()), kicked(), "applied at once");
    follower.on_end();
    assert_eq!(after(&follower), place);
    assert_eq!(catch_up(&script, &mut follower), Ok(1));
    assert_ne!(after(&follower), place);
}

#[test]
fn a_block_must_end_with_its_checkpoint() {
    let (mut script, verifier, mut follower) = following();
    (1..BLOCK + 3).for_each(|number| script.kick(number));
    let mut frames = script.frames(&after(&follower)).unwrap();
    frames.remove(usize::try_from(BLOCK).unwrap() - 1);
    let heard = follower.on_bytes(text(&frames).as_bytes(), script.reading());
    assert_eq!(heard.err(), Some(Gap::Boundary));
    begin(&script, &mut follower);
    assert_eq!(script.judged(&verifier, BLOCK + 2, &Policy::offline()), kicked());
    // With it all is well, and so is a snapshot that stands exactly there.
    let (mut script, _, mut follower) = following();
    (1..BLOCK + 3).for_each(|number| script.kick(number));
    assert_eq!(catch_up(&script, &mut follower), Ok(1026));
    let mut script = Script::new();
    (0..BLOCK).for_each(|number| script.kick(number));
    let mut follower = Follower::new(&crate::feed::verifier(&script));
    begin(&script, &mut follower);
    script.kick(BLOCK);
    assert_eq!(catch_up(&script, &mut follower), Ok(1));
}

#[test]
fn nobody_else_vouches_for_anything() {
    let other = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let signed_by = |script: &Script, key: &SigningKey| {
        Frame::Checkpoint(script.checkpoint_of(None).sign(key).unwrap()).to_text()
    };
    let (mut script, verifier, mut follower) = following();
    script.pass(4_900);
    let foreign = signed_by(&script, &other);
    assert_eq!(follower.on_bytes(foreign.as_bytes(), script.reading()), Err(Gap::Key));
    assert_eq!(follower.wants(), Want::Keys, "it may be new");
    follower.on_keys();
    assert!(matches!(follower.wants(), Want::Stream { .. }), "the place is not lost");
    let mut says = script.checkpoint_of(None);
    says.iss = "https://id.example.org".to_owned();
    let text = script.signed(&says).to_text();
    assert_eq!(follower.on_bytes(text.as_bytes(), script.reading()), Err(Gap::Issuer));
    begin_again(&mut follower, &script);
    let forged = signed_by(&script, &script.key).replace("\"}", "A\"}");
    assert!(follower.on_bytes(forged.as_bytes(), script.reading()).is_err());
    begin_again(&mut follower, &script);
    let early = Checkpoint {
        read_at: script.now().after(Duration::from_secs(9)),
        ..script.checkpoint_of(None)
    };
    let text = script.signed(&early).to_text();
    assert_eq!(follower.on_bytes(text.as_bytes(), script.reading()), Err(Gap::Forged));
    script.pass(5_100);
    assert_eq!(script.judged(&verifier, 1, &bounded()), Err(Rejected::Ask));
}

fn begin_again(follower: &mut Follower, script: &Script) {
    assert_eq!(follower.wants(), Want::Snapshot);
    follower.on_snapshot(&script.snapshot(), script.reading()).unwrap();
}

#[test]
fn a_new_key_is_fetched_and_nothing_is_lost() {
    let (mut script, verifier, mut follower) = following();
    script.kick(1);
    let old = std::mem::replace(&mut script.key, SigningKey::generate(Algorithm::EdDsa).unwrap());
    assert_eq!(catch_up(&script, &mut follower), Err(Gap::Key));
    verifier.replace_keys(keys(&[&old, &script.key]));
    follower.on_keys();
    assert_eq!(catch_up(&script, &mut follower), Ok(1));
    assert_eq!(follower.resyncs(), 0);
    assert_eq!(script.judged(&verifier, 1, &strict(1_000)), kicked());
}

#[test]
fn what_a_key_that_is_gone_has_signed_is_not_asked_for_again_and_again() {
    let (mut script, verifier, mut follower) = following();
    script.kick(1);
    let gone = std::mem::replace(&mut script.key, SigningKey::generate(Algorithm::EdDsa).unwrap());
    verifier.replace_keys(keys(&[&gone]));
    assert_eq!(catch_up(&script, &mut follower), Err(Gap::Key));
    assert_eq!(follower.wants(), Want::Keys);
    follower.on_keys();
    assert_eq!(catch_up(&script, &mut follower), Err(Gap::Key), "as the stream brings it again");
    assert_eq!(follower.wants(), Want::Snapshot);
    verifier.replace_keys(keys(&[&script.key]));
    begin_again(&mut follower, &script);
    assert_eq!(script.judged(&verifier, 1, &strict(1_000)), kicked());
}

#[test]
fn an_old_snapshot_takes_nothing_away_and_is_as_old_as_it_is() {
    let (mut script, verifier, mut follower) = following();
    let old = script.snapshot();
    script.pass(60_000);
    script.kick(1);
    catch_up(&script, &mut follower).unwrap();
    ask_time(&script, &mut follower);
    assert_eq!(script.judged(&verifier, 2, &bounded()), Ok(()));
    follower.on_gone();
    follower.on_snapshot(&old, script.reading()).unwrap();
    assert_eq!(script.judged(&verifier, 1, &Policy::offline()), kicked());
    assert_eq!(script.judged(&verifier, 2, &bounded()), Err(Rejected::Ask));
    assert_eq!(catch_up(&script, &mut follower), Ok(1), "it is still a place of the feed");
    assert_eq!(script.judged(&verifier, 2, &bounded()), Ok(()));
}

#[test]
fn a_snapshot_that_was_touched_is_refused() {
    let (script, _, mut follower) = following();
    follower.on_gone();
    let whole = script.snapshot();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(matches!(follower.on_snapshot(&flipped, script.reading()), Err(Gap::Malformed(_))));
    let cut = &whole[..whole.len() - 31];
    assert!(matches!(follower.on_snapshot(cut, script.reading()), Err(Gap::Malformed(_))));
    let forger = Script::of(&script.issuer, SigningKey::generate(Algorithm::EdDsa).unwrap());
    assert_eq!(follower.on_snapshot(&forger.snapshot(), script.reading()), Err(Gap::Key));
    follower.on_keys();
    assert_eq!(follower.wants(), Want::Snapshot);
}

#[test]
fn a_new_epoch_adds_and_never_forgets_also_where_positions_come_again() {
    let (mut script, verifier, mut follower) = following();
    script.kick(1);
    script.kick(2);
    catch_up(&script, &mut follower).unwrap();
    // The last write is lost; its position is another's now.
    script.restore(2);
    script.kick(3);
    assert_eq!(script.frames(&after(&follower)), None, "410");
    let foreign = text(&script.frames(&Cursor::block(StoreEpoch(2), 0).to_text()).unwrap());
    assert_eq!(follower.on_bytes(foreign.as_bytes(), script.reading()), Err(Gap::Epoch));
    begin(&script, &mut follower);
    for number in 0..4 {
        assert_eq!(script.judged(&verifier, number, &Policy::offline()), kicked(), "{number}");
    }
    assert_eq!(follower.position(), Some((2, 3)));
}

#[test]
fn another_target_key_is_looked_up_beside_the_old_one() {
    let (mut script, verifier, mut follower) = following();
    script.target_key = symbolon_wire::feed::TargetKey::parse(&"E".repeat(43)).ok().unwrap();
    script.restore(0);
    script.kick(1);
    follower.on_gone();
    begin(&script, &mut follower);
    for number in [0, 1] {
        assert_eq!(script.judged(&verifier, number, &Policy::offline()), kicked(), "{number}");
    }
}

#[test]
fn frames_before_a_snapshot_are_not_believed() {
    let mut script = Script::new();
    script.kick(1);
    let mut follower = Follower::new(&verifier(&script));
    let frames = script.frames(&Cursor::block(StoreEpoch(1), 0).to_text()).unwrap();
    let heard = follower.on_bytes(text(&frames).as_bytes(), script.reading());
    assert_eq!(heard.err(), Some(Gap::Unplaced));
}

#[test]
fn hints_are_passed_on() {
    let (script, _, mut follower) = following();
    let (kid, state) = (symbolon_core::KeyId([1; 12]), "announced".to_owned());
    let key = Frame::Key(symbolon_wire::feed::KeyNotice { kid, state });
    let bye = Frame::Bye(Duration::from_millis(250));
    let text = text(&[key, Frame::Report, Frame::Other, bye]);
    let heard = follower.on_bytes(text.as_bytes(), script.reading()).unwrap();
    assert!(heard.keys && heard.report && !heard.vouched);
    assert_eq!((heard.applied, heard.bye), (0, Some(Duration::from_millis(250))));
}
