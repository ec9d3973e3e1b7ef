//! The suite that every store must pass, on one server and on a cluster of six, and what is Redis's alone.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod faults;
mod many;
mod servers;
mod story;
mod suite;
mod together;

use symbolon_store::Store;
use symbolon_store::redis::Address;

/// Opens a store under a prefix, at a URL without parameters.
async fn open(url: &str, prefix: &str) -> Store {
    let prefix: String =
        prefix.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '-' }).collect();
    let address = Address::parse(&format!("{url}?prefix={prefix}")).unwrap();
    match Store::open_redis(&address).await {
        Ok(store) => store,
        Err(refusal) => panic!("{refusal}"),
    }
}
