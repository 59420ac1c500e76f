//! `loadgen verify` on a real lab: it passes as the lab has it, and names what was broken on purpose.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use verbs::lab::NAMESPACE;

use crate::bench::Bench;

const OVERLAY: &str = "overlays/local-step7";

/// Steps 2 to 7 as they are deployed; names also from inside pods, and the order of two `ConfigMaps` tried.
pub fn passes(bench: &Bench) -> Result<()> {
    bench.deploy(OVERLAY)?;
    let look = look(bench, "verify", &["--step", "7", "--debug-image", "podwitness.local/busybox:dev"], 0)?;
    ensure!(look["passed"] == true, "{look:#}");
    ensure!(look["reached_step"] == 7, "{}", look["reached_step"]);
    let checks = look["checks"].as_array().context("no checks")?;
    let open: Vec<&Value> = checks.iter().filter(|check| check["state"] != "pass").collect();
    ensure!(open.is_empty(), "not passed: {open:#?}");
    ensure!(look.pointer("/facts/debug_pods/0/duplicate_key") == Some(&Value::from("second")), "{}", look["facts"]);
    let left = bench.cluster.kubectl(&["get", "pods,configmaps", "-A", "-o", "name"])?;
    ensure!(!left.contains("podwitness-verify"), "left behind: {left}");
    Ok(())
}

/// A Service whose selector fits nobody, and a Secret that is gone: each is found, with the task to do again.
pub fn names_what_is_broken(bench: &Bench) -> Result<()> {
    bench.deploy(OVERLAY)?;
    let kubectl = |arguments: &[&str]| bench.cluster.kubectl(&[&["--namespace", NAMESPACE], arguments].concat());
    let patch = r#"{"spec":{"selector":{"app":"nobody"}}}"#;
    kubectl(&["patch", "service", "ml-inference-service", "--patch", patch])?;
    let broken = look(bench, "verify-selector", &[], 1);
    // The lab is put right whatever was found.
    bench.deploy(OVERLAY)?;
    fails(&broken?, "2.2", "app=nobody")?;
    kubectl(&["delete", "secret", "api-credentials"])?;
    let broken = look(bench, "verify-secret", &[], 1);
    bench.deploy(OVERLAY)?;
    fails(&broken?, "7.1", "does not exist")?;
    ensure!(look(bench, "verify-again", &[], 0)?["passed"] == true, "not whole again");
    Ok(())
}

fn fails(look: &Value, task: &str, words: &str) -> Result<()> {
    let checks = look["checks"].as_array().context("no checks")?;
    let found = checks.iter().any(|check| {
        check["state"] == "fail"
            && check["task"] == task
            && check["detail"].as_str().is_some_and(|detail| detail.contains(words))
            && check["redo"].is_string()
    });
    ensure!(found, "no failed check of {task} says `{words}`: {checks:#?}");
    Ok(())
}

fn look(bench: &Bench, name: &str, more: &[&str], code: i32) -> Result<Value> {
    let out = bench.folder(name)?;
    let out = out.to_string_lossy();
    let arguments = [&["verify", "-o", "json", "--out", &out], more].concat();
    let output = bench.loadgen_output(&arguments)?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(code),
        "ended with {} instead of {code}: {text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}
