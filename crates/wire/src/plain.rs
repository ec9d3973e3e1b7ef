//! A reader of the JSON that our authority writes: no white space, no escapes, nothing nested but lists.
//!
//! It reads a token's claims in a fifth of the time that the general reader takes, which is most of what a
//! check does beside the signature. It never refuses: at anything that it does not know it gives up, and the
//! general reader, which knows every case and says what is wrong, reads the text from its beginning.

/// A value that this reader knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Plain<'a> {
    /// A string, without its quotes.
    Text(&'a str),
    /// A whole number.
    Number(u64),
    /// The text of an array of such strings.
    Texts(&'a str),
    /// An array of four whole numbers.
    Counters([u64; 4]),
}

/// Hands over the members of text that is one such object, each with the text of its value; `take` says
/// whether to go on. False if anything was not as expected.
pub(crate) fn each_plain_member<'a>(
    text: &'a str,
    mut take: impl FnMut(&'a str, Plain<'a>, &'a str) -> bool,
) -> bool {
    let Some(quotes) = Quotes::of(text.as_bytes()) else { return false };
    let mut scan = Scan { text, at: 0, quotes };
    if !scan.eat(b'{') {
        return false;
    }
    loop {
        let Some((name, value, raw)) = scan.member() else { return false };
        if !take(name, value, raw) {
            return false;
        }
        if !scan.eat(b',') {
            return scan.eat(b'}') && scan.at == text.len();
        }
    }
}

/// A text without backslashes and control characters, and how far it was read.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    quotes: Quotes,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.rest().first() == Some(&byte);
        self.at += usize::from(there);
        there
    }

    fn member(&mut self) -> Option<(&'a str, Plain<'a>, &'a str)> {
        let name = self.string()?;
        if !self.eat(b':') {
            return None;
        }
        let from = self.at;
        let value = match self.rest() {
            [b'"', ..] => Plain::Text(self.string()?),
            [b'[', b'"', ..] => {
                self.list(|scan| scan.string().map(|_| ()))?;
                Plain::Texts(self.text.get(from..self.at)?)
            }
            [b'[', ..] => Plain::Counters(self.counters()?),
            _ => Plain::Number(self.number()?),
        };
        Some((name, value, self.text.get(from..self.at)?))
    }

    /// A string without escapes, which ends at the next quote.
    fn string(&mut self) -> Option<&'a str> {
        let (opening, closing) = (self.quotes.next()?, self.quotes.next()?);
        if opening != self.at {
            return None;
        }
        self.at = closing + 1;
        self.text.get(opening + 1..closing)
    }

    /// Digits, as JSON writes them, of a number that no `u64` is too small for.
    fn number(&mut self) -> Option<u64> {
        let (digits, mut sum, mut count) = (self.rest(), 0, 0);
        for byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if 9 < digit || count == 19 {
                break;
            }
            (sum, count) = (sum * 10 + u64::from(digit), count + 1);
        }
        if count == 0 || (1 < count && digits[0] == b'0') {
            return None;
        }
        // A twentieth digit is nothing that may follow a number.
        self.at += count;
        Some(sum)
    }

    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if !self.eat(b'[') {
            return None;
        }
        loop {
            item(self)?;
            if !self.eat(b',') {
                return self.eat(b']').then_some(());
            }
        }
    }

    fn counters(&mut self) -> Option<[u64; 4]> {
        let (mut counters, mut count) = ([0; 4], 0);
        self.list(|scan| {
            *counters.get_mut(count)? = scan.number()?;
            count += 1;
            Some(())
        })?;
        (count == 4).then_some(counters)
    }
}

/// The longest text that is read here, in bytes. Inclusive: longer claims are rare.
const BYTES_MAX: usize = 2048;

/// Where the quotes of a text are, found for the whole text before it is read: looking for the end of each string
/// by itself would have the processor guess wrongly at most of them.
struct Quotes {
    /// A bit for each byte, the first byte lowest.
    words: [u64; BYTES_MAX / 64],
    at: usize,
    /// What is left of the word at `at`.
    left: u64,
}

impl Quotes {
    /// `None`: the text is too long, or has a backslash or a control character.
    fn of(text: &[u8]) -> Option<Self> {
        if BYTES_MAX < text.len() {
            return None;
        }
        let (mut words, mut escapes) = ([0; BYTES_MAX / 64], 0);
        for (word, part) in words.iter_mut().zip(text.chunks(64)) {
            for (place, eight) in part.chunks(8).enumerate() {
                let eight = u64::from_le_bytes(eight_of(eight));
                escapes |= zeros(eight ^ each(b'\\')) | controls(eight);
                *word |= gathered(zeros(eight ^ each(b'"'))) << (8 * place);
            }
        }
        (escapes == 0).then_some(Self { words, at: 0, left: words[0] })
    }

