//! The list of the authority's own signing keys, as the store keeps it: which there are, and since when each
//! one signs. The keys themselves are records beside it, sealed.

use super::KeysUnavailable;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use symbolon_core::signing::{self, Turn, Wish};
use symbolon_core::{Fault, KeyId, KeyLife, KeyPlan, KeyState, Timestamp};
use symbolon_store::{Kind, Store};
use symbolon_wire::{Algorithm, Malformed, Sealer, SigningKey, key_id_text, parse_key_id};

/// How many keys of one algorithm may be in use at once. Inclusive.
pub const PER_ALGORITHM_MAX: usize = 12;

/// How often a change is tried again when another process keeps changing the list.
const RACES_MAX: usize = 16;

/// The record that holds the list.
const NAME: &str = "signing-keys";

/// The list.
#[derive(Clone, PartialEq, Eq)]
pub struct Ring {
    keys: Vec<RingKey>,
    version: Option<u64>,
}

/// A key of the list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RingKey {
    /// Since when it signs, or from when on it will.
    pub life: KeyLife,
    /// What it signs with.
    pub alg: Algorithm,
    /// When it was made.
    pub made_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Listed {
    kid: String,
    alg: String,
    made_at: u64,
    current_from: u64,
}

/// What is wanted of the list.
pub struct Wanted<'a> {
    /// The algorithms that need a key.
    pub algorithms: &'a [Algorithm],
    /// When they turn.
    pub plan: &'a KeyPlan,
    /// What is wished of some of them, beside the plan.
    pub wishes: BTreeMap<Algorithm, Wish>,
    /// Now.
    pub at: Timestamp,
}

impl Ring {
    /// Reads the list.
    ///
    /// # Errors
    /// The store failed, or the record is damaged.
    pub async fn read(store: &Store) -> Result<Self, KeysUnavailable> {
        let Some(record) = store.record(Kind::Meta, NAME).await? else {
            return Ok(Self { keys: Vec::new(), version: None });
        };
        let listed: Vec<Listed> = serde_json::from_slice(&record.value)
            .map_err(|_| Malformed::new(NAME, "is not a list of keys"))?;
        let keys = listed.iter().map(RingKey::parse).collect::<Result<_, _>>()?;
        Ok(Self { keys, version: Some(record.version) })
    }

