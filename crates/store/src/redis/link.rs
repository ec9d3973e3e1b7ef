//! Connections, one to each primary, and what may go wrong with an answer.

use super::address::{Address, Server};
use super::scripts::{Call, Names, SOURCES};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, ProtocolVersion, RedisConnectionInfo};
use redis::{RedisError, Value};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_millis(800);

/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_millis(1500);

/// What went wrong with a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    /// Nothing was done: it is another server's, or this one cannot now. It may be asked for again.
    Elsewhere(String),
    /// The answer did not come: it is not known whether it was done.
    Lost(String),
    /// The server does not know the script.
    Unknown,
    /// The server refused for a reason of its own.
    Refused(String),
}

impl Trouble {
    pub(super) fn text(self) -> String {
        match self {
            Self::Elsewhere(text) | Self::Lost(text) | Self::Refused(text) => text,
            Self::Unknown => "the server forgot a script".into(),
        }
    }
}

impl From<RedisError> for Trouble {
    fn from(error: RedisError) -> Self {
        const ELSEWHERE: [&str; 8] = [
            "MOVED",
            "ASK",
            "TRYAGAIN",
            "CLUSTERDOWN",
            "LOADING",
            "READONLY",
            "MASTERDOWN",
            "BUSY",
        ];
        let text = error.to_string();
        match error.code() {
            Some("NOSCRIPT") => Self::Unknown,
            Some(code) if ELSEWHERE.contains(&code) => Self::Elsewhere(text),
            Some(_) if text.contains("READONLY") => Self::Elsewhere(text),
            Some(_) => Self::Refused(text),
            None if error.is_connection_refusal() => Self::Elsewhere(text),
            None => Self::Lost(text),
        }
    }
}

/// A connection to one server.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) server: (String, u16),
    connection: MultiplexedConnection,
    /// For commits that wait for replicas: whoever shares a connection waits with them.
    patient: Option<MultiplexedConnection>,
    pub(super) names: Arc<Names>,
    /// Which primary this is, and of which of its terms as one: another after each promotion and restart.
    pub(super) primary: String,
}

impl Link {
    /// Connects to a server, which need not be a primary.
    pub(super) async fn bare(
        address: &Address,
        server: &(String, u16),
        login: &RedisConnectionInfo,
    ) -> Result<MultiplexedConnection, Trouble> {
        let config = || AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_MAX));
        connect(address, server, login, config()).await
    }

    /// Connects to a server that must be a primary.
    pub(super) async fn primary(address: &Address, server: (String, u16)) -> Result<Self, Trouble> {
        // Whoever calls bounds the wait: two timers a call would be one too many.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let connection = connect(address, &server, &login(address), config).await?;
        let patient = match address.min_replicas > 0 || address.fsync {
            true => Some(Self::bare(address, &server, &login(address)).await?),
            false => None,
        };
        let mut link =
            Self { server, connection, patient, names: Arc::default(), primary: String::new() };
        link.primary = link.identity().await?;
        link.names = Arc::new(link.load().await?);
        Ok(link)
    }

    /// Which primary this is; [`Trouble::Elsewhere`] if it is none.
    pub(super) async fn identity(&self) -> Result<String, Trouble> {
        let told = self.info("replication").await?;
        let role = field(&told, "role").unwrap_or_default();
        match (role, field(&told, "master_replid")) {
            ("master", Some(id)) if !id.is_empty() => Ok(id.to_owned()),
            ("master", _) => Err(Trouble::Refused(format!("{} has no master_replid", self.name()))),
            _ => Err(Trouble::Elsewhere(format!("{} is a replica", self.name()))),
        }
    }

    /// A part of what the server says of itself.
    pub(super) async fn info(&self, section: &str) -> Result<String, Trouble> {
        let value = self.ask(redis::cmd("INFO").arg(section)).await?;
        text_of(value)
    }

    async fn load(&self) -> Result<Names, Trouble> {
        let mut names = Names::default();
        let mut all = Pipeline::with_capacity(SOURCES.len());
        for source in SOURCES {
            all.cmd("SCRIPT").arg("LOAD").arg(source);
        }
        let loaded = self.asks(&all, SOURCES.len()).await?;
        for (name, value) in names.iter_mut().zip(loaded) {
            *name = text_of(value)?;
        }
        Ok(names)
    }

    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, Trouble> {
        let mut connection = self.connection.clone();
        Ok(connection.send_packed_command(command).await?.extract_error()?)
    }

    /// The answers of several commands that go out together.
    pub(super) async fn asks(&self, all: &Pipeline, count: usize) -> Result<Vec<Value>, Trouble> {
        let mut connection = self.connection.clone();
        let answers = connection.send_packed_commands(all, 0, count).await?;
        let checked = answers.into_iter().map(|value| Ok(value.extract_error()?));
        checked.collect()
    }

    pub(super) async fn call(&self, call: &Call) -> Result<Value, Trouble> {
        match self.ask(&call.command(&self.names, false)).await {
            Err(Trouble::Unknown) => self.ask(&call.command(&self.names, true)).await,
            answer => answer,
        }
    }

    /// A call that is answered only when as many replicas have it as the address says.
    pub(super) async fn patiently(&self, call: &Call, address: &Address) -> Result<Value, Trouble> {
        let Some(patient) = &self.patient else { return self.call(call).await };
        let own = Self { connection: patient.clone(), ..self.clone() };
        let answer = own.call(call).await?;
        let millis = (ANSWER_MAX / 2).as_millis() as u64;
        let wanted = address.min_replicas;
        let mut wait = Cmd::new();
        match address.fsync {
            true => wait.arg("WAITAOF").arg(1).arg(wanted).arg(millis),
            false => wait.arg("WAIT").arg(wanted).arg(millis),
        };
        let told = own.ask(&wait).await?;
        // WAITAOF answers for the primary and for the replicas.
        let told = if let Value::Array(both) = &told { both.last() } else { Some(&told) };
        if matches!(told, Some(Value::Int(count)) if i64::from(wanted) <= *count) {
            return Ok(answer);
        }
        Err(Trouble::Refused(format!(
            "fewer than {wanted} replicas of {} have the commit, so it may be lost: see that they are connected",
            self.name()
        )))
    }

    pub(super) fn name(&self) -> String {
        Server(&self.server).to_string()
    }
}

