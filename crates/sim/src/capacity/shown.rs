//! A calculation as people and programs read it.

use super::{Capacity, Given, INPUTS, capacity};
use serde_json::{Value, json};
use std::fmt::Write;

/// As a table in Markdown, what was given first.
pub fn table(given: &Given) -> String {
    let of = capacity(given);
    let mut text = String::from("| given | |\n|---|--:|\n");
    let mut copy = *given;
    for input in &INPUTS {
        row(&mut text, input.what, &number(*(input.of)(&mut copy)));
    }
    text.push_str("\n| takes | |\n|---|--:|\n");
    for (what, value) in taken(&of) {
        row(&mut text, &what, &value);
    }
    text.push_str(
        "\n| saturates, the first one first | asked | at most | used |\n|---|--:|--:|--:|\n",
    );
    for part in &of.parts {
        let (asked, most) = (number(part.asked), number(part.most));
        let used = 100.0 * part.used();
        // Writing into a text cannot fail.
        let _ = writeln!(text, "| {} | {asked} {} | {most} | {used:.1} % |", part.name, part.unit);
    }
    text
}

/// As JSON.
pub fn json(given: &Given) -> Value {
    let (of, mut copy) = (capacity(given), *given);
    let inputs = INPUTS.iter().map(|input| (input.flag.to_owned(), json!(*(input.of)(&mut copy))));
    let store = |own: &super::Store| {
        json!({
            "engine": own.engine.name(), "bytes": own.bytes, "primaries": own.primaries,
            "machines": own.machines, "log_bytes": own.log_bytes,
        })
    };
    let part = |own: &super::Part| {
        json!({
            "name": own.name, "asked": own.asked, "most": own.most, "unit": own.unit,
            "used": own.used(),
        })
    };
    json!({
        "given": inputs.collect::<serde_json::Map<_, _>>(),
        "ends_per_second": of.ends,
        "nodes": of.nodes,
        "signing_cores": of.signing_cores,
        "stores": of.stores.iter().map(store).collect::<Vec<_>>(),
        "events_per_second_and_lane": of.lane_events,
        "bytes_per_second_and_verifier": of.verifier_bytes,
        "mirror_bytes": of.mirror_bytes,
        "snapshot_bytes": of.snapshot_bytes,
        "relays": of.relays,
        "saturates": of.parts.iter().map(part).collect::<Vec<_>>(),
    })
}

fn taken(of: &Capacity) -> Vec<(String, String)> {
    let mut rows = vec![
        ("ends of sessions a second, at the peak".to_owned(), number(of.ends)),
        ("nodes (`symbolon serve`)".to_owned(), number(of.nodes)),
        ("cores of them that do nothing but sign".to_owned(), number(of.signing_cores)),
    ];
    for own in &of.stores {
        let name = own.engine.name();
        rows.push((format!("{name}: bytes of one copy of the sessions"), bytes(own.bytes)));
        rows.push((format!("{name}: primaries"), number(own.primaries)));
        rows.push((format!("{name}: machines, with replicas"), number(own.machines)));
        rows.push((format!("{name}: the history"), bytes(own.log_bytes)));
    }
    rows.extend([
        ("events a second in one lane".to_owned(), number(of.lane_events)),
        ("sent to each verifier, a second".to_owned(), bytes(of.verifier_bytes)),
        ("a mirror".to_owned(), bytes(of.mirror_bytes)),
        ("a snapshot".to_owned(), bytes(of.snapshot_bytes)),
        ("relays between nodes and verifiers".to_owned(), number(of.relays)),
    ]);
    rows
}

fn row(text: &mut String, what: &str, value: &str) {
    // Writing into a text cannot fail.
    let _ = writeln!(text, "| {what} | {value} |");
}

/// With thousands set apart, and no more digits than anybody reads.
fn number(value: f64) -> String {
    if value < 100.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(value: f64) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let fitting = units.into_iter().find(|(_, size)| *size <= value);
    fitting.map_or_else(
        || format!("{value:.0} B"),
        |(unit, size)| format!("{:.1} {unit}", value / size),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!(number(1e6), "1,000,000");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(bytes(7e11), "700.0 GB");
    }

    #[test]
    fn table_and_json_say_the_same() {
        let given = Given::default();
        let (table, json) = (table(&given), json(&given));
        let nodes = json["nodes"].as_f64().unwrap();
        assert!(table.contains(&format!("| nodes (`symbolon serve`) | {} |", number(nodes))));
        let first = json["saturates"][0]["name"].as_str().unwrap();
        let begins = table.split("|--:|--:|--:|\n| ").nth(1).unwrap();
        assert!(begins.starts_with(first), "{begins}");
    }
}
