//! Scopes: words separated by single spaces (RFC 6749 §3.3). Narrowed by a refresh, never widened.

use std::sync::Arc;

/// The longest scope, in bytes. Inclusive.
pub const SCOPE_BYTES_MAX: usize = 1024;

/// Whether a text is a scope: words of visible ASCII but `"` and `\`, single spaces between them.
/// The empty text is the empty scope.
pub fn is_scope(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
    };
    text.len() <= SCOPE_BYTES_MAX && (text.is_empty() || text.split(' ').all(word))
}

/// What is left of `granted` when only `asked` is wanted (RFC 6749 §6); `None` if `asked` is no scope or
/// goes beyond `granted`.
pub fn narrow(granted: &Arc<str>, asked: Option<&str>) -> Option<Arc<str>> {
    let Some(asked) = asked else { return Some(Arc::clone(granted)) };
    let had = |word: &str| granted.split(' ').any(|granted| granted == word);
    (is_scope(asked) && (asked.is_empty() || asked.split(' ').all(had))).then(|| asked.into())
}

/// What is left of a scope that was granted earlier, now that the client may be granted `allowed` alone: a
/// narrowed setting reaches sessions that exist, a wider one does not.
pub fn within(granted: &Arc<str>, allowed: &str) -> Arc<str> {
    let still = |word: &&str| allowed.split(' ').any(|allowed| allowed == *word);
    if granted.split(' ').all(|word| still(&word)) {
        return Arc::clone(granted);
    }
    let left: Vec<_> = granted.split(' ').filter(still).collect();
    left.join(" ").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_narrowed_and_never_widened() {
        let granted: Arc<str> = "orders:read orders:write".into();
        assert_eq!(narrow(&granted, None).as_deref(), Some(&*granted));
        assert_eq!(narrow(&granted, Some("orders:read")).as_deref(), Some("orders:read"));
        assert_eq!(narrow(&granted, Some("")).as_deref(), Some(""));
        assert_eq!(narrow(&granted, Some("orders:read admin")), None);
        assert_eq!(narrow(&granted, Some("orders")), None);
        assert_eq!(narrow(&"".into(), Some("admin")), None);
    }

    #[test]
    fn what_a_client_lost_its_sessions_lose_and_what_it_gained_they_do_not_gain() {
        for (granted, allowed, left) in [
            ("a b c", "c a d", "a c"),
            ("a b", "a b", "a b"),
            ("a", "a b", "a"),
            ("a b", "", ""),
            ("", "a", ""),
            ("", "", ""),
            ("admin", "admin:read", ""),
        ] {
            assert_eq!(&*within(&granted.into(), allowed), left, "{granted:?} within {allowed:?}");
        }
    }

    #[test]
    fn words_are_separated_by_single_spaces() {
        for bad in [" ", "a  b", " a", "a ", "a\tb", "a\"b", "a\\b", "é"] {
            assert!(!is_scope(bad), "{bad:?}");
        }
        assert!(is_scope("a b:c/d!"));
        assert!(!is_scope(&"a".repeat(SCOPE_BYTES_MAX + 1)));
    }
}
