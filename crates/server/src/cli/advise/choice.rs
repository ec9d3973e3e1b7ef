//! Which preset answers to what is asked of a client: one table, tried in its order.

use crate::config::Preset;
use clap::ValueEnum;

/// Who holds the credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Caller {
    /// Scripts in a page that call services
    Page,
    /// A site whose pages a server renders
    Site,
    /// An app on a phone or a desktop
    App,
    /// A program inside another one's shell, such as a mini-program
    MiniProgram,
    /// A service, on nobody's behalf
    Service,
}

/// Yes or no.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Answer {
    /// It is so
    Yes,
    /// It is not
    No,
}

impl Answer {
    fn is_yes(self) -> bool {
        self == Self::Yes
    }
}

/// By when a changed permission must hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Change {
    /// Before the next request is answered
    NextRequest,
    /// When the token is renewed, at the latest; services that follow the feed ask for that at once
    Renewal,
}

/// What decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wants {
    /// Who holds the credential.
    pub(super) caller: Caller,
    /// Whether the client can put another token in the place of the one it has.
    pub(super) renews: Answer,
    /// By when a changed permission must hold.
    pub(super) change: Change,
    /// Whether some service verifies while it cannot reach the authority.
    pub(super) offline: Answer,
    /// Whether a token may lie where scripts of the page can read it.
    pub(super) token_in_page: Answer,
    /// How many services the token is for.
    pub(super) services: u16,
}

/// What is advised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Advice {
    /// The preset.
    pub(super) preset: Preset,
    /// Why.
    pub(super) because: Vec<&'static str>,
    /// What that costs, or cannot give.
    pub(super) mind: Vec<&'static str>,
}

/// More services than can all ask one authority about every request without it being felt.
const FEW_SERVICES: u16 = 3;

impl Wants {
    /// The preset that answers to them.
    pub(super) fn advice(&self) -> Advice {
        let in_browser = matches!(self.caller, Caller::Page | Caller::Site);
        let at_once = self.change == Change::NextRequest;
        let (preset, because) = match () {
            () if self.caller == Caller::Service => {
                (Preset::Service, "no person is there, so there is no session to keep")
            }
            () if self.caller == Caller::Site => (
                Preset::GatewaySession,
                "pages that a server renders are asked for by the browser itself, and what it sends by itself is a \
                 cookie",
            ),
            () if in_browser && !self.token_in_page.is_yes() => (
                Preset::GatewaySession,
                "no token may be in the page: an HttpOnly cookie is what is left, and a gateway that turns it into \
                 tokens",
            ),
            () if at_once && !self.offline.is_yes() && self.services <= FEW_SERVICES => (
                Preset::OpaqueSession,
                "a token that says nothing cannot say what no longer holds, and so few services can ask",
            ),
            () if !self.renews.is_yes() => (
                Preset::SlidingSession,
                "the client keeps the token that it was given, so the session slides on the server",
            ),
            () => (
                Preset::DualToken,
                "the client can renew, so what lies with services is short, and what is long lies with the client",
            ),
        };
        Advice { preset, because: self.also(preset, because), mind: self.mind(preset) }
    }

