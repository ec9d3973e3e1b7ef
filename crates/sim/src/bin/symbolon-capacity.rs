//! What so many sessions and renewals take, as a table, or with `--json` as JSON: a calculation from what was measured.

use std::io::Write;
use std::process::ExitCode;
use symbolon_sim::capacity::{Given, INPUTS, json, table};

fn main() -> ExitCode {
    let mut flags: Vec<String> = std::env::args().skip(1).collect();
    let is_json = flags.iter().any(|flag| flag == "--json");
    flags.retain(|flag| flag != "--json");
    let (text, code) = match Given::read(&flags) {
        _ if flags.iter().any(|flag| flag == "--help") => (help(), ExitCode::SUCCESS),
        Ok(given) if is_json => (format!("{:#}\n", json(&given)), ExitCode::SUCCESS),
        Ok(given) => (table(&given), ExitCode::SUCCESS),
        Err(why) => (format!("{why}\n"), ExitCode::FAILURE),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn help() -> String {
    let line = |own: &symbolon_sim::capacity::Input| {
        format!("  --{} N  {} [{}]\n", own.flag, own.what, own.usual)
    };
    let lines: String = INPUTS.iter().map(line).collect();
    format!("symbolon-capacity [--json] [FLAGS]\n\n{lines}")
}
