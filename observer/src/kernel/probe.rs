//! What this machine offers, before anything is attached.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::features::VMLINUX_BTF;

/// Oldest kernel whose hooks are all that the agent requires.
const OLDEST: (u32, u32) = (5, 14);
/// Oldest kernel that tells socket calls of threads.
const CALLS_SINCE: (u32, u32) = (6, 3);

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at (`kernel`, `btf`, `cgroup2`, …).
    pub name: &'static str,
    /// It is as it should be.
    pub ok: bool,
    /// The agent cannot run without it.
    pub required: bool,
    /// What was found.
    pub detail: String,
    /// What to do, when something is wrong.
    pub fix: Option<String>,
}

/// Looks at kernel, BTF, cgroup2, tracefs and capabilities. Attaches nothing.
pub fn probe() -> Vec<Finding> {
    probe_at(None)
}

/// The same, with the cgroup2 directory that the programs would be attached at instead of the one that is found.
pub fn probe_at(cgroup: Option<&Path>) -> Vec<Finding> {
    let mut findings = vec![kernel(&read("/proc/sys/kernel/osrelease")), btf()];
    findings.extend(cgroup2(cgroup.map(Path::to_path_buf).or_else(cgroup2_mount).as_deref()));
    findings.push(tracefs());
    findings.extend(capabilities(&read("/proc/self/status")));
    findings.push(program_statistics());
    findings
}

/// Where the cgroup2 hierarchy is mounted: the mount that holds pods when there are several.
pub fn cgroup2_mount() -> Option<PathBuf> {
    let mounts = mounts(&read("/proc/self/mounts"), "cgroup2");
    mounts.iter().find(|mount| !pod_directories(mount).is_empty()).or(mounts.first()).cloned()
}

fn finding(name: &'static str, required: bool, result: Result<String, (String, &str)>) -> Finding {
    match result {
        Ok(detail) => Finding { name, ok: true, required, detail, fix: None },
        Err((detail, fix)) => Finding { name, ok: false, required, detail, fix: Some(fix.into()) },
    }
}

fn kernel(release: &str) -> Finding {
    let mut numbers = release.split(['.', '-']).map_while(|part| part.trim().parse().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let result = if version < OLDEST {
        Err((format!("Linux {release}"), "use Linux 5.14 or newer"))
    } else if version < CALLS_SINCE {
        Ok(format!(
            "Linux {release}: without socket calls of threads (6.3 and newer), failed attempts without data are joined by time only"
        ))
    } else {
        Ok(format!("Linux {release}"))
    };
    finding("kernel", true, result)
}

fn btf() -> Finding {
    let result = match fs::metadata(VMLINUX_BTF) {
        Ok(found) => Ok(format!("{VMLINUX_BTF}, {} bytes", found.len())),
        Err(error) => Err((
            format!("{VMLINUX_BTF}: {error}"),
            "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (every current distribution's is); in a pod, /sys must not be masked",
        )),
    };
    finding("btf", true, result)
}

fn cgroup2(cgroup: Option<&Path>) -> Vec<Finding> {
    let Some(path) = cgroup else {
        let fix = "mount it: mount -t cgroup2 none /sys/fs/cgroup/unified; in a pod, mount the host's cgroup directory";
        return vec![finding("cgroup2", true, Err(("no cgroup2 file system is mounted".into(), fix)))];
    };
    let is_cgroup2 = nix::sys::statfs::statfs(path)
        .is_ok_and(|found| found.filesystem_type() == nix::sys::statfs::CGROUP2_SUPER_MAGIC);
    if !is_cgroup2 {
        let fix = "name the node's cgroup2 mount; with both hierarchies it is usually /sys/fs/cgroup/unified";
        return vec![finding("cgroup2", true, Err((format!("{} is no cgroup2 directory", path.display()), fix)))];
    }
    let pods = pod_directories(path);
    let below = match pods.as_slice() {
        [] => Err((
            format!("no pods below {}", path.display()),
            "in a pod, mount the host's cgroup2 directory: a private cgroup namespace shows only its own part. Without pods, records tell cgroups instead of names",
        )),
        [first, ..] => Ok(format!("pods are below {}", first.display())),
    };
    vec![finding("cgroup2", true, Ok(path.display().to_string())), finding("pods' cgroups", false, below)]
}

fn tracefs() -> Finding {
    let result = match mounts(&read("/proc/self/mounts"), "tracefs").first() {
        Some(path) => Ok(path.display().to_string()),
        // Tracepoints with BTF types attach without it.
        None => {
            Err(("not mounted".into(), "nothing needs it at present; mount -t tracefs tracefs /sys/kernel/tracing"))
        }
    };
    finding("tracefs", false, result)
}

fn capabilities(status: &str) -> Vec<Finding> {
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|value| u64::from_str_radix(value.trim(), 16).ok())
        .unwrap_or(0);
    // Numbers of include/uapi/linux/capability.h. CAP_SYS_ADMIN stands for the first two.
    let has = |number: u32| effective >> number & 1 != 0;
    [("CAP_BPF", 39, true), ("CAP_PERFMON", 38, true), ("CAP_NET_ADMIN", 12, false)]
        .into_iter()
        .map(|(name, number, admin)| {
            let result = if has(number) {
                Ok("held".into())
            } else if admin && has(21) {
                Ok("held, as part of CAP_SYS_ADMIN".into())
            } else {
                Err(("not held".into(), "run as root, or give the pod the capabilities BPF, PERFMON and NET_ADMIN"))
            };
            finding(name, true, result)
        })
        .collect()
}

