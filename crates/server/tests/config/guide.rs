//! Each setting stands in the guide, in both languages.

use std::path::Path;
use symbolon::config::setting_paths;

#[test]
fn each_setting_stands_in_both_guides() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide");
    for page in ["configuration.md", "zh-CN/configuration.md"] {
        let text = std::fs::read_to_string(docs.join(page)).unwrap();
        for path in setting_paths() {
            let name = path.trim_start_matches("clients.").trim_start_matches("audiences.");
            let shown = match name {
                "clients" | "audiences" => format!("`[[{name}]]`"),
                name => format!("| `{name}`"),
            };
            let among = format!("` `{name}`");
            assert!(text.contains(&shown) || text.contains(&among), "{page} does not say `{path}`");
        }
    }
}

#[test]
fn the_example_of_the_guides_is_accepted() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide");
    for page in ["configuration.md", "zh-CN/configuration.md"] {
        let text = std::fs::read_to_string(docs.join(page)).unwrap();
        let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        assert!(symbolon::config::Config::from_text(page, example).is_ok(), "{page}");
    }
}
