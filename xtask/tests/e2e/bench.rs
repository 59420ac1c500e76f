//! The cluster, the lab and the load generator that all tests share.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, Result, ensure};
use podwitness_cluster::{ClusterGuard, Metrics, Options};
use verbs::{lab::Lab, test};

use crate::report::Run;

/// What `cargo xtask test` hands on.
pub struct Inputs {
    archives: PathBuf,
    loadgen: PathBuf,
}

impl Inputs {
    /// `None` when the tests were not started by `cargo xtask test`.
    pub fn from_environment() -> Option<Self> {
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        Some(Self { archives: path(test::ARCHIVES)?, loadgen: path(test::LOADGEN)? })
    }
}

/// A cluster with the observer; taken down when dropped.
pub struct Bench {
    /// The cluster.
    pub cluster: ClusterGuard,
    loadgen: PathBuf,
    /// Reports of the tests, kept for a look afterwards.
    pub out: PathBuf,
}

impl Bench {
    /// Brings it up with so many nodes.
    pub fn up(inputs: &Inputs, nodes: u8) -> Result<Self> {
        let mut images = Vec::new();
        for entry in std::fs::read_dir(&inputs.archives)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "tar") {
                images.push(path);
            }
        }
        images.sort();
        ensure!(!images.is_empty(), "no archives in {}", inputs.archives.display());
        // Few addresses: those of pods that are gone come back soon.
        let pod_subnet = "10.244.0.0/27".parse().context("the subnet")?;
        let metrics = Metrics::Fast;
        let cluster = ClusterGuard::up(&Options { images, pod_subnet, metrics, nodes, ..Options::default() })?;
        Lab::new(&cluster).install_observer()?;
        let out = verbs::run::root().join("target/e2e");
        Ok(Self { cluster, loadgen: inputs.loadgen.clone(), out })
    }

    /// The lab in this form, reachable, with nothing left of the test before.
    pub fn deploy(&self, overlay: &str) -> Result<()> {
        Lab::new(&self.cluster).deploy(overlay)
    }

    /// loadgen beside the node, as a user there would start it.
    pub fn loadgen(&self, arguments: &[&str]) -> Command {
        let mut command = self.cluster.client_command(&self.loadgen);
        command.args(arguments);
        command
    }

    /// Where loadgen is.
    pub fn loadgen_program(&self) -> &Path {
        &self.loadgen
    }

    /// Runs loadgen to its end.
    pub fn loadgen_output(&self, arguments: &[&str]) -> Result<Output> {
        self.loadgen(arguments).output().context("cannot start loadgen")
    }

    /// Runs an experiment and reads its report back.
    pub fn experiment(&self, name: &str, arguments: &[&str]) -> Result<Run> {
        let folder = self.folder(name)?;
        let mut command = self.loadgen(arguments);
        let output = command.arg("--out").arg(&folder).output().context("cannot start loadgen")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "loadgen {} ended with {}:\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Run::read(&folder, text)
    }

    /// Where a test's report is.
    pub fn written(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    /// An empty folder for a test's report.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.written(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(folder.parent().unwrap_or(Path::new(".")))?;
        Ok(folder)
    }
}