fn program_statistics() -> Finding {
    let on = read("/proc/sys/kernel/bpf_stats_enabled") == "1";
    let result = if on {
        Ok("on".into())
    } else {
        Err((
            "off: the programs' own cost is measured only with CAP_SYS_ADMIN".into(),
            "to measure it all the same: sysctl -w kernel.bpf_stats_enabled=1 (costs about 20 ns a run)",
        ))
    };
    finding("program statistics", false, result)
}

/// Mount points of a file system type, in the order of `/proc/self/mounts`.
fn mounts(table: &str, kind: &str) -> Vec<PathBuf> {
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let path = fields.next()?;
            (fields.next()? == kind).then(|| PathBuf::from(unescape(path)))
        })
        .collect()
}

/// Spaces and the like are written as octal numbers.
fn unescape(path: &str) -> String {
    path.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// Directories that kubelets keep their pods in.
fn pod_directories(cgroup2: &Path) -> Vec<PathBuf> {
    let names = ["kubepods", "kubepods.slice", "kubelet/kubepods", "kubelet.slice/kubelet-kubepods.slice"];
    let mut found: Vec<PathBuf> = names.iter().map(|name| cgroup2.join(name)).filter(|path| path.is_dir()).collect();
    // A kubelet with a root of its own (a second node on one machine), or a container that is a node (kind, minikube).
    if let Ok(entries) = fs::read_dir(cgroup2) {
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            found.extend(names.iter().map(|name| entry.path().join(name)).filter(|path| path.is_dir()));
        }
    }
    found.dedup();
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{capabilities, kernel, mounts};

    #[test]
    fn mounts_by_type() {
        let table = "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/a\\040b cgroup2 rw 0 0\n";
        assert_eq!(mounts(table, "cgroup2"), [PathBuf::from("/sys/fs/a b")]);
    }

    #[test]
    fn kernels() {
        assert!(!kernel("5.4.0-1").ok);
        assert!(kernel("6.1.0-13-cloud-amd64").detail.contains("6.3"));
        assert_eq!(kernel("6.18.44-fc").detail, "Linux 6.18.44-fc");
    }

    #[test]
    fn capabilities_by_bit() {
        let all = capabilities("Name:\tx\nCapEff:\t000001ffffffffff\n");
        assert!(all.iter().all(|finding| finding.ok));
        let none = capabilities("CapEff:\t0000000000000000\n");
        assert!(none.iter().all(|finding| !finding.ok && finding.fix.is_some()));
    }
}
