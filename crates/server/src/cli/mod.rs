//! The command line: what may be asked for, and how it ends.
//!
//! Exit codes: 0 done, 1 refused or not found, 2 wrong usage, 3 could not.

pub mod advise;
pub mod api;
pub mod apikey;
pub mod args;
pub mod backup;
pub mod bench;
pub mod clients;
pub mod config;
pub mod demo;
pub mod dev;
pub mod doctor;
mod encryption_key;
pub mod expire;
pub mod explain;
pub mod failure;
pub mod feed;
pub mod gateway;
pub mod import;
pub mod init;
pub mod instant;
pub mod keys;
pub mod log;
pub mod manual;
pub mod migrate;
pub mod net;
pub mod out;
pub mod restore;
pub mod serve;
pub mod sessions;
pub mod show;
pub mod sidecar;
pub mod step_up;
pub mod stopwatch;
pub mod subjects;
pub mod verifiers;

pub use args::{ConfigArgs, DevArgs, ServeArgs};
pub use failure::{Exit, Failure};

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// Sign in once. Renew unseen. End it everywhere, now.
#[derive(Parser)]
#[command(name = "symbolon", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start an authority to try things with: nothing to configure, nothing to lose
    Dev(DevArgs),
    /// Start the authority
    Serve(ServeArgs),
    /// Answer from memory beside your services: gateway checks, introspection, the feed
    Sidecar(sidecar::SidecarArgs),
    /// Write, check and describe configurations
    #[command(subcommand)]
    Config(config::Command),
    /// Keys of trusted back ends and operators
    #[command(subcommand)]
    Apikey(apikey::Command),
    /// Look at sessions, and end them
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Look at subjects, ban them, change their roles
    #[command(subcommand)]
    Subjects(subjects::Command),
    /// Look at clients, switch them off and on
    #[command(subcommand)]
    Clients(clients::Command),
    /// Look at the signing keys, turn them, revoke one
    #[command(subcommand)]
    Keys(keys::Command),
    /// What verifiers are told
    #[command(subcommand)]
    Feed(feed::Command),
    /// Who verifies, and how far each has come
    Verifiers(verifiers::VerifiersArgs),
    /// Ask the rules of a gateway
    #[command(subcommand)]
    Gateway(gateway::Command),
    /// Bring in the sessions of another system, so that nobody has to sign in again
    Import(import::ImportArgs),
    /// The history: what ended, why, by whom, from where
    Log(log::LogArgs),
    /// What a token is, why somebody was signed out, what a client's settings cost
    Explain(explain::ExplainArgs),
    /// Which preset a client should have, why, and what to write down
    Advise(advise::AdviseArgs),
    /// Look at everything that an authority stands on, and say what is wrong with it
    Doctor(doctor::DoctorArgs),
    /// Copy the store into one file, also while an authority serves from it
    Backup(backup::BackupArgs),
    /// Put a copy in the store's place, and say what that means for whom
    Restore(restore::RestoreArgs),
    /// Copy the store into another of whatever kind; nobody is signed out
    Migrate(migrate::MigrateArgs),
    /// Measure
    #[command(subcommand)]
    Bench(bench::Command),
    /// See it work
    #[command(subcommand)]
    Demo(demo::Command),
    /// Print what a shell needs to complete commands
    Completions(manual::CompletionsArgs),
    /// Print the manual page, or write those of all commands
    Man(manual::ManArgs),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    match runtime(&command).and_then(|runtime| runtime.block_on(run(command))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out::note(format!("symbolon: {failure}"));
            ExitCode::from(failure.exit.code())
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Dev(args) => dev::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Sidecar(args) => sidecar::run(args).await,
        Command::Config(command) => config::run(command),
        Command::Apikey(command) => apikey::run(command).await,
        Command::Sessions(command) => sessions::run(command).await,
        Command::Subjects(command) => subjects::run(command).await,
        Command::Clients(command) => clients::run(command).await,
        Command::Keys(command) => keys::run(command).await,
        Command::Feed(command) => feed::run(command).await,
        Command::Verifiers(args) => verifiers::run(args).await,
        Command::Gateway(command) => gateway::run(command),
        Command::Import(args) => import::run(args).await,
        Command::Log(args) => log::run(args).await,
        Command::Explain(args) => explain::run(args).await,
        Command::Advise(args) => advise::run(&args),
        Command::Doctor(args) => doctor::run(args).await,
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Bench(command) => bench::run(command).await,
        Command::Demo(command) => demo::run(command).await,
        Command::Completions(args) => {
            manual::completions(&args, Cli::command());
            Ok(())
        }
        Command::Man(args) => manual::man(&args, Cli::command()),
    }
}

/// A server takes every core; what only calls one keeps to its own thread, so that a load generator
/// leaves the rest of the machine to the server.
fn runtime(command: &Command) -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = match command {
        Command::Dev(_) | Command::Serve(_) | Command::Sidecar(_) => {
            tokio::runtime::Builder::new_multi_thread()
        }
        Command::Config(_)
        | Command::Apikey(_)
        | Command::Sessions(_)
        | Command::Subjects(_)
        | Command::Clients(_)
        | Command::Keys(_)
        | Command::Feed(_)
        | Command::Verifiers(_)
        | Command::Gateway(_)
        | Command::Import(_)
        | Command::Log(_)
        | Command::Explain(_)
        | Command::Advise(_)
        | Command::Doctor(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Migrate(_)
        | Command::Bench(_)
        | Command::Demo(_)
        | Command::Completions(_)
        | Command::Man(_) => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build().map_err(|why| Failure::could_not("could not start").because(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }
}
