//! Audiences: whom an access token is for. Chosen at sign-in, narrowed by `resource`, and never beyond what
//! the client has now.

use std::sync::Arc;

/// Whom a client's tokens may be for.
#[derive(Clone, Copy)]
pub struct Offered<'a> {
    /// All of them.
    pub all: &'a [Arc<str>],
    /// Those that it gets where nobody asks for any; empty: all of them.
    pub usual: &'a [Arc<str>],
}

/// Whom a token is for: those of `own` that the client still has (its usual ones where `own` is empty). If a `resource`
/// was asked for (RFC 8707 §2), it alone, of `own` or, where that is empty, of all. `None`: nobody is left, or the
/// resource is not among them; a session whose audiences are gone is never given others in their place.
pub fn narrow(
    own: &[Arc<str>],
    of_client: Offered<'_>,
    resource: Option<&str>,
) -> Option<Arc<[Arc<str>]>> {
    let own = if own.is_empty() && resource.is_none() { of_client.usual } else { own };
    let chosen = |name: &&Arc<str>| own.is_empty() || own.contains(name);
    let asked = |name: &&Arc<str>| resource.is_none_or(|resource| resource == &***name);
    let left: Arc<[_]> = of_client.all.iter().filter(chosen).filter(asked).cloned().collect();
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
            let offered = Offered { all: &names(of_client), usual: &[] };
            let narrowed = narrow(&names(own), offered, resource);
            let expected = Some(names(left)).filter(|left| !left.is_empty());
            let case = format!("{own:?} of {of_client:?} for {resource:?}");
            assert_eq!(narrowed.as_deref(), expected.as_deref(), "{case}");
        }
    }

    #[test]
    fn who_asks_for_nobody_gets_the_usual_audiences_and_who_asks_gets_any() {
        let (all, usual) = (names("api billing"), names("api"));
        let offered = Offered { all: &all, usual: &usual };
        for (own, resource, left) in [
            ("", None, "api"),
            ("", Some("billing"), "billing"),
            ("billing", None, "billing"),
            ("billing", Some("api"), ""),
        ] {
            let narrowed = narrow(&names(own), offered, resource);
            let expected = Some(names(left)).filter(|left| !left.is_empty());
            assert_eq!(narrowed.as_deref(), expected.as_deref(), "{own:?} {resource:?}");
        }
    }
}
