//! What has one use, old tokens, imported sessions, and the authority's own small records.

use super::links::{Again, Links};
use super::read::{join, of_shard};
use super::rows::{self, Answer, lane_of};
use super::scripts::{Call, Place, Script, lane, log};
use crate::change::FIRST_VERSION;
use crate::codec::{Damage, seal, seal_record, unseal};
use crate::remote::{Arriving, Awaited, Spend};
use crate::{Kind, OldToken, Record};
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_core::{Digest, Fault, SessionId, Shard, Subject};
use tokio::task::JoinSet;

/// How long a spent thing's key stays beyond its time, should no sweep come, in milliseconds.
const BROOM_MS: u64 = 3_600_000;

/// Longer is not asked of a key, in milliseconds: a hundred years.
const BROOM_MAX_MS: u64 = 100 * 365 * 86_400_000;

fn of_digest(digest: &[u8; 32]) -> Place {
    Place::Lane(lane_of(digest[0]))
}

impl Links {
    pub(super) async fn spend(&self, spend: Spend<'_>) -> Result<Option<Vec<u8>>, Fault> {
        let (digest, until) = (spend.digest, spend.until.as_millis());
        let place = of_digest(&digest);
        let sealed = seal(spend.value.to_vec(), &[&digest, &until.to_be_bytes()]);
        let stays = until.saturating_sub(spend.at.as_millis()).saturating_add(BROOM_MS);
        let call = Call::new(place, Script::Spend)
            .key(self.keys.at(place, lane::VERSION, b""))
            .key(self.keys.at(place, lane::SPENT, &digest))
            .key(self.keys.at(place, lane::SPENT_INDEX, b""))
            .number(spend.at.as_millis())
            .number(until)
            .argument(digest)
            .argument([&until.to_be_bytes()[..], &sealed].concat())
            .number(stays.min(BROOM_MAX_MS));
        let mut answer = self.call(&call, Again::Never).await?;
        match &answer.must()?[..] {
            b"done" => Ok(None),
            b"spent" => {
                let value = answer.must()?;
                let (until, sealed) = value.split_at_checked(8).ok_or(Damage("it is too short"))?;
                Ok(Some(unseal(sealed, &[&digest, until])?.to_vec()))
            }
            _ => Err(self.gone()),
        }
    }

    pub(super) async fn record(&self, kind: Kind, name: &str) -> Result<Option<Record>, Fault> {
        let (records, state) = (self.records_key(kind), self.log_key(log::STATE));
        let found = self.plain(Place::Log, |command| {
            command.arg("HGET").arg(&records).arg(name);
        });
        let found = rows::bytes_of(found.await?)?;
        if found.is_none() {
            // Nothing is there: or no store is.
            self.is_there(&state).await?;
        }
        found.map(|value| read_record(kind, name.into(), &value)).transpose()
    }

