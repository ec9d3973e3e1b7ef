//! Claims that outlive their token: one text, and where in it each claim stands.

use crate::Claims;
use symbolon_core::imprint::Imprints;
use symbolon_core::{Digest, SessionId, Timestamp, Ver};

/// A place in the text. A token is at most 16 KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(u32, u32);

/// Which list.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Aud,
    Amr,
    Roles,
    ExtraName,
    ExtraValue,
}

/// Claims in two allocations, since copying eleven strings takes longer than all else about a known token.
#[derive(Debug)]
pub(crate) struct Kept {
    text: String,
    pub(crate) iss: Span,
    pub(crate) sub: Span,
    pub(crate) client_id: Span,
    pub(crate) jti: Span,
    pub(crate) scope: Option<Span>,
    pub(crate) acr: Option<Span>,
    pub(crate) iat: Timestamp,
    pub(crate) exp: Timestamp,
    pub(crate) auth_time: Option<Timestamp>,
    pub(crate) sid: Option<SessionId>,
    pub(crate) ver: Ver,
    pub(crate) jkt: Option<Digest>,
    /// Hardly any token has them, and every one is copied from here.
    pub(crate) imprints: Option<Box<Imprints>>,
    lists: Vec<Span>,
    /// Where in `lists` each part ends.
    ends: [u32; 5],
}

impl Kept {
    /// Copies every claim.
    pub(crate) fn copy(claims: &Claims<'_>) -> Self {
        let (bytes, names) = measure(claims);
        let mut copy = Copying {
            text: String::with_capacity(bytes),
            lists: Vec::with_capacity(names),
            ends: [0; 5],
        };
        let [iss, sub, client_id, jti] =
            [claims.iss, claims.sub, claims.client_id, claims.jti].map(|text| copy.text(text));
        let [scope, acr] = [claims.scope, claims.acr].map(|text| text.map(|text| copy.text(text)));
        copy.part(Part::Aud, claims.aud());
        copy.part(Part::Amr, claims.amr());
        copy.part(Part::Roles, claims.roles());
        copy.part(Part::ExtraName, claims.extras().map(|(name, _)| name));
        copy.part(Part::ExtraValue, claims.extras().map(|(_, value)| value));
        let Copying { text, lists, ends } = copy;
        let Claims { iat, exp, auth_time, sid, ver, jkt, .. } = *claims;
        Self {
            text,
            iss,
            sub,
            client_id,
            jti,
            scope,
            acr,
            iat,
            exp,
            auth_time,
            sid,
            ver,
            jkt,
            imprints: claims.imprints.copied().map(Box::new),
            lists,
            ends,
        }
    }

    pub(crate) fn text(&self, span: Span) -> &str {
        &self.text[span.0 as usize..span.1 as usize]
    }

    pub(crate) fn part(&self, part: Part) -> impl Iterator<Item = &str> {
        let at = part as usize;
        let begin = if at == 0 { 0 } else { self.ends[at - 1] };
        let spans = &self.lists[begin as usize..self.ends[at] as usize];
        spans.iter().map(|span| self.text(*span))
    }
}

/// How many bytes of text there are, and how many members of lists.
fn measure(claims: &Claims<'_>) -> (usize, usize) {
    let single = [claims.iss, claims.sub, claims.client_id, claims.jti];
    let some = [claims.scope, claims.acr].into_iter().flatten();
    let bytes = single.into_iter().chain(some).map(str::len).sum();
    let extras = claims.extras().flat_map(|(name, value)| [name, value]);
    let lists = claims.aud().chain(claims.amr()).chain(claims.roles()).chain(extras);
    lists.fold((bytes, 0), |(bytes, names), name| (bytes + name.len(), names + 1))
}

/// A copy that is being made.
struct Copying {
    text: String,
    lists: Vec<Span>,
    ends: [u32; 5],
}

impl Copying {
    fn text(&mut self, text: &str) -> Span {
        let begin = self.text.len() as u32;
        self.text.push_str(text);
        Span(begin, self.text.len() as u32)
    }

    fn part<'a>(&mut self, part: Part, names: impl Iterator<Item = &'a str>) {
        for name in names {
            let span = self.text(name);
            self.lists.push(span);
        }
        self.ends[part as usize] = self.lists.len() as u32;
    }
}
