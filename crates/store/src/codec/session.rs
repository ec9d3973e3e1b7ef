//! A session's row.
//!
//! Its `sid`, subject and version stand beside it in the database and are covered by its checksum. The
//! row is padded to a multiple of [`ROW_STEP`], so that most changes (a window more, a longer number)
//! leave its length as it is and the database overwrites it in place.

use super::event::{actor, read_actor, read_client, read_reason, reason_code};
use super::{Damage, Decoder, Encoder};
use symbolon_core::binding::Binding;
use symbolon_core::device::{Device, DeviceClass};
use symbolon_core::id::{Generation, KeyId, Salt, SessionId, Subject};
use symbolon_core::session::{End, FastForward, Rotation, WINDOWS_MAX, Window};
use symbolon_core::told::OwnRoles;
use symbolon_core::{Below, Session, SessionState, Ver};

const FORMAT: u8 = 1;

/// A row of a session that has roles of its own, behind all that the others have.
const FORMAT_WITH_ROLES: u8 = 2;

/// Rows are a multiple of so many bytes long, checksum included.
const ROW_STEP: usize = 16;

/// The row of a session as its `version`-th change leaves it.
pub(crate) fn encode(session: &Session, version: u64) -> Vec<u8> {
    let format = if session.roles.is_some() { FORMAT_WITH_ROLES } else { FORMAT };
    let mut to = Encoder::new(format);
    identity(&mut to, session);
    origin(&mut to, session);
    family(&mut to, session);
    to.maybe(session.end.as_ref(), end);
    if let Some(own) = &session.roles {
        to.texts(&own.roles);
        to.epoch(own.told_at.epoch);
        to.number(own.told_at.counter);
    }
    pad(&mut to);
    to.seal(&key(session.sid.as_bytes(), &version.to_le_bytes(), &session.subject))
}

/// The session of a row.
pub(crate) fn decode(
    sid: SessionId,
    subject: &Subject,
    version: u64,
    sealed: &[u8],
) -> Result<Session, Damage> {
    let version = version.to_le_bytes();
    let has_roles = sealed.first() == Some(&FORMAT_WITH_ROLES);
    let format = if has_roles { FORMAT_WITH_ROLES } else { FORMAT };
    let mut from = Decoder::open(sealed, &key(sid.as_bytes(), &version, subject), format)?;
    let mut state = read(&mut from, sid, subject)?;
    state.roles = has_roles.then(|| read_own_roles(&mut from)).transpose()?;
    unpad(&mut from)?;
    from.finish(Session::restore(state))
}

fn key<'a>(sid: &'a [u8; 16], version: &'a [u8; 8], subject: &'a Subject) -> [&'a [u8]; 3] {
    [sid, version, subject.as_str().as_bytes()]
}

fn identity(to: &mut Encoder, session: &Session) {
    to.text(session.client.as_str());
    to.byte(class_code(session.device.class));
    to.maybe(session.device.id.as_deref(), Encoder::text);
    to.maybe(session.device.name.as_deref(), Encoder::text);
    to.text(&session.scope);
    to.text(&session.claims);
    to.texts(&session.audience);
    to.texts(&session.amr);
    to.maybe(session.acr.as_deref(), Encoder::text);
    to.instant(session.authenticated_at);
}

fn origin(to: &mut Encoder, session: &Session) {
    to.maybe(session.binding.key.as_ref(), Encoder::digest);
    to.maybe(session.binding.features.as_ref(), Encoder::digest);
    to.maybe(session.ip.as_deref(), Encoder::text);
    to.maybe(session.user_agent.as_deref(), Encoder::text);
    to.maybe(session.started_by.as_ref(), Encoder::digest);
    to.raw(&session.salt.0);
    to.epoch(session.born.store);
    to.number(session.born.subject);
    to.number(session.born.client);
    to.number(session.born.everything);
    to.instant(session.created_at);
}

fn family(to: &mut Encoder, session: &Session) {
    to.instant(session.last_used_at);
    to.instant(session.expires_at);
    to.number(u64::from(session.generation.0));
    to.instant(session.rotation.at);
    to.epoch(session.rotation.epoch);
    to.raw(&session.rotation.key.0);
    to.span(session.rotation.access_ttl);
    to.byte(session.windows.len() as u8);
    for window in &session.windows {
        to.number(u64::from(window.generation.0));
        to.instant(window.ends);
    }
    to.maybe(session.fast_forward, |to, first| {
        to.number(u64::from(first.to.0));
        to.epoch(first.epoch);
        to.instant(first.until);
    });
    to.instant(session.tokens_live_until);
}

fn end(to: &mut Encoder, end: &End) {
    to.byte(reason_code(end.reason));
    to.instant(end.at);
    actor(to, &end.by);
}

