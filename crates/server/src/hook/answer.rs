//! What a back end answers: read strictly, since a member that is misspelled would be a permission that is not taken
//! away.

use crate::config::LEFT_OUT_BYTES_MAX;
use crate::http::body::{Object, parse_json};
use crate::http::problem::Problem;
use crate::http::start_request::{ROLES_MAX, claims, names};
use crate::http::subject::check_size;
use serde::Deserialize;
use serde_json::value::RawValue;
use symbolon_core::told::{Allowed, Refused};
use symbolon_core::{Below, Reason, Word};

/// The longest answer, in bytes. Inclusive: the most that somebody's roles and claims may be, and something beside.
pub(super) const ANSWER_BYTES_MAX: usize = LEFT_OUT_BYTES_MAX + 8 * 1024;

/// The longest note, in bytes. Inclusive.
const NOTE_BYTES_MAX: usize = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HookAnswer {
    allow: bool,
    roles: Option<Vec<String>>,
    claims: Option<Box<RawValue>>,
    reason: Option<String>,
    note: Option<String>,
    end: Option<bool>,
}

/// Reads an answer to what was asked at this version of the subject.
///
/// # Errors
/// Which member is wrong, and why.
pub(super) fn read(bytes: &[u8], asked_at: Below, bytes_max: usize) -> Result<Word, Problem> {
    let Object(answer): Object<HookAnswer> = parse_json(bytes)?;
    match answer.allow {
        true => answer.allowed(asked_at, bytes_max).map(Word::Allowed),
        false => answer.refused().map(Word::Refused),
    }
}

impl HookAnswer {
    fn allowed(self, asked_at: Below, bytes_max: usize) -> Result<Allowed, Problem> {
        let odd = [("reason", self.reason.is_some()), ("note", self.note.is_some())];
        none_of(odd, "says why not, beside `allow: true`")?;
        none_of([("end", self.end.is_some())], "ends a session that is to go on")?;
        let roles = self.roles.map(|roles| names(roles, "roles", ROLES_MAX)).transpose()?;
        let told = self.claims.as_deref().map(|own| claims(Some(own))).transpose()?;
        let told = told.map(|text| if &*text == "{}" { "".into() } else { text });
        let (own, added) = (roles.as_deref(), told.as_deref());
        check_size(own.unwrap_or_default(), added.unwrap_or_default(), bytes_max)?;
        Ok(Allowed { asked_at, roles, claims: told })
    }

    fn refused(self) -> Result<Refused, Problem> {
        let odd = [("roles", self.roles.is_some()), ("claims", self.claims.is_some())];
        none_of(odd, "is given to a session that is not to go on")?;
        let unknown = "is none of the stable reasons (docs/INTERFACE.md)";
        let reason = |word: String| Reason::parse(&word).ok_or(Problem::member("reason", unknown));
        if self.note.as_ref().is_some_and(|note| NOTE_BYTES_MAX < note.len()) {
            return Err(Problem::member("note", "is longer than 1024 bytes"));
        }
        Ok(Refused {
            reason: self.reason.map(reason).transpose()?,
            note: self.note.map(Into::into),
            ends: self.end.unwrap_or_default(),
            noted: false,
        })
    }
}

fn none_of<const N: usize>(given: [(&str, bool); N], why: &str) -> Result<(), Problem> {
    match given.into_iter().find(|(_, given)| *given) {
        Some((member, _)) => Err(Problem::member(member, why)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PROFILE_BYTES_MAX;
    use symbolon_core::StoreEpoch;

    const AT: Below = Below { epoch: StoreEpoch(0), counter: 7 };

    fn word(text: &str) -> Option<Word> {
        read(text.as_bytes(), AT, PROFILE_BYTES_MAX).ok()
    }

    fn allowed(roles: Option<&[&str]>, claims: Option<&str>) -> Option<Word> {
        let roles = roles.map(|roles| roles.iter().map(|role| (*role).into()).collect());
        Some(Word::Allowed(Allowed { asked_at: AT, roles, claims: claims.map(Into::into) }))
    }

    #[test]
    fn what_a_back_end_may_say() {
        let claims = Some(r#"{"plan":"pro"}"#);
        assert_eq!(
            word(r#"{"allow":true,"roles":["a"],"claims":{"plan":"pro"}}"#),
            allowed(Some(&["a"]), claims)
        );
        assert_eq!(word(r#"{"allow":true}"#), allowed(None, None));
        let emptied = allowed(Some(&[]), Some(""));
        assert_eq!(word(r#"{"allow":true,"roles":[],"claims":{}}"#), emptied);
        let (reason, note) = (Some(Reason::Banned), Some("unpaid".into()));
        let refused = Refused { reason, note, ends: true, noted: false };
        assert_eq!(
            word(r#"{"allow":false,"reason":"banned","note":"unpaid","end":true}"#),
            Some(Word::Refused(refused))
        );
        assert_eq!(word(r#"{"allow":false}"#), Some(Word::Refused(Refused::default())));
    }

    #[test]
    fn what_could_mean_two_things_is_no_answer() {
        for text in [
            "",
            "{}",
            "[]",
            "true",
            r#"{"allow":"yes"}"#,
            r#"{"allow":true,"allow":false}"#,
            r#"{"allow":true,"role":["a"]}"#,
            r#"{"allow":true,"end":true}"#,
            r#"{"allow":true,"reason":"banned"}"#,
            r#"{"allow":false,"roles":["a"]}"#,
            r#"{"allow":false,"reason":"tired"}"#,
            r#"{"allow":true,"claims":{"sub":"somebody else"}}"#,
            r#"{"allow":true,"claims":{"roles":["admin"]}}"#,
            r#"{"allow":true,"roles":["a\u0000"]}"#,
            r#"{"allow":true}{"allow":false}"#,
        ] {
            assert_eq!(word(text), None, "{text}");
        }
    }

    #[test]
    fn what_would_never_fit_into_a_token_is_no_answer() {
        let many: Vec<_> = (0..200).map(|n| format!("role-number-{n}")).collect();
        let text = serde_json::json!({"allow": true, "roles": many}).to_string();
        assert_eq!(word(&text), None);
    }
}
