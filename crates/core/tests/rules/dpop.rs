//! What a proof of a key must say to be good for a request (RFC 9449 §4.3, points 8 to 12).

use crate::common::{DEVICE_KEY, s};
use symbolon_core::dpop::{
    Asked, DpopProof, Flaw, NONCE_SPAN, Nonce, PROOF_AGE_MAX, PROOF_AHEAD_MAX, PROOF_REMEMBERED,
    ProofClaims, URL_BYTES_MAX, Url, nonce_span,
};
use symbolon_core::{Digest, Timestamp};

const TOKEN: Digest = Digest([7; 32]);

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn proof(change: impl FnOnce(&mut ProofClaims)) -> DpopProof {
    let mut claims = ProofClaims {
        key: DEVICE_KEY,
        name: [1; 16],
        method: "POST".into(),
        url: url("https://api.example.com/orders"),
        issued_at: s(1000),
        access_token: Some(TOKEN),
        nonce: None,
    };
    change(&mut claims);
    DpopProof::assume_genuine(claims)
}

fn shown(proof: &DpopProof, nonce: Nonce, at: Timestamp) -> Result<Digest, Flaw> {
    let asked = Asked {
        method: "POST",
        url: &url("https://api.example.com/orders"),
        access_token: Some(TOKEN),
        nonce: false,
    };
    proof.proves(&asked, nonce, at)
}

#[test]
fn a_proof_made_for_this_very_request_proves_its_key() {
    assert_eq!(shown(&proof(|_| {}), Nonce::None, s(1000)), Ok(DEVICE_KEY));
}

#[test]
fn point_8_a_proof_for_another_method_is_refused_and_letters_count() {
    for method in ["GET", "post", "", "POST "] {
        let other = proof(|claims| claims.method = method.into());
        assert_eq!(shown(&other, Nonce::None, s(1000)), Err(Flaw::Method));
    }
}

#[test]
fn point_9_a_proof_for_another_url_is_refused() {
    for other in [
        "https://api.example.com/orders/",
        "https://api.example.com/Orders",
        "https://api.example.com:8443/orders",
        "http://api.example.com/orders",
        "https://api.example.org/orders",
        "https://api.example.com/",
    ] {
        let other = proof(|claims| claims.url = url(other));
        assert_eq!(shown(&other, Nonce::None, s(1000)), Err(Flaw::Url));
    }
}

#[test]
fn point_9_query_fragment_and_spelling_do_not_count() {
    for same in [
        "https://api.example.com/orders?a=b#c",
        "HTTPS://API.example.COM:443/orders",
        "https://api.example.com:/%6frders",
        "https://api.example.com/a/../orders",
        "https://api.example.com/./orders#",
    ] {
        let same = proof(|claims| claims.url = url(same));
        assert_eq!(shown(&same, Nonce::None, s(1000)), Ok(DEVICE_KEY));
    }
}

#[test]
fn point_10_a_nonce_that_is_not_ours_is_refused_and_one_that_is_asked_for_must_be_there() {
    let proof = proof(|_| {});
    assert_eq!(shown(&proof, Nonce::Foreign, s(1000)), Err(Flaw::Nonce));
    let (url, access_token) = (url("https://api.example.com/orders"), Some(TOKEN));
    let asked = Asked { method: "POST", url: &url, access_token, nonce: true };
    assert_eq!(proof.proves(&asked, Nonce::None, s(1000)), Err(Flaw::Nonce));
    assert_eq!(proof.proves(&asked, Nonce::Ours, s(1000)), Ok(DEVICE_KEY));
}

#[test]
fn point_11_a_proof_is_good_from_ten_seconds_before_it_was_made_to_a_minute_after() {
    let made = s(1000);
    for (at, good) in [
        (made.before(PROOF_AHEAD_MAX), true),
        (made.before(PROOF_AHEAD_MAX).before(NONCE_SPAN / 60_000), false),
        (made.after(PROOF_AGE_MAX), true),
        (made.after(PROOF_AGE_MAX).after(NONCE_SPAN / 60_000), false),
        (s(400), false),
        (s(1600), false),
    ] {
        let expected = if good { Ok(DEVICE_KEY) } else { Err(Flaw::Time) };
        assert_eq!(shown(&proof(|_| {}), Nonce::None, at), expected, "{at:?}");
    }
}