    /// Whether the store holds another list than this one.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn is_outdated(&self, store: &Store) -> Result<bool, Fault> {
        let record = store.record(Kind::Meta, NAME).await?;
        Ok(record.map(|record| record.version) != self.version)
    }

    /// The keys, oldest first.
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The keys of one algorithm.
    pub fn lives(&self, alg: Algorithm) -> Vec<KeyLife> {
        self.keys.iter().filter(|key| key.alg == alg).map(|key| key.life).collect()
    }

    /// What each key does at an instant.
    pub fn states(&self, at: Timestamp) -> Vec<(KeyId, KeyState)> {
        let state = |key: &RingKey| signing::state(&key.life, &self.lives(key.alg), at);
        self.keys.iter().map(|key| (key.life.kid, state(key))).collect()
    }

    /// Brings the list in the store to what is wanted at this instant: keys that are due are made, those
    /// that are gone, or were revoked, leave.
    ///
    /// # Errors
    /// The store failed, others keep changing the list, or an algorithm has [`PER_ALGORITHM_MAX`] keys.
    pub async fn turn(
        store: &Store,
        sealer: &Sealer,
        wanted: &Wanted<'_>,
    ) -> Result<Self, KeysUnavailable> {
        for _ in 0..RACES_MAX {
            let before = Self::read(store).await?;
            let mut after = before.clone();
            let left = after.without_the_gone(store, wanted.at);
            let made = after.with_those_due(wanted)?;
            if after == before {
                return Ok(before);
            }
            for key in &made {
                // A key is in the store before the list names it.
                let sealed = key.to_sealed(sealer)?;
                store.put_record(Kind::SigningKey, &key_id_text(key.kid()), &sealed, None).await?;
            }
            if after.write(store).await? {
                note(&made, &left);
                wipe(store, &left).await?;
                return Self::read(store).await;
            }
            wipe(store, &made.iter().map(SigningKey::kid).collect::<Vec<_>>()).await?;
        }
        Err(Fault::Contention.into())
    }

    /// Drops the keys that nothing can be verified with any more, and answers which.
    fn without_the_gone(&mut self, store: &Store, at: Timestamp) -> Vec<KeyId> {
        let cutoffs = store.cutoffs();
        let gone = |(kid, state): &(KeyId, KeyState)| {
            *state == KeyState::Gone || cutoffs.keys.contains_key(kid)
        };
        let gone: Vec<_> = self.states(at).into_iter().filter(gone).map(|(kid, _)| kid).collect();
        self.keys.retain(|key| !gone.contains(&key.life.kid));
        gone
    }

    /// Adds the keys that are due, and answers them.
    fn with_those_due(&mut self, wanted: &Wanted<'_>) -> Result<Vec<SigningKey>, KeysUnavailable> {
        let mut made = Vec::new();
        for alg in wanted.algorithms {
            let (wish, lives) = (wanted.wishes.get(alg), self.lives(*alg));
            match signing::turn(&lives, wanted.plan, *wish.unwrap_or(&Wish::Planned), wanted.at) {
                Turn::Keep => {}
                Turn::Hasten(kid, from) => self.hasten(kid, from),
                Turn::Make(_) if lives.len() == PER_ALGORITHM_MAX => {
                    return Err(KeysUnavailable::TooMany(*alg));
                }
                Turn::Make(current_from) => {
                    let key = SigningKey::generate(*alg)?;
                    let life = KeyLife { kid: key.kid(), current_from };
                    self.keys.push(RingKey { life, alg: *alg, made_at: wanted.at });
                    made.push(key);
                }
            }
        }
        Ok(made)
    }

    fn hasten(&mut self, kid: KeyId, from: Timestamp) {
        let of_name = self.keys.iter_mut().filter(|key| key.life.kid == kid);
        of_name.for_each(|key| key.life.current_from = from);
    }

    /// Writes the list over the one that was read; answers whether it was still that one.
    async fn write(&self, store: &Store) -> Result<bool, KeysUnavailable> {
        let listed: Vec<_> = self.keys.iter().map(RingKey::listed).collect();
        let text = serde_json::to_vec(&listed).map_err(|_| Malformed::new(NAME, "has no text"))?;
        Ok(store.put_record(Kind::Meta, NAME, &text, self.version).await?)
    }
}

impl RingKey {
    fn parse(listed: &Listed) -> Result<Self, Malformed> {
        let alg = Algorithm::from_name(&listed.alg);
        Ok(Self {
            life: KeyLife {
                kid: parse_key_id(&listed.kid)?,
                current_from: Timestamp::from_millis(listed.current_from),
            },
            alg: alg.ok_or(Malformed::new(NAME, "names an unknown algorithm"))?,
            made_at: Timestamp::from_millis(listed.made_at),
        })
    }

    fn listed(&self) -> Listed {
        Listed {
            kid: key_id_text(self.life.kid),
            alg: self.alg.name().to_owned(),
            made_at: self.made_at.as_millis(),
            current_from: self.life.current_from.as_millis(),
        }
    }
}

/// Overwrites sealed keys with nothing.
async fn wipe(store: &Store, kids: &[KeyId]) -> Result<(), Fault> {
    for kid in kids {
        let name = key_id_text(*kid);
        if let Some(record) = store.record(Kind::SigningKey, &name).await? {
            // Somebody else may have been first; the end is the same.
            store.put_record(Kind::SigningKey, &name, &[], Some(record.version)).await?;
        }
    }
    Ok(())
}

fn note(made: &[SigningKey], left: &[KeyId]) {
    for key in made {
        let (alg, kid) = (key.algorithm().name(), key_id_text(key.kid()));
        tracing::info!(alg, kid, "made a signing key");
    }
    for kid in left {
        tracing::info!(kid = key_id_text(*kid), "a signing key is gone");
    }
}
