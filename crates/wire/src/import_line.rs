//! A line of a file of sessions that come from another system.

use crate::json::{self, Object};
use crate::{Malformed, base64url};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::value::RawValue;
use std::sync::Arc;
use symbolon_core::device::{Device, DeviceClass};
use symbolon_core::{ClientId, Digest, NotAName, Subject, Timestamp, id};

/// The most roles of a line. Inclusive; what fits into a token may be fewer.
const ROLES_MAX: usize = 256;

/// The most entries in `amr`. Inclusive.
const AMR_MAX: usize = 16;

/// What a line says of one session. Has no `Debug`: the digest finds somebody's token.
pub struct ImportLine {
    /// Whom it is for.
    pub subject: Subject,
    /// Through which application.
    pub client: ClientId,
    /// On what.
    pub device: Device,
    /// When it was started, if the other system knows.
    pub created_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The SHA-256 of the refresh token that its holder has.
    pub token: Digest,
    /// The subject's roles, if the other system knows.
    pub roles: Option<Arc<[Arc<str>]>>,
    /// The scope granted; `None`: all that the client may have.
    pub scope: Option<Arc<str>>,
    /// How the person was authenticated (RFC 8176).
    pub amr: Arc<[Arc<str>]>,
}

impl ImportLine {
    /// Reads a line: one JSON object, no unknown or repeated member.
    ///
    /// # Errors
    /// Which member is wrong, and why.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let line = Object::parse(text, "line")?;
        known(&line, &MEMBERS)?;
        let texts = |member, max| line.raw(member).map(|raw| names(raw, member, max)).transpose();
        Ok(Self {
            subject: named(&line, "subject", Subject::parse)?,
            client: named(&line, "client_id", ClientId::parse)?,
            device: device(&line)?,
            created_at: line.raw("created_at").map(|raw| instant(raw, "created_at")).transpose()?,
            expires_at: instant(required(&line, "expires_at")?, "expires_at")?,
            token: digest(&line.required(TOKEN)?)?,
            roles: texts("roles", ROLES_MAX)?,
            scope: line.string("scope")?.map(Into::into),
            amr: texts("amr", AMR_MAX)?.unwrap_or_default(),
        })
    }
}

const TOKEN: &str = "refresh_token_sha256";

const MEMBERS: [&str; 9] =
    ["subject", "client_id", "device", "created_at", "expires_at", TOKEN, "roles", "scope", "amr"];

const NOT_A_DIGEST: Malformed =
    Malformed::new(TOKEN, "must be the 32 bytes of a SHA-256, as hexadecimal or base64url");

fn known(object: &Object<'_>, members: &[&str]) -> Result<(), Malformed> {
    match object.members().find(|(name, _)| !members.contains(name)) {
        Some((name, _)) => Err(Malformed::named(name, "is not a member that is known here")),
        None => Ok(()),
    }
}

fn required<'a>(line: &Object<'a>, member: &'static str) -> Result<&'a RawValue, Malformed> {
    line.raw(member).ok_or(Malformed::new(member, "is missing"))
}

fn named<T>(
    line: &Object<'_>,
    member: &'static str,
    parse: impl Fn(&str) -> Result<T, NotAName>,
) -> Result<T, Malformed> {
    parse(&line.required(member)?).map_err(|why| Malformed::new(member, why.0))
}

fn device(line: &Object<'_>) -> Result<Device, Malformed> {
    const CLASS: &str = "must be one of web, app, mini_program, desktop, iot, service, other";
    let read = |device: Object<'_>| {
        known(&device, &["class", "id", "name"])?;
        let class = DeviceClass::parse(&device.required("class")?);
        let name = |member| {
            let text = device.string(member)?;
            let name = text.map(|text| id::name(&text)).transpose();
            name.map_err(|why| Malformed::new(member, why.0))
        };
        Ok(Device {
            class: class.ok_or(Malformed::new("class", CLASS))?,
            id: name("id")?,
            name: name("name")?,
        })
    };
    let device = Object::parse(required(line, "device")?.get(), "device")?;
    read(device).map_err(|why: Malformed| why.within("device"))
}

/// Whole seconds since 1970.
fn instant(raw: &RawValue, member: &'static str) -> Result<Timestamp, Malformed> {
    let seconds: Result<u64, _> = serde_json::from_str(raw.get());
    seconds
        .map(Timestamp::from_seconds)
        .map_err(|_| Malformed::new(member, "must be whole seconds since 1970"))
}

