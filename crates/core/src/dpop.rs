//! Proofs that a key is held (DPoP, RFC 9449): what one must say to be good for a request (§4.3, points 8 to 12).

use crate::id::Digest;
use crate::time::{Duration, Timestamp};
use core::fmt;
use core::ops::Deref;

/// How long after it was made a proof without a nonce is still good. Inclusive.
pub const PROOF_AGE_MAX: Duration = Duration::from_secs(60);

/// How far ahead of this clock a proof without a nonce may be dated. Inclusive.
pub const PROOF_AHEAD_MAX: Duration = Duration::from_secs(10);

/// How long each nonce is handed out. It is accepted for twice that.
pub const NONCE_SPAN: Duration = Duration::from_secs(60);

/// How long after its first use a proof could still be good: so long it is remembered.
pub const PROOF_REMEMBERED: Duration = Duration::from_secs(120);

/// The longest URL that a proof is compared with, in bytes. Inclusive.
pub const URL_BYTES_MAX: usize = 8 * 1024;

/// What a proof says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProofClaims {
    /// The thumbprint of the key that signed it.
    pub key: Digest,
    /// Its name (`jti`), digested together with its key, so that nobody can use up another's names.
    pub name: [u8; 16],
    /// The method that it was made for (`htm`).
    pub method: Box<str>,
    /// The URL that it was made for (`htu`).
    pub url: Url,
    /// When it was made by the clock of who made it (`iat`).
    pub issued_at: Timestamp,
    /// The SHA-256 of the access token that it goes with (`ath`).
    pub access_token: Option<Digest>,
    /// The nonce that it repeats.
    pub nonce: Option<Box<str>>,
}

/// A proof whose signature is by the key that it brings: holding the value is the proof of that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DpopProof(ProofClaims);

impl Deref for DpopProof {
    type Target = ProofClaims;

    fn deref(&self) -> &ProofClaims {
        &self.0
    }
}

/// What a request asks of the proof beside it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// Its URL, as the one who sent it wrote it.
    pub url: &'a Url,
    /// The SHA-256 of the access token that it shows.
    pub access_token: Option<Digest>,
    /// Whether a proof must repeat a nonce.
    pub nonce: bool,
}

/// Whose nonce a proof repeats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nonce {
    /// Nobody's: it has none.
    None,
    /// One that was handed out here lately.
    Ours,
    /// Another's, an old one, or none that ever was.
    Foreign,
}

/// Why a proof is not good for a request. None says that somebody stole anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Flaw {
    /// It was made for another method.
    Method,
    /// It was made for another URL.
    Url,
    /// It was made for another access token, or for none where one was shown.
    AccessToken,
    /// It must repeat a nonce of ours.
    Nonce,
    /// By the clock of who made it, it is too old, or not made yet. With a nonce, that clock does not matter.
    Time,
    /// It was used before.
    Used,
}

impl Flaw {
    /// Whether another proof that repeats our nonce would do (RFC 9449 §8, §9: `use_dpop_nonce`).
    pub const fn is_cured_by_nonce(self) -> bool {
        match self {
            Self::Nonce | Self::Time => true,
            Self::Method | Self::Url | Self::AccessToken | Self::Used => false,
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "the proof is for another method (`htm`)",
            Self::Url => "the proof is for another URL (`htu`)",
            Self::AccessToken => "the proof is not for this access token (`ath`)",
            Self::Nonce => "the proof must repeat the nonce of the header `DPoP-Nonce`",
            Self::Time => "the proof is dated too far from this clock; repeat the nonce instead",
            Self::Used => "the proof was used before; make a new one for each request",
        })
    }
}

impl DpopProof {
    /// A proof whose signature was found right. Only `wire` may call this, after checking it.
    pub const fn assume_genuine(claims: ProofClaims) -> Self {
        Self(claims)
    }

    /// The key that was proved, if the proof is good for this request; whether it was used before is for who
    /// remembers.
    ///
    /// # Errors
    /// What is wrong with it, the first in the order of RFC 9449 §4.3.
    pub fn proves(&self, asked: &Asked<'_>, nonce: Nonce, at: Timestamp) -> Result<Digest, Flaw> {
        match () {
            () if *self.method != *asked.method => Err(Flaw::Method),
            () if self.url != *asked.url => Err(Flaw::Url),
            () if nonce == Nonce::Foreign => Err(Flaw::Nonce),
            () if nonce == Nonce::None && asked.nonce => Err(Flaw::Nonce),
            () if nonce == Nonce::None && !self.is_timely(at) => Err(Flaw::Time),
            () if self.access_token != asked.access_token => Err(Flaw::AccessToken),
            () => Ok(self.key),
        }
    }