/// As many zero bytes as the last byte of the padding says.
fn pad(to: &mut Encoder) {
    let length = to.0.len() + 1 + size_of::<u32>();
    let zeros = length.next_multiple_of(ROW_STEP) - length;
    to.byte(zeros as u8);
    (0..zeros).for_each(|_| to.byte(0));
}

fn unpad(from: &mut Decoder<'_>) -> Result<(), Damage> {
    let zeros = from.byte()?;
    let sound = usize::from(zeros) < ROW_STEP;
    if sound && from.take(zeros.into())?.iter().all(|byte| *byte == 0) {
        Ok(())
    } else {
        Err(Damage("a session's padding is not empty"))
    }
}

fn read(from: &mut Decoder<'_>, sid: SessionId, subject: &Subject) -> Result<SessionState, Damage> {
    Ok(SessionState {
        sid,
        subject: subject.clone(),
        client: read_client(from)?,
        device: read_device(from)?,
        scope: from.shared_text()?,
        claims: from.shared_text()?,
        roles: None,
        audience: from.texts()?,
        amr: from.texts()?,
        acr: from.maybe(Decoder::shared_text)?,
        authenticated_at: from.instant()?,
        binding: Binding {
            key: from.maybe(Decoder::digest)?,
            features: from.maybe(Decoder::digest)?,
        },
        ip: from.maybe(Decoder::shared_text)?,
        user_agent: from.maybe(Decoder::shared_text)?,
        started_by: from.maybe(Decoder::digest)?,
        salt: Salt(from.array()?),
        born: read_ver(from)?,
        created_at: from.instant()?,
        last_used_at: from.instant()?,
        expires_at: from.instant()?,
        generation: from.small().map(Generation)?,
        rotation: read_rotation(from)?,
        windows: read_windows(from)?,
        fast_forward: from.maybe(read_fast_forward)?,
        tokens_live_until: from.instant()?,
        end: from.maybe(read_end)?,
    })
}

fn read_device(from: &mut Decoder<'_>) -> Result<Device, Damage> {
    let code = from.byte()?;
    let class = DeviceClass::ALL.into_iter().find(|class| class_code(*class) == code);
    Ok(Device {
        class: class.ok_or(Damage("a device class is unknown"))?,
        id: from.maybe(Decoder::shared_text)?,
        name: from.maybe(Decoder::shared_text)?,
    })
}

fn read_ver(from: &mut Decoder<'_>) -> Result<Ver, Damage> {
    Ok(Ver {
        store: from.epoch()?,
        subject: from.number()?,
        client: from.number()?,
        everything: from.number()?,
    })
}

fn read_rotation(from: &mut Decoder<'_>) -> Result<Rotation, Damage> {
    Ok(Rotation {
        at: from.instant()?,
        epoch: from.epoch()?,
        key: KeyId(from.array()?),
        access_ttl: from.span()?,
    })
}

fn read_windows(from: &mut Decoder<'_>) -> Result<Vec<Window>, Damage> {
    let count = usize::from(from.byte()?);
    if count > WINDOWS_MAX {
        return Err(Damage("a family has too many windows"));
    }
    let window = |_| Ok(Window { generation: Generation(from.small()?), ends: from.instant()? });
    (0..count).map(window).collect()
}

fn read_fast_forward(from: &mut Decoder<'_>) -> Result<FastForward, Damage> {
    Ok(FastForward { to: Generation(from.small()?), epoch: from.epoch()?, until: from.instant()? })
}

fn read_own_roles(from: &mut Decoder<'_>) -> Result<OwnRoles, Damage> {
    let roles = from.texts()?;
    Ok(OwnRoles { roles, told_at: Below { epoch: from.epoch()?, counter: from.number()? } })
}

fn read_end(from: &mut Decoder<'_>) -> Result<End, Damage> {
    Ok(End { reason: read_reason(from)?, at: from.instant()?, by: read_actor(from)? })
}