    fn also(&self, preset: Preset, first: &'static str) -> Vec<&'static str> {
        let mut because = vec![first];
        let verified_alone = match preset {
            Preset::DualToken | Preset::SlidingSession | Preset::GatewaySession => true,
            Preset::OpaqueSession | Preset::Service => false,
        };
        if verified_alone && self.offline.is_yes() {
            because
                .push("its JWT is verified with the keys alone, also while the authority is away");
        }
        if verified_alone && FEW_SERVICES < self.services {
            because.push(
                "many services verify by themselves, so that no request waits for the authority",
            );
        }
        if preset == Preset::DualToken && self.caller != Caller::Page {
            because.push("a stolen refresh token is found out by its second use");
        }
        because
    }

    fn mind(&self, preset: Preset) -> Vec<&'static str> {
        let at_once = self.change == Change::NextRequest;
        let mut mind = Vec::new();
        match preset {
            Preset::DualToken if self.caller == Caller::Page => mind.push(
                "a script that slips into the page can take the refresh token: keep other people's scripts out, or \
                 let no token into the page (gateway-session)",
            ),
            Preset::SlidingSession => mind.push(
                "whoever steals the one token has the session until its end: every service should follow the feed, \
                 and report use",
            ),
            Preset::GatewaySession => mind.push(
                "a proxy must ask the authority or a sidecar before each request; cookies need a defence against \
                 forged requests, which comes with the preset",
            ),
            Preset::OpaqueSession => {
                mind.push("while the authority cannot be reached, nobody new is let in");
            }
            Preset::DualToken | Preset::Service => {}
        }
        if at_once && self.offline.is_yes() {
            mind.push(
                "a service that is cut off cannot know of a change: give its routes `strict` or `bounded` staleness, or \
                 accept that it knows late",
            );
        }
        let told_stale =
            matches!(preset, Preset::DualToken | Preset::GatewaySession | Preset::Service);
        if at_once && told_stale {
            mind.push(
                "a changed permission makes tokens stale: services that follow the feed refuse them within 100 ms, \
                 and one renewal later the client goes on",
            );
        }
        if !self.renews.is_yes() && preset == Preset::DualToken {
            mind.push("the client has to learn to renew");
        }
        mind
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Answer::{No, Yes};
    use Caller::{App, MiniProgram, Page, Service, Site};
    use Change::{NextRequest, Renewal};

    fn of(caller: Caller, renews: Answer, change: Change) -> Wants {
        Wants { caller, renews, change, offline: No, token_in_page: Yes, services: 1 }
    }

    #[test]
    fn who_calls_and_what_they_can_do_decides_which_preset_it_is() {
        let page = of(Page, Yes, Renewal);
        let kept = of(MiniProgram, No, Renewal);
        let strict = of(App, Yes, NextRequest);
        for (wants, preset) in [
            (page, Preset::DualToken),
            (Wants { token_in_page: No, ..page }, Preset::GatewaySession),
            (of(Site, Yes, Renewal), Preset::GatewaySession),
            (of(Site, No, NextRequest), Preset::GatewaySession),
            (of(App, Yes, Renewal), Preset::DualToken),
            (kept, Preset::SlidingSession),
            (Wants { services: 20, ..kept }, Preset::SlidingSession),
            (strict, Preset::OpaqueSession),
            (Wants { offline: Yes, ..strict }, Preset::DualToken),
            (Wants { services: 20, ..strict }, Preset::DualToken),
            (Wants { change: NextRequest, ..kept }, Preset::OpaqueSession),
            (Wants { change: NextRequest, offline: Yes, ..kept }, Preset::SlidingSession),
            (of(Service, Yes, NextRequest), Preset::Service),
        ] {
            assert_eq!(wants.advice().preset, preset, "{wants:?}");
        }
    }

    #[test]
    fn whatever_is_asked_there_is_a_reason_and_every_preset_answers_to_something() {
        let mut found = Vec::new();
        for caller in [Page, Site, App, MiniProgram, Service] {
            for renews in [Yes, No] {
                for change in [NextRequest, Renewal] {
                    for (offline, token_in_page) in [(Yes, Yes), (Yes, No), (No, Yes), (No, No)] {
                        for services in [1, FEW_SERVICES, FEW_SERVICES + 1] {
                            let wants =
                                Wants { caller, renews, change, offline, token_in_page, services };
                            let advice = wants.advice();
                            assert!(!advice.because.is_empty(), "{wants:?}");
                            found.push(advice.preset);
                        }
                    }
                }
            }
        }
        for preset in Preset::ALL {
            assert!(found.contains(&preset), "{preset:?}");
        }
    }

    #[test]
    fn a_change_that_must_hold_at_once_where_somebody_is_cut_off_is_not_promised() {
        let both = Wants { offline: Yes, ..of(App, Yes, NextRequest) };
        assert!(both.advice().mind.iter().any(|said| said.contains("cannot know of a change")));
    }
}