    pub(super) async fn records(&self, kind: Kind) -> Result<Vec<Record>, Fault> {
        let (records, state) = (self.records_key(kind), self.log_key(log::STATE));
        let all = self.plain(Place::Log, |command| {
            command.arg("HGETALL").arg(&records);
        });
        let mut all = Answer::of(all.await?)?;
        self.is_there(&state).await?;
        let mut found = Vec::with_capacity(all.left() / 2);
        while all.left() > 0 {
            let name = String::from_utf8(all.must()?);
            let name = name.map_err(|_| Damage("a record's name is not UTF-8"))?;
            found.push(read_record(kind, name, &all.must()?)?);
        }
        found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    async fn is_there(&self, state: &[u8]) -> Result<(), Fault> {
        let there = self.plain(Place::Log, |command| {
            command.arg("EXISTS").arg(state);
        });
        match super::links::digits(there.await?)? {
            0 => Err(self.gone()),
            1.. => Ok(()),
        }
    }

    pub(super) async fn put_record(
        &self,
        kind: Kind,
        name: &str,
        value: &[u8],
        expected: Option<u64>,
    ) -> Result<bool, Fault> {
        let version = expected.map_or(FIRST_VERSION, |version| version + 1);
        let sealed = seal_record(kind.code(), (name, version), value);
        let call = Call::new(Place::Log, Script::Put)
            .key(self.log_key(log::STATE))
            .key(self.records_key(kind))
            .argument(name)
            .argument(expected.map(|version| version.to_be_bytes().to_vec()).unwrap_or_default())
            .argument([&version.to_be_bytes()[..], &sealed].concat());
        let mut answer = self.call(&call, Again::Never).await?;
        match &answer.must()?[..] {
            b"done" => Ok(true),
            b"raced" => Ok(false),
            _ => Err(self.gone()),
        }
    }

    fn records_key(&self, kind: Kind) -> Vec<u8> {
        self.keys.at(Place::Log, log::RECORDS, kind.code().to_string().as_bytes())
    }

    pub(super) async fn awaited(
        self: &Arc<Self>,
        of: &[(Subject, Shard, Digest)],
    ) -> Result<Awaited, Fault> {
        let mut wanted: BTreeMap<u8, Vec<(usize, Vec<u8>)>> = BTreeMap::new();
        for (number, (subject, shard, digest)) in of.iter().enumerate() {
            let at = lane_of(shard.0[0]);
            let key = self.keys.at(Place::Lane(at), lane::SUBJECT, subject.as_str().as_bytes());
            wanted.entry(at).or_default().push((2 * number, key));
            let at = lane_of(digest.0[0]);
            let key = self.keys.at(Place::Lane(at), lane::TOKEN, &digest.0);
            wanted.entry(at).or_default().push((2 * number + 1, key));
        }
        let mut asked = JoinSet::new();
        for (at, keys) in wanted {
            let links = Arc::clone(self);
            asked.spawn(async move { links.values(Place::Lane(at), keys).await });
        }
        let (mut values, mut above) = (vec![None; 2 * of.len()], self.shared.seen());
        for (seen, found) in join(asked).await? {
            above = if above.1 < seen.1 { seen } else { above };
            found.into_iter().for_each(|(number, value)| values[number] = value);
        }
        let mut of_each = Vec::with_capacity(of.len());
        for ((subject, ..), both) in of.iter().zip(values.chunks_exact(2)) {
            let (state, moves) = rows::read_subject(subject, both[0].as_deref())?;
            of_each.push((state, moves, both[1].is_some()));
        }
        Ok(Awaited { of_each, cutoffs: above.0, cutoffs_version: above.1 })
    }

    /// What stands behind keys of one lane, and cut-offs at least as new as the lane's.
    async fn values(
        &self,
        place: Place,
        keys: Vec<(usize, Vec<u8>)>,
    ) -> Result<(rows::Above, Vec<(usize, Option<Vec<u8>>)>), Fault> {
        let version = self.keys.at(place, lane::VERSION, b"");
        let all = self.plain(place, |command| {
            command.arg("MGET").arg(&version);
            keys.iter().for_each(|(_, key)| {
                command.arg(&key[..]);
            });
        });
        let mut all = Answer::of(all.await?)?;
        let above = self.above(all.bytes()?.as_deref()).await?;
        let found = keys.into_iter().map(|(number, _)| Ok((number, all.bytes()?)));
        Ok((above, found.collect::<Result<_, Fault>>()?))
    }

    pub(super) async fn arrive(
        self: &Arc<Self>,
        cutoffs_version: u64,
        rows: Vec<Arriving>,
    ) -> Result<Option<Vec<bool>>, Fault> {
        let mut new = vec![false; rows.len()];
        let mut lanes: BTreeMap<u8, Vec<(usize, Arriving)>> = BTreeMap::new();
        for (number, row) in rows.into_iter().enumerate() {
            lanes.entry(lane_of(row.about.shard.0[0])).or_default().push((number, row));
        }
        let mut asked = JoinSet::new();
        for rows in lanes.into_values() {
            let links = Arc::clone(self);
            asked.spawn(async move { links.arrive_in(cutoffs_version, rows).await });
        }
        let mut raced = false;
        for came in join(asked).await? {
            match came {
                Some(came) => came.into_iter().for_each(|(number, is_new)| new[number] = is_new),
                None => raced = true,
            }
        }
        Ok((!raced).then_some(new))
    }

    /// Those of one lane, all or none.
    async fn arrive_in(
        &self,
        cutoffs_version: u64,
        rows: Vec<(usize, Arriving)>,
    ) -> Result<Option<Vec<(usize, bool)>>, Fault> {
        let Some((_, first)) = rows.first() else { return Ok(Some(Vec::new())) };
        let place = of_shard(first.about.shard);
        let mut subjects: Vec<(&Subject, u64, Vec<u8>)> = Vec::new();
        let mut of_each = Vec::with_capacity(rows.len());
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, row) in &rows {
            let number = *numbers.entry(row.about.subject.as_str()).or_insert_with(|| {
                subjects.push((&row.about.subject, row.about.moves, Vec::new()));
                subjects.len() - 1
            });
            if let Some(known) = &row.known {
                subjects[number].2.clone_from(known);
            }
            of_each.push(number + 1);
        }
        let latest = rows.iter().map(|(_, row)| row.at).max().unwrap_or_default();
        let mut call = Call::new(place, Script::Arrive)
            .key(self.keys.at(place, lane::VERSION, b""))
            .key(self.keys.at(place, lane::INDEX, b""))
            .key(self.keys.at(place, lane::MOVES, b""))
            .bytes(cutoffs_version)
            .number(subjects.len() as u64);
        for (subject, moves, row) in subjects {
            call.push_key(self.keys.at(place, lane::SUBJECT, subject.as_str().as_bytes()));
            call.push(moves.to_be_bytes());
            call.push(row);
        }
        for ((_, row), subject) in rows.iter().zip(of_each) {
            call.push_key(self.keys.at(place, lane::SESSION, row.sid.as_bytes()));
            call.push(subject.to_string());
            call.push(row.sid.as_bytes());
            call.push(rows::session(FIRST_VERSION, false, &row.about.subject, &row.row));
        }
        let mut answer = self.call(&call, Again::Never).await?;
        match &answer.must()?[..] {
            b"done" => {}
            b"raced" => return Ok(None),
            _ => return Err(self.gone()),
        }
        let new = answer.must()?;
        self.store_latest(place, latest).await?;
        Ok(Some(rows.iter().zip(new).map(|((number, _), new)| (*number, new == b'1')).collect()))
    }

