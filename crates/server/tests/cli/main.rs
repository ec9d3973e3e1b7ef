//! The real binary's command line.

#[cfg(test)]
mod admin_socket;
#[cfg(test)]
mod advise;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod common;
#[cfg(test)]
mod config;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod import;
#[cfg(test)]
mod live;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod shared_store;
#[cfg(test)]
mod sidecar;
#[cfg(test)]
mod theft;
#[cfg(test)]
mod usage;
