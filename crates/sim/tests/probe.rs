//! The JWS probe answers every line it is given.

use std::io::Write;
use std::process::{Command, Stdio};

/// RFC 8037, Appendix A.4.
const KEYS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
    hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn line(id: serde_json::Value, alg: &str, jwks: &str, token: &str) -> Vec<u8> {
    let line = serde_json::json!({ "id": id, "alg": alg, "jwks": jwks, "token": token });
    line.to_string().into_bytes()
}

fn probe(lines: &[Vec<u8>]) -> Vec<String> {
    let run = || -> std::io::Result<std::process::Output> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_symbolon-jws-probe"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (stdin, input) = (child.stdin.take(), lines.join(&b'\n'));
        let writer = std::thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(&input)));
        let output = child.wait_with_output()?;
        assert!(writer.join().is_ok_and(|written| matches!(written, Some(Ok(())))));
        Ok(output)
    };
    let output = run().expect("the probe runs");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn a_good_token_is_ok_and_a_bad_one_key_set_or_algorithm_is_not() {
    let answers = probe(&[
        line(1.into(), "EdDSA", KEYS, TOKEN),
        line("two".into(), "EdDSA", KEYS, &TOKEN.replace("RXhh", "RXhi")),
        line(3.into(), "ES256", KEYS, TOKEN),
        line(4.into(), "none", KEYS, TOKEN),
        line(5.into(), "EdDSA", "{}", TOKEN),
        line(6.into(), "EdDSA", "not json", TOKEN),
        line(7.into(), "EdDSA", KEYS, ""),
        line(8.into(), "EdDSA", KEYS, TOKEN),
    ]);
    assert_eq!(answers[0], r#"{"id":1,"ok":true}"#);
    assert_eq!(answers[1], r#"{"id":"two","ok":false}"#);
    for (answer, id) in answers[2..7].iter().zip(3..) {
        assert_eq!(*answer, format!(r#"{{"id":{id},"ok":false}}"#));
    }
    assert_eq!(answers[7], r#"{"id":8,"ok":true}"#);
}

#[test]
fn any_bad_line_is_answered_and_the_next_one_too() {
    let no_jwks = br#"{"id":1,"alg":"EdDSA","token":"t"}"#.to_vec();
    let no_id = br#"{"alg":"EdDSA","jwks":"{}","token":"t"}"#.to_vec();
    let bad = [
        b"".to_vec(),
        b"not json".to_vec(),
        b"[1,2]".to_vec(),
        b"\"text\"".to_vec(),
        b"\xff\xfe".to_vec(),
        b"{\"id\":1".to_vec(),
        no_jwks,
        no_id,
        vec![b'['; 100_000],
        vec![b' '; 5 << 20],
        br#"{"id":1,"alg":1,"jwks":{},"token":null}"#.to_vec(),
    ];
    let lines: Vec<_> = bad.iter().cloned().chain([line(9.into(), "EdDSA", KEYS, TOKEN)]).collect();
    let answers = probe(&lines);
    assert_eq!(answers.len(), lines.len());
    for answer in &answers[..bad.len()] {
        assert_eq!(answer, r#"{"id":null,"ok":false}"#);
    }
    assert_eq!(answers[bad.len()], r#"{"id":9,"ok":true}"#);
}
