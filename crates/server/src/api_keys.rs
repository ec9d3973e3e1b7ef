//! API keys of trusted back ends and operators, as the store keeps them: digests, never keys.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use symbolon_core::{Fault, Timestamp};
use symbolon_store::{Kind, Record, Store};
use symbolon_wire::{ApiKeyDigest, ApiKeyDigests, ApiKeyId, SecretText};

/// What an API key may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ApiScope {
    /// Start sessions.
    SessionsStart,
    /// Look at sessions.
    SessionsRead,
    /// End sessions.
    SessionsEnd,
    /// Write subjects: roles, claims, bans.
    SubjectsWrite,
    /// Read the history.
    EventsRead,
    /// Read the feed, report activity, introspect.
    RevocationsRead,
    /// Everything else.
    Admin,
}

impl ApiScope {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::SessionsStart,
        Self::SessionsRead,
        Self::SessionsEnd,
        Self::SubjectsWrite,
        Self::EventsRead,
        Self::RevocationsRead,
        Self::Admin,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionsStart => "sessions:start",
            Self::SessionsRead => "sessions:read",
            Self::SessionsEnd => "sessions:end",
            Self::SubjectsWrite => "subjects:write",
            Self::EventsRead => "events:read",
            Self::RevocationsRead => "revocations:read",
            Self::Admin => "admin",
        }
    }

    /// The scope that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// An API key, as it is kept.
#[derive(Clone)]
pub struct ApiKeyRecord {
    /// Its public name, by which it is found and revoked.
    pub id: String,
    /// What people call it; stands in the history beside what it did.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<ApiScope>,
    /// The clients it is limited to; `None`: all.
    pub clients: Option<Vec<String>>,
    /// What a presented key is compared with.
    pub digest: ApiKeyDigest,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What a new API key is to be.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// What people will call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<ApiScope>,
    /// The clients it is limited to; `None`: all.
    pub clients: Option<Vec<String>>,
}

/// Makes an API key out of randomness. Its text is in the answer and nowhere else.
///
/// # Errors
/// The store could not be written.
pub async fn create(
    store: &Store,
    digests: &ApiKeyDigests,
    new: NewApiKey,
    random: &[u8; 32],
    at: Timestamp,
) -> Result<(SecretText, ApiKeyRecord), Fault> {
    let (id, text, digest) = digests.mint(random);
    let record = ApiKeyRecord {
        id: id.to_text(),
        name: new.name,
        scopes: new.scopes,
        clients: new.clients,
        digest,
        created_at: at,
        revoked_at: None,
    };
    match store.put_record(Kind::ApiKey, &record.id, &to_json(&record), None).await? {
        true => Ok((text, record)),
        false => Err(Fault::Store("an API key of this name exists: randomness repeats".into())),
    }
}

/// The key of that name, revoked ones included.
///
/// # Errors
/// The store could not be read, or the record is damaged.
pub async fn find(store: &Store, id: ApiKeyId) -> Result<Option<ApiKeyRecord>, Fault> {
    let record = store.record(Kind::ApiKey, &id.to_text()).await?;
    record.map(|record| from_record(&record)).transpose()
}

/// Every key, revoked ones included, the newest last.
///
/// # Errors
/// The store could not be read, or a record is damaged.
pub async fn list(store: &Store) -> Result<Vec<ApiKeyRecord>, Fault> {
    let records = store.records(Kind::ApiKey).await?;
    let mut keys = records.iter().map(from_record).collect::<Result<Vec<_>, _>>()?;
    keys.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
    Ok(keys)
}

/// Revokes a key; one that was revoked before keeps its instant. `None` if there is no such key.
///
/// # Errors
/// The store could not be read or written, or the record is damaged.
pub async fn revoke(
    store: &Store,
    id: ApiKeyId,
    at: Timestamp,
) -> Result<Option<ApiKeyRecord>, Fault> {
    for _ in 0..symbolon_store::RACES_MAX {
        let Some(record) = store.record(Kind::ApiKey, &id.to_text()).await? else {
            return Ok(None);
        };
        let mut key = from_record(&record)?;
        if key.revoked_at.is_some() {
            return Ok(Some(key));
        }
        key.revoked_at = Some(at);
        let version = Some(record.version);
        if store.put_record(Kind::ApiKey, &key.id, &to_json(&key), version).await? {
            return Ok(Some(key));
        }
    }
    Err(Fault::Contention)
}

/// A record's value.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    name: String,
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clients: Option<Vec<String>>,
    digest: String,
    created_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<u64>,
}

fn to_json(key: &ApiKeyRecord) -> Vec<u8> {
    let row = Row {
        id: key.id.clone(),
        name: key.name.clone(),
        scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        clients: key.clients.clone(),
        digest: BASE64URL_NOPAD.encode(key.digest.as_bytes()),
        created_at: key.created_at.as_millis(),
        revoked_at: key.revoked_at.map(Timestamp::as_millis),
    };
    serde_json::to_vec(&row).expect("a row of texts and numbers is JSON")
}

fn from_record(record: &Record) -> Result<ApiKeyRecord, Fault> {
    from_json(&record.value)
        .ok_or_else(|| Fault::Store(format!("the record of API key {} is damaged", record.name)))
}

/// `None` if it is damaged. A scope of a later version is left out: less is granted, never more.
fn from_json(value: &[u8]) -> Option<ApiKeyRecord> {
    let row: Row = serde_json::from_slice(value).ok()?;
    let digest = BASE64URL_NOPAD.decode(row.digest.as_bytes()).ok()?;
    Some(ApiKeyRecord {
        id: row.id,
        name: row.name,
        scopes: row.scopes.iter().filter_map(|word| ApiScope::parse(word)).collect(),
        clients: row.clients,
        digest: ApiKeyDigest::from_bytes(digest.try_into().ok()?),
        created_at: Timestamp::from_millis(row.created_at),
        revoked_at: row.revoked_at.map(Timestamp::from_millis),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ApiKeyRecord {
        ApiKeyRecord {
            id: "AAAAAAAAAAA".to_owned(),
            name: "shop".to_owned(),
            scopes: vec![ApiScope::SessionsStart, ApiScope::Admin],
            clients: Some(vec!["web".to_owned()]),
            digest: ApiKeyDigest::from_bytes([7; 32]),
            created_at: Timestamp::from_seconds(1),
            revoked_at: None,
        }
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let again = from_json(&to_json(&key())).unwrap();
        assert_eq!(again.name, "shop");
        assert_eq!(again.scopes, key().scopes);
        assert_eq!(again.clients, key().clients);
        assert_eq!(again.digest.as_bytes(), &[7; 32]);
        assert_eq!(again.created_at, Timestamp::from_seconds(1));
        assert_eq!(again.revoked_at, None);
    }

    #[test]
    fn a_damaged_record_is_a_fault_and_never_a_key() {
        let json = String::from_utf8(to_json(&key())).unwrap();
        for damaged in ["", "{}", &json[1..], &json.replace("Bwc", "Bw"), &format!("{json}x")] {
            assert!(from_json(damaged.as_bytes()).is_none(), "{damaged}");
        }
    }

    #[test]
    fn a_scope_of_a_later_version_grants_nothing() {
        let json = String::from_utf8(to_json(&key())).unwrap().replace("admin", "root");
        assert_eq!(from_json(json.as_bytes()).unwrap().scopes, [ApiScope::SessionsStart]);
    }

    #[test]
    fn scope_words_lead_back_to_their_scopes() {
        for scope in ApiScope::ALL {
            assert_eq!(ApiScope::parse(scope.as_str()), Some(scope));
        }
    }
}
