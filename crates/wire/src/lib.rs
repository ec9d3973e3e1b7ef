//! Bytes to values and back: the only crate that parses strangers' bytes and that holds keys.
//!
//! It decides nothing and does no I/O. What comes in is read strictly and once, and the value that
//! comes out is the proof: a [`Payload`] exists only if its signature was verified, a
//! `symbolon_core::RefreshToken` only if its tag was right. What is wrong is a [`Malformed`], which
//! names the member and never quotes the bytes.
//!
//! Reading: [`verify`] checks a signature against a [`KeySet`], [`ParsedClaims`] reads the claims.
//! Writing: [`Claims`] issues access tokens under a [`SigningKey`], and an [`EncryptionKey`] seals them for one
//! resource server, which opens them with its [`DecryptionKeys`]. All other secrets derive from the
//! [`MasterKey`]: [`RefreshTokenKeys`], [`ImportedTokens`], [`ApiKeyDigests`], [`ShardKey`], [`Sealer`].

pub mod access_token;
pub mod alg;
pub mod api_key;
mod base64url;
pub mod claims;
pub mod cookie;
pub mod csrf;
mod digest;
pub mod dpop;
mod drawn;
pub mod ext_authz;
pub mod extra_claims;
pub mod feed;
pub mod handle;
pub mod import_line;
pub mod imported_token;
mod imprint;
pub mod introspection;
mod json;
pub mod jwe;
pub mod jwk;
pub mod jws;
pub mod key_set;
pub mod malformed;
pub mod master_key;
pub mod one_time;
mod plain;
mod protobuf;
pub mod refresh_token;
pub mod sealer;
pub mod secret;
pub mod shard;
pub mod shared_secret;
pub mod signing_key;
pub mod unverified;
pub mod verifying_key;

pub use access_token::{Claims, ISSUED_BYTES_WARN, IssueError, Issued, Jti, JtiKey};
pub use alg::{Algorithm, Type};
pub use api_key::{
    ApiKeyDigest, ApiKeyDigests, ApiKeyId, PresentedApiKey, SecretHash, client_secret,
};
pub use claims::{Audience, ParsedClaims};
pub use cookie::{CookieKind, Cookies};
pub use csrf::CsrfKey;
pub use digest::{parse_thumbprint, sha256};
pub use dpop::{DpopNonces, NewProof, access_token_hash, open_dpop_proof};
pub use extra_claims::{EXTRA_MEMBERS_MAX, ExtraClaims};
pub use handle::{HandleKeys, HandleKind};
pub use import_line::ImportLine;
pub use imported_token::{IMPORTED_TOKEN_BYTES_MAX, ImportedTokens};
pub use imprint::{features_imprint, imprints, network_imprint};
pub use introspection::Introspected;
pub use json::Names;
pub use jwe::{
    DecryptionKey, DecryptionKeys, EncryptionKey, GeneratedKey, KeyManagement, SealingKey,
    SecretKeyPair, Unopened, UnverifiedJwe, is_encrypted,
};
pub use jwk::{PublicJwk, key_id_text, parse_key_id};
pub use jws::{Payload, Refused, verify};
pub use key_set::{KeySet, key_set_json};
pub use malformed::Malformed;
pub use master_key::{DigestKey, MasterKey};
pub use one_time::{OneTimeKeys, OneTimeKind, audience_digest, request_digest};
pub use refresh_token::RefreshTokenKeys;
pub use sealer::Sealer;
pub use secret::SecretText;
pub use shard::{ShardKey, parse_session_id, session_id_text};
pub use shared_secret::SharedSecret;
pub use signing_key::{CryptoFailed, SigningKey};
pub use unverified::{
    UnverifiedAccessToken, UnverifiedRefreshToken, unverified_api_key_id, unverified_handle,
};
pub use verifying_key::VerifyingKey;
