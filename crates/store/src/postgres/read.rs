//! Readings that are not of one session.

use super::ask::Ask;
use super::line::Work;
use super::place::Connection;
use super::trouble::Trouble;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// One statement that changes nothing, and what its rows mean.
pub(super) struct Reading<'a, F> {
    pub(super) ask: Ask,
    pub(super) parameters: &'a [&'a (dyn ToSql + Sync)],
    pub(super) of: F,
}

impl<R: Send, F: Fn(&[Row]) -> Result<R, Trouble> + Sync> Work for Reading<'_, F> {
    type Answer = R;

    // Others read on the same connection meanwhile.
    const ALONE: bool = false;

    async fn run(&self, connection: &Connection) -> Result<R, Trouble> {
        (self.of)(&connection.ask_with(self.ask, self.parameters).await?)
    }
}
