//! The content and its key: AES-256-GCM (RFC 7518 §5.3) and AES key wrap (§4.4).

use super::KEY_BYTES;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::key_wrap::{AES_256, KeyEncryptionKey, KeyWrap};
use zeroize::Zeroizing;

/// How long a wrapped key is, in bytes: the key and an integrity check of eight.
pub(super) const WRAPPED_BYTES: usize = KEY_BYTES + 8;

/// How long a tag is, in bytes.
pub(super) const TAG_BYTES: usize = 16;

/// How long an initialization vector is, in bytes.
pub(super) const IV_BYTES: usize = NONCE_LEN;

pub(super) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// Wraps a key under another.
pub(super) fn wrap(kek: &Key, key: &Key) -> Result<[u8; WRAPPED_BYTES], Unspecified> {
    let mut wrapped = [0; WRAPPED_BYTES];
    KeyEncryptionKey::new(&AES_256, &**kek)?.wrap(&**key, &mut wrapped)?;
    Ok(wrapped)
}

/// Unwraps a key.
pub(super) fn unwrap(kek: &Key, wrapped: &[u8; WRAPPED_BYTES]) -> Result<Key, Unspecified> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let length = KeyEncryptionKey::new(&AES_256, &**kek)?.unwrap(wrapped, &mut *key)?.len();
    if length == KEY_BYTES { Ok(key) } else { Err(Unspecified) }
}

pub(super) fn cipher(key: &Key) -> Result<LessSafeKey, Unspecified> {
    UnboundKey::new(&AES_256_GCM, &**key).map(LessSafeKey::new)
}

/// Seals bytes in their place; `aad` is the header's segment. The same vector never seals two contents of one key:
/// whoever calls vouches for it.
pub(super) fn seal(
    cipher: &LessSafeKey,
    iv: [u8; IV_BYTES],
    aad: &[u8],
    content: &mut [u8],
) -> Result<[u8; TAG_BYTES], Unspecified> {
    let nonce = Nonce::assume_unique_for_key(iv);
    let tag = cipher.seal_in_place_separate_tag(nonce, Aad::from(aad), content)?;
    tag.as_ref().try_into().map_err(|_| Unspecified)
}

/// Opens bytes in their place; the tag stands behind them.
pub(super) fn open<'b>(
    cipher: &LessSafeKey,
    iv: [u8; IV_BYTES],
    aad: &[u8],
    sealed: &'b mut [u8],
) -> Result<&'b mut [u8], Unspecified> {
    cipher.open_in_place(Nonce::assume_unique_for_key(iv), Aad::from(aad), sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url;
    use data_encoding::HEXUPPER;

    fn key(bytes: &[u8]) -> Key {
        Zeroizing::new(bytes.try_into().unwrap())
    }

    #[test]
    fn rfc_3394_section_4_6_wraps_256_bits_under_256_bits() {
        let kek: Vec<u8> = (0..32).collect();
        let text = "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F";
        let data = key(&HEXUPPER.decode(text.as_bytes()).unwrap());
        let mut wrapped = wrap(&key(&kek), &data).unwrap();
        assert_eq!(
            HEXUPPER.encode(&wrapped),
            "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
        );
        assert_eq!(unwrap(&key(&kek), &wrapped).unwrap(), data);
        for bit in 0..WRAPPED_BYTES * 8 {
            wrapped[bit / 8] ^= 1 << (bit % 8);
            assert!(unwrap(&key(&kek), &wrapped).is_err(), "bit {bit}");
            wrapped[bit / 8] ^= 1 << (bit % 8);
        }
    }

    fn opened(cek: &[u8], token: &str) -> String {
        let [header, _, iv, content, tag] = token.split('.').collect::<Vec<_>>()[..] else {
            panic!("five segments")
        };
        let iv = base64url::decode_exact(iv, "iv").unwrap();
        let decode = |text| base64url::decode(text, "content").unwrap();
        let mut sealed = [decode(content), decode(tag)].concat();
        let cipher = cipher(&key(cek)).unwrap();
        let opened = open(&cipher, iv, header.as_bytes(), &mut sealed).unwrap();
        String::from_utf8(opened.to_vec()).unwrap()
    }

    #[test]
    fn rfc_7520_section_5_2_the_published_content_opens_under_its_published_key() {
        let cek = base64url::decode("mYMfsggkTAm0TbvtlFh2hyoXnbEzJQjMxmgLN3d8xXA", "cek").unwrap();
        let token = "eyJhbGciOiJSU0EtT0FFUCIsImtpZCI6InNhbXdpc2UuZ2FtZ2VlQGhvYmJpdG9uLmV4YW1wbGUiLCJlbmMiOiJBMjU2R0NNIn0\
                     ..-nBoKLH0YkLZPSI9.\
                     o4k2cnGN8rSSw3IDo1YuySkqeS_t2m1GXklSgqBdpACm6UJuJowOHC5ytjqYgRL-I-soPlwqMUf4UgRWWeaOGNw6vGW-xyM0\
                     1lTYxrXfVzIIaRdhYtEMRBvBWbEwP7ua1DRfvaOjgZv6Ifa3brcAM64d8p5lhhNcizPersuhw5f-pGYzseva-TUaL8iWnctc\
                     -sSwy7SQmRkfhDjwbz0fz6kFovEgj64X1I5s7E6GLp5fnbYGLa1QUiML7Cc2GxgvI7zqWo0YIEc7aCflLG1-8BboVWFdZKLK\
                     9vNoycrYHumwzKluLWEbSVmaPpOslY2n525DxDfWaVFUfKQxMF56vn4B9QMpWAbnypNimbM8zVOw.\
                     UCGiqJxhBI3IFVdPalHHvA";
        let content = opened(&cek, token);
        assert!(
            content
                .starts_with("You can trust us to stick with you through thick and thin\u{2013}")
        );
        assert!(content.ends_with("We are your friends, Frodo."));
    }

    #[test]
    fn rfc_7516_appendix_a_1_the_published_content_opens_under_its_published_key() {
        let cek = [
            177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246, 138, 7,
            110, 91, 112, 46, 34, 105, 47, 130, 203, 46, 122, 234, 64, 252,
        ];
        let token = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ..48V1_ALb6US04U3b.\
                     5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A.\
                     XFBoMYUZodetZdvTiFvSkQ";
        assert_eq!(
            opened(&cek, token),
            "The true sign of intelligence is not knowledge but imagination."
        );
    }
}
