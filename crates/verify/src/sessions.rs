//! Who waits for the end of a session: WebSockets and streams, which no further request would close.

use crate::mirror::Mirror;
use crate::policy::LEEWAY_MAX;
use crate::verifier::Expected;
use crate::{Reason, Verified};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use symbolon_core::{Below, Effect};
use symbolon_wire::feed::{Entry, Hit, TargetDigest, TargetKey, TargetKind};
use tokio::sync::{Notify, oneshot};

/// How many may wait at once. Inclusive; one more is told at once that nobody watches for it.
pub(crate) const WATCHED_MAX: usize = 1 << 17;

impl Verified {
    /// Resolves when the session ends, however often its tokens are renewed in between: with the reason, or with
    /// `None` when nobody watches any more and the caller should close or check again.
    ///
    /// The session ends by itself, by a ban or sign-out of its subject, or with everything of its client; and
    /// revoking the very token that was verified ends this too. What the feed missed is asked for when it is back.
    ///
    /// Security: `None` comes at once without a feed (`Builder::feed`), beyond 131,072 waiting, and when the
    /// last clone of the verifier goes. While the authority cannot be heard nothing is known and nothing
    /// resolves: what must not outlive `Builder::max_staleness` then watches [`Verifier::status`] too. It does
    /// not resolve at the token's `exp`, which a renewal would outlive.
    ///
    /// [`Verifier::status`]: crate::Verifier::status
    pub fn ended(&self) -> Ended {
        match &self.link().0 {
            Some(expected) => expected.watch(self.clone()),
            None => Ended { told: None, place: None },
        }
    }
}

/// The future that [`Verified::ended`] gives; dropping it ends the watch.
#[must_use = "a future does nothing unless it is polled"]
pub struct Ended {
    told: Option<oneshot::Receiver<Reason>>,
    place: Option<(Arc<Expected>, u64)>,
}

impl Future for Ended {
    type Output = Option<Reason>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Reason>> {
        let Some(told) = &mut self.told else {
            return Poll::Ready(None);
        };
        let ended = std::task::ready!(Pin::new(told).poll(context)).ok();
        self.told = None;
        Poll::Ready(ended)
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some((expected, id)) = &self.place {
            expected.sessions.leave(*id);
        }
    }
}

/// From a verified token to who verified it.
#[derive(Clone, Default)]
pub(crate) struct Link(Option<Arc<Expected>>);

