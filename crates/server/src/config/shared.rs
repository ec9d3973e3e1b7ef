//! What a sidecar reads of a configuration: the same settings, read by the same code, and no other.

use super::{
    Audience, Gateway, LoadError, LogFormat, LogLevel, Place, build, check, environment, overlay,
    read, tree,
};
use crate::config::place::Problems;
use std::path::Path;
use std::sync::Arc;
use symbolon_core::gateway::Asks;

/// The part of a configuration that holds for every process of an installation.
///
/// What belongs to the authority alone may stand in the file or not; nothing of it is opened.
#[derive(Clone)]
pub struct Shared {
    /// The authority's public URL, if it is given.
    pub issuer: Option<Arc<str>>,
    /// The resource servers that access tokens are for.
    pub audiences: Vec<Audience>,
    /// What proxies are told about requests.
    pub gateway: Arc<Gateway>,
    /// How log lines look.
    pub log: LogFormat,
    /// The least important lines that are still written.
    pub log_level: LogLevel,
}

impl Shared {
    /// Reads a file, if there is one, and the environment over it. Audiences that stand in neither may be given.
    ///
    /// # Errors
    /// The file could not be read, or something in it or in the environment is wrong.
    pub fn load(file: Option<&Path>, audiences: &[String]) -> Result<Self, LoadError> {
        let text = file.map(read).transpose()?.unwrap_or_default();
        let base = file.and_then(Path::parent).unwrap_or(Path::new(""));
        let name: Arc<str> =
            file.map_or("configuration".into(), |path| path.display().to_string().into());
        let mut problems = Problems::default();
        let shared = tree::read_file(&name, &text, &mut problems).map(|mut tree| {
            overlay::lay_environment(&mut tree, &environment::settings(), &mut problems);
            let members = check::check_part(tree, Place::Whole(name), &mut problems);
            build::shared(&members, base, &mut problems)
        });
        let mut shared = match shared.filter(|_| problems.is_empty()) {
            Some(shared) => shared,
            None => return Err(LoadError::Refused(problems.into_sorted())),
        };
        shared.narrow(audiences);
        shared.check_rules(&mut problems);
        if problems.is_empty() {
            Ok(shared)
        } else {
            Err(LoadError::Refused(problems.into_sorted()))
        }
    }

    /// A rule about tokens for nobody that is known here would let nobody pass.
    fn check_rules(&self, problems: &mut Problems) {
        for rule in &self.gateway.rules.0 {
            let Asks::Token(needs) = &rule.asks else { continue };
            if !self.audiences.iter().any(|own| own.name == needs.audience) {
                let what = format!(
                    "leaves out {:?}, whose tokens the rule {:?} of the gateway wants; name it too, or take the \
                     rule out of the file of this process",
                    needs.audience, rule.name
                );
                problems.add(&Place::Flag("--audience".into()), "gateway.rules", what);
            }
        }
    }

    /// Keeps the audiences that were named, in their order; one that does not stand in the file is as it is by default.
    fn narrow(&mut self, named: &[String]) {
        if named.is_empty() {
            return;
        }
        let own = |name: &String| {
            let found = self.audiences.iter().find(|own| *own.name == **name).cloned();
            found.unwrap_or_else(|| Audience::by_default(name))
        };
        self.audiences = named.iter().map(own).collect();
    }
}
