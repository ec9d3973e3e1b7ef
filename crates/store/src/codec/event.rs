//! Events, reasons and actors as bytes.

use super::subject::{read_replay, replay_for};
use super::{Damage, Decoder, Encoder};
use symbolon_core::id::{ClientId, KeyId, SessionId, Subject};
use symbolon_core::revocation::{Below, Whose};
use symbolon_core::{Act, Actor, Change, Effect, Event, Reason, Target};

const FORMAT: u8 = 1;

/// An event without its checksum: its position, which the checksum covers, is known only at the commit.
pub(crate) fn encode(event: &Event) -> Vec<u8> {
    let mut to = Encoder::new(FORMAT);
    to.instant(event.at);
    target(&mut to, &event.target);
    to.maybe(event.whose.as_ref(), whose);
    to.byte(effect_code(event.effect));
    to.byte(reason_code(event.reason));
    to.instant(event.expires_at);
    act(&mut to, &event.act);
    to.into_bytes()
}

/// An event as the feed holds it.
pub(crate) fn decode(position: u64, sealed: &[u8]) -> Result<Event, Damage> {
    let mut from = Decoder::open(sealed, &[&position.to_le_bytes()], FORMAT)?;
    let event = Event {
        at: from.instant()?,
        target: read_target(&mut from)?,
        whose: from.maybe(read_whose)?,
        effect: read_effect(&mut from)?,
        reason: read_reason(&mut from)?,
        expires_at: from.instant()?,
        act: read_act(&mut from)?,
    };
    from.finish(event)
}

/// The stored number: never reused, never reordered.
pub(crate) const fn effect_code(effect: Effect) -> u8 {
    match effect {
        Effect::Revoked => 0,
        Effect::Stale => 1,
    }
}

pub(crate) fn read_effect(from: &mut Decoder<'_>) -> Result<Effect, Damage> {
    match from.byte()? {
        0 => Ok(Effect::Revoked),
        1 => Ok(Effect::Stale),
        2.. => Err(Damage("an effect is unknown")),
    }
}

fn target(to: &mut Encoder, target: &Target) {
    match target {
        Target::Token(jti) => {
            to.byte(0);
            to.raw(jti);
        }
        Target::Session(sid) => {
            to.byte(1);
            to.raw(sid.as_bytes());
        }
        Target::Subject(subject, bound) => {
            to.byte(2);
            to.text(subject.as_str());
            below(to, *bound);
        }
        Target::Client(client, bound) => {
            to.byte(3);
            to.text(client.as_str());
            below(to, *bound);
        }
        Target::Key(kid) => {
            to.byte(4);
            to.raw(&kid.0);
        }
        Target::Everything(bound) => {
            to.byte(5);
            below(to, *bound);
        }
        Target::Nothing(own) => {
            to.byte(6);
            change(to, own);
        }
    }
}

fn read_target(from: &mut Decoder<'_>) -> Result<Target, Damage> {
    Ok(match from.byte()? {
        0 => Target::Token(from.array()?),
        1 => Target::Session(SessionId::from_bytes(from.array()?)),
        2 => Target::Subject(read_subject(from)?, read_below(from)?),
        3 => Target::Client(read_client(from)?, read_below(from)?),
        4 => Target::Key(KeyId(from.array()?)),
        5 => Target::Everything(read_below(from)?),
        6 => Target::Nothing(read_change(from)?),
        7.. => return Err(Damage("a target is unknown")),
    })
}

fn change(to: &mut Encoder, change: &Change) {
    match change {
        Change::BanLifted(subject) => {
            to.byte(0);
            to.text(subject.as_str());
        }
        Change::ClientEnabled(client) => {
            to.byte(1);
            to.text(client.as_str());
        }
        Change::ReplaySet(client, own) => {
            to.byte(2);
            to.text(client.as_str());
            replay_for(to, *own);
        }
        Change::ReplayEnded(client) => {
            to.byte(3);
            to.text(client.as_str());
        }
        Change::KeysTurned { at_once } => {
            to.byte(4);
            to.byte(u8::from(*at_once));
        }
        Change::SteppedUp(sid, own) => {
            to.byte(5);
            to.raw(sid.as_bytes());
            whose(to, own);
        }
        Change::Withheld(sid, own) => {
            to.byte(6);
            to.raw(sid.as_bytes());
            whose(to, own);
        }
        Change::DevicesLimited(subject) => {
            to.byte(7);
            to.text(subject.as_str());
        }
    }
}