    pub(super) async fn know(self: &Arc<Self>, tokens: &[OldToken]) -> Result<(), Fault> {
        let mut lanes: BTreeMap<u8, Call> = BTreeMap::new();
        for token in tokens {
            let at = lane_of(token.digest.0[0]);
            let place = Place::Lane(at);
            let call = lanes.entry(at).or_insert_with(|| {
                Call::new(place, Script::Know)
                    .key(self.keys.at(place, lane::VERSION, b""))
                    .key(self.keys.at(place, lane::TOKEN_INDEX, b""))
            });
            let until = token.until.as_millis().to_be_bytes();
            let sealed = seal(token.sid.as_bytes().to_vec(), &[&token.digest.0, &until]);
            call.push_key(self.keys.at(place, lane::TOKEN, &token.digest.0));
            call.push(token.digest.0);
            call.push(token.until.as_millis().to_string());
            call.push([&until[..], &sealed].concat());
        }
        let mut asked = JoinSet::new();
        for call in lanes.into_values() {
            let links = Arc::clone(self);
            asked.spawn(async move {
                let mut answer = links.call(&call, Again::Safe).await?;
                if answer.must()? == b"done" { Ok(()) } else { Err(links.gone()) }
            });
        }
        join(asked).await.map(|_| ())
    }

    pub(super) async fn imported(&self, digest: &Digest) -> Result<Option<SessionId>, Fault> {
        let place = of_digest(&digest.0);
        let keys = vec![(0, self.keys.at(place, lane::TOKEN, &digest.0))];
        let (_, found) = self.values(place, keys).await?;
        let Some((_, Some(value))) = found.into_iter().next() else { return Ok(None) };
        let (until, sealed) = value.split_at_checked(8).ok_or(Damage("it is too short"))?;
        Ok(Some(rows::sid_of(unseal(sealed, &[&digest.0, until])?)?))
    }
}

fn read_record(kind: Kind, name: String, value: &[u8]) -> Result<Record, Fault> {
    let (version, sealed) = value.split_first_chunk().ok_or(Damage("it is too short"))?;
    let version = u64::from_be_bytes(*version);
    let key = [&[kind.code()], &version.to_le_bytes()[..], name.as_bytes()];
    let value = unseal(sealed, &key)?.to_vec();
    Ok(Record { name: name.into(), value, version })
}
