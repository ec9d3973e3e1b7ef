//! The rules, proved row by row: DESIGN.md §4.1, §4.3 and §4.7.

#[cfg(test)]
mod activity;
#[cfg(test)]
mod bindings;
#[cfg(test)]
mod bounds;
mod by_name;
#[cfg(test)]
mod common;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod csrf;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod dpop;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod fast_forward;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod handles;
#[cfg(test)]
mod import;
#[cfg(test)]
mod lasting;
#[cfg(test)]
mod one_time;
#[cfg(test)]
mod person;
#[cfg(test)]
mod refresh_table;
#[cfg(test)]
mod renewal;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod step_up;
#[cfg(test)]
mod switches;
#[cfg(test)]
mod told;