    /// The next one.
    fn next(&mut self) -> Option<usize> {
        while self.left == 0 {
            self.at += 1;
            self.left = *self.words.get(self.at)?;
        }
        let found = self.at * 64 + self.left.trailing_zeros() as usize;
        self.left &= self.left - 1;
        Some(found)
    }
}

/// The bytes, and spaces behind them.
fn eight_of(bytes: &[u8]) -> [u8; 8] {
    bytes.try_into().unwrap_or_else(|_| {
        let mut eight = [b' '; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        eight
    })
}

/// The same byte eight times.
const fn each(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

/// The highest bit of every byte that is zero, exactly.
const fn zeros(eight: u64) -> u64 {
    !((((eight & each(0x7f)) + each(0x7f)) | eight) | each(0x7f))
}

/// The highest bit of every byte below a space, exactly.
const fn controls(eight: u64) -> u64 {
    zeros(eight & each(0xe0))
}

/// The highest bits of eight bytes, side by side.
const fn gathered(highest: u64) -> u64 {
    (highest >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &str) -> Option<Vec<(&str, Plain<'_>)>> {
        let mut seen = Vec::new();
        let whole = each_plain_member(text, |name, value, _| {
            seen.push((name, value));
            true
        });
        whole.then_some(seen)
    }

    #[test]
    fn what_our_authority_writes_is_read() {
        let text =
            r#"{"sub":"用户 1","aud":["a","b"],"iat":0,"ver":[1,2,3,18446744073709551],"x":""}"#;
        let expected = [
            ("sub", Plain::Text("用户 1")),
            ("aud", Plain::Texts(r#"["a","b"]"#)),
            ("iat", Plain::Number(0)),
            ("ver", Plain::Counters([1, 2, 3, 18_446_744_073_709_551])),
            ("x", Plain::Text("")),
        ];
        assert_eq!(all(text).unwrap(), expected);
    }

    #[test]
    fn everything_else_is_left_to_the_general_reader() {
        for text in [
            "",
            "{",
            "{}",
            "[]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1}}",
            "{\"a\":1} ",
            " {\"a\":1}",
            "{\"a\" :1}",
            "{\"a\":01}",
            "{\"a\":-1}",
            "{\"a\":1.0}",
            "{\"a\":1e3}",
            "{\"a\":99999999999999999999}",
            "{\"a\":null}",
            "{\"a\":{}}",
            "{\"a\":[]}",
            "{\"a\":[1,2,3]}",
            "{\"a\":[1,2,3,4,5]}",
            "{\"a\":[1,\"b\"]}",
            "{\"a\":[\"b\",1]}",
            "{\"a\":\"\\u0061\"}",
            "{\"\\u0061\":1}",
            "{\"a\":\"b\nc\"}",
            "{\"a\":\"b}",
            "{\"a\":1,}",
            "{\"a\":[\"b\",]}",
            "{a:1}",
            "{\"a\":\"01234567\n\"}",
        ] {
            assert_eq!(all(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn quotes_are_found_where_they_are_and_one_escape_anywhere_ends_it(
            mut bytes in prop::collection::vec(prop_oneof![
                8 => 0x20_u8..=255, 2 => Just(b'"'), 1 => Just(b'!'), 1 => Just(b'#'), 1 => Just(0xa2)
            ], 1..300),
            at in any::<prop::sample::Index>(),
            escape in prop_oneof![0_u8..0x20, Just(b'\\')],
        ) {
            bytes.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'x');
            let expected: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] == b'"').collect();
            let mut quotes = Quotes::of(&bytes).unwrap();
            prop_assert_eq!(std::iter::from_fn(|| quotes.next()).collect::<Vec<_>>(), expected);
            let at = at.index(bytes.len());
            bytes[at] = escape;
            prop_assert!(Quotes::of(&bytes).is_none());
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_left_to_the_general_reader() {
        let of = |length: usize| format!("{{\"a\":\"{}\"}}", "b".repeat(length - 8));
        assert!(all(&of(BYTES_MAX)).is_some());
        assert!(all(&of(BYTES_MAX + 1)).is_none());
    }
}