fn digest(text: &str) -> Result<Digest, Malformed> {
    if text.len() == 64 {
        let mut bytes = [0; 32];
        let decoded = HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut bytes);
        return decoded.map(|_| Digest(bytes)).map_err(|_| NOT_A_DIGEST);
    }
    base64url::decode_exact(text, TOKEN).map(Digest).map_err(|_| NOT_A_DIGEST)
}

fn names(raw: &RawValue, member: &'static str, max: usize) -> Result<Arc<[Arc<str>]>, Malformed> {
    let texts = json::strings(raw, member)?;
    if max < texts.len() {
        return Err(Malformed::new(member, "has too many entries"));
    }
    let read = |text: &std::borrow::Cow<'_, str>| {
        id::name(text).map_err(|why| Malformed::new(member, why.0))
    };
    texts.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn line() -> Value {
        json!({
            "subject": "10086",
            "client_id": "web",
            "device": {"class": "app", "id": "d-1", "name": "手机"},
            "created_at": 1_700_000_000,
            "expires_at": 1_800_000_000,
            "refresh_token_sha256": "ab".repeat(32),
            "roles": ["member"],
            "scope": "orders:read",
            "amr": ["pwd"],
        })
    }

    fn why(change: impl FnOnce(&mut Value)) -> String {
        let mut line = line();
        change(&mut line);
        ImportLine::parse(&line.to_string()).err().map(|why| why.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_line_says_whose_session_on_what_until_when() {
        let read = ImportLine::parse(&line().to_string()).ok().unwrap();
        assert_eq!((read.subject.as_str(), read.client.as_str()), ("10086", "web"));
        assert_eq!(read.device.class, DeviceClass::App);
        assert_eq!(read.device.name.as_deref(), Some("手机"));
        assert_eq!(read.created_at, Some(Timestamp::from_seconds(1_700_000_000)));
        assert_eq!(read.expires_at, Timestamp::from_seconds(1_800_000_000));
        assert_eq!(read.token, Digest([0xAB; 32]));
        assert_eq!((read.roles.map(|roles| roles.len()), read.amr.len()), (Some(1), 1));
        assert_eq!(read.scope.as_deref(), Some("orders:read"));
    }

    #[test]
    fn only_what_the_other_system_may_not_know_may_be_missing() {
        for member in ["created_at", "roles", "scope", "amr"] {
            assert_eq!(why(|line| drop(line.as_object_mut().unwrap().remove(member))), "");
        }
        for member in ["subject", "client_id", "device", "expires_at", TOKEN] {
            let said = why(|line| drop(line.as_object_mut().unwrap().remove(member)));
            assert_eq!(said, format!("{member}: is missing"));
        }
    }

    #[test]
    fn a_digest_is_hexadecimal_or_base64url_and_nothing_shorter() {
        assert_eq!(why(|line| line[TOKEN] = "AB".repeat(32).into()), "");
        assert_eq!(why(|line| line[TOKEN] = base64url::encode(&[7; 32]).into()), "");
        for wrong in ["", "ab", &"zz".repeat(32), &base64url::encode(&[7; 31]), "the token itself"]
        {
            let said = why(|line| line[TOKEN] = wrong.into());
            assert_eq!(said, NOT_A_DIGEST.to_string(), "{wrong}");
        }
    }

    #[test]
    fn each_mistake_is_told_by_its_member() {
        assert_eq!(ImportLine::parse("{").err().unwrap().to_string(), "line: is not a JSON object");
        assert_eq!(ImportLine::parse("{} {}").err().unwrap().member(), "line");
        assert!(why(|line| line["token"] = "x".into()).starts_with("token: is not a member"));
        assert!(why(|line| line["subject"] = "".into()).starts_with("subject: is empty"));
        assert!(why(|line| line["device"]["class"] = "fridge".into()).starts_with("device.class:"));
        assert!(why(|line| line["device"]["model"] = "x".into()).starts_with("device.model:"));
        assert!(why(|line| line["device"] = json!([])).starts_with("device:"));
        assert!(
            why(|line| line["expires_at"] = json!(1.5)).starts_with("expires_at: must be whole")
        );
        assert!(
            why(|line| line["expires_at"] = json!("1")).starts_with("expires_at: must be whole")
        );
        assert!(
            why(|line| line["created_at"] = json!(-1)).starts_with("created_at: must be whole")
        );
        assert!(why(|line| line["roles"] = json!(["", "a"])).starts_with("roles: is empty"));
        assert!(
            why(|line| line["roles"] = json!(vec!["a"; 257])).starts_with("roles: has too many")
        );
        assert!(why(|line| line["amr"] = json!("pwd")).starts_with("amr: must be an array"));
    }
}
