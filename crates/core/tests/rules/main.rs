//! The rules, proved row by row: DESIGN.md §4.1, §4.3 and §4.7.

mod bindings;
mod bounds;
mod common;
mod devices;
mod ends;
mod fast_forward;
mod grants;
mod refresh_table;
mod sign_in;
