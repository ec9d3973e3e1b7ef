//! `symbolon apikey`: keys of trusted back ends and operators. They open the store themselves, also
//! while an authority serves from it; it sees a new key within a second.

use crate::api_keys::{self, ApiKeyRecord, ApiScope, NewApiKey};
use crate::authority::{keep_files_private, open_store};
use crate::cli::{ConfigArgs, Failure, config, out};
use crate::clock::{Clock, accepted};
use crate::config::Config;
use crate::keys;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use symbolon_core::{ClientId, Fault, Timestamp};
use symbolon_store::{Role, Store};
use symbolon_wire::{ApiKeyId, MasterKey};

/// What may be done with API keys.
#[derive(Subcommand)]
pub enum Command {
    /// Make a key and print it, this once
    Create(CreateArgs),
    /// List keys; never their text, which is kept nowhere
    List(ListArgs),
    /// Revoke a key; a running authority refuses it within a second
    Revoke(RevokeArgs),
}

/// What the new key is to be.
#[derive(Args)]
pub struct CreateArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// What people will call it; stands in the history beside what it did
    #[arg(long)]
    name: String,
    /// What it may do, separated by commas
    #[arg(long, value_delimiter = ',', required = true, value_parser = scope)]
    scopes: Vec<ApiScope>,
    /// The clients it is limited to, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    clients: Option<Vec<String>>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Whose keys to list.
#[derive(Args)]
pub struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which key to revoke.
#[derive(Args)]
pub struct RevokeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The key's id, as `apikey list` shows it
    #[arg(allow_hyphen_values = true)]
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs one of them.
///
/// # Errors
/// It was refused, or the store could not be opened.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(args) => create(args).await,
        Command::List(args) => list(args).await,
        Command::Revoke(args) => revoke(args).await,
    }
}

fn scope(word: &str) -> Result<ApiScope, String> {
    let words = ApiScope::ALL.map(ApiScope::as_str).join(", ");
    ApiScope::parse(word).ok_or_else(|| format!("is none of {words}"))
}

async fn create(args: CreateArgs) -> Result<(), Failure> {
    let config = config::load(&args.config)?;
    let new = new_key(&args, &config)?;
    let master = config.master_key.read().map_err(Failure::could_not)?.ok_or_else(no_master_key)?;
    let random = random()?;
    let store = open(&config).await?;
    same_master_key(&store, &master).await?;
    let at = now(&store).await?;
    let created = api_keys::create(&store, &master.api_key_digests(), new, &random, at).await;
    let (text, key) = created.map_err(|fault| could_not("make an API key", &fault))?;
    if args.json {
        let mut shown = shown(&key);
        shown["api_key"] = text.expose().into();
        out::json(&shown);
    } else {
        out::line(text.expose());
        out::note(format!("This is shown once. Revoke it with: symbolon apikey revoke {}", key.id));
    }
    Ok(())
}

fn new_key(args: &CreateArgs, config: &Config) -> Result<NewApiKey, Failure> {
    let name = symbolon_core::id::name(&args.name)
        .map_err(|why| Failure::wrong_usage(format!("--name {why}")))?;
    for client in args.clients.iter().flatten() {
        let id = ClientId::parse(client).ok();
        if !id.is_some_and(|id| config.clients.contains_key(&id)) {
            let ids: Vec<_> = config.clients.keys().map(ClientId::as_str).collect();
            return Err(Failure::refused(format!("there is no client {client:?}"))
                .next(format!("name one of: {}", ids.join(", "))));
        }
    }
    let mut scopes = args.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    Ok(NewApiKey { name: name.to_string(), scopes, clients: args.clients.clone() })
}

/// A key that is digested under another master key than the authority's would never be accepted.
async fn same_master_key(store: &Store, master: &MasterKey) -> Result<(), Failure> {
    keys::look(master, store)
        .await
        .map(|_| ())
        .map_err(|why| Failure::could_not("no API key was made").because(why))
}

fn no_master_key() -> Failure {
    Failure::refused("no master key is configured, and API keys are digested under it")
        .next("set master_key_file, master_key_credential or SYMBOLON_MASTER_KEY")
}

fn random() -> Result<[u8; 32], Failure> {
    let mut random = [0; 32];
    let filled = SystemRandom::new().fill(&mut random);
    filled.map(|()| random).map_err(|_| Failure::could_not("the system has no randomness"))
}

async fn list(args: ListArgs) -> Result<(), Failure> {
    let store = open(&config::load(&args.config)?).await?;
    let keys = api_keys::list(&store).await.map_err(|fault| could_not("list API keys", &fault))?;
    if args.json {
        out::json(&json!({ "items": keys.iter().map(shown).collect::<Vec<_>>() }));
    } else {
        let head = ["ID", "NAME", "SCOPES", "CLIENTS", "CREATED", "REVOKED"];
        out::table(&head, keys.iter().map(row).collect());
    }
    Ok(())
}

async fn revoke(args: RevokeArgs) -> Result<(), Failure> {
    let not_found = || {
        Failure::refused(format!("there is no API key {:?}", args.id))
            .next("symbolon apikey list shows those there are; the id is not the key itself")
    };
    let id = ApiKeyId::parse(&args.id).map_err(|_| not_found())?;
    let store = open(&config::load(&args.config)?).await?;
    let revoked = api_keys::revoke(&store, id, now(&store).await?).await;
    let key = revoked.map_err(|fault| could_not("revoke", &fault))?.ok_or_else(not_found)?;
    if args.json {
        out::json(&shown(&key));
    } else {
        out::line(format!("revoked: {} ({})", key.id, key.name));
    }
    Ok(())
}

/// A key may be made before the first start, and then this makes the store.
async fn open(config: &Config) -> Result<Store, Failure> {
    keep_files_private();
    open_store(&config.store, Role::Operate)
        .await
        .map_err(|refusal| Failure::could_not(format!("the store was not opened: {refusal}")))
}

async fn now(store: &Store) -> Result<Timestamp, Failure> {
    let told = async { Clock::start(store.latest_instant(), accepted(store).await?).now() };
    told.await.map_err(|fault| could_not("tell the time", &fault))
}

fn could_not(what: &str, fault: &Fault) -> Failure {
    Failure::could_not(format!("could not {what}")).because(fault)
}

fn shown(key: &ApiKeyRecord) -> Value {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let mut shown = json!({
        "id": key.id,
        "name": key.name,
        "scopes": scopes,
        "created_at": key.created_at.as_seconds(),
    });
    if let Some(clients) = &key.clients {
        shown["clients"] = json!(clients);
    }
    if let Some(at) = key.revoked_at {
        shown["revoked_at"] = at.as_seconds().into();
    }
    shown
}

fn row(key: &ApiKeyRecord) -> Vec<String> {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let at = |at: Timestamp| out::utc(at.as_seconds());
    vec![
        key.id.clone(),
        key.name.clone(),
        scopes.join(" "),
        key.clients.as_ref().map_or("all".to_owned(), |clients| clients.join(" ")),
        at(key.created_at),
        key.revoked_at.map(at).unwrap_or_default(),
    ]
}
