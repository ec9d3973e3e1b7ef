//! Step-up at a gate (RFC 9470): whether the person was authenticated lately, and strongly enough.

use super::{Admitted, Refused};
use crate::http::problem::Problem;
use axum::http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use symbolon_core::gateway::Needs;
use symbolon_core::{Fault, Timestamp};
use symbolon_verify::Rejected;

/// Whether a rule's wishes about the authentication are met; `now` is asked only if there are any.
pub(super) fn check(
    needs: &Needs,
    admitted: &Admitted,
    now: impl FnOnce() -> Result<Timestamp, Fault>,
) -> Result<(), Refused> {
    if needs.max_age.is_none() && needs.acr.is_empty() {
        return Ok(());
    }
    let at = now()?;
    let proved = match admitted {
        Admitted::Verified(verified) => {
            let claims = verified.claims();
            needs.are_proved(claims.auth_time, claims.acr, at)
        }
        Admitted::Read(read) => needs.are_proved(read.auth_time, read.acr.as_deref(), at),
    };
    match proved {
        true => Ok(()),
        false => {
            let acr = needs.acr.join(" ").into();
            Err(Rejected::InsufficientAuthentication { max_age: needs.max_age, acr }.into())
        }
    }
}

/// Where a page is sent: to sign in, or to prove more. The latter is said, since whoever is signed in already would
/// else be sent back at once, and here again.
pub(super) fn login(url: &str, rejected: &Rejected) -> String {
    let Rejected::InsufficientAuthentication { max_age, acr } = rejected else {
        return url.to_owned();
    };
    let joint = if url.contains('?') { '&' } else { '?' };
    let mut url = format!("{url}{joint}error=insufficient_user_authentication");
    if let Some(age) = max_age {
        url.push_str(&format!("&max_age={}", age.as_secs()));
    }
    if !acr.is_empty() {
        url.push_str("&acr_values=");
        url.extend(utf8_percent_encode(acr, NON_ALPHANUMERIC));
    }
    url
}

/// What a program is told beside the challenge.
pub(super) fn problem(rejected: &Rejected) -> Problem {
    let (status, detail) = (StatusCode::UNAUTHORIZED, format!("Step up: {rejected}."));
    Problem::new(status, "insufficient-user-authentication", "Step up", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use symbolon_core::Duration;

    #[test]
    fn a_page_is_told_what_it_is_to_prove() {
        let max_age = Some(Duration::from_secs(300));
        let both = Rejected::InsufficientAuthentication { max_age, acr: "2 urn:x".into() };
        let error = "error=insufficient_user_authentication";
        assert_eq!(
            login("https://login.example.com/", &both),
            format!("https://login.example.com/?{error}&max_age=300&acr_values=2%20urn%3Ax")
        );
        let recent = Rejected::InsufficientAuthentication { max_age, acr: "".into() };
        assert_eq!(login("https://a/?x=1", &recent), format!("https://a/?x=1&{error}&max_age=300"));
        assert_eq!(login("https://a/", &Rejected::Expired), "https://a/");
    }
}
