//! Reading what an authority says of a token (RFC 7662 §2.2).
//!
//! It is read as strictly as a token is: what a verifier keeps of an answer lets people in for minutes.

use crate::Malformed;
use crate::claims::ParsedClaims;
use crate::json::Object;

/// What an authority says of a token, borrowed from its answer.
#[derive(Debug)]
pub enum Introspected<'a> {
    /// It is not in force, and nothing more is said (RFC 7662 §2.2).
    Inactive,
    /// It is in force, and stands for these claims; or an answer that has not all of them, by what is wrong.
    Active(Box<Result<ParsedClaims<'a>, Malformed>>),
}

impl<'a> Introspected<'a> {
    /// Reads the body of an answer. Only `true` is yes and only `false` is no.
    ///
    /// # Errors
    /// It is no object, or says neither.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let text =
            std::str::from_utf8(body).map_err(|_| Malformed::new("answer", "is not UTF-8"))?;
        let answer = Object::parse(text, "answer")?;
        match answer.raw("active").map(|value| value.get()) {
            Some("true") => Ok(Self::Active(Box::new(ParsedClaims::told(text)))),
            Some("false") => Ok(Self::Inactive),
            Some(_) | None => Err(Malformed::new("active", "is neither true nor false")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLAIMS: &str = r#""iss":"i","sub":"s","aud":["a","i"],"client_id":"c","iat":1,"exp":2,
        "jti":"j","ver":[1,2,3,4],"roles":["r"],"tenant":{"id":7}"#;

    fn claims(text: &str) -> Result<Vec<String>, String> {
        match Introspected::parse(text.as_bytes()).map_err(|wrong| wrong.to_string())? {
            Introspected::Inactive => Ok(vec![]),
            Introspected::Active(claims) => {
                let claims = (*claims).map_err(|wrong| wrong.to_string())?;
                let extras = claims.extras().map(|(name, value)| format!("{name}={value}"));
                Ok(std::iter::once(claims.sub.clone().into_owned()).chain(extras).collect())
            }
        }
    }

    #[test]
    fn only_true_is_yes_and_only_false_is_no() {
        for (text, said) in [
            (r#"{"active":true,"sub":"42"}"#, "active"),
            (r#"{"active":false}"#, "inactive"),
            (r#"{"active":false,"sub":"42"}"#, "inactive"),
            (r#"{"active":"true"}"#, "nothing"),
            (r#"{"active":1}"#, "nothing"),
            (r#"{"active":null}"#, "nothing"),
            (r#"{"active":true,"active":true}"#, "nothing"),
            (r#"{"active":true} "x""#, "nothing"),
            ("{}", "nothing"),
            ("[true]", "nothing"),
            ("true", "nothing"),
            ("", "nothing"),
            ("{\"active\":true", "nothing"),
        ] {
            let read = match Introspected::parse(text.as_bytes()) {
                Ok(Introspected::Active(_)) => "active",
                Ok(Introspected::Inactive) => "inactive",
                Err(_) => "nothing",
            };
            assert_eq!(read, said, "{text}");
        }
    }

    #[test]
    fn an_active_token_stands_for_its_claims_without_the_words_of_the_answer() {
        let said = claims(&format!(r#"{{"active":true,"token_type":"Bearer",{CLAIMS}}}"#));
        assert_eq!(said, Ok(vec!["s".to_owned(), r#"tenant={"id":7}"#.to_owned()]));
    }

    #[test]
    fn an_answer_without_a_claim_that_a_token_must_have_stands_for_none() {
        for missing in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "ver"] {
            let other = CLAIMS.replace(&format!("\"{missing}\""), "\"x\"");
            let said = claims(&format!(r#"{{"active":true,{other}}}"#)).unwrap_err();
            assert!(said.starts_with(missing), "{said}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}", tail in "[a-z\":{},0-9]{0,60}") {
            let _ = Introspected::parse(text.as_bytes());
            let _ = Introspected::parse(format!("{{\"active\":true,{tail}}}").as_bytes());
        }
    }
}
