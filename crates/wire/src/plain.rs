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
    let mut scan = Scan { text, at: 0 };
    if !has_no_escapes(text.as_bytes()) || !scan.eat(b'{') {
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
        if !self.eat(b'"') {
            return None;
        }
        let from = self.at;
        self.at += quote_at(self.rest());
        let text = self.text.get(from..self.at)?;
        self.eat(b'"').then_some(text)
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

/// Whether there is neither a backslash nor a control character anywhere. All bytes are looked at, which a compiler
/// makes faster than stopping at the first.
fn has_no_escapes(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |found, byte| found | (*byte == b'\\') | (*byte < 0x20))
}

/// How many bytes come before the first quote. Eight at a time.
fn quote_at(bytes: &[u8]) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word) ^ (u64::from(b'"') * LOW);
        let zeros = word.wrapping_sub(LOW) & !word & HIGH;
        if zeros != 0 {
            // The lowest is right; one above it may be a borrow's.
            return at * 8 + zeros.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + rest.iter().position(|byte| *byte == b'"').unwrap_or(rest.len())
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
        fn a_plain_string_ends_where_it_ends_byte_by_byte(bytes in prop::collection::vec(
            prop_oneof![8 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'!'), 1 => Just(b'#')], 0..40,
        )) {
            let expected = bytes.iter().position(|byte| *byte == b'"').unwrap_or(bytes.len());
            prop_assert_eq!(quote_at(&bytes), expected);
        }

        #[test]
        fn one_escape_anywhere_is_found(mut bytes in prop::collection::vec(0x20_u8.., 1..200), at in any::<prop::sample::Index>(), escape in prop_oneof![0_u8..0x20, Just(b'\\')]) {
            let clean = !bytes.contains(&b'\\');
            prop_assert_eq!(has_no_escapes(&bytes), clean);
            let at = at.index(bytes.len());
            bytes[at] = escape;
            prop_assert!(!has_no_escapes(&bytes));
        }
    }
}
