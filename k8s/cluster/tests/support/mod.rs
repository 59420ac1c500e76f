//! What the tests of the embedded cluster share: being root, images, one test at a time, and the machine's state.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use podwitness_cluster::{Options, PAUSE_IMAGE};
use podwitness_images::{Image, ImageConfig, recipes, write};

/// The shell image's reference.
pub const SHELL_IMAGE: &str = podwitness_images::names::BUSYBOX;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Names of namespaces are fixed, so tests take turns. `None`, after saying so, when not root.
pub fn turn(test: &str) -> Option<MutexGuard<'static, ()>> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!(
            "\n*** SKIPPED {test}: a cluster needs root; run it with sudo -E cargo test -p podwitness-cluster ***\n"
        );
        return None;
    }
    Some(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A directory for one test, removed with its archives at the end.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { dir: tempfile::Builder::new().prefix("pw-").tempdir_in("/tmp").unwrap() }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("cluster")
    }

    /// A cluster with a shell to look around in.
    pub fn options(&self) -> Options {
        Options { root: self.root(), images: images(&self.dir.path().join("images")), ..Options::default() }
    }
}

/// The pause image and a shell, both from the distribution's static busybox.
fn images(dir: &Path) -> Vec<PathBuf> {
    // `cargo xtask test` names the one that it has unpacked.
    let busybox = std::env::var_os("PODWITNESS_BUSYBOX").map_or_else(|| "/bin/busybox".into(), PathBuf::from);
    let shell = recipes::busybox(&busybox).expect("apt-get install -y busybox-static");
    let script = "trap 'exit 0' TERM INT; while :; do sleep 1000 & wait; done";
    let config = ImageConfig {
        entrypoint: ["/bin/busybox", "sh", "-c", script].map(str::to_owned).into(),
        ..ImageConfig::default()
    };
    let pause = Image { reference: PAUSE_IMAGE.into(), rootfs: shell.rootfs.clone(), config };
    [pause, shell].iter().map(|image| write(image, dir).unwrap().path).collect()
}

/// Everything on the machine that a cluster could leave changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Machine {
    namespaces: BTreeSet<PathBuf>,
    mounts: Vec<String>,
    cgroups: BTreeSet<PathBuf>,
    processes: BTreeSet<PathBuf>,
    sysctls: BTreeMap<&'static str, String>,
    fixed_paths: BTreeSet<PathBuf>,
    root_controllers: String,
    links: BTreeSet<PathBuf>,
}

impl Machine {
    pub fn look() -> Self {
        let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap();
        // The ids differ after a mount has come and gone; type, source and place do not.
        let mounts = mountinfo.lines().map(|line| line.split(' ').skip(3).collect::<Vec<_>>().join(" ")).collect();
        let cgroup_mounts =
            mountinfo.lines().filter(|line| line.contains(" - cgroup")).filter_map(|line| line.split(' ').nth(4));
        let read = |name| (name, fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap_or_default());
        let sysctls = [
            "vm/overcommit_memory",
            "vm/panic_on_oom",
            "kernel/panic",
            "kernel/panic_on_oops",
            "kernel/keys/root_maxkeys",
            "kernel/keys/root_maxbytes",
            "net/ipv4/ip_forward",
            "net/netfilter/nf_conntrack_max",
        ];
        let fixed = [
            "/run/containerd",
            "/run/mount",
            "/run/netns",
            "/run/xtables.lock",
            "/var/lib/kubelet",
            "/var/lib/cni",
            "/var/lib/podwitness",
            "/var/log/pods",
            "/var/log/containers",
            "/usr/libexec/kubernetes",
            "/etc/cni",
            "/opt/cni",
            "/var/run/kubernetes",
        ];
        Self {
            namespaces: entries("/run/netns"),
            mounts,
            cgroups: cgroup_mounts.flat_map(entries).filter(|path| path.is_dir()).collect(),
            processes: cluster_processes().into_iter().map(|(_, exe)| exe).collect(),
            sysctls: sysctls.map(read).into(),
            fixed_paths: fixed.into_iter().flat_map(|path| everything_in(Path::new(path))).collect(),
            root_controllers: fs::read_to_string("/sys/fs/cgroup/cgroup.subtree_control").unwrap_or_default(),
            links: entries("/sys/class/net"),
        }
    }

    /// Fails with the difference when anything is not as it was.
    pub fn assert_unchanged(&self, when: &str) {
        let now = Self::look();
        assert_eq!(&now, self, "the machine is not as it was {when} (left: now, right: before)");
    }
}

/// A path and what is below it. Its mere existence would not tell when it was there before.
fn everything_in(path: &Path) -> Vec<PathBuf> {
    let below = if path.is_dir() && !path.is_symlink() { entries(path) } else { BTreeSet::new() };
    let itself = fs::symlink_metadata(path).ok().map(|_| path.to_owned());
    itself.into_iter().chain(below.iter().flat_map(|path| everything_in(path))).collect()
}

fn entries(dir: impl AsRef<Path>) -> BTreeSet<PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Processes whose program comes from the cache of built programs, and pids.
pub fn cluster_processes() -> Vec<(i32, PathBuf)> {
    let dir = podwitness_cluster::binaries::directory().unwrap();
    let all = procfs::process::all_processes().unwrap().flatten();
    all.filter_map(|process| Some((process.pid, process.exe().ok()?)))
        .filter(|(_, exe)| exe.starts_with(&dir))
        .collect()
}

/// SIGKILL to a process of this test's cluster.
pub fn kill_now(pid: i32) {
    // One that has ended meanwhile is as dead as it was to be.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
}