#[test]
fn point_11_with_our_nonce_the_clock_of_who_made_it_does_not_matter() {
    for at in [s(0), s(400), s(1600), s(1 << 40)] {
        assert_eq!(shown(&proof(|_| {}), Nonce::Ours, at), Ok(DEVICE_KEY));
    }
}

#[test]
fn point_12_a_proof_for_another_token_or_for_none_is_refused() {
    for access_token in [None, Some(Digest([8; 32]))] {
        let other = proof(|claims| claims.access_token = access_token);
        assert_eq!(shown(&other, Nonce::None, s(1000)), Err(Flaw::AccessToken));
    }
    let (url, access_token) = (url("https://api.example.com/orders"), None);
    let asked = Asked { method: "POST", url: &url, access_token, nonce: false };
    assert_eq!(proof(|_| {}).proves(&asked, Nonce::None, s(1000)), Err(Flaw::AccessToken));
}

#[test]
fn only_what_another_proof_with_a_nonce_would_cure_asks_for_one() {
    let cured = [Flaw::Nonce, Flaw::Time];
    for flaw in [Flaw::Method, Flaw::Url, Flaw::AccessToken, Flaw::Nonce, Flaw::Time, Flaw::Used] {
        assert_eq!(flaw.is_cured_by_nonce(), cured.contains(&flaw));
    }
}

#[test]
fn a_proof_is_remembered_for_as_long_as_it_could_be_good() {
    assert!(NONCE_SPAN * 2 <= PROOF_REMEMBERED);
    assert!(PROOF_AGE_MAX + PROOF_AHEAD_MAX <= PROOF_REMEMBERED);
    assert_eq!(nonce_span(s(59)) + 1, nonce_span(s(60)));
}

#[test]
fn a_url_has_one_spelling() {
    for (text, spelling) in [
        ("https://a", "https://a/"),
        ("https://a?x", "https://a/"),
        ("https://a#x", "https://a/"),
        ("http://a:80/", "http://a/"),
        ("http://a:443/", "http://a:443/"),
        ("https://[2001:DB8::1]/x", "https://[2001:db8::1]/x"),
        ("https://[2001:db8::1]:443/x", "https://[2001:db8::1]/x"),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("https://a/b//c/", "https://a/b//c/"),
        ("https://a/../../b", "https://a/b"),
        ("https://a/b/..", "https://a/"),
        ("https://a/b/c/..", "https://a/b/"),
        ("https://a/b/.", "https://a/b/"),
        ("https://a/b/%2e%2E/c", "https://a/c"),
        ("https://a/%7euser/%c3%a9%2f", "https://a/~user/%C3%A9%2F"),
        ("https://a/b;c=d,e@f:g", "https://a/b;c=d,e@f:g"),
    ] {
        assert_eq!(url(text).as_str(), spelling, "{text}");
        assert_eq!(url(spelling).as_str(), spelling, "{text}");
    }
}

#[test]
fn what_is_no_url_of_a_request_is_refused() {
    let long = format!("https://a/{}", "x".repeat(URL_BYTES_MAX));
    for text in [
        "",
        "/orders",
        "a.example.com/orders",
        "ftp://a/",
        "https:/a",
        "https://",
        "https:///x",
        "https://?x",
        "https://:443/",
        "https://user@a/",
        "https://user:pass@a/",
        "https://a:b/",
        "https://a:123456/",
        "https://a b/",
        "https://a\\b/",
        "https://a/\u{e9}",
        "https://a/%",
        "https://a/%2",
        "https://a/%zz",
        "https://%61/",
        &long,
    ] {
        assert!(Url::parse(text).is_err(), "{text}");
    }
}