fn read_change(from: &mut Decoder<'_>) -> Result<Change, Damage> {
    Ok(match from.byte()? {
        0 => Change::BanLifted(read_subject(from)?),
        1 => Change::ClientEnabled(read_client(from)?),
        2 => {
            let (client, own) = read_replay(from)?;
            Change::ReplaySet(client, own)
        }
        3 => Change::ReplayEnded(read_client(from)?),
        4 => Change::KeysTurned { at_once: from.flag()? },
        5 => Change::SteppedUp(SessionId::from_bytes(from.array()?), read_whose(from)?),
        6 => Change::Withheld(SessionId::from_bytes(from.array()?), read_whose(from)?),
        7 => Change::DevicesLimited(read_subject(from)?),
        8.. => return Err(Damage("a change is unknown")),
    })
}

fn whose(to: &mut Encoder, whose: &Whose) {
    to.text(whose.subject.as_str());
    to.text(whose.client.as_str());
}

fn read_whose(from: &mut Decoder<'_>) -> Result<Whose, Damage> {
    Ok(Whose { subject: read_subject(from)?, client: read_client(from)? })
}

pub(super) fn below(to: &mut Encoder, below: Below) {
    to.epoch(below.epoch);
    to.number(below.counter);
}

pub(super) fn read_below(from: &mut Decoder<'_>) -> Result<Below, Damage> {
    Ok(Below { epoch: from.epoch()?, counter: from.number()? })
}

pub(crate) fn read_subject(from: &mut Decoder<'_>) -> Result<Subject, Damage> {
    Subject::parse(from.text()?).map_err(|_| Damage("a subject is no subject"))
}

pub(crate) fn read_client(from: &mut Decoder<'_>) -> Result<ClientId, Damage> {
    ClientId::parse(from.text()?).map_err(|_| Damage("a client is no client"))
}

fn act(to: &mut Encoder, act: &Act) {
    actor(to, &act.actor);
    to.maybe(act.note.as_deref(), Encoder::text);
    to.maybe(act.ip.as_deref(), Encoder::text);
    to.text(&act.request_id);
}

fn read_act(from: &mut Decoder<'_>) -> Result<Act, Damage> {
    Ok(Act {
        actor: read_actor(from)?,
        note: from.maybe(Decoder::shared_text)?,
        ip: from.maybe(Decoder::shared_text)?,
        request_id: from.shared_text()?,
    })
}

pub(super) fn actor(to: &mut Encoder, actor: &Actor) {
    match actor {
        Actor::Authority => to.byte(0),
        Actor::ApiKey(name) => {
            to.byte(1);
            to.text(name);
        }
        Actor::Client(client) => {
            to.byte(2);
            to.text(client.as_str());
        }
        Actor::Person(subject) => {
            to.byte(3);
            to.text(subject.as_str());
        }
        Actor::Operator(uid) => {
            to.byte(4);
            to.number(u64::from(*uid));
        }
        Actor::Schedule(name) => {
            to.byte(5);
            to.text(name);
        }
    }
}

pub(super) fn read_actor(from: &mut Decoder<'_>) -> Result<Actor, Damage> {
    Ok(match from.byte()? {
        0 => Actor::Authority,
        1 => Actor::ApiKey(from.shared_text()?),
        2 => Actor::Client(read_client(from)?),
        3 => Actor::Person(read_subject(from)?),
        4 => {
            let uid = u32::try_from(from.number()?);
            Actor::Operator(uid.map_err(|_| Damage("a user id is too large"))?)
        }
        5 => Actor::Schedule(from.shared_text()?),
        6.. => return Err(Damage("an actor is unknown")),
    })
}

