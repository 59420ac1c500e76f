//! Journals of runs that never got to putting things back.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::journal::Entry;
use crate::cluster::Cluster;

/// A journal whose process is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Leftover {
    /// Its file.
    pub path: PathBuf,
    /// What it says.
    pub entry: Entry,
}

/// Finds them. Files that cannot be read are told in the second list.
pub fn find(dir: &Path, boot_id: &str) -> (Vec<Leftover>, Vec<String>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let Ok(files) = fs::read_dir(dir) else { return (found, problems) };
    for path in files.flatten().map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "json")) {
        match fs::read(&path).map(|text| serde_json::from_slice::<Entry>(&text)) {
            Ok(Ok(entry)) if !alive(&entry, boot_id) => found.push(Leftover { path, entry }),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => problems.push(format!("{} is not understood: {error}", path.display())),
            Err(error) => problems.push(format!("{} cannot be read: {error}", path.display())),
        }
    }
    found.sort_by(|a, b| a.entry.started_at.cmp(&b.entry.started_at));
    (found, problems)
}

/// Whether the run that wrote it may still be at work.
fn alive(entry: &Entry, boot_id: &str) -> bool {
    entry.boot_id == boot_id && entry.pid > 0 && kill(Pid::from_raw(entry.pid), None) != Err(nix::errno::Errno::ESRCH)
}

impl Leftover {
    /// Whether it is of this cluster.
    pub fn is_of(&self, cluster: &Cluster) -> bool {
        self.entry.server == cluster.server
    }
}

/// This boot of this machine; empty where the system does not tell.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::super::journal::{Change, Journal};
    use super::*;

    fn entry(run_id: &str, pid: i32, boot_id: &str) -> Entry {
        Entry {
            schema_version: 1,
            run_id: run_id.into(),
            pid,
            boot_id: boot_id.into(),
            started_at: "2026-01-01T00:00:00Z".into(),
            context: None,
            server: "https://a".into(),
            namespace: "n".into(),
            changes: Vec::new(),
        }
    }

    fn change() -> Change {
        Change::Template { deployment: "d".into(), uid: "u".into(), template: json!({"spec": {}}) }
    }

    #[test]
    fn only_runs_that_are_gone_are_left_over() {
        let dir = tempfile::tempdir().unwrap();
        let me = std::process::id() as i32;
        // A process that has ended and was waited for: its number is free.
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = child.id() as i32;
        child.wait().unwrap();
        for (run, pid, boot) in [("alive", me, "boot"), ("crashed", gone, "boot"), ("rebooted", me, "earlier")] {
            Journal::new(dir.path(), entry(run, pid, boot)).record(change()).unwrap();
        }
        fs::write(dir.path().join("broken.json"), "{").unwrap();
        let (found, problems) = find(dir.path(), "boot");
        let mut runs: Vec<_> = found.iter().map(|leftover| leftover.entry.run_id.as_str()).collect();
        runs.sort_unstable();
        assert_eq!(runs, ["crashed", "rebooted"]);
        assert!(problems[0].contains("broken.json"));
    }

    #[test]
    fn a_journal_that_is_done_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(dir.path(), entry("r", 0, "b"));
        journal.record(change()).unwrap();
        assert_eq!(find(dir.path(), "b").0[0].entry.changes, [change()]);
        journal.forget().unwrap();
        journal.forget().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
