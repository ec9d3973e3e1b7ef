//! Imprints: what a token says of the features and the network that its holder must show, without telling them.

use crate::client::BindingMode;

/// A digest of features or of a network, made together with one session: it tells nothing by itself, and two sessions
/// of one person have two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Imprint(pub [u8; 16]);

/// What a session is bound to, under a setting that looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Bound<T> {
    /// To what.
    pub to: T,
    /// Whether whoever shows something else is refused, or only counted.
    pub enforced: bool,
}

/// What a token says of features and network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Imprints {
    /// Of the client's features.
    pub features: Option<Bound<Imprint>>,
    /// Of the network of its address.
    pub network: Option<Bound<Imprint>>,
}

/// What a request shows of one of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Nobody has looked.
    Unknown,
    /// It was looked for, and is not there.
    Nothing,
    /// This.
    Shown(Imprint),
}

/// What that says of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// It is what the token was made for.
    Same,
    /// It is not, or it is not known, and that is only counted.
    Reported,
    /// It is not.
    Other,
    /// It cannot be told: whoever lets requests in must look.
    Unknown,
}

impl<T> Bound<T> {
    /// What is looked at under a mode.
    pub(crate) fn under(mode: BindingMode, to: Option<T>) -> Option<Self> {
        match mode {
            BindingMode::Off => None,
            BindingMode::Report => Some(Self { to: to?, enforced: false }),
            BindingMode::Enforce => Some(Self { to: to?, enforced: true }),
        }
    }
}

impl Bound<Imprint> {
    /// Compares with what a request shows.
    pub fn compare(&self, seen: Seen) -> Fit {
        match (seen, self.enforced) {
            (Seen::Shown(shown), _) if shown == self.to => Fit::Same,
            (Seen::Unknown | Seen::Nothing | Seen::Shown(_), false) => Fit::Reported,
            (Seen::Nothing | Seen::Shown(_), true) => Fit::Other,
            (Seen::Unknown, true) => Fit::Unknown,
        }
    }
}

impl Imprints {
    /// Whether a token says nothing of either.
    pub const fn is_empty(&self) -> bool {
        self.features.is_none() && self.network.is_none()
    }

    /// Whether something else than what they are made of is counted and let in.
    pub fn only_report(&self) -> bool {
        [self.features, self.network].iter().flatten().any(|own| !own.enforced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Imprint = Imprint([1; 16]);
    const OTHER: Imprint = Imprint([2; 16]);

    fn compared(enforced: bool, seen: Seen) -> Fit {
        Bound { to: OWN, enforced }.compare(seen)
    }

    #[test]
    fn what_is_enforced_must_be_shown_and_be_the_same() {
        assert_eq!(compared(true, Seen::Shown(OWN)), Fit::Same);
        assert_eq!(compared(true, Seen::Shown(OTHER)), Fit::Other);
        assert_eq!(compared(true, Seen::Nothing), Fit::Other);
    }

    #[test]
    fn where_nobody_looked_nothing_is_known_and_nobody_is_called_another() {
        assert_eq!(compared(true, Seen::Unknown), Fit::Unknown);
    }

    #[test]
    fn what_is_only_reported_refuses_nobody() {
        assert_eq!(compared(false, Seen::Shown(OWN)), Fit::Same);
        for seen in [Seen::Shown(OTHER), Seen::Nothing, Seen::Unknown] {
            assert_eq!(compared(false, seen), Fit::Reported);
        }
    }

    #[test]
    fn a_setting_that_is_off_and_a_session_without_it_leave_nothing_to_compare() {
        assert_eq!(Bound::under(BindingMode::Off, Some(1)), None);
        for mode in BindingMode::ALL {
            assert_eq!(Bound::<u8>::under(mode, None), None);
        }
    }
}