/// The stored number of a reason: never reused, never reordered.
pub(super) const fn reason_code(reason: Reason) -> u8 {
    match reason {
        Reason::SignedOut => 1,
        Reason::Kicked => 2,
        Reason::Displaced => 3,
        Reason::Banned => 4,
        Reason::PasswordChanged => 5,
        Reason::PermissionsChanged => 6,
        Reason::Replayed => 7,
        Reason::BindingMismatch => 8,
        Reason::Idle => 9,
        Reason::Expired => 10,
        Reason::KeyCompromised => 11,
        Reason::ClientDisabled => 12,
        Reason::Admin => 13,
    }
}

pub(super) fn read_reason(from: &mut Decoder<'_>) -> Result<Reason, Damage> {
    let code = from.byte()?;
    let known = Reason::ALL.into_iter().find(|reason| reason_code(*reason) == code);
    known.ok_or(Damage("a reason is unknown"))
}

#[cfg(test)]
mod tests {
    use super::super::seal;
    use super::*;
    use symbolon_core::epoch::ReplayFor;
    use symbolon_core::{Replay, StoreEpoch, Timestamp};

    fn events() -> Vec<Event> {
        let below = Below { epoch: StoreEpoch(3), counter: 900 };
        let subject = Subject::parse("用户 10086").unwrap();
        let client = ClientId::parse("web").unwrap();
        let own = Whose { subject: subject.clone(), client: client.clone() };
        let lenient = ReplayFor { replay: Replay::Off, until: Timestamp::from_millis(99) };
        let targets = [
            Target::Token([7; 16]),
            Target::Session(SessionId::from_bytes([8; 16])),
            Target::Subject(subject.clone(), below),
            Target::Client(client.clone(), below),
            Target::Key(KeyId([9; 12])),
            Target::Everything(below),
            Target::Nothing(Change::BanLifted(subject.clone())),
            Target::Nothing(Change::DevicesLimited(subject.clone())),
            Target::Nothing(Change::ClientEnabled(client.clone())),
            Target::Nothing(Change::ReplaySet(client.clone(), lenient)),
            Target::Nothing(Change::ReplayEnded(client.clone())),
            Target::Nothing(Change::KeysTurned { at_once: true }),
            Target::Nothing(Change::SteppedUp(SessionId::from_bytes([8; 16]), own.clone())),
            Target::Nothing(Change::Withheld(SessionId::from_bytes([8; 16]), own.clone())),
        ];
        let actors = [
            Actor::Authority,
            Actor::ApiKey("ops".into()),
            Actor::Client(client),
            Actor::Person(subject),
            Actor::Operator(1000),
            Actor::Schedule("nightly".into()),
        ];
        let mut acts = actors.into_iter().cycle().zip([None, Some("a note")].into_iter().cycle());
        let mut event = |target, effect, reason| {
            let whose = matches!(target, Target::Session(_)).then(|| own.clone());
            let (actor, note) = acts.next().unwrap();
            let act = Act { actor, note: note.map(Into::into), ip: None, request_id: "r-1".into() };
            let (at, expires_at) = (Timestamp::from_millis(17), Timestamp::from_millis(1 << 41));
            Event { at, target, whose, effect, reason, expires_at, act }
        };
        let mut all = Vec::new();
        for (target, reason) in targets.into_iter().cycle().zip(Reason::ALL) {
            all.push(event(target.clone(), Effect::Revoked, reason));
            all.push(event(target, Effect::Stale, reason));
        }
        all
    }

    #[test]
    fn every_kind_of_event_is_read_back() {
        for event in events() {
            let sealed = seal(encode(&event), &[&5_u64.to_le_bytes()]);
            assert_eq!(decode(5, &sealed), Ok(event));
            assert!(decode(6, &sealed).is_err());
        }
    }
}
