//! CRC-32C (Castagnoli, RFC 3720 appendix B.4): what tells a flipped bit from what was written.
//!
//! It finds every error of up to three bits in a row of our sizes and all but one in 2³² of the others. It
//! is no protection against somebody who can write the file.

const POLYNOMIAL: u32 = 0x82F6_3B78;

const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut rest = 256;
    while rest < 8 * 256 {
        let (slice, byte) = (rest / 256, rest % 256);
        let before = tables[slice - 1][byte];
        tables[slice][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
        rest += 1;
    }
    tables
}

/// The checksum of several parts, as if they were one.
pub(crate) fn crc32c(parts: &[&[u8]]) -> u32 {
    !parts.iter().fold(!0, |crc, part| extend(crc, part))
}

fn extend(mut crc: u32, bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        let [a, b, c, d, e, f, g, h] = (u64::from_le_bytes(*eight) ^ u64::from(crc)).to_le_bytes();
        crc = [h, g, f, e, d, c, b, a]
            .into_iter()
            .zip(&TABLES)
            .fold(0, |crc, (byte, table)| crc ^ table[usize::from(byte)]);
    }
    rest.iter()
        .fold(crc, |crc, byte| (crc >> 8) ^ TABLES[0][usize::from(crc.to_le_bytes()[0] ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_published_checksum() {
        assert_eq!(crc32c(&[b"123456789"]), 0xE306_9283); // the check value of CRC-32/ISCSI
        assert_eq!(crc32c(&[&[0; 32]]), 0x8A91_36AA); // RFC 3720 appendix B.4
        assert_eq!(crc32c(&[&[0xFF; 32]]), 0x62A8_AB43);
    }

    #[test]
    fn parts_count_as_one() {
        assert_eq!(crc32c(&[b"1234", b"", b"56789"]), crc32c(&[b"123456789"]));
    }

    #[test]
    fn every_single_flipped_bit_is_found() {
        let sound = [0x5A_u8; 150];
        let expected = crc32c(&[&sound]);
        for bit in 0..sound.len() * 8 {
            let mut damaged = sound;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(crc32c(&[&damaged]), expected, "bit {bit}");
        }
    }
}
