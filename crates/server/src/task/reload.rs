//! Reading the configuration again on SIGHUP: whole, or not at all. Requests under way keep what they saw.

use crate::app::{App, Live};
use crate::config::change::{changes, fixed};
use crate::config::{Config, LoadError};
use crate::http::Stop;
use crate::tls::TlsError;
use std::collections::BTreeMap;
use std::fmt;
use tokio::signal::unix::Signal;

/// Reads the configuration with the flags and the environment that the process was started with.
pub type Read = Box<dyn Fn() -> Result<Config, LoadError> + Send + Sync>;

/// What a reload works with.
pub struct Reload {
    /// The authority.
    pub live: Live,
    /// The configuration, as it is now.
    pub read: Read,
}

/// Why the old configuration stays.
enum Refused {
    /// It is wrong, or could not be read.
    Wrong(LoadError),
    /// It changes what takes effect at a start alone.
    Fixed(Vec<&'static str>),
    /// Its certificate cannot be used.
    Certificate(TlsError),
    /// A key that it needs cannot be made.
    Keys(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // One line of the log, however many mistakes there are.
            Self::Wrong(error) => f.write_str(&error.to_string().replace('\n', "; ")),
            Self::Fixed(names) => write!(
                f,
                "{} cannot change while the authority runs; put it back, or restart",
                names.join(", ")
            ),
            Self::Certificate(error) => error.fmt(f),
            Self::Keys(why) => f.write_str(why),
        }
    }
}

impl Reload {
    /// Reloads at each SIGHUP until told to stop.
    pub async fn run(self, mut hangups: Signal, mut stop: Stop) {
        loop {
            tokio::select! {
                hangup = hangups.recv() => if hangup.is_none() { return },
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let metrics = self.live.now().metrics.clone();
            match self.once().await {
                Ok(changes) if changes.is_empty() => {
                    metrics.reloaded("applied");
                    tracing::info!("configuration reloaded: nothing changed");
                }
                Ok(changes) => {
                    metrics.reloaded("applied");
                    tracing::info!(changes = changes.join("; "), "configuration reloaded");
                }
                Err(why) => {
                    metrics.reloaded("refused");
                    tracing::error!(%why, "configuration not reloaded: the old one stays");
                }
            }
        }
    }

    /// Puts the configuration in place as it is now, and answers what it changed.
    async fn once(&self) -> Result<Vec<String>, Refused> {
        let new = (self.read)().map_err(Refused::Wrong)?;
        let app = self.live.now();
        let differing = fixed(&app.config, &new);
        if !differing.is_empty() {
            return Err(Refused::Fixed(differing));
        }
        let mut changes = changes(&app.config, &new);
        let certificate = read_certificate(&app, &new).map_err(Refused::Certificate)?;
        // An audience is offered when there is a key that signs for it, and not before.
        let turned = self.live.turn_keys(Some(new), BTreeMap::new()).await;
        turned.map_err(|why| Refused::Keys(why.to_string()))?;
        changes.extend(app.keys.brought_otherwise(&self.live.now().keys));
        changes.extend(certificate);
        Ok(changes)
    }
}

/// The certificate as its files are now. Answers whether it is another.
fn read_certificate(app: &App, new: &Config) -> Result<Option<String>, TlsError> {
    let (Some(certificate), Some(files)) = (&app.certificate, &new.tls) else { return Ok(None) };
    let before = certificate.chain();
    certificate.read_again(files)?;
    Ok((certificate.chain() != before).then(|| "tls: certificate".to_owned()))
}
