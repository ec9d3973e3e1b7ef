//! Things that have one use: those who come together are served by one commit.

use super::ask::Ask;
use super::line::Batch;
use super::place::Connection;
use super::rows;
use super::trouble::Trouble;
use crate::codec::{seal, unseal};
use std::collections::{BTreeMap, HashMap};
use symbolon_core::{Fault, Timestamp};

/// One use.
pub(super) struct Spending {
    pub(super) digest: [u8; 32],
    pub(super) value: Vec<u8>,
    pub(super) until: Timestamp,
    pub(super) at: Timestamp,
}

/// Spends.
pub(super) struct Spends;

impl Batch for Spends {
    type Asked = Spending;
    /// What the first use kept; `None`: this was it.
    type Answer = Option<Vec<u8>>;

    const MAX: usize = 512;

    async fn run(
        &self,
        connection: &Connection,
        asked: &[Spending],
    ) -> Result<Vec<Option<Vec<u8>>>, Trouble> {
        // Of several that spend one thing the first may be the first use; the others are told what is kept.
        let mut firsts: BTreeMap<&[u8; 32], usize> = BTreeMap::new();
        for (at, spending) in asked.iter().enumerate() {
            firsts.entry(&spending.digest).or_insert(at);
        }
        let firsts: Vec<(usize, &Spending)> =
            firsts.into_values().filter_map(|at| Some((at, asked.get(at)?))).collect();
        let until = |spending: &Spending| rows::int(spending.until.as_millis());
        let sealed = |spending: &Spending| {
            let until = until(spending).cast_unsigned().to_le_bytes();
            seal(spending.value.clone(), &[&spending.digest, &until])
        };
        let digests: Vec<&[u8]> = firsts.iter().map(|(_, one)| &one.digest[..]).collect();
        let untils: Vec<i64> = firsts.iter().map(|(_, one)| until(one)).collect();
        let values: Vec<Vec<u8>> = firsts.iter().map(|(_, one)| sealed(one)).collect();
        let ats: Vec<i64> = firsts.iter().map(|(_, one)| rows::int(one.at.as_millis())).collect();
        let (begun, spent, kept, committed) = tokio::join!(
            biased;
            connection.begin(false),
            connection.ask(Ask::Spend, [&digests, &untils, &values, &ats]),
            connection.ask(Ask::Spent, [&digests]),
            connection.run("COMMIT"),
        );
        begun.map_err(|error| Trouble::before_commit(&error))?;
        let spent = spent.map_err(|error| Trouble::before_commit(&error))?;
        let kept = kept.map_err(|error| Trouble::before_commit(&error))?;
        committed.map_err(|error| Trouble::of_commit(&error))?;
        let mut first = vec![false; asked.len()];
        for row in &spent {
            let digest: &[u8] = rows::column(row, 0)?;
            let place = firsts.iter().find(|(_, one)| one.digest[..] == *digest);
            if let Some(first) = place.and_then(|(at, _)| first.get_mut(*at)) {
                *first = true;
            }
        }
        let mut values: HashMap<Vec<u8>, Vec<u8>> = HashMap::with_capacity(kept.len());
        for row in &kept {
            let digest: Vec<u8> = rows::column(row, 0)?;
            let until = rows::number(row, 1)?.to_le_bytes();
            let value = unseal(rows::column(row, 2)?, &[&digest, &until]).map_err(Fault::from)?;
            values.insert(digest.clone(), value.to_vec());
        }
        let gone = || Trouble::Over(Fault::Store("what was spent is not there".into()));
        asked
            .iter()
            .zip(first)
            .map(|(spending, first)| match first {
                true => Ok(None),
                false => values.get(&spending.digest[..]).cloned().map(Some).ok_or_else(gone),
            })
            .collect()
    }
}
