//! The program from the outside: bad input gives a clear message with a fix, the right exit code, and no traces.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

/// `loadgen` in an empty directory, without this machine's kubeconfig.
fn loadgen(dir: &TempDir, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::cargo_bin("loadgen").unwrap();
    command.current_dir(dir.path()).env_clear().env("HOME", dir.path()).args(arguments);
    let kubeconfig = dir.path().join("kubeconfig");
    if kubeconfig.exists() {
        command.env("KUBECONFIG", kubeconfig);
    }
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty(), "stdout is for results: {}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn kubeconfig(dir: &Path, server: &str) {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: minikube\n\
         clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n\
         contexts: [{{name: minikube, context: {{cluster: c, user: u}}}}]\n"
    );
    fs::write(dir.join("kubeconfig"), text).unwrap();
}

fn leaves_nothing(dir: &TempDir) {
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "kubeconfig")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn no_kubeconfig() {
    let dir = tempfile::tempdir().unwrap();
    let (code, text) = loadgen(&dir, &["steady"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no kubeconfig") && text.contains("fix: start a cluster"), "{text}");
    leaves_nothing(&dir);
}

#[test]
fn a_context_that_does_not_exist() {
    let dir = tempfile::tempdir().unwrap();
    kubeconfig(dir.path(), "https://127.0.0.1:1");
    let (code, text) = loadgen(&dir, &["rollout", "--context", "minkube"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no context `minkube`: did you mean `minikube`?") && text.contains("fix:"), "{text}");
    leaves_nothing(&dir);
}

#[test]
fn an_api_server_that_does_not_answer() {
    let dir = tempfile::tempdir().unwrap();
    kubeconfig(dir.path(), "https://127.0.0.1:1");
    for command in ["doctor", "pod-delete", "verify"] {
        let (code, text) = loadgen(&dir, &[command]);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("does not answer") && text.contains("refused") && text.contains("fix:"), "{text}");
    }
    leaves_nothing(&dir);
}

#[test]
fn a_kubeconfig_that_is_none() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("kubeconfig"), "{ not yaml").unwrap();
    let (code, text) = loadgen(&dir, &["steady"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("cannot be used") && text.contains("fix:"), "{text}");
}

#[test]
fn usage_errors_are_2_and_touch_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["steady", "--no-such-flag"][..], "unexpected argument"),
        (&["steady", "--rate", "0"], "no request"),
        (&["steady", "--rate", "many"], "invalid"),
        (&["steady", "--duration", "10"], "time unit"),
        (&["steady", "--ramp", "5"], "FROM:TO"),
        (&["steady", "--url", "10.0.0.1:30080"], "fix: give it as http://"),
        (&["steady", "--path", "predict"], "must begin with a /"),
        (&["steady", "--timeout", "1s"], "--connect-timeout"),
        (&["steady", "--fail-if", "failed"], "no condition"),
        (&["pod-delete", "--force", "--grace", "5"], "cannot be used with"),
        (&["pod-delete", "--repeat", "0"], "not in 1..=1000"),
        (&["rollout", "--prestop", "nap"], "is no hook"),
        (&["balance", "--requests", "0"], "1..=10000000"),
        (&["balance", "--requests", "5", "--duration", "5s"], "cannot be used with"),
        (&["slow-pod", "--during", "1s"], "the least is 3s"),
        (&["slow-pod", "--cpu", "1m"], "the least is 10m"),
        (&["slow-pod", "--delay", "0s"], "one millisecond"),
        (&["steady", "--runs", "0"], "not in 1..=1000"),
        (&["verify", "--step", "8"], "not in 2..=7"),
        (&["requests", "run", "--cause", "bad_luck"], "refused_by_terminated_pod"),
        (&["requests", "run", "--slower-than", "10"], "time unit"),
        (&["verify", "--other-namespace", "mlops-lab"], "another one"),
        (&["no-such-command"], "unrecognized subcommand"),
        (&[], "Usage:"),
    ] {
        let (code, text) = loadgen(&dir, arguments);
        assert_eq!(code, 2, "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
    leaves_nothing(&dir);
}

#[test]
fn a_directory_with_a_run_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    kubeconfig(dir.path(), "https://127.0.0.1:1");
    fs::create_dir_all(dir.path().join("run/raw")).unwrap();
    let (code, text) = loadgen(&dir, &["steady", "--out", "run"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("holds a run already") && text.contains("--out"), "{text}");
}

#[test]
fn a_place_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    kubeconfig(dir.path(), "https://127.0.0.1:1");
    fs::write(dir.path().join("file"), "").unwrap();
    let (code, text) = loadgen(&dir, &["steady", "--out", "file/run"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("cannot write"), "{text}");
}

#[test]
fn a_report_of_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (code, text) = loadgen(&dir, &["report", "nowhere"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("nowhere holds no run") && text.contains("fix:"), "{text}");
}

#[test]
fn requests_that_do_not_exist() {
    let dir = tempfile::tempdir().unwrap();
    let (code, text) = loadgen(&dir, &["requests", "nowhere"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("nowhere holds no run") && text.contains("fix:"), "{text}");
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/correlate/recordings/rollout-as-assigned");
    for wanted in [["--seq", "999999"], ["--trace-id", "00000000000000000000000000000000"]] {
        let (code, text) = loadgen(&dir, &[&["requests", run], &wanted[..]].concat());
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("has no request") && text.contains("fix: take one from 0 to"), "{text}");
    }
    let (code, text) = loadgen(&dir, &["requests", run, "--pod", "nobody"]);
    assert_eq!((code, text.contains("requests is like that")), (0, true), "{text}");
    leaves_nothing(&dir);
}

#[test]
fn a_comparison_of_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (code, text) = loadgen(&dir, &["compare", "nowhere", "elsewhere"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("nowhere holds no run") && text.contains("fix:"), "{text}");
    let (code, text) = loadgen(&dir, &["compare", "a", "b", "--fail-if", "failed>0"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("failed_increase"), "{text}");
}

#[test]
fn a_plan_is_checked_whole_before_anything_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    kubeconfig(dir.path(), "https://127.0.0.1:1");
    let plan = dir.path().join("plan.toml");
    let good = "[[experiment]]\nrun = 'steady'\n";
    fs::write(&plan, format!("out = 'series'\n{good}[[experiment]]\nrun = 'rollout'\npre-stop = 'none'\n")).unwrap();
    let (code, text) = loadgen(&dir, &["plan", "plan.toml"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("`pre-stop` is no option of rollout: did you mean `prestop`?"), "{text}");
    // What can be known without the cluster is right; the cluster is asked for every experiment, and nothing is begun.
    fs::write(&plan, format!("out = 'series'\n{good}[[experiment]]\nname = 'b'\nrun = 'pod-delete'\n")).unwrap();
    for arguments in [&["plan", "plan.toml", "--check"][..], &["plan", "plan.toml"]] {
        let (code, text) = loadgen(&dir, arguments);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("2 of 2 experiments cannot be run") && text.contains("does not answer"), "{text}");
    }
    let (code, text) = loadgen(&dir, &["plan", "nowhere.toml"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("cannot read nowhere.toml") && text.contains("fix:"), "{text}");
    fs::remove_file(plan).unwrap();
    leaves_nothing(&dir);
}

#[test]
fn help_names_every_command_and_exit_code() {
    let output = Command::cargo_bin("loadgen").unwrap().arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    let words = [
        ["steady", "pod-delete", "rollout", "balance", "slow-pod", "canary", "rollback", "dual-rollout"].as_slice(),
        &["report", "compare", "plan", "verify", "answers", "doctor", "99", "130"],
    ];
    for word in words.concat() {
        assert!(text.contains(word), "{word}");
    }
    let output = Command::cargo_bin("loadgen").unwrap().args(["rollout", "--help"]).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("Examples:"));
}
