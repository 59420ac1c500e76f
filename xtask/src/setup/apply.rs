//! Installs what is missing and can be installed.

use std::process::Command;

use anyhow::Result;

use super::need::{Need, Remedy};
use super::tools::Tools;
use super::{apt, linker};
use crate::run::{Steps, cargo, run};

/// Who is at work, and how much is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// May change the machine.
    pub root: bool,
    /// Wants what only `ci` uses, too.
    pub all: bool,
}

impl Means {
    /// Whether this cure can be had here.
    pub fn allow(self, remedy: &Remedy) -> bool {
        match remedy {
            Remedy::Packages(packages) => self.root && packages.iter().all(|package| apt::knows(&[package])),
            Remedy::Tracefs => self.root,
            Remedy::Unpack { .. } | Remedy::Nightly | Remedy::Linker => true,
            Remedy::CargoTool(_) => self.all,
            Remedy::ByHand(_) => false,
        }
    }
}

/// Does all that can be done: packages in one go, then the rest in the order of the needs. What is only optional may fail.
pub fn apply(needs: &[Need], tools: &Tools, means: Means) -> Result<()> {
    let mut packages: Vec<String> = Vec::new();
    let mut others: Vec<(&Remedy, bool)> = Vec::new();
    for need in needs {
        match need.remedy().filter(|remedy| means.allow(remedy)) {
            Some(Remedy::Packages(some)) => packages.extend(some.iter().cloned()),
            Some(other) => others.push((other, need.required)),
            None => {}
        }
    }
    let mut steps = Steps::new(usize::from(!packages.is_empty()) + others.len());
    if !packages.is_empty() {
        steps.next(&format!("installing {}", packages.join(", ")), "10 to 60 s");
        apt::install(&packages)?;
    }
    for (remedy, required) in others {
        let (what, usually) = announce(remedy, tools);
        steps.next(&what, usually);
        match one(remedy, tools, means.root) {
            Err(error) if !required => eprintln!("warning: {error:#}; going on without it"),
            result => result?,
        }
    }
    Ok(())
}

fn announce(remedy: &Remedy, tools: &Tools) -> (String, &'static str) {
    match remedy {
        Remedy::Packages(packages) => (format!("installing {}", packages.join(", ")), "10 to 60 s"),
        Remedy::Unpack { folder, packages } => {
            (format!("unpacking {} into {}", packages.join(", "), tools.unpacked(folder).display()), "5 s")
        }
        Remedy::Nightly => ("installing Rust's nightly with the sources of core".into(), "1 min"),
        Remedy::Linker => ("building bpf-linker".into(), "20 s to 2 min"),
        Remedy::CargoTool(name) => (format!("building {name}"), "1 to 2 min"),
        Remedy::Tracefs => ("mounting tracefs".into(), "1 s"),
        Remedy::ByHand(text) => (text.clone(), "as long as it takes"),
    }
}

fn one(remedy: &Remedy, tools: &Tools, root: bool) -> Result<()> {
    match remedy {
        Remedy::Packages(packages) => apt::install(packages),
        Remedy::Unpack { folder, packages } => apt::unpack(tools, folder, packages, root),
        Remedy::Nightly => {
            let words = ["toolchain", "install", "nightly", "--profile", "minimal", "--component", "rust-src"];
            run(Command::new("rustup").args(words))
        }
        Remedy::Linker => linker::install(tools),
        // Debug: a quarter of the time to build, and it runs for seconds.
        Remedy::CargoTool(name) => run(cargo()
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .args(["install", name, "--debug", "--locked", "--root"])
            .arg(tools.folder())),
        Remedy::Tracefs => run(Command::new("mount").args(["-t", "tracefs", "tracefs", "/sys/kernel/tracing"])),
        Remedy::ByHand(_) => Ok(()),
    }
}
