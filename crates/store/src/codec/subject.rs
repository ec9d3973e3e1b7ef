//! Subjects and cut-offs as bytes.

use super::event::{
    below, effect_code, read_below, read_client, read_effect, read_reason, reason_code,
};
use super::{Damage, Decoder, Encoder};
use symbolon_core::by_name::{ByName, KEYS_MAX, TOKENS_MAX};
use symbolon_core::device::{DeviceClass, DeviceLimits, Overflow};
use symbolon_core::epoch::{Bound, ClientState, Epochs, ReplayFor};
use symbolon_core::subject::Ban;
use symbolon_core::{Below, ClientId, Cutoffs, KeyId, Replay, Subject, SubjectState};

const FORMAT: u8 = 1;

/// The most clients whose state is read back. Inclusive.
const CLIENTS_MAX: u64 = 100_000;

/// A subject's row; its name stands beside it and is covered by the checksum.
pub(crate) fn encode(state: &SubjectState) -> Vec<u8> {
    let mut to = Encoder::new(FORMAT);
    to.texts(&state.roles);
    to.text(&state.claims);
    to.maybe(state.ban.as_ref(), ban);
    epochs(&mut to, &state.epochs);
    // Left out where nothing is said: such a row is as the first version wrote it, and read it.
    let since =
        (state.profile_since != profile_since_of(&state.epochs)).then_some(state.profile_since);
    if !state.devices.is_empty() || since.is_some() {
        devices(&mut to, &state.devices);
    }
    if let Some(since) = since {
        below(&mut to, since);
    }
    to.seal(&[state.subject.as_str().as_bytes()])
}

/// Since when roles and claims are as a row says that does not say it: each stale bump may have changed them.
fn profile_since_of(epochs: &Epochs) -> Below {
    epochs.stale.map_or_else(Below::default, |bound| bound.below)
}

/// The subject of a row.
pub(crate) fn decode(subject: &Subject, sealed: &[u8]) -> Result<SubjectState, Damage> {
    let mut from = Decoder::open(sealed, &[subject.as_str().as_bytes()], FORMAT)?;
    let mut state = SubjectState {
        subject: subject.clone(),
        roles: from.texts()?,
        claims: from.shared_text()?,
        ban: from.maybe(read_ban)?,
        profile_since: Below::default(),
        devices: DeviceLimits::default(),
        epochs: read_epochs(&mut from)?,
    };
    state.profile_since = profile_since_of(&state.epochs);
    if !from.is_empty() {
        state.devices = read_devices(&mut from)?;
    }
    if !from.is_empty() {
        state.profile_since = read_below(&mut from)?;
    }
    from.finish(state)
}

fn devices(to: &mut Encoder, limits: &DeviceLimits) {
    to.maybe(limits.per_subject.as_ref(), |to, most| to.number(u64::from(*most)));
    to.number(limits.per_class.len() as u64);
    for (class, most) in &limits.per_class {
        to.text(class.as_str());
        to.number(u64::from(*most));
    }
    to.maybe(limits.overflow.as_ref(), |to, overflow| {
        to.byte(match overflow {
            Overflow::EvictIdle => 0,
            Overflow::EvictOldest => 1,
            Overflow::Refuse => 2,
        });
    });
}

fn read_devices(from: &mut Decoder<'_>) -> Result<DeviceLimits, Damage> {
    let most = |from: &mut Decoder<'_>| {
        u16::try_from(from.number()?).map_err(|_| Damage("a number of devices is too large"))
    };
    let per_subject = from.maybe(most)?;
    let of_class = |from: &mut Decoder<'_>| {
        let class = DeviceClass::parse(&from.shared_text()?);
        Ok((class.ok_or(Damage("a device class is unknown"))?, most(from)?))
    };
    let per_class = many(from, DeviceClass::ALL.len() as u64, of_class)?.into_iter().collect();
    let overflow = from.maybe(|from| {
        Ok(match from.byte()? {
            0 => Overflow::EvictIdle,
            1 => Overflow::EvictOldest,
            2 => Overflow::Refuse,
            3.. => return Err(Damage("an overflow is unknown")),
        })
    })?;
    Ok(DeviceLimits { per_subject, per_class, overflow })
}