    fn is_timely(&self, at: Timestamp) -> bool {
        self.issued_at.since(at) <= PROOF_AHEAD_MAX && at.since(self.issued_at) <= PROOF_AGE_MAX
    }
}

/// The span of time in which one nonce is handed out.
pub const fn nonce_span(at: Timestamp) -> u64 {
    at.as_millis() / NONCE_SPAN.as_millis() as u64
}

/// An absolute URL of http or https without query and fragment, in its one spelling (RFC 3986 §6.2.2, §6.2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url(Box<str>);

/// Why a text is no [`Url`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAUrl;

impl Url {
    /// Reads a URL, and leaves out its query and fragment.
    ///
    /// # Errors
    /// Not absolute, another scheme, a name and password before the host, no host, or longer than
    /// [`URL_BYTES_MAX`].
    pub fn parse(text: &str) -> Result<Self, NotAUrl> {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        if URL_BYTES_MAX < text.len() || !text.bytes().all(plain) {
            return Err(NotAUrl);
        }
        let (scheme, rest) = text.split_once("://").ok_or(NotAUrl)?;
        let (scheme, port) = match scheme {
            scheme if scheme.eq_ignore_ascii_case("https") => ("https", "443"),
            scheme if scheme.eq_ignore_ascii_case("http") => ("http", "80"),
            _ => return Err(NotAUrl),
        };
        let whole = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = whole.split_at(whole.find('/').unwrap_or(whole.len()));
        let mut url = format!("{scheme}://");
        push_authority(authority, port, &mut url)?;
        push_path(path, &mut url)?;
        Ok(Self(url.into()))
    }

    /// The spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Small letters, and no port where it is the scheme's own.
fn push_authority(authority: &str, default: &str, url: &mut String) -> Result<(), NotAUrl> {
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an address in brackets are its own.
        Some((host, port)) if !port.contains(']') => (host, port),
        Some(_) | None => (authority, ""),
    };
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=[]:".contains(&byte);
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    if host.is_empty() || !host.bytes().all(named) || !is_port {
        return Err(NotAUrl);
    }
    url.extend(host.chars().map(|letter| letter.to_ascii_lowercase()));
    if !port.is_empty() && port != default {
        url.push(':');
        url.push_str(port);
    }
    Ok(())
}

/// Needless escapes are undone, the others have capital digits, and segments `.` and `..` are walked.
fn push_path(path: &str, url: &mut String) -> Result<(), NotAUrl> {
    let begin = url.len();
    let mut segments = path.split('/').skip(1).peekable();
    if segments.peek().is_none() {
        url.push('/');
    }
    while let Some(segment) = segments.next() {
        let before = url.len();
        url.push('/');
        push_segment(segment, url)?;
        let dots = matches!(&url[before + 1..], "." | "..");
        if !dots {
            continue;
        }
        let up = &url[before + 1..] == "..";
        url.truncate(before);
        if up {
            let parent = url[begin..].rfind('/').unwrap_or(0);
            url.truncate(begin + parent);
        }
        if segments.peek().is_none() {
            url.push('/');
        }
    }
    Ok(())
}

fn push_segment(segment: &str, url: &mut String) -> Result<(), NotAUrl> {
    let mut rest = segment;
    while let Some((plain, escaped)) = rest.split_once('%') {
        url.push_str(plain);
        let digits = escaped.get(..2).filter(|two| two.bytes().all(|d| d.is_ascii_hexdigit()));
        let digits = digits.ok_or(NotAUrl)?;
        let byte = u8::from_str_radix(digits, 16).map_err(|_| NotAUrl)?;
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                url.push(char::from(byte));
            }
            _ => {
                url.push('%');
                url.extend(digits.chars().map(|digit| digit.to_ascii_uppercase()));
            }
        }
        rest = &escaped[2..];
    }
    url.push_str(rest);
    Ok(())
}
