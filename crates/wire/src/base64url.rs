//! Base64url without padding, in its one canonical spelling (RFC 7515 §2, RFC 4648 §3.5 and §5).
//!
//! Two texts that decode to the same bytes would be two names for one token, so unused bits,
//! padding, white space and the other alphabet are refused.

use crate::Malformed;
use data_encoding::BASE64URL_NOPAD;

/// Why a segment was refused.
const NOT_BASE64URL: &str = "is not canonical base64url without padding";

/// Decodes to a vector.
pub(crate) fn decode(text: &str, member: &'static str) -> Result<Vec<u8>, Malformed> {
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Malformed::new(member, NOT_BASE64URL))
}

/// Decodes to exactly `N` bytes, without an allocation.
pub(crate) fn decode_exact<const N: usize>(
    text: &str,
    member: &'static str,
) -> Result<[u8; N], Malformed> {
    let mut bytes = [0; N];
    match decode_into(text, &mut bytes, member)? {
        decoded if decoded.len() == N => Ok(bytes),
        _ => Err(Malformed::new(member, "has the wrong length")),
    }
}

/// Decodes into the front of a buffer, which bounds the length.
pub(crate) fn decode_into<'b>(
    text: &str,
    buffer: &'b mut [u8],
    member: &'static str,
) -> Result<&'b [u8], Malformed> {
    let refused = Malformed::new(member, NOT_BASE64URL);
    let len = BASE64URL_NOPAD.decode_len(text.len()).map_err(|_| refused.clone())?;
    let space = buffer.get_mut(..len).ok_or(Malformed::new(member, "is too long"))?;
    BASE64URL_NOPAD.decode_mut(text.as_bytes(), space).map_err(|_| refused)?;
    Ok(space)
}

/// Appends the encoding of `bytes`.
pub(crate) fn append(bytes: &[u8], out: &mut String) {
    BASE64URL_NOPAD.encode_append(bytes, out);
}

/// Appends the encoding of `bytes` to text that is still bytes.
pub(crate) fn append_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + encoded_len(bytes.len()), 0);
    BASE64URL_NOPAD.encode_mut(bytes, &mut out[start..]);
}

/// Encodes into a buffer of exactly the [length](encoded_len) that it takes.
pub(crate) fn encode_into(bytes: &[u8], buffer: &mut [u8]) {
    BASE64URL_NOPAD.encode_mut(bytes, buffer);
}

/// Encodes to a new string.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// How many characters `bytes` bytes become.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    (bytes * 8).div_ceil(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_read() {
        assert_eq!(decode("-_8", "x"), Ok(vec![0xfb, 0xff]));
        for other in ["-_9", "+/8", "-_8=", "-_8 ", " -_8", "-\n_8", "-_", "A", "-_8\0", "ｅ"] {
            assert!(decode(other, "x").is_err(), "{other:?}");
        }
    }

    #[test]
    fn an_exact_decoding_refuses_other_lengths() {
        assert_eq!(decode_exact::<2>("-_8", "x"), Ok([0xfb, 0xff]));
        assert!(decode_exact::<1>("-_8", "x").is_err());
        assert!(decode_exact::<3>("-_8", "x").is_err());
    }

    #[test]
    fn the_encoded_length_is_the_one_that_is_written() {
        for len in 0..70 {
            assert_eq!(encode(&vec![7; len]).len(), encoded_len(len));
        }
    }
}
