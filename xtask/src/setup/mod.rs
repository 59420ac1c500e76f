//! `cargo xtask setup`: finds what is missing on this machine and installs it, or says how.
//!
//! As root on Debian or Ubuntu everything comes from the distribution and from crates.io. What only this project uses goes to the
//! user's cache ([`Tools`]); nothing is started and no service is left behind. Elsewhere the exact commands are printed.

mod apply;
mod apt;
mod bpf;
mod check;
mod linker;
mod need;
mod table;
mod tools;

use anyhow::{Result, bail};
use clap::Args;

use apply::Means;
pub use need::{Missing, Need, Remedy};
pub use tools::{Tools, below};

/// What to do.
#[derive(Args, Clone, Debug, Default)]
pub struct SetupArgs {
    /// Look only; change nothing
    #[arg(long)]
    pub check: bool,
    /// Also what only `cargo xtask ci` uses
    #[arg(long)]
    pub all: bool,
}

/// Installs what is missing, and says on stdout what there is.
pub fn run(args: &SetupArgs) -> Result<()> {
    let tools = Tools::locate();
    let needs = if args.check { check::all(&tools) } else { install_missing(&tools, args.all)? };
    print!("{}", table::render(&needs));
    verdict(&needs, &tools)
}

/// The same for other verbs: silent when nothing is missing.
pub fn ensure() -> Result<Tools> {
    let tools = Tools::locate();
    let needs = install_missing(&tools, false)?;
    verdict(&needs, &tools)?;
    Ok(tools)
}

fn install_missing(tools: &Tools, all: bool) -> Result<Vec<Need>> {
    let means = Means { root: nix::unistd::geteuid().is_root(), all };
    let mut needs = check::all(tools);
    if !needs.iter().any(|need| worth_a_try(need, all)) {
        return Ok(needs);
    }
    if means.root && apt::is_there() {
        eprintln!("setup: reading the distribution's package lists (5 to 20 s)");
        apt::update()?;
        // What can be had is known only now.
        needs = check::all(tools);
    }
    apply::apply(&needs, tools, means)?;
    Ok(check::all(tools))
}

/// Whether something may be done about a need. What is required is tried in any case: the package lists may know a cure.
fn worth_a_try(need: &Need, all: bool) -> bool {
    match need.remedy() {
        None => false,
        Some(Remedy::CargoTool(_)) => all,
        Some(Remedy::ByHand(_)) => need.required,
        Some(_) => true,
    }
}

/// Fails with every command that is left to the user.
fn verdict(needs: &[Need], tools: &Tools) -> Result<()> {
    let commands = table::commands(needs, tools);
    if commands.is_empty() {
        return Ok(());
    }
    bail!("something is missing that setup could not install here; as root:\n\n{commands}\nthen run this again");
}