/// The cut-offs, as one small value.
pub(crate) fn encode_cutoffs(cutoffs: &Cutoffs) -> Vec<u8> {
    let mut to = Encoder::new(FORMAT);
    to.epoch(cutoffs.epoch);
    epochs(&mut to, &cutoffs.everything);
    to.number(cutoffs.clients.len() as u64);
    for (client, state) in &cutoffs.clients {
        to.text(client.as_str());
        to.byte(u8::from(state.disabled));
        epochs(&mut to, &state.epochs);
    }
    to.number(cutoffs.clients.values().filter(|state| state.replay.is_some()).count() as u64);
    for (client, state) in &cutoffs.clients {
        if let Some(own) = state.replay {
            to.text(client.as_str());
            replay_for(&mut to, own);
        }
    }
    to.number(cutoffs.tokens.len() as u64);
    for (jti, own) in &cutoffs.tokens {
        to.raw(jti);
        by_name(&mut to, *own);
    }
    to.number(cutoffs.keys.len() as u64);
    for (key, own) in &cutoffs.keys {
        to.raw(&key.0);
        by_name(&mut to, *own);
    }
    to.seal(&[b"cutoffs"])
}

/// The cut-offs that were stored.
pub(crate) fn decode_cutoffs(sealed: &[u8]) -> Result<Cutoffs, Damage> {
    let mut from = Decoder::open(sealed, &[b"cutoffs"], FORMAT)?;
    let (epoch, everything) = (from.epoch()?, read_epochs(&mut from)?);
    let clients = many(&mut from, CLIENTS_MAX, read_state)?.into_iter().collect();
    let mut all = Cutoffs { epoch, everything, clients, ..Cutoffs::default() };
    // What the first version wrote ends here.
    if !from.is_empty() {
        for (client, replay) in many(&mut from, CLIENTS_MAX, read_replay)? {
            all.clients.entry(client).or_default().replay = Some(replay);
        }
        all.tokens = many(&mut from, TOKENS_MAX as u64, read_token)?.into_iter().collect();
        all.keys = many(&mut from, KEYS_MAX as u64, read_key)?.into_iter().collect();
    }
    from.finish(all)
}

