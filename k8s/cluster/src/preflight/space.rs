//! Memory and disk.

use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use procfs::Current;

use super::Finding;
use crate::{Options, binaries};

const MIB: u64 = 1 << 20;
/// All daemons idle take about 0.8 GiB; the lab and its load need some.
const MEMORY_MIB: u64 = 1536;
/// Images, etcd and logs of a few runs.
const STATE_MIB: u64 = 1024;
/// Go's own cache of the compiled packages (3.2 GB), the sources (1.5 GB) and the programs (0.7 GB).
const BUILD_MIB: u64 = 6 * 1024;

pub(super) fn check(options: &Options) -> Vec<Finding> {
    let mut findings = vec![memory(), disk("disk for the cluster", &options.root, STATE_MIB)];
    if options.bin_dir.is_none()
        && !binaries::is_built()
        && let Ok(cache) = binaries::cache()
    {
        findings.push(disk("disk for the build", &cache, BUILD_MIB));
    }
    findings
}

fn memory() -> Finding {
    let what = "memory";
    let available = procfs::Meminfo::current().ok().and_then(|memory| memory.mem_available).map(|bytes| bytes / MIB);
    match available {
        None => Finding::ok(what, "cannot be read"),
        Some(mib) if mib >= MEMORY_MIB => Finding::ok(what, format!("{mib} MiB available")),
        Some(mib) => {
            let detail = format!("{mib} MiB available, {MEMORY_MIB} needed");
            Finding::missing(what, detail, "end what is not needed, or use a larger machine")
        }
    }
}

fn disk(what: &'static str, path: &Path, needed_mib: u64) -> Finding {
    let existing: PathBuf = path.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/")).to_owned();
    let Ok(stat) = statvfs(&existing) else { return Finding::ok(what, "cannot be read") };
    let mib = stat.blocks_available() * stat.fragment_size() / MIB;
    if mib >= needed_mib {
        return Finding::ok(what, format!("{mib} MiB free at {}", existing.display()));
    }
    let detail = format!("{mib} MiB free at {}, {needed_mib} needed", existing.display());
    Finding::missing(what, detail, "free some space there, or choose another place (XDG_CACHE_HOME for the build)")
}
