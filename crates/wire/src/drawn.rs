//! What nobody drew at random: looked for in the master key and in the secrets that audiences share with us.

/// What is wrong with bytes that repeat themselves, as the end of a sentence.
pub(crate) const REPEATS: &str = "repeats itself: draw 32 random bytes";
/// What is wrong with bytes that count.
pub(crate) const COUNTS: &str = "counts up: draw 32 random bytes";
/// What is wrong with bytes that stand in somebody's example.
pub(crate) const PUBLISHED: &str = "is a published example: draw 32 random bytes";
/// What is wrong with words.
pub(crate) const TYPED: &str = "is text that somebody typed: draw 32 random bytes";

/// How many different bytes there are.
pub(crate) fn distinct(bytes: &[u8]) -> usize {
    (0..=u8::MAX).filter(|byte| bytes.contains(byte)).count()
}

/// Whether the bytes are a shorter part twice or more, the last time perhaps cut off.
pub(crate) fn repeats(bytes: &[u8]) -> bool {
    let whole = |period: &usize| bytes.iter().zip(&bytes[*period..]).all(|(one, next)| one == next);
    (1..=bytes.len() / 2).any(|period| whole(&period))
}

/// Whether at least three steps in four from one byte to the next are the same, or lead to a neighbour.
pub(crate) fn counts(bytes: &[u8]) -> bool {
    let steps = bytes.len().saturating_sub(1);
    let step = |pair: &[u8]| pair[1].wrapping_sub(pair[0]);
    let first = bytes.get(..2).map_or(0, step);
    let same = bytes.windows(2).all(|pair| step(pair) == first);
    let near = bytes.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 1).count();
    0 < steps && (same || 3 * steps <= 4 * near)
}

/// Whether every byte can be typed.
pub(crate) fn is_typed(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
}

/// Whether the bytes are one of the keys that stand in specifications and therefore in everybody's copy of
/// them.
pub(crate) fn is_published(bytes: &[u8]) -> bool {
    KEYS.contains(&bytes)
}

/// Fewer letters than this beside the words of examples are no secret.
const LETTERS_MIN: usize = 16;

/// Whether a text has words of everybody's examples in it, and hardly anything else but digits and signs.
pub(crate) fn is_made_of_words(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let left = WORDS.iter().fold(text.clone(), |left, word| left.replace(word, " "));
    let letters = left.bytes().filter(u8::is_ascii_alphabetic).count();
    left != text && letters < LETTERS_MIN
}

/// Whether a text holds one that was published as an example of a secret.
pub(crate) fn holds_published(text: &str) -> bool {
    let own = text.to_ascii_lowercase();
    TEXTS.iter().any(|known| own.contains(&known.to_ascii_lowercase()))
}

/// Keys of specifications, as bytes.
const KEYS: [&[u8]; 4] = [
    // RFC 8037 §A.1 and RFC 8032 §7.1, test 1.
    &[
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c,
        0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae,
        0x7f, 0x60,
    ],
    // SHA-256 of nothing: what a broken pipeline yields.
    &[
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ],
    // RFC 7515 §A.1.
    &[
        0x03, 0x23, 0x35, 0x4b, 0x2b, 0x0f, 0xa5, 0xbc, 0x83, 0x7e, 0x06, 0x65, 0x77, 0x7b, 0xa6,
        0x8f, 0x5a, 0xb3, 0x28, 0xe6, 0xf0, 0x54, 0xc9, 0x28, 0xa9, 0x0f, 0x84, 0xb2, 0xd2, 0x50,
        0x2e, 0xbf, 0xd3, 0xfb, 0x5a, 0x92, 0xd2, 0x06, 0x47, 0xef, 0x96, 0x8a, 0xb4, 0xc3, 0x77,
        0x62, 0x3d, 0x22, 0x3d, 0x2e, 0x21, 0x72, 0x05, 0x2e, 0x4f, 0x08, 0xc0, 0xcd, 0x9a, 0xf5,
        0x67, 0xd0, 0x80, 0xa3,
    ],
    // RFC 7520 §3.5.
    &[
        0x84, 0x9b, 0x57, 0x21, 0x9d, 0xae, 0x48, 0xde, 0x64, 0x6d, 0x07, 0xdb, 0xb5, 0x33, 0x56,
        0x6e, 0x97, 0x66, 0x86, 0x45, 0x7c, 0x14, 0x91, 0xbe, 0x3a, 0x76, 0xdc, 0xea, 0x6c, 0x42,
        0x71, 0x88,
    ],
];

/// Secrets of specifications, of documentation and of what is copied from it.
const TEXTS: [&str; 13] = [
    // RFC 7515 §A.1 and RFC 7520 §3.5.
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    // SHA-256 of nothing, as most tools print it.
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    // jwt.io, of old and of now.
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    // Nacos (QVD-2023-6271), of old and of its documentation.
    "SecretKey012345678901234567890123456789",
    "VGhpc0lzTXlDdXN0b21TZWNyZXRLZXkwMTIzNDU2Nzg",
    // Guides to Spring Security.
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "5367566B59703373367639792F423F4528482B4D6251655468576D5A71347437",
    "413F4428472B4B6250655368566D5970337336763979244226452948404D6351",
    // A self-hosted Supabase, PostgREST and Hasura as their documentation sets them up.
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "reallyreallyreallyreallyverysafe",
    "3EK6FD+o0+c7tzBNVfjpMkNDi2yARAAKzQlk8O2IKoxQu4nF7EdAh8s3TwpHwrdWT6R",
];

/// Words that examples of secrets are made of, in the order in which they are taken out.
const WORDS: [&str; 43] = [
    "symbolon",
    "characters",
    "production",
    "password",
    "changeit",
    "changeme",
    "passphrase",
    "default",
    "example",
    "signature",
    "signing",
    "private",
    "custom",
    "please",
    "replace",
    "string",
    "secret",
    "s3cr3t",
    "shared",
    "change",
    "really",
    "random",
    "should",
    "qwerty",
    "access",
    "refresh",
    "value",
    "admin",
    "super",
    "token",
    "least",
    "safe",
    "this",
    "that",
    "very",
    "long",
    "your",
    "with",
    "bits",
    "test",
    "demo",
    "jwt",
    "key",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_repeats_or_counts_is_seen_with_its_last_part_cut_off() {
        for text in ["aaaaaaaa", "abcabcab", "0123456789012345678901", "abcdefghabcdefgh"] {
            assert!(repeats(text.as_bytes()), "{text}");
        }
        assert!(!repeats(b"abcdefghabcdefgx") && !repeats(b""));
        assert!(counts(b"abcdefghijklmnopqrstuvwxyz0123456789") && counts(&[9, 6, 3, 0, 253]));
        assert!(!counts(b"ahbgcfde") && !counts(b"") && !counts(b"a"));
    }

    proptest! {
        #[test]
        fn what_was_drawn_is_never_taken_for_typed(bytes in any::<[u8; 32]>()) {
            let texts = [data_encoding::BASE64.encode(&bytes), data_encoding::HEXLOWER.encode(&bytes)];
            for text in &texts {
                prop_assert!(!repeats(text.as_bytes()) && !counts(text.as_bytes()));
                prop_assert!(!is_made_of_words(text) && !holds_published(text));
            }
        }
    }
}
