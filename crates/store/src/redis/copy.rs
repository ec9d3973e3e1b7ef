//! Copying out: subjects, what was spent and old tokens, of a store that nobody writes.

use super::links::Links;
use super::rows::{self, Answer, LANES};
use super::scripts::{Place, lane};
use crate::OldToken;
use crate::codec::{Damage, unseal};
use crate::copy::{COPY_MAX, Part, Row, Rows, Spent};
use redis::Cmd;
use std::collections::{BTreeMap, BTreeSet};
use symbolon_core::{Digest, Fault, Subject, SubjectState, Timestamp};

/// What stands behind a thing that is remembered until some time, and that time.
type Kept = ([u8; 32], Vec<u8>, Timestamp);

impl Links {
    pub(super) async fn listed(&self, part: Part, after: Option<&[u8]>) -> Result<Rows, Fault> {
        match part {
            Part::Spent => self.kept(after, (lane::SPENT_INDEX, lane::SPENT), spent).await,
            Part::OldTokens => self.kept(after, (lane::TOKEN_INDEX, lane::TOKEN), old_token).await,
            Part::Subjects => self.subjects(after).await,
            Part::Sessions | Part::Events => {
                Err(Fault::Store("sessions and events are walked over by their names".into()))
            }
        }
    }

    /// Some of what an index of a lane names; the place is the lane and the rank there.
    async fn kept(
        &self,
        after: Option<&[u8]>,
        (index, kind): (&str, &str),
        read: impl Fn(Kept) -> Result<Row, Fault>,
    ) -> Result<Rows, Fault> {
        let (at, rank) = place_after(after)?;
        let at = u8::try_from(at).map_err(|_| Damage("there is no such lane"))?;
        let place = Place::Lane(at);
        let names = self.plain(place, |command| {
            command.arg("ZRANGE").arg(self.keys.at(place, index, b"")).arg(rank);
            command.arg(rank + COPY_MAX as u64 - 1);
        });
        let mut names = Answer::of(names.await?)?;
        let mut digests: Vec<[u8; 32]> = Vec::with_capacity(names.left());
        while 0 < names.left() {
            let digest = names.must()?.try_into();
            digests.push(digest.map_err(|_| Damage("a digest is not of 32 bytes"))?);
        }
        let keys = digests.iter().map(|digest| self.keys.at(place, kind, digest));
        let keys: Vec<_> = keys.enumerate().collect();
        let found = match keys.is_empty() {
            true => Vec::new(),
            false => self.values(place, keys).await?.1,
        };
        let mut rows = Vec::with_capacity(found.len());
        for (number, value) in found {
            // The server may have swept what is over.
            let Some(value) = value else { continue };
            let (until, sealed) = value.split_first_chunk().ok_or(Damage("it is too short"))?;
            let digest = digests[number];
            let value = unseal(sealed, &[&digest, until])?.to_vec();
            rows.push(read((digest, value, Timestamp::from_millis(u64::from_be_bytes(*until))))?);
        }
        let next = match digests.len() {
            COPY_MAX => Some((u64::from(at), rank + COPY_MAX as u64)),
            _ => Some((u64::from(at) + 1, 0)).filter(|(at, _)| *at < u64::from(LANES)),
        };
        Ok(Rows { rows, next: next.map(place_of) })
    }

    /// Some of the subjects that something is known of, as the servers come by them; the place is the server's
    /// number and its own.
    async fn subjects(&self, after: Option<&[u8]>) -> Result<Rows, Fault> {
        let (server, cursor) = place_after(after)?;
        let map = self.map().ok_or_else(|| Fault::Store("no server is known now".into()))?;
        let number = usize::try_from(server).unwrap_or(usize::MAX);
        let Some(link) = map.links().get(number) else {
            return Ok(Rows { rows: Vec::new(), next: None });
        };
        let mut command = Cmd::new();
        command.arg("SCAN").arg(cursor).arg("MATCH").arg(format!("*:{}*", lane::SUBJECT));
        command.arg("COUNT").arg(COPY_MAX / 2);
        let scanned = link.ask(&command).await.map_err(|why| Fault::Store(why.text()))?;
        let mut scanned = Answer::of(scanned)?;
        let cursor = scanned.number()?;
        let mut lanes: BTreeMap<u8, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for key in scanned.list()? {
            let own =
                |at: &u8| key.strip_prefix(&self.keys.at(Place::Lane(*at), lane::SUBJECT, b"")[..]);
            if let Some((at, name)) = (0..LANES).find_map(|at| own(&at).map(|name| (at, name))) {
                lanes.entry(at).or_default().insert(name.to_vec());
            }
        }
        let mut rows = Vec::new();
        for (at, names) in lanes {
            rows.extend(self.of_names(Place::Lane(at), names).await?);
        }
        let last = map.links().len() as u64 <= server + 1;
        let next = match cursor {
            0 if last => None,
            0 => Some((server + 1, 0)),
            cursor => Some((server, cursor)),
        };
        Ok(Rows { rows, next: next.map(place_of) })
    }

    async fn of_names(&self, place: Place, names: BTreeSet<Vec<u8>>) -> Result<Vec<Row>, Fault> {
        let names: Vec<_> = names.into_iter().collect();
        let keys = names.iter().map(|name| self.keys.at(place, lane::SUBJECT, name));
        let (_, found) = self.values(place, keys.enumerate().collect()).await?;
        let mut known = Vec::new();
        for (number, value) in found {
            let name = core::str::from_utf8(&names[number]);
            let name = name.map_err(|_| Damage("a subject is not UTF-8"))?;
            let subject = Subject::parse(name).map_err(|_| Damage("a subject is no subject"))?;
            let (state, _) = rows::read_subject(&subject, value.as_deref())?;
            if state != SubjectState::unknown(subject) {
                known.push(Row::Subject(Box::new(state)));
            }
        }
        Ok(known)
    }
}

fn place_after(after: Option<&[u8]>) -> Result<(u64, u64), Damage> {
    let Some(after) = after else { return Ok((0, 0)) };
    let (one, other) = after.split_first_chunk().ok_or(Damage("it is no place of a copy"))?;
    let other = other.try_into().map_err(|_| Damage("it is no place of a copy"))?;
    Ok((u64::from_be_bytes(*one), u64::from_be_bytes(other)))
}

fn place_of((one, other): (u64, u64)) -> Vec<u8> {
    [one.to_be_bytes(), other.to_be_bytes()].concat()
}

fn spent((digest, value, until): Kept) -> Result<Row, Fault> {
    Ok(Row::Spent(Spent { digest, value, until }))
}

fn old_token((digest, sid, until): Kept) -> Result<Row, Fault> {
    let sid = rows::sid_of(&sid)?;
    Ok(Row::OldToken(OldToken { digest: Digest(digest), sid, until }))
}

#[cfg(test)]
mod tests {
    use super::super::rows::lane_of;
    use super::*;

    #[test]
    fn a_place_is_read_back() {
        assert_eq!(place_after(Some(&place_of((7, u64::MAX)))), Ok((7, u64::MAX)));
        assert!(place_after(Some(b"short")).is_err());
        assert_eq!(lane_of(0xFF), LANES - 1);
    }
}
