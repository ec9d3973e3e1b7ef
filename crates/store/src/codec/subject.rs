//! Subjects and cut-offs as bytes.

use super::event::{below, read_below, read_client, read_reason, reason_code};
use super::{Damage, Decoder, Encoder};
use std::collections::BTreeMap;
use symbolon_core::epoch::{Bound, ClientState, Epochs};
use symbolon_core::subject::Ban;
use symbolon_core::{ClientId, Cutoffs, Subject, SubjectState};

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
    to.seal(&[state.subject.as_str().as_bytes()])
}

/// The subject of a row.
pub(crate) fn decode(subject: &Subject, sealed: &[u8]) -> Result<SubjectState, Damage> {
    let mut from = Decoder::open(sealed, &[subject.as_str().as_bytes()], FORMAT)?;
    let state = SubjectState {
        subject: subject.clone(),
        roles: from.texts()?,
        claims: from.shared_text()?,
        ban: from.maybe(read_ban)?,
        epochs: read_epochs(&mut from)?,
    };
    from.finish(state)
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
    to.seal(&[b"cutoffs"])
}

/// The cut-offs that were stored.
pub(crate) fn decode_cutoffs(sealed: &[u8]) -> Result<Cutoffs, Damage> {
    let mut from = Decoder::open(sealed, &[b"cutoffs"], FORMAT)?;
    let (epoch, everything) = (from.epoch()?, read_epochs(&mut from)?);
    let count = from.number()?;
    if count > CLIENTS_MAX {
        return Err(Damage("there are too many clients"));
    }
    let clients =
        (0..count).map(|_| read_state(&mut from)).collect::<Result<BTreeMap<_, _>, _>>()?;
    from.finish(Cutoffs { epoch, everything, clients })
}

fn read_state(from: &mut Decoder<'_>) -> Result<(ClientId, ClientState), Damage> {
    let client = read_client(from)?;
    Ok((client, ClientState { disabled: from.flag()?, epochs: read_epochs(from)? }))
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
    use symbolon_core::revocation::Below;
    use symbolon_core::{Reason, StoreEpoch, Timestamp};

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

    proptest! {
        #[test]
        fn every_subject_is_read_back(
            name in "[a-z用]{1,20}",
            roles in proptest::collection::vec("[a-z]{0,9}".prop_map(Arc::<str>::from), 0..4),
            claims in "[a-z{}]{0,30}",
            ban in proptest::option::of(a_ban()),
            epochs in some_epochs(),
        ) {
            let subject = Subject::parse(&name).unwrap();
            let (roles, claims) = (roles.into(), claims.into());
            let state = SubjectState { subject: subject.clone(), roles, claims, ban, epochs };
            prop_assert_eq!(decode(&subject, &encode(&state)), Ok(state));
        }

        #[test]
        fn all_cutoffs_are_read_back(
            epoch: u32,
            everything in some_epochs(),
            clients in proptest::collection::btree_map("[a-z]{1,9}", (any::<bool>(), some_epochs()), 0..4),
        ) {
            let state = |(name, (disabled, epochs)): (String, _)| {
                (ClientId::parse(&name).unwrap(), ClientState { disabled, epochs })
            };
            let clients = clients.into_iter().map(state).collect();
            let cutoffs = Cutoffs { epoch: StoreEpoch(epoch), everything, clients };
            prop_assert_eq!(decode_cutoffs(&encode_cutoffs(&cutoffs)), Ok(cutoffs));
        }
    }
}
