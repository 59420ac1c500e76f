//! One thing that is needed, whether it is there, and what to do when it is not.

use super::tools::Tools;

/// One thing that was looked for.
#[derive(Clone, Debug)]
pub struct Need {
    /// What.
    pub name: &'static str,
    /// Whether demo and tests stop without it.
    pub required: bool,
    /// What was found, or what is wrong.
    pub found: Result<String, Missing>,
}

impl Need {
    /// It is there.
    pub fn there(name: &'static str, required: bool, detail: impl Into<String>) -> Self {
        Self { name, required, found: Ok(detail.into()) }
    }

    /// It is not.
    pub fn missing(name: &'static str, required: bool, why: impl Into<String>, remedy: Remedy) -> Self {
        Self { name, required, found: Err(Missing { why: why.into(), remedy }) }
    }

    /// What to do, when it is missing.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.found.as_ref().err().map(|missing| &missing.remedy)
    }
}

/// What is wrong, and the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What it is needed for, or what is wrong with what is there.
    pub why: String,
    /// The cure.
    pub remedy: Remedy,
}

/// How a missing thing is come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Install the distribution's packages.
    Packages(Vec<String>),
    /// Unpack the distribution's packages into the tools' folder without installing them: nothing is started, nothing conflicts.
    Unpack {
        /// Name of the folder.
        folder: &'static str,
        /// Packages.
        packages: Vec<String>,
    },
    /// Rust's nightly toolchain with the sources of `core`.
    Nightly,
    /// bpf-linker for the LLVM of the compiler.
    Linker,
    /// A tool from crates.io that is only wanted with `--all`.
    CargoTool(&'static str),
    /// Mount tracefs.
    Tracefs,
    /// Nothing that setup can do.
    ByHand(String),
}

impl Remedy {
    /// As one would type it.
    pub fn command(&self, tools: &Tools) -> String {
        match self {
            Self::Packages(packages) => format!("apt-get install -y --no-install-recommends {}", packages.join(" ")),
            Self::Unpack { folder, packages } => {
                let into = tools.unpacked(folder);
                let download = format!("apt-get download {}", packages.join(" "));
                format!("{download} && for deb in *.deb; do dpkg -x \"$deb\" {}; done", into.display())
            }
            Self::Nightly => "rustup toolchain install nightly --profile minimal --component rust-src".into(),
            Self::Linker => format!("cargo install bpf-linker --version {} --locked", super::linker::VERSION),
            Self::CargoTool(name) => format!("cargo install {name} --locked"),
            Self::Tracefs => "mount -t tracefs tracefs /sys/kernel/tracing".into(),
            Self::ByHand(text) => text.clone(),
        }
    }
}
