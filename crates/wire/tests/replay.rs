//! The fuzz targets as ordinary tests: every seed, and thousands of mutations of each.

#[path = "../../../fuzz/src/targets.rs"]
#[expect(unreachable_pub, reason = "the module is a crate's when it is fuzzed")]
mod targets;

use std::fs;
use std::path::Path;

/// How many mutations of the seeds of one target are tried.
const MUTATIONS: usize = 20_000;

#[test]
fn every_parser_survives_its_seeds_and_their_mutations() {
    for (name, target) in targets::TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in &seeds {
            target(seed);
        }
        let mut random = Random(0x5eed);
        for _ in 0..MUTATIONS {
            target(&mutate(&seeds, &mut random));
        }
    }
}

#[test]
fn the_seeds_of_a_parser_reach_what_it_accepts() {
    // A corpus of nothing but refused text would test the first check of each parser alone.
    let token = String::from_utf8(read("refresh_token", "genuine")).expect("seeds are text");
    let keys = symbolon_wire::MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU");
    let keys = keys.unwrap_or_else(|wrong| panic!("{wrong}")).refresh_token_keys(1, 1);
    assert!(keys.open(&token).is_ok());
    let set = String::from_utf8(read("key_set", "public")).expect("seeds are text");
    let set = symbolon_wire::KeySet::parse(&set).unwrap_or_else(|wrong| panic!("{wrong}"));
    let token = String::from_utf8(read("jws", "rs256")).expect("seeds are text");
    assert!(symbolon_wire::verify(&set, symbolon_wire::Algorithm::Rs256, &token).is_ok());
    assert!(symbolon_wire::ParsedClaims::parse_unverified(&read("claims", "whole")).is_ok());
    let line = String::from_utf8(read("import_line", "whole")).expect("seeds are text");
    assert!(symbolon_wire::ImportLine::parse(&line).is_ok());
    let sealed = String::from_utf8(read("jwe", "a256kw")).expect("seeds are text");
    let key = symbolon_wire::DecryptionKey::from_jwk(targets::DECRYPTION_KEYS[1]);
    let key = key.unwrap_or_else(|wrong| panic!("{wrong}"));
    let keys = symbolon_wire::DecryptionKeys::new(vec![key]).expect("one key is a set");
    assert!(keys.open(&sealed).is_ok());
    let mut frames = symbolon_wire::feed::FrameReader::default();
    frames.push(&read("feed_frames", "whole"));
    assert_eq!(std::iter::from_fn(|| frames.next_frame()).filter(Result::is_ok).count(), 7);
    let proof = String::from_utf8(read("dpop", "token")).expect("seeds are text");
    assert!(symbolon_wire::open_dpop_proof(&proof).is_ok());
    let keys = symbolon_wire::KeySet::parse(targets::FEED_KEYS);
    let keys = keys.unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(symbolon_wire::feed::Snapshot::read(&keys, &read("snapshot", "whole")).is_ok());
}

fn directory(target: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target)
}

fn read(target: &str, seed: &str) -> Vec<u8> {
    fs::read(directory(target).join(seed)).expect("the seed is committed")
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory(target)).expect("each target has a directory of seeds");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it is readable").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("it is readable")).collect()
}

/// One to four changes to a seed: a flipped bit, a lost, doubled or foreign stretch, a token.
fn mutate(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    const TOKENS: [&str; 16] = [
        ".",
        "\"",
        "\\u0000",
        "\\ud800",
        "{",
        "}",
        "[",
        "]",
        ",",
        "null",
        "-0",
        "1e999",
        "=",
        "\u{feff}",
        "\"alg\":\"none\",",
        "18446744073709551616",
    ];
    let mut data = random.choose(seeds).clone();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len() + 1);
        let end = (at + random.below(12)).min(data.len());
        match random.below(6) {
            0 if at < data.len() => data[at] ^= 1 << random.below(8),
            1 => drop(data.drain(at..end)),
            2 => data.splice(at..at, data[at..end].to_vec()).for_each(drop),
            3 => data.splice(at..end, random.choose(&TOKENS).bytes()).for_each(drop),
            4 => data.truncate(at),
            _ => data.splice(at..end, random.choose(seeds).clone()).for_each(drop),
        }
    }
    data
}

/// SplitMix64: the same mutations in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Exclusive.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn choose<'s, T>(&mut self, from: &'s [T]) -> &'s T {
        &from[self.below(from.len())]
    }
}
