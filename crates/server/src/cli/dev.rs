//! `symbolon dev`: an authority and two demo APIs on this machine, with nothing to configure.

pub mod directory;
pub mod setup;
pub mod told;

use crate::api_keys::{self, ApiScope, NewApiKey};
use crate::app::{App, Live};
use crate::authority::{
    Doors, StartError, hangups, keep_files_private, listen, open, open_admin_socket,
    run as run_authority, stop_on_signals,
};
use crate::cli::serve::{local, read_master_key};
use crate::cli::{DevArgs, Failure};
use crate::demo_api::{self, DemoApi};
use crate::http::Stop;
use crate::keys::KeysUnavailable;
use crate::log;
use crate::playground::{self, Playground};
use crate::task::reload::Reload;
use directory::Directory;
use setup::{Ports, Setup};
use std::net::{Ipv4Addr, SocketAddr};
use symbolon_wire::SecretText;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use told::Told;

/// Runs until it is told to stop.
///
/// # Errors
/// The flags contradict each other, the directory cannot be used, a named address is taken.
pub async fn run(args: DevArgs) -> Result<(), Failure> {
    keep_files_private();
    let directory = Directory::open(args.data.as_deref())?;
    let (stop, hangups) = (stop_on_signals()?, hangups()?);
    let api = listen_or_free(args.listen, 8620).await?;
    let demo = listen_or_free(args.demo_listen, 8621).await?;
    let second = listen_or_free(None, 8622).await?;
    let playground = listen_or_free(None, 8623).await?;
    let metrics = listen_or_free(None, 8629).await?;
    let ports = Ports {
        api: local(&api)?,
        demo: local(&demo)?,
        second_demo: local(&second)?,
        playground: local(&playground)?,
        metrics: local(&metrics)?,
    };
    let setup = Setup::new(&args, &directory, &ports)?;
    log::start(setup.config.log, setup.config.log_level);
    let master = read_master_key(&directory.master_key())?;
    let opened = open(setup.config.clone(), master).await;
    let live = opened.map_err(|why| not_opened(why, &directory))?;
    let app = live.now();
    let admin = open_admin_socket(directory.path());
    let key = api_key(&app, "dev", ApiScope::ALL.to_vec()).await?;
    let mut beside = vec![
        demo_api(&app, "demo-api", demo, &stop).await?,
        demo_api(&app, "demo-api-2", second, &stop).await?,
    ];
    let page = match playground::client(&app.config, &playground::origin(ports.playground)) {
        Some(_) => Some(open_playground(&live, &ports).await?),
        None => None,
    };
    let (page, opened) = page.unzip();
    beside.extend(opened.map(|opened| tokio::spawn(opened.serve(playground, stop.clone()))));
    let told = Told {
        setup: &setup,
        directory: &directory,
        ports: &ports,
        playground: page.as_deref(),
        api_key: key.expose(),
    };
    told.tell(args.json);
    let reload = Reload { live: live.clone(), read: setup.read_again(&args) };
    tokio::spawn(reload.run(hangups, stop.clone()));
    run_authority(live, Doors { api, metrics: Some(metrics), admin }, stop).await;
    for one in beside {
        // It ends with the same signal; how it ended changes nothing any more.
        let _ = one.await;
    }
    Ok(())
}

/// A store outlives a temporary directory, and the master key that it was made with does not.
fn not_opened(why: StartError, directory: &Directory) -> Failure {
    let foreign = matches!(why, StartError::Keys(KeysUnavailable::OtherMasterKey));
    match foreign && directory.is_temporary() {
        true => Failure::from(why)
            .next("name the directory that this store's master.key is in: --data DIR"),
        false => Failure::from(why),
    }
}

/// Makes the playground under a key of its own, and the address that opens it.
async fn open_playground(live: &Live, ports: &Ports) -> Result<(String, Playground), Failure> {
    let app = live.now();
    let scopes = vec![ApiScope::SessionsStart, ApiScope::SessionsEnd, ApiScope::SubjectsWrite];
    let key = app.random::<16>().map_err(StartError::Fault)?;
    let key = SecretText::new(data_encoding::BASE64URL_NOPAD.encode(&key));
    let origin = playground::origin(ports.playground);
    let address = format!("{origin}{}#key={}", playground::PATH, key.expose());
    let settings = playground::Settings {
        origin,
        authority: setup::authority_url(ports.api),
        demo_apis: [ports.demo, ports.second_demo].map(setup::authority_url),
        key,
        api_key: api_key(&app, "playground", scopes).await?,
    };
    Ok((address, Playground::new(live.clone(), settings)?))
}

/// Starts a demo API under a key of its own: a service as any other, which the authority knows by that name.
async fn demo_api(
    app: &App,
    name: &str,
    listener: TcpListener,
    stop: &Stop,
) -> Result<JoinHandle<()>, Failure> {
    let key = api_key(app, name, vec![ApiScope::RevocationsRead]).await?;
    let demo_api = DemoApi::new(demo_api::Settings::of(&app.config, key.expose()));
    let demo_api =
        demo_api.map_err(|why| Failure::could_not("the demo API cannot start").because(why))?;
    Ok(tokio::spawn(demo_api.serve(listener, stop.clone())))
}

async fn api_key(app: &App, name: &str, scopes: Vec<ApiScope>) -> Result<SecretText, Failure> {
    let new = NewApiKey { name: name.to_owned(), scopes, clients: None };
    let made = async {
        let (random, at) = (app.random()?, app.now()?);
        api_keys::create(&app.store, &app.keys.api_keys, new, &random, at).await
    };
    let made = made.await.map_err(StartError::Fault)?;
    Ok(made.0)
}

/// An address that was asked for must be had; the usual one may be taken, and then any will do.
async fn listen_or_free(asked: Option<SocketAddr>, usual: u16) -> Result<TcpListener, StartError> {
    let on = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match asked {
        Some(address) => listen(address).await,
        None => match listen(on(usual)).await {
            Ok(listener) => Ok(listener),
            Err(_) => listen(on(0)).await,
        },
    }
}
