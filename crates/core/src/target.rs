//! The target of a request that stands at a gate: read so that it means one thing to everybody, or not at all.
//!
//! Whoever decides and whoever serves must see the same path. Upstreams differ in what they make of `//`,
//! `%2e`, `;` or a backslash, so a path with any of these is nobody's: no rule is asked about it. What is
//! left has one spelling, and is compared decoded.

use std::fmt;

/// The longest target, in bytes, query included. Inclusive.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;

/// The longest method, in bytes. Inclusive.
pub const METHOD_BYTES_MAX: usize = 32;

/// A path that means one thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Decoded, without a slash at its end; segments hold no slash, so nothing is lost.
    path: Box<str>,
    /// The same without the difference between capital and small letters.
    folded: Box<str>,
}

/// Why a target does not mean one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ambiguous {
    /// Longer than [`TARGET_BYTES_MAX`].
    TooLong,
    /// It does not begin with a slash: absolute form, authority form, `*`, or nothing at all.
    NotAPath,
    /// A byte that is no visible ASCII: a space, a control character, or a letter that is not encoded.
    Byte,
    /// A `#`, behind which some see nothing and others a path.
    Fragment,
    /// A backslash, which some take for a slash.
    Backslash,
    /// A `;`, behind which some see parameters.
    Parameters,
    /// `//`: some drop one slash, some do not.
    EmptySegment,
    /// `.` or `..`.
    DotSegment,
    /// A segment that ends in a dot or a space, which some drop.
    LooseEnd,
    /// A `%` without two hexadecimal digits behind it.
    Escape,
    /// An encoded letter, digit, dot or the like: whoever compares without decoding sees another path.
    NeedlessEscape,
    /// An encoded slash, backslash, percent, semicolon, question mark, hash or control character.
    HiddenDelimiter,
    /// What is encoded is no UTF-8.
    NotText,
    /// The method is no token of RFC 9110 §5.6.2, or longer than [`METHOD_BYTES_MAX`].
    Method,
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the target is longer than 8 KiB",
            Self::NotAPath => "the target does not begin with a slash",
            Self::Byte => "the target has a byte that is not visible ASCII",
            Self::Fragment => "the target has a `#`",
            Self::Backslash => "the path has a backslash",
            Self::Parameters => "the path has a `;`",
            Self::EmptySegment => "the path has an empty segment (`//`)",
            Self::DotSegment => "the path has a segment `.` or `..`",
            Self::LooseEnd => "the path has a segment that ends in a dot or a space",
            Self::Escape => "the path has a `%` without two hexadecimal digits",
            Self::NeedlessEscape => "the path encodes a character that needs no encoding",
            Self::HiddenDelimiter => "the path hides a delimiter behind `%`",
            Self::NotText => "the path encodes bytes that are no UTF-8",
            Self::Method => "the method is no token of at most 32 bytes",
        })
    }
}

impl Target {
    /// Reads the path of a target as it stands in the first line of a request; the query decides nothing.
    ///
    /// # Errors
    /// The path could mean two things.
    pub fn parse(text: &str) -> Result<Self, Ambiguous> {
        if TARGET_BYTES_MAX < text.len() {
            return Err(Ambiguous::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Ambiguous::Byte);
        }
        if text.contains('#') {
            return Err(Ambiguous::Fragment);
        }
        let raw = text.split('?').next().unwrap_or_default();
        let decoded = decode(raw.strip_prefix('/').ok_or(Ambiguous::NotAPath)?)?;
        let inner = decoded.strip_suffix('/').unwrap_or(&decoded);
        if !decoded.is_empty() {
            inner.split('/').try_for_each(segment)?;
        }
        let path = format!("/{inner}").into_boxed_str();
        Ok(Self { folded: fold(&path), path })
    }

    /// The path, decoded and without a slash at its end.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same without the difference between capital and small letters.
    pub(crate) fn folded(&self) -> &str {
        &self.folded
    }
}

/// Whether a text is a method (RFC 9110 §9.1).
pub fn is_method(text: &str) -> bool {
    let mark = |byte: &u8| b"!#$%&'*+-.^_`|~".contains(byte);
    let token = |byte: u8| byte.is_ascii_alphanumeric() || mark(&byte);
    !text.is_empty() && text.len() <= METHOD_BYTES_MAX && text.bytes().all(token)
}

/// What is left of a path when capital and small letters are the same.
pub(crate) fn fold(path: &str) -> Box<str> {
    path.to_lowercase().into_boxed_str()
}

fn segment(text: &str) -> Result<(), Ambiguous> {
    match text {
        "" => Err(Ambiguous::EmptySegment),
        "." | ".." => Err(Ambiguous::DotSegment),
        text if text.ends_with(['.', ' ']) => Err(Ambiguous::LooseEnd),
        _ => Ok(()),
    }
}

/// Decodes a path once; what a second decoding, or none, would see otherwise is refused.
fn decode(raw: &str) -> Result<String, Ambiguous> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'\\' => return Err(Ambiguous::Backslash),
            b';' => return Err(Ambiguous::Parameters),
            b'%' => escaped(bytes.next(), bytes.next())?,
            plain => plain,
        });
    }
    String::from_utf8(decoded).map_err(|_| Ambiguous::NotText)
}

fn escaped(high: Option<u8>, low: Option<u8>) -> Result<u8, Ambiguous> {
    let digit = |byte: Option<u8>| {
        let value = char::from(byte?).to_digit(16)?;
        u8::try_from(value).ok()
    };
    let (Some(high), Some(low)) = (digit(high), digit(low)) else { return Err(Ambiguous::Escape) };
    match high << 4 | low {
        b'/' | b'\\' | b'%' | b';' | b'?' | b'#' | 0..=0x1f | 0x7f => {
            Err(Ambiguous::HiddenDelimiter)
        }
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            Err(Ambiguous::NeedlessEscape)
        }
        byte => Ok(byte),
    }
}