/// A line of what a server says of itself.
pub(super) fn field<'a>(told: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = told.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(own, _)| *own == name).map(|(_, value)| value.trim())
}

pub(super) fn text_of(value: Value) -> Result<String, Trouble> {
    let bytes = super::rows::bytes_of(value).ok().flatten().unwrap_or_default();
    String::from_utf8(bytes).map_err(|_| Trouble::Refused("an answer is no text".into()))
}

/// Who we are to the servers of the store.
pub(super) fn login(address: &Address) -> RedisConnectionInfo {
    let login = RedisConnectionInfo::default().set_skip_set_lib_name();
    let login = login.set_db(i64::from(address.database));
    let login = match &address.password {
        Some(password) => login.set_password(password),
        None => login,
    };
    match &address.user {
        Some(user) => login.set_username(user),
        None => login,
    }
}

/// Connects for messages alone; they come out at the other end of `told`.
pub(super) async fn listen(
    address: &Address,
    server: &(String, u16),
    channel: &str,
    told: tokio::sync::mpsc::UnboundedSender<redis::PushInfo>,
) -> Result<MultiplexedConnection, Trouble> {
    let login = login(address).set_protocol(ProtocolVersion::RESP3);
    let config =
        AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_MAX)).set_push_sender(told);
    let mut connection = connect(address, server, &login, config).await?;
    connection.subscribe(channel).await?;
    Ok(connection)
}

async fn connect(
    address: &Address,
    server: &(String, u16),
    login: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> Result<MultiplexedConnection, Trouble> {
    let (host, port) = server;
    let unreachable =
        |why: String| Trouble::Elsewhere(format!("{} cannot be reached: {why}", Server(server)));
    let making = async {
        let tcp = TcpStream::connect((host.as_str(), *port)).await;
        let tcp = tcp.map_err(|error| unreachable(error.to_string()))?;
        tcp.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
        if !address.tls {
            return over(tcp, login, config).await;
        }
        let name =
            ServerName::try_from(host.clone()).map_err(|why| unreachable(why.to_string()))?;
        let connector = tokio_rustls::TlsConnector::from(trust(address)?);
        let tls = connector.connect(name, tcp).await;
        over(tls.map_err(|error| unreachable(error.to_string()))?, login, config).await
    };
    let made = tokio::time::timeout(CONNECT_MAX, making).await;
    made.unwrap_or_else(|_| Err(unreachable("it does not answer in time".into())))
}

async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    login: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> Result<MultiplexedConnection, Trouble> {
    let made = MultiplexedConnection::new_with_config(login, stream, config).await;
    let (connection, driver) = made.map_err(|error| match error.code() {
        Some(_) => Trouble::from(error),
        // Nothing was asked for yet.
        None => Trouble::Elsewhere(error.to_string()),
    })?;
    // Ends with the last clone of the connection.
    tokio::spawn(driver);
    Ok(connection)
}

/// The provider is passed, never installed for all.
fn trust(address: &Address) -> Result<Arc<ClientConfig>, Trouble> {
    let refused = |why: String| Trouble::Refused(why);
    let mut roots = RootCertStore::empty();
    match &address.ca {
        Some(path) => {
            let unread = |why: String| refused(format!("{path} has no certificates: {why}"));
            let all = CertificateDer::pem_file_iter(path).map_err(|why| unread(why.to_string()))?;
            for one in all {
                let one = one.map_err(|why| unread(why.to_string()))?;
                roots.add(one).map_err(|why| unread(why.to_string()))?;
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.map_err(|why| refused(why.to_string()))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
