//! Going through the file: every line is read, checked against the configuration, and decided on.

use super::lines::Lines;
use super::tally::Tally;
use crate::app::App;
use crate::cli::Failure;
use crate::config::Client;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::path::Path;
use symbolon_core::binding::Binding;
use symbolon_core::{ClientId, Duration, Fault, Import, Salt, Start, Terms, Timestamp, scope};
use symbolon_store::Incoming;
use symbolon_wire::ImportLine;

/// How many sessions share a commit.
const CHUNK: usize = 4096;

/// How far ahead a session may end. Inclusive; beyond it the number is in milliseconds, or made up.
const LIFE_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Which time the file is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// To check every line, and change nothing.
    Check,
    /// To bring in what is right.
    Bring {
        /// What is wrong was told before, and is left out.
        skip_bad: bool,
    },
}

/// A file that is moved to an authority.
pub(super) struct Moving<'a> {
    pub(super) app: &'a App,
    pub(super) file: &'a Path,
    pub(super) quiet: bool,
}

/// The terms of every client that has refresh tokens.
type AllTerms<'a> = BTreeMap<&'a ClientId, (&'a Client, Terms<'a>)>;

impl Moving<'_> {
    /// Reads the file from its beginning to its end.
    pub(super) async fn run(&self, pass: Pass) -> Result<Tally, Failure> {
        let mut lines = Lines::open(self.file)?;
        let bar = self.bar(lines.length, pass);
        let check = (pass == Pass::Check).then_some(&bar);
        let terms = self.terms().map_err(could_not)?;
        let (mut tally, mut chunk) = (Tally::default(), Vec::with_capacity(CHUNK));
        let mut at = self.app.now().map_err(could_not)?;
        while let Some((number, text)) = lines.next()? {
            let read = text.map_err(str::to_owned).and_then(|text| self.read(text, &terms, at));
            match read {
                Ok(incoming) => chunk.push((number, incoming)),
                Err(why) => {
                    tally.wrong(number, &why, check);
                    if pass == (Pass::Bring { skip_bad: false }) {
                        return Err(self.changed(number));
                    }
                }
            }
            if chunk.len() == CHUNK {
                self.take(&mut chunk, &terms, (check, at), &mut tally).await?;
                bar.set_position(lines.read);
                at = self.app.now().map_err(could_not)?;
            }
        }
        self.take(&mut chunk, &terms, (check, at), &mut tally).await?;
        bar.finish_and_clear();
        Ok(tally)
    }

    /// A line that was right when it was checked.
    fn changed(&self, number: u64) -> Failure {
        Failure::could_not(format!("line {number} of {} changed", self.file.display()))
            .because("it was right when the file was checked; what stands before it was imported")
            .next("run the import again: nothing comes twice")
    }

    /// One commit, or while checking none: then what is wrong is told above the bar.
    async fn take(
        &self,
        chunk: &mut Vec<(u64, Incoming)>,
        terms: &AllTerms<'_>,
        (check, at): (Option<&ProgressBar>, Timestamp),
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let (numbers, incoming): (Vec<_>, Vec<_>) = chunk.drain(..).unzip();
        let decide = |import: &Import, subject: &_, cutoffs: &_| {
            let (_, terms) = &terms[&import.start.client];
            import.decide(subject, cutoffs, terms, at)
        };
        let brought = match check {
            Some(_) => self.app.store.would_import(&incoming, decide).await,
            None => self.app.store.import(&incoming, decide).await,
        };
        for (number, brought) in numbers.into_iter().zip(brought.map_err(could_not)?) {
            tally.brought(number, brought, check);
        }
        Ok(())
    }

    fn terms(&self) -> Result<AllTerms<'_>, Fault> {
        let clients = self.app.config.clients.values();
        let clients = clients.filter(|client| client.preset.has_refresh_tokens());
        let terms = |client| {
            let recipients = self.app.recipients(client, &[], None);
            let alg = recipients.map_or(symbolon_wire::Algorithm::EdDsa, |those| those.alg);
            Ok((&client.id, (client, self.app.terms(client, alg)?)))
        };
        clients.map(terms).collect()
    }

    /// What a line says, as far as this authority can take it.
    fn read(&self, text: &str, terms: &AllTerms<'_>, at: Timestamp) -> Result<Incoming, String> {
        let line = ImportLine::parse(text).map_err(|why| why.to_string())?;
        let (client, _) = terms.get(&line.client).ok_or(
            "client_id: is not a client of this configuration that has refresh tokens".to_owned(),
        )?;
        if at.after(LIFE_MAX) < line.expires_at {
            return Err("expires_at: lies more than ten years ahead; it is in seconds".to_owned());
        }
        let granted = scope::narrow(&client.policy.scope, line.scope.as_deref());
        let granted = granted.ok_or(
            "scope: goes beyond the `scope` of this client's configuration, or is not words \
             separated by single spaces"
                .to_owned(),
        )?;
        let keys = &self.app.keys;
        let shard = keys.shards.shard(line.subject.as_str());
        let salt = self.app.random().map_err(|fault| fault.to_string())?;
        let start = Start {
            sid: keys.imported_tokens.session_id(shard, &line.token),
            salt: Salt(salt),
            subject: line.subject,
            client: line.client,
            device: line.device,
            scope: granted,
            roles: line.roles,
            claims: "".into(),
            audience: [].into(),
            amr: line.amr,
            acr: None,
            authenticated_at: None,
            expires_at: Some(line.expires_at),
            binding: Binding::default(),
            ip: None,
            user_agent: None,
            started_by: None,
        };
        let digest = keys.imported_tokens.digest(&line.token);
        let import = Import { start, created_at: line.created_at };
        Ok(Incoming { digest, until: line.expires_at, import })
    }

    fn bar(&self, bytes: u64, pass: Pass) -> ProgressBar {
        let what = if pass == Pass::Check { "checking " } else { "importing" };
        let target = match self.quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(10),
        };
        let bar = ProgressBar::with_draw_target(Some(bytes), target);
        let style = ProgressStyle::with_template(&format!(
            "{what} {{bar:40}} {{percent:>3}} %  {{eta}} left"
        ));
        match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

fn could_not(fault: Fault) -> Failure {
    Failure::could_not("the import stopped")
        .because(fault)
        .next("run it again: nothing comes twice")
}
