//! Audiences: whom an access token is for. Chosen at sign-in, narrowed by `resource`, and never beyond what
//! the client has now.

use std::sync::Arc;

/// Whom a token is for: those of `own` that the client still has (all of the client's where `own` is empty),
/// or of these the `resource` alone that was asked for (RFC 8707 §2). `None`: nobody is left, or the resource
/// is not among them; a session whose audiences are gone is never given others in their place.
pub fn narrow(
    own: &[Arc<str>],
    of_client: &[Arc<str>],
    resource: Option<&str>,
) -> Option<Arc<[Arc<str>]>> {
    let chosen = |name: &&Arc<str>| own.is_empty() || own.contains(name);
    let asked = |name: &&Arc<str>| resource.is_none_or(|resource| resource == &***name);
    let left: Arc<[_]> = of_client.iter().filter(chosen).filter(asked).cloned().collect();
    (!left.is_empty()).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<Arc<str>> {
        text.split_whitespace().map(Into::into).collect()
    }

    #[test]
    fn a_session_keeps_of_its_audiences_those_that_the_client_still_has() {
        for (own, of_client, resource, left) in [
            ("", "api billing", None, "api billing"),
            ("billing", "api billing", None, "billing"),
            ("api billing", "api", None, "api"),
            ("billing", "api", None, ""),
            ("", "", None, ""),
            ("", "api billing", Some("billing"), "billing"),
            ("api", "api billing", Some("billing"), ""),
            ("api billing", "api", Some("billing"), ""),
            ("", "api", Some("ap"), ""),
            ("", "api", Some("API"), ""),
        ] {
            let narrowed = narrow(&names(own), &names(of_client), resource);
            let expected = Some(names(left)).filter(|left| !left.is_empty());
            let case = format!("{own:?} of {of_client:?} for {resource:?}");
            assert_eq!(narrowed.as_deref(), expected.as_deref(), "{case}");
        }
    }
}
