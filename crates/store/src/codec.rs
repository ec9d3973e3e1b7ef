//! Values as bytes. Strict: what was not written by this codec to the last bit is [`Damage`], never a
//! default and never a panic.
//!
//! Every encoding begins with a format number and ends with a CRC-32C that covers its key too, so that a
//! sound row under another row's key is found as well. Numbers are LEB128, texts carry their length.

pub(crate) mod event;
pub(crate) mod session;
pub(crate) mod subject;

use crate::crc::crc32c;
use core::fmt;
use std::sync::Arc;
use symbolon_core::{Digest, Duration, Fault, StoreEpoch, Timestamp};

/// The longest list of texts (`amr`, `aud`, roles) that is read back. Inclusive.
const LIST_MAX: u64 = 4096;

/// Stored bytes that are not what was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Damage(pub(crate) &'static str);

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a stored value is damaged: {}; restore a backup", self.0)
    }
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Self::Store(damage.to_string())
    }
}

/// Writes one value.
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    pub(crate) fn new(format: u8) -> Self {
        let mut bytes = Vec::with_capacity(192);
        bytes.push(format);
        Self(bytes)
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte((number & 0x7F) as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    pub(crate) fn epoch(&mut self, epoch: StoreEpoch) {
        self.number(u64::from(epoch.0));
    }

    pub(crate) fn instant(&mut self, instant: Timestamp) {
        self.number(instant.as_millis());
    }

    pub(crate) fn span(&mut self, span: Duration) {
        self.number(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.raw(text.as_bytes());
    }

    pub(crate) fn texts(&mut self, texts: &[Arc<str>]) {
        self.number(texts.len() as u64);
        texts.iter().for_each(|text| self.text(text));
    }

    pub(crate) fn digest(&mut self, digest: &Digest) {
        self.raw(&digest.0);
    }

    /// A presence byte, then the value if there is one.
    pub(crate) fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// The bytes so far, without a checksum.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The bytes with their checksum, which covers `key` too.
    pub(crate) fn seal(self, key: &[&[u8]]) -> Vec<u8> {
        seal(self.0, key)
    }
}

/// Appends the checksum of `key` and `bytes`.
pub(crate) fn seal(mut bytes: Vec<u8>, key: &[&[u8]]) -> Vec<u8> {
    let crc = checksum(key, &bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// A small record's value, whose checksum covers of which kind, name and version it is.
pub(crate) fn seal_record(kind: u8, (name, version): (&str, u64), value: &[u8]) -> Vec<u8> {
    seal(value.to_vec(), &[&[kind], &version.to_le_bytes(), name.as_bytes()])
}

fn checksum(key: &[&[u8]], bytes: &[u8]) -> u32 {
    match key {
        [] => crc32c(&[bytes]),
        [one] => crc32c(&[one, bytes]),
        [one, two] => crc32c(&[one, two, bytes]),
        [one, two, three] => crc32c(&[one, two, three, bytes]),
        many => crc32c(&[many, &[bytes]].concat()),
    }
}

/// Reads one value.
pub(crate) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    /// Checks the checksum and the format number.
    pub(crate) fn open(sealed: &'a [u8], key: &[&[u8]], format: u8) -> Result<Self, Damage> {
        Self::of(unseal(sealed, key)?, format)
    }

    /// Checks the format number of bytes whose checksum was checked elsewhere.
    pub(crate) fn of(bytes: &'a [u8], format: u8) -> Result<Self, Damage> {
        let mut decoder = Self(bytes);
        if decoder.byte()? != format {
            return Err(Damage("its format is unknown"));
        }
        Ok(decoder)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Damage("it is too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Damage> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        self.take(N)?.try_into().map_err(|_| Damage("it is too short"))
    }

    pub(crate) fn number(&mut self) -> Result<u64, Damage> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                return Err(Damage("a number is too large"));
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damage("a number is too long"))
    }

    pub(crate) fn small(&mut self) -> Result<u32, Damage> {
        u32::try_from(self.number()?).map_err(|_| Damage("a number is too large"))
    }

    pub(crate) fn epoch(&mut self) -> Result<StoreEpoch, Damage> {
        self.small().map(StoreEpoch)
    }

    pub(crate) fn instant(&mut self) -> Result<Timestamp, Damage> {
        self.number().map(Timestamp::from_millis)
    }

    pub(crate) fn span(&mut self) -> Result<Duration, Damage> {
        self.number().map(Duration::from_millis)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let length = usize::try_from(self.number()?).map_err(|_| Damage("a text is too long"))?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Damage> {
        core::str::from_utf8(self.bytes()?).map_err(|_| Damage("a text is not UTF-8"))
    }

    pub(crate) fn shared_text(&mut self) -> Result<Arc<str>, Damage> {
        self.text().map(Arc::from)
    }

    pub(crate) fn texts(&mut self) -> Result<Arc<[Arc<str>]>, Damage> {
        let count = self.number()?;
        if count > LIST_MAX {
            return Err(Damage("a list is too long"));
        }
        (0..count).map(|_| self.shared_text()).collect()
    }

    pub(crate) fn digest(&mut self) -> Result<Digest, Damage> {
        self.array().map(Digest)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Damage> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            2.. => Err(Damage("a presence byte is neither 0 nor 1")),
        }
    }

    pub(crate) fn maybe<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Damage>,
    ) -> Result<Option<T>, Damage> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// The value, if nothing is left over.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn finish<T>(self, value: T) -> Result<T, Damage> {
        if self.0.is_empty() { Ok(value) } else { Err(Damage("something follows it")) }
    }
}

/// The bytes before the checksum, if it is right.
pub(crate) fn unseal<'a>(sealed: &'a [u8], key: &[&[u8]]) -> Result<&'a [u8], Damage> {
    let (bytes, crc) = sealed.split_last_chunk::<4>().ok_or(Damage("it is too short"))?;
    if checksum(key, bytes) == u32::from_le_bytes(*crc) {
        Ok(bytes)
    } else {
        Err(Damage("its checksum is wrong"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_size_are_read_back() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut encoder = Encoder::new(1);
            encoder.number(number);
            let sealed = encoder.seal(&[]);
            let mut decoder = Decoder::open(&sealed, &[], 1).unwrap();
            assert_eq!(decoder.number(), Ok(number));
            assert_eq!(decoder.finish(()), Ok(()));
        }
    }

    #[test]
    fn numbers_that_overflow_are_damage() {
        let mut bytes = vec![1];
        bytes.extend([0xFF; 9]);
        bytes.push(2);
        let sealed = seal(bytes, &[]);
        assert!(Decoder::open(&sealed, &[], 1).unwrap().number().is_err());
    }

    #[test]
    fn a_sound_value_under_another_key_is_damage() {
        let sealed = Encoder::new(1).seal(&[b"one"]);
        assert!(Decoder::open(&sealed, &[b"one"], 1).is_ok());
        assert!(Decoder::open(&sealed, &[b"two"], 1).is_err());
        assert!(Decoder::open(&sealed, &[b"one"], 2).is_err());
    }
}
