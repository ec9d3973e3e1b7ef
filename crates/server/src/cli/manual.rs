//! `symbolon completions` and `symbolon man`: what shells and `man` know of the command line.

use crate::cli::{Failure, out};
use clap::{Args, Command};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// Which shell is to complete.
#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell that reads them
    #[arg(value_enum)]
    shell: Shell,
}

/// Where the manual goes.
#[derive(Args)]
pub struct ManArgs {
    /// Write the page of every command into this directory, such as /usr/local/share/man/man1
    /// [default: print the first page]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the completions of a command for a shell.
pub fn completions(args: &CompletionsArgs, mut command: Command) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "symbolon", &mut script);
    print(&script);
}

/// Prints the manual page of a command, or writes those of all its subcommands.
///
/// # Errors
/// They could not be written.
pub fn man(args: &ManArgs, command: Command) -> Result<(), Failure> {
    match &args.dir {
        Some(dir) => write(dir, command),
        None => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(command).render(&mut page);
            rendered.map_err(|why| Failure::could_not("could not write").because(why))?;
            print(&page);
            Ok(())
        }
    }
}

fn write(dir: &Path, command: Command) -> Result<(), Failure> {
    let written =
        std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command, dir));
    let could_not = |why| {
        Failure::could_not(format!("could not write the manual to {}", dir.display())).because(why)
    };
    written.map_err(could_not)
}

fn print(text: &[u8]) {
    out::line(String::from_utf8_lossy(text).trim_end());
}
