//! Text that is not what it should be.

use std::borrow::Cow;
use std::fmt;

/// Why some text is not even a request: which member is wrong, and in what way.
///
/// It never carries bytes of a token or of a key, so it may be logged and sent back. A member's
/// name is quoted only where a trusted party wrote it (a key set, a back end's claims).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    member: Cow<'static, str>,
    why: &'static str,
}

impl Malformed {
    /// Says that `member` is wrong, and `why`, as the end of a sentence.
    pub const fn new(member: &'static str, why: &'static str) -> Self {
        Self { member: Cow::Borrowed(member), why }
    }

    /// Says that a member whose name came with the text is wrong.
    ///
    /// The name is cut and freed of control characters, since it will be printed.
    pub(crate) fn named(member: &str, why: &'static str) -> Self {
        let printable = member.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
        Self { member: Cow::Owned(printable), why }
    }

    /// Says in what the member stands, as in `keys[2].crv`.
    pub(crate) fn within(self, outer: &str) -> Self {
        Self { member: Cow::Owned(format!("{outer}.{}", self.member)), why: self.why }
    }

    /// The member that is wrong, as a path, such as `exp` or `keys[2].crv`.
    pub fn member(&self) -> &str {
        &self.member
    }

    /// What is wrong with it, as the end of a sentence.
    pub const fn why(&self) -> &'static str {
        self.why
    }
}

/// How much of a foreign member's name is ever repeated, in characters. Inclusive.
const NAME_CHARS_MAX: usize = 64;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.member, self.why)
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_member_and_where_it_stands() {
        let wrong = Malformed::new("crv", "must be P-256").within("keys[2]");
        assert_eq!(wrong.to_string(), "keys[2].crv: must be P-256");
    }

    #[test]
    fn a_foreign_name_is_cut_and_cannot_break_a_log_line() {
        let wrong = Malformed::named(&format!("a\nb{}", "x".repeat(500)), "is reserved");
        assert_eq!(wrong.member().len(), NAME_CHARS_MAX);
        assert!(!wrong.to_string().contains('\n'));
    }
}
