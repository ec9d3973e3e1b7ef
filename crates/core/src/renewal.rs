//! Renewing at a gateway: where a request is renewed whose access token is over, and which shows what renews it.
//!
//! A gateway knows less than the token endpoint: no client has shown a secret there, and no proof was made for it. So it
//! renews for those alone who need show nothing but their tokens; everybody else is told to do it themselves.

/// What is known of such a request. The access token is genuine, and over or stale; so is the refresh token genuine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beside {
    /// Both tokens are of one session.
    pub same_session: bool,
    /// The refresh token came the way that the client's settings say.
    pub as_delivered: bool,
    /// The client shows a secret where it renews.
    pub confidential: bool,
    /// Whoever renews must show more than the token.
    pub bound: bool,
}

/// Where it is renewed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Where it is checked.
    Here,
    /// At the token endpoint, by the client.
    TokenEndpoint,
    /// Nowhere: somebody else is signed in by now, and the page that asks does not know.
    Nowhere,
}

impl Beside {
    /// Where this request is renewed.
    pub const fn place(self) -> Place {
        match self {
            Self { same_session: false, .. } => Place::Nowhere,
            Self { as_delivered: false, .. } => Place::TokenEndpoint,
            Self { confidential: true, .. } => Place::TokenEndpoint,
            Self { bound: true, .. } => Place::TokenEndpoint,
            Self { same_session: true, as_delivered: true, confidential: false, bound: false } => {
                Place::Here
            }
        }
    }
}
