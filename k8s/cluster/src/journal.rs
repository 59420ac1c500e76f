//! What was changed on the machine, written down before each change, so that a killed run can be undone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Doing;
use crate::layout::Layout;
use crate::process::ProcessId;
use crate::{Options, Result, binaries, sysctl};

/// Fixed places that upstream's programs fill, whatever they are told. Those that did not exist are removed again.
const HARD_CODED_PATHS: [&str; 12] = [
    "/run/containerd",
    "/run/mount",
    "/run/netns",
    "/run/xtables.lock",
    "/usr/libexec/kubernetes",
    "/var/lib/cni",
    "/var/lib/cni/results",
    "/var/lib/kubelet",
    "/var/lib/kubelet/device-plugins",
    "/var/lib/kubelet/device-plugins/kubelet.sock",
    "/var/log/containers",
    "/var/log/pods",
];

/// The record of one cluster's life.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Journal {
    /// The boot it was started in: after another one, only files can be left.
    pub(crate) boot_id: String,
    /// What was asked for.
    pub(crate) options: Options,
    /// The version of Kubernetes.
    pub(crate) kubernetes_version: String,
    /// Where the programs are.
    pub(crate) bin_dir: PathBuf,
    /// Kernel settings as they were.
    pub(crate) sysctls: BTreeMap<String, String>,
    /// Fixed places that did not exist.
    pub(crate) absent_paths: Vec<PathBuf>,
    /// Directories above the root that did not exist, outermost first.
    pub(crate) made_parents: Vec<PathBuf>,
    /// Mounts we made outside the root.
    pub(crate) mounted: Vec<PathBuf>,
    /// Controllers that the root of the version 2 hierarchy handed on; `None` where that is not ours to change.
    pub(crate) root_controllers: Option<Vec<String>>,
    /// The daemons, by name.
    pub(crate) daemons: BTreeMap<String, ProcessId>,
    /// Whether `up` came to its end.
    pub(crate) complete: bool,
}

impl Journal {
    /// Looks at the machine as it is now.
    pub(crate) fn begin(options: &Options, bin_dir: &Path) -> Result<Self> {
        let absent = |path: &PathBuf| fs::symlink_metadata(path).is_err();
        let mut made_parents: Vec<PathBuf> =
            options.root.ancestors().skip(1).map(Path::to_owned).take_while(absent).collect();
        made_parents.reverse();
        Ok(Self {
            boot_id: boot_id()?,
            options: options.clone(),
            kubernetes_version: binaries::kubernetes_version().to_owned(),
            bin_dir: bin_dir.to_owned(),
            sysctls: sysctl::read_all(),
            absent_paths: HARD_CODED_PATHS.map(PathBuf::from).into_iter().filter(absent).collect(),
            made_parents,
            mounted: Vec::new(),
            root_controllers: None,
            daemons: BTreeMap::new(),
            complete: false,
        })
    }

    /// Reads the journal below a root; `None` if there is none.
    pub(crate) fn load(layout: &Layout) -> Result<Option<Self>> {
        let path = layout.journal();
        match fs::read_to_string(&path) {
            Ok(text) => {
                let parsed = serde_json::from_str(&text).map_err(io::Error::from);
                parsed.map(Some).doing(|| format!("reading {}", path.display()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).doing(|| format!("reading {}", path.display())),
        }
    }

    /// Writes the journal; after a crash either the old or the new one is there, never half of it.
    pub(crate) fn save(&self, layout: &Layout) -> Result<()> {
        let path = layout.journal();
        let text = serde_json::to_string_pretty(self).map_err(io::Error::from);
        let temporary = path.with_extension("json.new");
        let write = || -> io::Result<()> {
            let mut file = File::create(&temporary)?;
            file.write_all(text?.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        write().doing(|| format!("writing {}", path.display()))
    }

    /// Whether processes, mounts and settings it speaks of can still exist.
    pub(crate) fn is_of_this_boot(&self) -> Result<bool> {
        Ok(self.boot_id == boot_id()?)
    }
}

fn boot_id() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    Ok(fs::read_to_string(path).doing(|| format!("reading {path}"))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_saved_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        assert!(Journal::load(&layout).unwrap().is_none());
        let options = Options { root: dir.path().join("a/b/c"), ..Options::default() };
        let mut journal = Journal::begin(&options, Path::new("/bin")).unwrap();
        assert_eq!(journal.made_parents, [dir.path().join("a"), dir.path().join("a/b")]);
        journal.daemons.insert("etcd".into(), ProcessId { pid: 7, start_ticks: 9 });
        journal.save(&layout).unwrap();
        let loaded = Journal::load(&layout).unwrap().unwrap();
        assert_eq!(loaded.options, options);
        assert_eq!(loaded.daemons, journal.daemons);
        assert!(loaded.is_of_this_boot().unwrap());
    }
}
