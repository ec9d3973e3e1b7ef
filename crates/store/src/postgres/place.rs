//! A store's place: how to reach it, what is asked there, and one connection to it.

use super::address::Address;
use super::ask::Ask;
use super::origin::{Settled, Told};
use super::tls::Wrapper;
use super::trouble::{Trouble, said};
use crate::remote::Shared;
use core::pin::Pin;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use symbolon_core::StoreEpoch;
use tokio::sync::{MutexGuard, Notify};
use tokio::task::AbortHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Row, Statement};

/// How long a connection may take until it can be used, every host of the URL tried.
pub(super) const OPEN_BOUND: Duration = Duration::from_millis(1800);

/// What a session of ours must have. Synchronous commit is raised to what an answer promises, never lowered. A
/// statement has no bound of the server's: one that ends while its commit waits for a standby has the server
/// acknowledge what the standby has not; how long we wait is ours. A lock has one, shorter than the time after which
/// a deadlock is looked for. The plans that are shut out read whole tables, or lock rows in no order.
const SETTINGS: [(&str, &str); 7] = [
    ("statement_timeout", "0"),
    ("lock_timeout", "'500ms'"),
    ("idle_in_transaction_session_timeout", "'5s'"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_seqscan", "off"),
    ("jit", "off"),
];

/// What makes `synchronous_commit` at least `on`; `{local}` is whether for one transaction alone.
const SYNCHRONOUS: &str = "SELECT set_config('synchronous_commit', 'on', {local}) \
     WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

/// How to reach a store, and its statements.
pub(super) struct Place {
    address: Address,
    tls: Wrapper,
    texts: Vec<String>,
    /// What begins a transaction that only compares with the cut-offs, and one that writes them.
    begins: [String; 2],
    /// Which cluster and timeline our rows are of, as far as they were looked at.
    origin: Mutex<Option<String>>,
    /// One connection at a time looks at that.
    settling: tokio::sync::Mutex<()>,
    /// What this process was told, once it has opened the store.
    shared: OnceLock<Arc<Shared>>,
}

/// A connection; whoever drops the last handle ends it in good order.
pub(super) struct Connection {
    client: Client,
    /// Those that are asked often on this connection, where it is ours alone.
    prepared: HashMap<Ask, Statement>,
    place: Arc<Place>,
    driver: AbortHandle,
}

impl Place {
    pub(super) fn new(address: Address, tls: Wrapper) -> Self {
        let schema = |text: &str| text.replace("{s}", &address.schema);
        let texts = Ask::ALL.iter().map(|ask| schema(ask.template().0)).collect();
        let local = if address.pooled { settings("SET LOCAL", "true") } else { String::new() };
        let begin = |mode| {
            schema(&format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED; {local}LOCK TABLE {{s}}.cutoffs IN {mode} MODE"
            ))
        };
        let begins = [begin("ROW SHARE"), begin("EXCLUSIVE")];
        let (origin, settling) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { address, tls, texts, begins, origin, settling, shared: OnceLock::new() }
    }

    /// From here on it is known what this process was told.
    pub(super) fn opened(&self, shared: &Arc<Shared>) {
        let _first = self.shared.set(Arc::clone(shared));
    }

    /// The address, without its password.
    pub(super) fn shown(&self) -> String {
        self.address.to_string()
    }

    /// What writes, in a commit of its own, what is there already.
    pub(super) fn proof(&self) -> String {
        let (begin, schema) = (&self.begins[0], self.schema());
        format!("{begin}; UPDATE {schema}.latest SET at = at; COMMIT")
    }

    pub(super) fn schema(&self) -> &str {
        &self.address.schema
    }

    /// Whether a pooler stands between.
    pub(super) fn pooled(&self) -> bool {
        self.address.pooled
    }

    /// On which channel readers are woken.
    pub(super) fn channel(&self) -> String {
        format!("symbolon_{}", self.address.schema)
    }

    pub(super) fn origin(&self) -> Option<String> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_origin(&self, origin: Option<String>) {
        *self.origin.lock().unwrap_or_else(PoisonError::into_inner) = origin;
    }

    /// Waits until no other of our connections looks where our rows are.
    pub(super) async fn settling(&self) -> MutexGuard<'_, ()> {
        self.settling.lock().await
    }

    /// What this process was told of: nothing before it opened the store.
    pub(super) fn told(&self) -> Told {
        match self.shared.get() {
            Some(shared) => Told { epoch: shared.cutoffs().epoch, head: shared.head() },
            None => Told { epoch: StoreEpoch(0), head: 0 },
        }
    }

    /// Goes on from where the server is, if that is another epoch than the one in which we were told of something.
    pub(super) fn settled(&self, told: Told, now: &Settled) {
        let Some(shared) = self.shared.get() else { return };
        if now.cutoffs.epoch <= told.epoch {
            return;
        }
        shared.saw_cutoffs(&now.cutoffs, now.version);
        if now.head < told.head {
            let lost = told.head - now.head;
            tracing::error!(lost, "PostgreSQL lost events that it had acknowledged");
            shared.set_head(now.head);
        }
    }

    /// A connection to the primary without any statement of ours; `wake` is told of each notification.
    pub(super) async fn bare(
        self: &Arc<Self>,
        wake: Option<Arc<Notify>>,
    ) -> Result<Connection, tokio_postgres::Error> {
        let (client, mut connection) = self.address.config.connect(self.tls.clone()).await?;
        let driving = async move {
            let mut next = core::future::poll_fn(|cx| Pin::new(&mut connection).poll_message(cx));
            while let Some(Ok(message)) = (&mut next).await {
                if let (AsyncMessage::Notification(_), Some(wake)) = (message, &wake) {
                    wake.notify_one();
                }
            }
            drop(next);
        };
        let driver = tokio::spawn(driving).abort_handle();
        let place = Arc::clone(self);
        let connection = Connection { client, prepared: HashMap::new(), place, driver };
        if !self.address.pooled {
            connection.client.batch_execute(&settings("SET", "false")).await?;
        }
        Ok(connection)
    }

    /// A connection that is ready to be asked, `often` these.
    pub(super) async fn ready(
        self: &Arc<Self>,
        often: &[Ask],
        wake: Option<Arc<Notify>>,
    ) -> Result<Connection, Trouble> {
        let opening = async {
            let mut connection = self.bare(wake).await?;
            connection.prepare(often).await?;
            super::origin::agree(&connection, self).await?;
            Ok(connection)
        };
        let late = |_| Trouble::again("the server did not accept a connection in time");
        tokio::time::timeout(OPEN_BOUND, opening).await.map_err(late)?
    }
}