fn many<T>(
    from: &mut Decoder<'_>,
    max: u64,
    read: impl Fn(&mut Decoder<'_>) -> Result<T, Damage>,
) -> Result<Vec<T>, Damage> {
    let count = from.number()?;
    if count > max {
        return Err(Damage("there are too many of a kind"));
    }
    (0..count).map(|_| read(from)).collect()
}

fn read_state(from: &mut Decoder<'_>) -> Result<(ClientId, ClientState), Damage> {
    let client = read_client(from)?;
    let (disabled, epochs) = (from.flag()?, read_epochs(from)?);
    Ok((client, ClientState { disabled, epochs, replay: None }))
}

pub(super) fn replay_for(to: &mut Encoder, own: ReplayFor) {
    to.byte(match own.replay {
        Replay::Enforce => 0,
        Replay::Report => 1,
        Replay::Off => 2,
    });
    to.instant(own.until);
}

pub(super) fn read_replay(from: &mut Decoder<'_>) -> Result<(ClientId, ReplayFor), Damage> {
    let client = read_client(from)?;
    let replay = match from.byte()? {
        0 => Replay::Enforce,
        1 => Replay::Report,
        2 => Replay::Off,
        3.. => return Err(Damage("what is done about replays is unknown")),
    };
    Ok((client, ReplayFor { replay, until: from.instant()? }))
}

fn by_name(to: &mut Encoder, own: ByName) {
    to.byte(effect_code(own.effect));
    to.byte(reason_code(own.reason));
    to.instant(own.at);
    to.instant(own.until);
}

fn read_by_name(from: &mut Decoder<'_>) -> Result<ByName, Damage> {
    Ok(ByName {
        effect: read_effect(from)?,
        reason: read_reason(from)?,
        at: from.instant()?,
        until: from.instant()?,
    })
}

fn read_token(from: &mut Decoder<'_>) -> Result<([u8; 16], ByName), Damage> {
    Ok((from.array()?, read_by_name(from)?))
}

fn read_key(from: &mut Decoder<'_>) -> Result<(KeyId, ByName), Damage> {
    Ok((KeyId(from.array()?), read_by_name(from)?))
}

pub(crate) fn ban(to: &mut Encoder, ban: &Ban) {
    to.instant(ban.since);
    to.maybe(ban.until, Encoder::instant);
    to.byte(reason_code(ban.reason));
    to.maybe(ban.note.as_deref(), Encoder::text);
}

pub(crate) fn read_ban(from: &mut Decoder<'_>) -> Result<Ban, Damage> {
    Ok(Ban {
        since: from.instant()?,
        until: from.maybe(Decoder::instant)?,
        reason: read_reason(from)?,
        note: from.maybe(Decoder::shared_text)?,
    })
}

fn epochs(to: &mut Encoder, epochs: &Epochs) {
    to.number(epochs.counter);
    to.maybe(epochs.stale.as_ref(), bound);
    to.maybe(epochs.revoked.as_ref(), bound);
}

fn read_epochs(from: &mut Decoder<'_>) -> Result<Epochs, Damage> {
    Ok(Epochs {
        counter: from.number()?,
        stale: from.maybe(read_bound)?,
        revoked: from.maybe(read_bound)?,
    })
}

fn bound(to: &mut Encoder, bound: &Bound) {
    below(to, bound.below);
    to.byte(reason_code(bound.reason));
    to.instant(bound.at);
}

fn read_bound(from: &mut Decoder<'_>) -> Result<Bound, Damage> {
    Ok(Bound { below: read_below(from)?, reason: read_reason(from)?, at: from.instant()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;
    use symbolon_core::{Effect, Reason, StoreEpoch, Timestamp};

    fn a_bound() -> impl Strategy<Value = Bound> {
        (any::<u32>(), any::<u64>(), proptest::sample::select(&Reason::ALL[..]), any::<u64>())
            .prop_map(|(epoch, counter, reason, at)| Bound {
                below: Below { epoch: StoreEpoch(epoch), counter },
                reason,
                at: Timestamp::from_millis(at),
            })
    }

    fn some_epochs() -> impl Strategy<Value = Epochs> {
        let maybe = || proptest::option::of(a_bound());
        (any::<u64>(), maybe(), maybe()).prop_map(|(counter, stale, revoked)| Epochs {
            counter,
            stale,
            revoked,
        })
    }

    fn a_ban() -> impl Strategy<Value = Ban> {
        let note = proptest::option::of("[a-z ]{0,30}".prop_map(Arc::from));
        let reason = proptest::sample::select(&Reason::ALL[..]);
        (any::<u64>(), proptest::option::of(any::<u64>()), reason, note).prop_map(
            |(since, until, reason, note)| Ban {
                since: Timestamp::from_millis(since),
                until: until.map(Timestamp::from_millis),
                reason,
                note,
            },
        )
    }

    fn a_client() -> impl Strategy<Value = ClientState> {
        let replay = proptest::sample::select(&[Replay::Enforce, Replay::Report, Replay::Off][..]);
        let replay = (replay, any::<u64>())
            .prop_map(|(replay, until)| ReplayFor { replay, until: Timestamp::from_millis(until) });
        (any::<bool>(), some_epochs(), proptest::option::of(replay))
            .prop_map(|(disabled, epochs, replay)| ClientState { disabled, epochs, replay })
    }

    fn some_limits() -> impl Strategy<Value = DeviceLimits> {
        let overflows = [Overflow::EvictIdle, Overflow::EvictOldest, Overflow::Refuse];
        let class = proptest::sample::select(&DeviceClass::ALL[..]);
        (
            proptest::option::of(any::<u16>()),
            proptest::collection::btree_map(class, any::<u16>(), 0..4),
            proptest::option::of(proptest::sample::select(overflows.to_vec())),
        )
            .prop_map(|(per_subject, per_class, overflow)| DeviceLimits {
                per_subject,
                per_class,
                overflow,
            })
    }

    fn a_name() -> impl Strategy<Value = ByName> {
        let effect = proptest::sample::select(&[Effect::Revoked, Effect::Stale][..]);
        let reason = proptest::sample::select(&Reason::ALL[..]);
        (effect, reason, any::<u64>(), any::<u64>()).prop_map(|(effect, reason, at, until)| {
            let (at, until) = (Timestamp::from_millis(at), Timestamp::from_millis(until));
            ByName { effect, reason, at, until }
        })
    }

    #[test]
    fn roles_of_a_row_that_does_not_say_it_are_as_old_as_its_last_stale_bump() {
        let subject = Subject::parse("10086").unwrap();
        let below = Below { epoch: StoreEpoch(2), counter: 9 };
        let bound = Bound { below, reason: Reason::Admin, at: Timestamp::default() };
        let mut to = Encoder::new(FORMAT);
        to.texts(&[]);
        to.text("");
        to.maybe(None, ban);
        epochs(&mut to, &Epochs { counter: 9, stale: Some(bound), revoked: None });
        let read = decode(&subject, &to.seal(&[b"10086"])).unwrap();
        assert_eq!(read.profile_since, below);
    }

    #[test]
    fn cutoffs_of_the_first_version_are_read_back() {
        let mut to = Encoder::new(FORMAT);
        to.epoch(StoreEpoch(4));
        epochs(&mut to, &Epochs::default());
        to.number(0);
        let expected = Cutoffs { epoch: StoreEpoch(4), ..Cutoffs::default() };
        assert_eq!(decode_cutoffs(&to.seal(&[b"cutoffs"])), Ok(expected));
    }

    proptest! {
        #[test]
        fn every_subject_is_read_back(
            name in "[a-z用]{1,20}",
            roles in proptest::collection::vec("[a-z]{0,9}".prop_map(Arc::<str>::from), 0..4),
            claims in "[a-z{}]{0,30}",
            ban in proptest::option::of(a_ban()),
            devices in some_limits(),
            epochs in some_epochs(),
            since in proptest::option::of((any::<u32>(), any::<u64>())),
        ) {
            let subject = Subject::parse(&name).unwrap();
            let (roles, claims) = (roles.into(), claims.into());
            let since = since.map(|(epoch, counter)| Below { epoch: StoreEpoch(epoch), counter });
            let profile_since = since.unwrap_or_else(|| profile_since_of(&epochs));
            let state = SubjectState {
                subject: subject.clone(), roles, claims, ban, profile_since, devices, epochs,
            };
            prop_assert_eq!(decode(&subject, &encode(&state)), Ok(state));
        }

        #[test]
        fn all_cutoffs_are_read_back(
            epoch: u32,
            everything in some_epochs(),
            clients in proptest::collection::btree_map("[a-z]{1,9}", a_client(), 0..4),
            tokens in proptest::collection::btree_map(any::<[u8; 16]>(), a_name(), 0..4),
            keys in proptest::collection::btree_map(any::<[u8; 12]>(), a_name(), 0..4),
        ) {
            let state = |(name, state): (String, _)| (ClientId::parse(&name).unwrap(), state);
            let clients = clients.into_iter().map(state).collect();
            let keys = keys.into_iter().map(|(key, own)| (KeyId(key), own)).collect();
            let cutoffs = Cutoffs { epoch: StoreEpoch(epoch), everything, clients, tokens, keys };
            prop_assert_eq!(decode_cutoffs(&encode_cutoffs(&cutoffs)), Ok(cutoffs));
        }
    }
}
