//! Why there are no keys to work with.

use super::PER_ALGORITHM_MAX;
use std::fmt;
use std::path::PathBuf;
use symbolon_core::Fault;
use symbolon_wire::{Algorithm, CryptoFailed, Malformed};

/// Why the authority has no keys to work with.
#[derive(Debug)]
pub enum KeysUnavailable {
    /// The store failed.
    Store(Fault),
    /// The keys in the store were sealed under another master key.
    OtherMasterKey,
    /// A record is not what it should be.
    Record(Malformed),
    /// A file that the configuration names is not what it should be.
    File(PathBuf, String),
    /// An algorithm has [`PER_ALGORITHM_MAX`] keys already.
    TooMany(Algorithm),
    /// The cryptographic library failed.
    Crypto,
}

impl fmt::Display for KeysUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(fault) => write!(f, "the signing keys could not be read: {fault}"),
            Self::OtherMasterKey => f.write_str(
                "the signing keys in this store were sealed under another master key; start with the \
                 master key that the store was created with (no token can be made without it)",
            ),
            Self::Record(malformed) => write!(f, "a key record in the store is damaged: {malformed}"),
            Self::File(path, why) => write!(f, "the key file {} {why}", path.display()),
            Self::TooMany(alg) => write!(
                f,
                "{PER_ALGORITHM_MAX} keys of {} are in use; wait until one is gone, or revoke one",
                alg.name()
            ),
            Self::Crypto => f.write_str("the cryptographic library could not make a key"),
        }
    }
}

impl std::error::Error for KeysUnavailable {}

impl From<Fault> for KeysUnavailable {
    fn from(fault: Fault) -> Self {
        Self::Store(fault)
    }
}

impl From<Malformed> for KeysUnavailable {
    fn from(malformed: Malformed) -> Self {
        Self::Record(malformed)
    }
}

impl From<CryptoFailed> for KeysUnavailable {
    fn from(_: CryptoFailed) -> Self {
        Self::Crypto
    }
}
