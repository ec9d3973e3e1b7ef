//! Going through the file: once to check every line, once to bring in what is right.
//!
//! What is brought in goes to the store in the order of its names there, a long stretch of the file at a
//! time: in the order of the file nearly every row would be written to a page of its own, a tenth as fast.

use super::lines::{Lines, Place};
use super::reading::Reading;
use super::tally::Tally;
use crate::app::App;
use crate::cli::Failure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::Path;
use symbolon_core::{Fault, Import, Timestamp};
use symbolon_store::{Brought, IMPORT_MAX, Incoming, OldToken};

/// How many lines are put into order at once: 80 bytes of memory each. Inclusive.
const STRETCH: usize = 1 << 20;

/// A file that is moved to an authority.
pub(super) struct Moving<'a> {
    pub(super) app: &'a App,
    pub(super) file: &'a Path,
    pub(super) quiet: bool,
}

/// A line that is right: where it stands, and the token that it speaks of.
#[derive(Clone, Copy)]
struct Right {
    place: Place,
    token: OldToken,
    came: bool,
}

impl Moving<'_> {
    /// Says of every line what would become of it; those that are wrong as they are found.
    pub(super) async fn check(&self) -> Result<Tally, Failure> {
        let reading = Reading::new(self.app).map_err(could_not)?;
        let mut lines = Lines::open(self.file)?;
        let bar = self.bar("checking ", lines.length);
        let (mut tally, mut at) = (Tally::default(), self.now()?);
        let mut chunk = Vec::with_capacity(IMPORT_MAX);
        while let Some((number, text)) = lines.next()? {
            match text.map_err(str::to_owned).and_then(|text| reading.incoming(text, at)) {
                Ok(incoming) => chunk.push((number, incoming)),
                Err(why) => tally.wrong(number, &why, &bar),
            }
            if chunk.len() == IMPORT_MAX {
                self.look(&mut chunk, (&reading, at), &mut tally, &bar).await?;
                bar.set_position(lines.read);
                at = self.now()?;
            }
        }
        self.look(&mut chunk, (&reading, at), &mut tally, &bar).await?;
        bar.finish_and_clear();
        Ok(tally)
    }

    async fn look(
        &self,
        chunk: &mut Vec<(u64, Incoming)>,
        (reading, at): (&Reading<'_>, Timestamp),
        tally: &mut Tally,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let (numbers, incoming): (Vec<_>, Vec<_>) = chunk.drain(..).unzip();
        let decide = |import: &Import, subject: &_, cutoffs: &_| {
            reading.decide(import, subject, cutoffs, at)
        };
        let would = self.app.store.would_import(&incoming, decide).await.map_err(could_not)?;
        for (number, brought) in numbers.into_iter().zip(would) {
            tally.brought(number, brought, bar);
        }
        Ok(())
    }

    /// Brings in what is right; what is wrong was told before.
    pub(super) async fn bring(&self, skip_bad: bool) -> Result<Tally, Failure> {
        let reading = Reading::new(self.app).map_err(could_not)?;
        let mut lines = Lines::open(self.file)?;
        let bar = self.bar("importing", lines.length);
        let mut tally = Tally::default();
        loop {
            let mut stretch = self.stretch(&mut lines, &reading, skip_bad, &mut tally)?;
            if stretch.is_empty() {
                break;
            }
            tally.repeated(drop_repeated(&mut stretch));
            stretch.sort_unstable_by_key(|right| right.token.sid);
            for chunk in stretch.chunks_mut(IMPORT_MAX) {
                self.bring_chunk(chunk, (&mut lines, &reading), &mut tally).await?;
                bar.inc(chunk.iter().map(|right| u64::from(right.place.length) + 1).sum());
            }
            self.know_tokens(stretch).await?;
        }
        bar.finish_and_clear();
        Ok(tally)
    }

    /// The next lines that are right.
    fn stretch(
        &self,
        lines: &mut Lines,
        reading: &Reading<'_>,
        skip_bad: bool,
        tally: &mut Tally,
    ) -> Result<Vec<Right>, Failure> {
        let (mut stretch, at) = (Vec::new(), self.now()?);
        while stretch.len() < STRETCH {
            let Some((number, text)) = lines.next()? else { break };
            match text.map_err(str::to_owned).and_then(|text| reading.token(text, at)) {
                Ok(token) => stretch.push(Right { place: lines.place, token, came: false }),
                Err(why) if skip_bad => tally.left_out(number, &why),
                Err(_) => return Err(self.changed(number)),
            }
        }
        Ok(stretch)
    }

    /// One commit of sessions.
    async fn bring_chunk(
        &self,
        chunk: &mut [Right],
        (lines, reading): (&mut Lines, &Reading<'_>),
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let at = self.now()?;
        let mut incoming = Vec::with_capacity(chunk.len());
        for right in chunk.iter() {
            let read = lines.at(right.place)?.and_then(|text| reading.incoming(text, at).ok());
            let same = |read: &Incoming| read.digest == right.token.digest;
            incoming.push(read.filter(same).ok_or_else(|| self.changed(right.place.number))?);
        }
        let decide = |import: &Import, subject: &_, cutoffs: &_| {
            reading.decide(import, subject, cutoffs, at)
        };
        let brought = self.app.store.import(&incoming, decide).await.map_err(could_not)?;
        for (right, brought) in chunk.iter_mut().zip(brought) {
            right.came = matches!(brought, Brought::New { .. } | Brought::AlreadyThere);
            tally.brought_in(right.place.number, brought);
        }
        Ok(())
    }

    async fn know_tokens(&self, stretch: Vec<Right>) -> Result<(), Failure> {
        let came = stretch.into_iter().filter(|right| right.came);
        let mut tokens: Vec<_> = came.map(|right| right.token).collect();
        tokens.sort_unstable_by_key(|token| token.digest.0);
        for chunk in tokens.chunks(IMPORT_MAX) {
            self.app.store.know_tokens(chunk).await.map_err(could_not)?;
        }
        Ok(())
    }

    fn now(&self) -> Result<Timestamp, Failure> {
        self.app.now().map_err(could_not)
    }

    /// A line that was right when it was checked.
    fn changed(&self, number: u64) -> Failure {
        Failure::could_not(format!("line {number} of {} changed", self.file.display()))
            .because("it was right when the file was checked; some others were imported already")
            .next("run the import again on a file that nobody writes: nothing comes twice")
    }

    fn bar(&self, what: &str, bytes: u64) -> ProgressBar {
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

/// Keeps the first line of those that speak of one token; answers how many others there were.
fn drop_repeated(stretch: &mut Vec<Right>) -> u64 {
    let before = stretch.len();
    stretch.sort_unstable_by_key(|right| (right.token.digest.0, right.place.number));
    stretch.dedup_by_key(|right| right.token.digest);
    (before - stretch.len()) as u64
}

fn could_not(fault: Fault) -> Failure {
    Failure::could_not("the import stopped")
        .because(fault)
        .next("run it again: nothing comes twice")
}