impl Link {
    pub(crate) fn to(expected: &Arc<Expected>) -> Self {
        Self(Some(Arc::clone(expected)))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl Expected {
    fn watch(self: &Arc<Self>, mut verified: Verified) -> Ended {
        // Whoever is watched must not keep alive who watches.
        verified = verified.unlinked();
        match self.sessions.enter(verified, &self.mirror) {
            Some((id, told)) => Ended { told: Some(told), place: Some((Arc::clone(self), id)) },
            None => Ended { told: None, place: None },
        }
    }
}

/// Those who wait.
#[derive(Default)]
pub(crate) struct Sessions {
    open: Mutex<Open>,
    /// Somebody's session must be asked about.
    pub(crate) unsure: Notify,
}

#[derive(Default)]
struct Open {
    /// Whether anything will ever be heard.
    listens: bool,
    next: u64,
    watched: HashMap<u64, Watched>,
    by_target: HashMap<TargetDigest, HashSet<u64>>,
    key: Option<TargetKey>,
}

struct Watched {
    verified: Verified,
    targets: Vec<TargetDigest>,
    tell: oneshot::Sender<Reason>,
    /// Its end may have been missed.
    ask: bool,
}

impl Sessions {
    pub(crate) fn listen(&self) {
        self.with(|open| open.listens = true);
    }

    /// Nothing will be heard any more.
    pub(crate) fn close(&self) {
        self.with(|open| *open = Open::default());
    }

    pub(crate) fn len(&self) -> usize {
        self.with(|open| open.watched.len())
    }

    /// Ends what these revocations end.
    pub(crate) fn hear(&self, entries: &[Entry]) {
        self.with(|open| {
            if !open.watched.is_empty() {
                entries.iter().filter(|e| e.effect == Effect::Revoked).for_each(|e| open.hear(e));
            }
        });
    }

    /// The feed was taken up by a snapshot: what ended in between may not be in it any more.
    pub(crate) fn resync(&self, key: &TargetKey, mirror: &Mirror) {
        self.with(|open| {
            open.use_key(key);
            let ids: Vec<_> = open.watched.keys().copied().collect();
            for id in ids {
                open.look_up(id, mirror);
            }
            open.watched.values_mut().for_each(|watched| watched.ask = true);
        });
        self.unsure.notify_one();
    }

    /// The names of up to so many sessions that must be asked about, each once.
    pub(crate) fn to_ask(&self, most: usize) -> Vec<String> {
        self.with(|open| {
            let mut sids = HashSet::new();
            for watched in open.watched.values_mut().filter(|watched| watched.ask) {
                if sids.len() == most {
                    break;
                }
                // A client's own token has no session; its bounds are in the snapshot.
                watched.ask = false;
                sids.extend(watched.verified.claims().session_id());
            }
            sids.into_iter().collect()
        })
    }

    /// The question about these failed.
    pub(crate) fn ask_again(&self, sids: &[String]) {
        self.of_sessions(sids, |open, id| {
            open.watched.entry(id).and_modify(|watched| watched.ask = true);
        });
    }

    /// The authority says that this one is over.
    pub(crate) fn end(&self, sid: &str, reason: Reason) {
        self.of_sessions(&[sid.to_owned()], |open, id| open.end(id, reason));
    }

    fn of_sessions(&self, sids: &[String], mut act: impl FnMut(&mut Open, u64)) {
        self.with(|open| {
            let Some(key) = open.key.clone() else { return };
            for sid in sids {
                for id in open.hit(&key.digest(TargetKind::Session, sid)) {
                    act(open, id);
                }
            }
        });
    }

    fn enter(
        &self,
        verified: Verified,
        mirror: &Mirror,
    ) -> Option<(u64, oneshot::Receiver<Reason>)> {
        // So old a token that the mirror has forgotten what ended its session.
        let ask = verified.claims().exp.after(LEEWAY_MAX) < mirror.forgotten();
        let entered = self.with(|open| {
            if !open.listens || WATCHED_MAX <= open.watched.len() {
                return None;
            }
            let (tell, told) = oneshot::channel();
            let id = open.next;
            open.next += 1;
            open.watched.insert(id, Watched { verified, targets: Vec::new(), tell, ask });
            open.index(id);
            // Entered first and looked up then: what is heard from now on finds it.
            open.look_up(id, mirror);
            Some((id, told))
        });
        if ask {
            self.unsure.notify_one();
        }
        entered
    }

    fn leave(&self, id: u64) {
        self.with(|open| drop(open.remove(id)));
    }

    fn with<R>(&self, act: impl FnOnce(&mut Open) -> R) -> R {
        act(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Open {
    fn hear(&mut self, entry: &Entry) {
        let (ids, below) = match entry.hit {
            Hit::Token(digest) | Hit::Session(digest) => (self.hit(&digest), None),
            Hit::Subject(digest, below) | Hit::Client(digest, below) => {
                (self.hit(&digest), Some(below))
            }
            Hit::Everything(below) => (self.watched.keys().copied().collect(), Some(below)),
            // Its tokens are refused and renewed under another key; the session lives.
            Hit::Key(_) => return,
        };
        for id in ids {
            if below.is_none_or(|below| self.counter(id, &entry.hit) < Some(below)) {
                self.end(id, entry.reason);
            }
        }
    }

    fn hit(&self, digest: &TargetDigest) -> Vec<u64> {
        self.by_target.get(digest).into_iter().flatten().copied().collect()
    }

    fn counter(&self, id: u64, hit: &Hit) -> Option<Below> {
        let ver = self.watched.get(&id)?.verified.claims().ver;
        match hit {
            Hit::Subject(..) => Some(ver.of_subject()),
            Hit::Client(..) => Some(ver.of_client()),
            Hit::Everything(_) => Some(ver.of_everything()),
            Hit::Token(_) | Hit::Session(_) | Hit::Key(_) => None,
        }
    }

    fn look_up(&mut self, id: u64, mirror: &Mirror) {
        let Some(watched) = self.watched.get(&id) else { return };
        let judged = mirror.judge(&watched.verified.claims(), None);
        if let Some(judgement) = judged.filter(|judged| judged.effect == Effect::Revoked) {
            self.end(id, judgement.reason);
        }
    }

    fn end(&mut self, id: u64, reason: Reason) {
        if let Some(watched) = self.remove(id) {
            // Nobody there any more is as good as told.
            let _ = watched.tell.send(reason);
        }
    }

    fn remove(&mut self, id: u64) -> Option<Watched> {
        let watched = self.watched.remove(&id)?;
        for target in &watched.targets {
            if let Some(ids) = self.by_target.get_mut(target) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_target.remove(target);
                }
            }
        }
        Some(watched)
    }

    fn use_key(&mut self, key: &TargetKey) {
        if self.key.as_ref().is_some_and(|old| old.is(key)) {
            return;
        }
        self.key = Some(key.clone());
        self.by_target.clear();
        let ids: Vec<_> = self.watched.keys().copied().collect();
        ids.into_iter().for_each(|id| self.index(id));
    }

    fn index(&mut self, id: u64) {
        let (Some(key), Some(watched)) = (&self.key, self.watched.get_mut(&id)) else { return };
        let claims = watched.verified.claims();
        let mut targets = vec![
            key.digest(TargetKind::Token, claims.jti),
            key.digest(TargetKind::Subject, claims.sub),
            key.digest(TargetKind::Client, claims.client_id),
        ];
        targets.extend(claims.session_id().map(|sid| key.digest(TargetKind::Session, &sid)));
        for target in &targets {
            self.by_target.entry(*target).or_default().insert(id);
        }
        watched.targets = targets;
    }
}
