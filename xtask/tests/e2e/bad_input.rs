//! What goes wrong is said, with a fix, and the cluster stays as it was.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use verbs::lab::NAMESPACE;

use crate::bench::Bench;

fn said(bench: &Bench, arguments: &[&str], code: i32, words: &[&str]) -> Result<()> {
    let output = bench.loadgen_output(arguments)?;
    let text = String::from_utf8_lossy(&output.stderr);
    let line = arguments.join(" ");
    ensure!(output.status.code() == Some(code), "`loadgen {line}` ended with {}: {text}", output.status);
    for word in words {
        ensure!(text.contains(word), "`loadgen {line}` does not say `{word}`: {text}");
    }
    Ok(())
}

/// Names that do not exist are answered with those that do.
pub fn unknown_objects(bench: &Bench) -> Result<()> {
    let out = bench.folder("bad-input")?;
    let out = out.to_string_lossy();
    said(bench, &["rollout", "--deployment", "ml-inferense", "--out", &out], 1, &["ml-inferense", "fix:"])?;
    said(bench, &["steady", "--context", "nowhere", "--out", &out], 1, &["nowhere", "fix:"])?;
    said(bench, &["steady", "--url", "http://10.99.0.2:30099/predict", "--out", &out], 1, &["30099", "fix:"])?;
    said(bench, &["steady", "--rate=-3", "--out", &out], 2, &["a rate must be"])
}

/// A disk that is full is named, with what to do; the agent is free for the next run.
pub fn full_disk(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast-no-hook")?;
    let disk = SmallDisk::mount(bench.folder("full-disk")?)?;
    let out = disk.0.join("run");
    let out = out.to_string_lossy();
    let load = ["steady", "--rate", "200", "--duration", "15s", "--out", &out];
    said(bench, &load, 1, &["No space left on device", "fix:"])?;
    bench.experiment("after-full-disk", &["steady", "--rate", "50", "--duration", "2s"])?.assert_closed()
}

/// A file system with room for a run, but not for its records, unmounted when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: std::path::PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&at)?;
        let (none, flags) = (None::<&str>, nix::mount::MsFlags::empty());
        nix::mount::mount(none, &at, Some("tmpfs"), flags, Some("size=640k")).context("cannot mount a tmpfs")?;
        Ok(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = nix::mount::umount(&self.0);
    }
}

/// The second asker is told who is first.
pub fn two_runs_at_once(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast-no-hook")?;
    let (first, second) = (bench.folder("first")?, bench.folder("second")?);
    let mut running = bench
        .loadgen(&["steady", "--rate", "50", "--duration", "10s", "--out", &first.to_string_lossy()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    sleep(Duration::from_secs(6));
    let result = said(
        bench,
        &["steady", "--rate", "50", "--duration", "5s", "--out", &second.to_string_lossy()],
        1,
        &["run", "fix:"],
    );
    let status = running.wait()?;
    result?;
    ensure!(status.success(), "the first run was disturbed: {status}");
    Ok(())
}

/// Ctrl-C in the middle: exit code 130, a partial report, and the Deployment as it was.
pub fn interrupt(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast")?;
    let template = || {
        let spec = "--output=jsonpath={.spec.template.spec}";
        bench.cluster.kubectl(&["--namespace", NAMESPACE, "get", "deployment", "ml-inference", spec])
    };
    let before = template()?;
    let folder = bench.folder("interrupted")?;
    let child = bench
        .loadgen(&["rollout", "--rate", "100", "--prestop", "sleep:3", "--out", &folder.to_string_lossy()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    // Past preflight and the first patch, in the middle of the rollout.
    let timeline = folder.join("raw/timeline.ndjson");
    let begun = || std::fs::read_to_string(&timeline).is_ok_and(|text| text.contains("restart_deployment"));
    let end = Instant::now() + Duration::from_secs(60);
    while !begun() && Instant::now() < end {
        sleep(Duration::from_millis(100));
    }
    sleep(Duration::from_secs(2));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id())?);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT)?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(130), "ended with {}: {text}", output.status);
    ensure!(before == template()?, "the Deployment is not as it was");
    let report = std::fs::read_to_string(folder.join("report.json")).context("no partial report")?;
    let report: serde_json::Value = serde_json::from_str(&report)?;
    ensure!(report["run"]["complete"] == false, "an interrupted run claims to be complete");
    ensure!(report["run"]["ended_by"] == "interrupt", "{}", report["run"]);
    Ok(())
}
