//! The JWS layer as a filter, for comparing its verdicts with other libraries': JSON lines
//! `{"id","alg","jwks","token"}` in, `{"id","ok"}` out. `alg` is what the caller pins, `jwks` the text
//! of the key set. It knows no claims: `ok` says that the signature is right and the token well formed.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use symbolon_wire::{Algorithm, KeySet, verify};

/// The longest line that is read, in bytes: key set and token at their longest, escaped. Inclusive.
const LINE_BYTES_MAX: u64 = 1 << 20;

fn main() -> std::io::Result<()> {
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut output = std::io::stdout().lock();
    while let Some(line) = read_line(&mut input)? {
        writeln!(output, "{}", answer(&line))?;
        output.flush()?;
    }
    Ok(())
}

/// The next line, or of a longer one its beginning, which is no JSON; the rest of it is skipped.
fn read_line(input: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

/// Any bad line is answered, never fatal: by its `id` if it has one, else by `null`.
fn answer(line: &[u8]) -> Value {
    let asked: Value = serde_json::from_slice(line).unwrap_or(Value::Null);
    match is_good(&asked) {
        Some(ok) => serde_json::json!({ "id": asked["id"], "ok": ok }),
        None => serde_json::json!({ "id": null, "ok": false }),
    }
}

/// The verdict; `None` if the line lacks a member.
fn is_good(asked: &Value) -> Option<bool> {
    asked.get("id")?;
    let text = |member| asked.get(member).and_then(Value::as_str);
    let (alg, jwks, token) = (text("alg")?, text("jwks")?, text("token")?);
    let (Some(alg), Ok(keys)) = (Algorithm::from_name(alg), KeySet::parse(jwks)) else {
        return Some(false);
    };
    Some(verify(&keys, alg, token).is_ok())
}
