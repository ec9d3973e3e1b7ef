//! Roles and claims that tokens leave out, by the name that each token has for them.
//!
//! A *thin* token says who it is about, and names its roles and claims by a keyed digest in place of saying them. Whoever
//! knows what that name stands for knows it for every token that has it: it cannot come to stand for anything else, so
//! nothing of it is ever outdated. That somebody's rights changed makes their tokens stale, and the next one has another name.

use crate::Claims;
use crate::kept::Kept;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The claim that names what was left out.
const NAME: &str = "rights";

/// How many names are remembered. Inclusive; beyond, those go that nobody asked for since as many others came.
pub(crate) const RIGHTS_MAX: usize = 4096;

/// What names stand for.
#[derive(Default)]
pub(crate) struct Rights(Mutex<Halves>);

#[derive(Default)]
struct Halves {
    newer: HashMap<Box<str>, Arc<Kept>>,
    older: HashMap<Box<str>, Arc<Kept>>,
}

impl Rights {
    /// What a name stands for, if that was told.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Kept>> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = halves.newer.get(name) {
            return Some(Arc::clone(known));
        }
        let (name, known) = halves.older.remove_entry(name)?;
        halves.put(name, Arc::clone(&known));
        Some(known)
    }

    /// Remembers what a name stands for.
    pub(crate) fn learn(&self, name: &str, told: Arc<Kept>) {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halves.put(name.into(), told);
    }
}

impl Halves {
    fn put(&mut self, name: Box<str>, told: Arc<Kept>) {
        if RIGHTS_MAX / 2 <= self.newer.len() {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(name, told);
    }
}

impl<'a> Claims<'a> {
    /// The name of what the token leaves out, if it leaves out anything.
    pub(crate) fn left_out(&self) -> Option<&'a str> {
        self.extra(NAME)
    }

    /// Whether something is left out that is not known.
    pub(crate) fn lacks_rights(&self) -> bool {
        self.rights().is_none() && self.left_out().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use symbolon_wire::Introspected;

    fn told() -> Arc<Kept> {
        let text = r#"{"active":true,"iss":"i","sub":"s","aud":"a","client_id":"c","iat":1,"exp":2,"jti":"j","ver":[1,2,3,4]}"#;
        let Ok(Introspected::Active(told)) = Introspected::parse(text.as_bytes()) else {
            panic!("it is no answer")
        };
        Arc::new(Kept::copy(&Claims::assume_good(told.as_ref().as_ref().unwrap())))
    }

    #[test]
    fn names_are_remembered_up_to_a_bound_and_those_in_use_longest() {
        let (rights, told) = (Rights::default(), told());
        rights.learn("in use", Arc::clone(&told));
        for n in 0..3 * RIGHTS_MAX {
            rights.learn(&format!("name {n}"), Arc::clone(&told));
            assert!(rights.find("in use").is_some(), "{n}");
        }
        let halves = rights.0.lock().unwrap();
        assert!(halves.newer.len() + halves.older.len() <= RIGHTS_MAX);
        drop(halves);
        assert!(rights.find("name 0").is_none());
    }
}