fn settings(set: &str, local: &str) -> String {
    let mut text = String::new();
    for (name, value) in SETTINGS {
        text += &format!("{set} {name} = {value}; ");
    }
    text + &SYNCHRONOUS.replace("{local}", local) + "; "
}

impl Connection {
    /// Has the server read and plan these statements once, where the connection is ours alone.
    async fn prepare(&mut self, often: &[Ask]) -> Result<(), tokio_postgres::Error> {
        if self.place.pooled() {
            return Ok(());
        }
        for ask in often {
            let (text, types) = (&self.place.texts[*ask as usize], ask.template().1);
            self.prepared.insert(*ask, self.client.prepare_typed(text, types).await?);
        }
        Ok(())
    }

    /// Asks; several that are asked in one breath are answered in their order, after one way.
    pub(super) async fn ask<const N: usize>(
        &self,
        ask: Ask,
        parameters: [&(dyn ToSql + Sync); N],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.ask_with(ask, &parameters).await
    }

    /// The same, with however many parameters.
    pub(super) async fn ask_with(
        &self,
        ask: Ask,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        if let Some(statement) = self.prepared.get(&ask) {
            return self.client.query(statement, parameters).await;
        }
        let types = ask.template().1.iter().cloned();
        let typed: Vec<_> = parameters.iter().copied().zip(types).collect();
        self.client.query_typed(&self.place.texts[ask as usize], &typed).await
    }

    /// The same, unless there is nothing to ask about.
    pub(super) async fn ask_if<const N: usize>(
        &self,
        needed: bool,
        ask: Ask,
        parameters: [&(dyn ToSql + Sync); N],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        if needed { self.ask(ask, parameters).await } else { Ok(Vec::new()) }
    }

    /// Runs text without parameters.
    pub(super) async fn run(&self, text: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(text).await
    }

    /// Runs text that is asked once in a while.
    pub(super) async fn look(&self, text: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
        let text = text.replace("{s}", self.place.schema());
        self.client.query_typed(&text, &[]).await
    }

    /// Begins a transaction; `above`: it writes the cut-offs.
    pub(super) async fn begin(&self, above: bool) -> Result<(), tokio_postgres::Error> {
        self.run(&self.place.begins[usize::from(above)]).await
    }

    pub(super) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Ends it at once, whatever it still does.
    pub(super) fn close(&self) {
        self.driver.abort();
    }

    /// Gives up what was begun; a connection that cannot even do that is of no more use.
    pub(super) async fn roll_back(&self) {
        if let Err(error) = self.run("ROLLBACK").await {
            tracing::debug!(why = %said(&error), "a transaction could not be rolled back");
            self.driver.abort();
        }
    }
}