/// The stored number of a device class: never reused, never reordered.
const fn class_code(class: DeviceClass) -> u8 {
    match class {
        DeviceClass::Web => 1,
        DeviceClass::App => 2,
        DeviceClass::MiniProgram => 3,
        DeviceClass::Desktop => 4,
        DeviceClass::Iot => 5,
        DeviceClass::Service => 6,
        DeviceClass::Other => 7,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;
    use symbolon_core::{Actor, ClientId, Digest, Duration, Reason, StoreEpoch, Timestamp};

    fn text() -> impl Strategy<Value = Arc<str>> {
        "[a-z用 ]{0,20}".prop_map(Arc::from)
    }

    fn instant() -> impl Strategy<Value = Timestamp> {
        any::<u64>().prop_map(Timestamp::from_millis)
    }

    fn digest() -> impl Strategy<Value = Option<Digest>> {
        proptest::option::of(any::<[u8; 32]>().prop_map(Digest))
    }

    fn end() -> impl Strategy<Value = Option<End>> {
        let actor = prop_oneof![
            Just(Actor::Authority),
            text().prop_map(Actor::ApiKey),
            text().prop_map(Actor::Schedule),
            Just(Actor::Client(ClientId::parse("app").unwrap())),
            Just(Actor::Person(Subject::parse("用户").unwrap())),
        ];
        let end = (proptest::sample::select(&Reason::ALL[..]), instant(), actor);
        proptest::option::of(end.prop_map(|(reason, at, by)| End { reason, at, by }))
    }

    fn windows() -> impl Strategy<Value = Vec<Window>> {
        let window = (any::<u32>(), instant())
            .prop_map(|(number, ends)| Window { generation: Generation(number), ends });
        proptest::collection::vec(window, 0..=WINDOWS_MAX)
    }

    fn device() -> impl Strategy<Value = Device> {
        let maybe = || proptest::option::of(text());
        (proptest::sample::select(&DeviceClass::ALL[..]), maybe(), maybe())
            .prop_map(|(class, id, name)| Device { class, id, name })
    }

    fn maybe_roles(there: bool, roles: &Arc<[Arc<str>]>, counter: u64) -> Option<OwnRoles> {
        let told_at = Below { epoch: StoreEpoch(7), counter };
        there.then(|| OwnRoles { roles: Arc::clone(roles), told_at })
    }

    /// Any session that the codec must carry, whether or not a rule would make it.
    pub(crate) fn session() -> impl Strategy<Value = Session> {
        let names = (any::<[u8; 16]>(), "[a-z用]{1,20}", "[a-z]{1,9}", device());
        let texts = (text(), text(), proptest::collection::vec(text(), 0..3));
        let maybe = || proptest::option::of(text());
        let origin = (maybe(), maybe(), maybe(), digest(), digest(), digest());
        let numbers = (any::<[u64; 4]>(), any::<[u32; 3]>(), any::<[u8; 12]>(), end());
        (names, texts, origin, numbers, windows(), any::<bool>()).prop_map(
            |(names, texts, origin, (long, short, key, end), windows, forwarded)| {
                let instants = long.map(Timestamp::from_millis);
                let lists: Arc<[Arc<str>]> = texts.2.into();
                Session::restore(SessionState {
                    sid: SessionId::from_bytes(names.0),
                    subject: Subject::parse(&names.1).unwrap(),
                    client: ClientId::parse(&names.2).unwrap(),
                    device: names.3,
                    scope: texts.0,
                    claims: texts.1,
                    roles: maybe_roles(forwarded, &lists, long[0]),
                    audience: lists.clone(),
                    amr: lists,
                    acr: origin.0,
                    authenticated_at: instants[0],
                    binding: Binding { key: origin.3, features: origin.4 },
                    ip: origin.1,
                    user_agent: origin.2,
                    started_by: origin.5,
                    salt: Salt([key[0]; 8]),
                    born: Ver {
                        store: StoreEpoch(short[0]),
                        subject: long[1],
                        client: long[2],
                        everything: long[3],
                    },
                    created_at: instants[1],
                    last_used_at: instants[2],
                    expires_at: instants[3],
                    generation: Generation(short[1]),
                    rotation: Rotation {
                        at: instants[0],
                        epoch: StoreEpoch(short[2]),
                        key: KeyId(key),
                        access_ttl: Duration::from_millis(long[1]),
                    },
                    windows,
                    fast_forward: forwarded.then_some(FastForward {
                        to: Generation(short[0]),
                        epoch: StoreEpoch(short[1]),
                        until: instants[2],
                    }),
                    tokens_live_until: instants[1],
                    end,
                })
            },
        )
    }

    proptest! {
        #[test]
        fn every_session_is_read_back(session in session(), version: u64) {
            let row = encode(&session, version);
            prop_assert_eq!(row.len() % ROW_STEP, 0);
            prop_assert_eq!(decode(session.sid, &session.subject, version, &row), Ok(session));
        }

        #[test]
        fn any_flipped_bit_is_damage(session in session(), at: proptest::sample::Index, bit in 0..8_u32) {
            let mut row = encode(&session, 9);
            let at = at.index(row.len());
            row[at] ^= 1_u8 << bit;
            prop_assert!(decode(session.sid, &session.subject, 9, &row).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes: Vec<u8>) {
            let (sid, subject) = (SessionId::from_bytes([0; 16]), Subject::parse("a").unwrap());
            let mut row = vec![FORMAT];
            row.extend(bytes);
            let row = super::super::seal(row, &key(sid.as_bytes(), &[0; 8], &subject));
            let _ = decode(sid, &subject, 0, &row);
        }

        #[test]
        fn a_row_under_another_version_is_damage(session in session(), version in 0..u64::MAX) {
            let row = encode(&session, version);
            prop_assert!(decode(session.sid, &session.subject, version + 1, &row).is_err());
        }
    }
}
