//! `--prove-fix`: two runs, and the change between them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::args::{Format, LoadArgs, ResultArgs, TargetArgs};
use super::exit::{Failure, INTERRUPTED, NOT_PROVEN, TOOL};
use super::progress::Progress;
use super::{finish, output, run, signals};
use crate::cluster::restore::journal;
use crate::experiment::last_run::{self, ENTRY_LIFE_S};
use crate::experiment::with_fix::WithFix;
use crate::experiment::{Experiment, Narrator, Ran, RunError, Setup};
use crate::load::{Reason, Stop};
use crate::raw::EndedBy;
use crate::raw::write::write_json;
use crate::report::fix::{Outcome, ProveFix, derive, prove, text, unproven};
use crate::report::schema::Report;

/// The cluster as it is; a folder below that of the proof.
const AS_IT_IS: &str = "as-it-is";
/// The same with the change.
const WITH_FIX: &str = "with-fix";

/// `--prove-fix`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ProveArgs {
    /// Measure, derive the smallest change that the losses support, apply it, measure again, compare, and put it back.
    /// Exit code 3: no fix is proven. Conditions of --fail-if are about the second run.
    #[arg(long, help_heading = "Experiment")]
    pub prove_fix: bool,
    /// How long the nodes keep the NAT entry of an unanswered connection attempt (`nf_conntrack_tcp_timeout_syn_sent`): the
    /// second run begins when those of the first have ended.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration, help_heading = "Experiment")]
    pub nat_timeout: Duration,
}

/// Runs it with and without the change.
pub async fn prove_fix(
    experiment: &dyn Experiment,
    patience: Duration,
    prove_args: ProveArgs,
    load: &LoadArgs,
    target: &TargetArgs,
    result: &ResultArgs,
) -> Result<u8, Failure> {
    let both = run::setup(experiment, load, target, result)?;
    if result.check {
        return run::perform(experiment, &both, result).await;
    }
    if result.runs > 1 {
        return Err(Failure::usage("--prove-fix makes its own two runs: leave out --runs"));
    }
    let out = both.out.clone();
    for name in [AS_IT_IS, WITH_FIX] {
        if out.join(name).exists() {
            return Err(Failure::tool(format!(
                "{} is there already\n  fix: choose another directory with --out, or remove that one",
                out.join(name).display()
            )));
        }
    }
    let stop = Stop::default();
    signals::install(&stop)?;
    let progress: Arc<dyn Narrator> = Arc::new(Progress::new());

    progress.step("first run: the cluster as it is");
    let setup = Setup { out: out.join(AS_IT_IS), ..both.clone() };
    let before = finish::write(&one_run(experiment, &setup, &progress, &stop).await?, &[])?;
    let derived = derive(&before);
    if derived.changes.is_empty() || !before.run.complete {
        let before = finish::judge(before, &result.show.fail_if);
        return end(&out, &unproven(derived, (AS_IT_IS, &before)), &before, result.show.output);
    }
    for change in &derived.changes {
        progress.step(&change.why);
    }
    wait_from_last_failure(&before, &setup, prove_args.nat_timeout);

    progress.step("second run: the same with the change");
    let setup = Setup { out: out.join(WITH_FIX), wait_nat: true, ..both };
    let with_fix = WithFix { experiment, changes: derived.changes.clone(), patience };
    let after = match one_run(&with_fix, &setup, &progress, &stop).await {
        Ok(ran) => finish::write(&ran, &result.show.fail_if)?,
        Err(failure) => {
            // What the first run says is kept, whatever stopped the second.
            let proof = unproven(derived, (AS_IT_IS, &before));
            write_json(&out.join("prove-fix.json"), &proof).map_err(Failure::tool)?;
            return Err(failure);
        }
    };
    drop(progress);
    let proof = prove(derived, (AS_IT_IS, &before), (WITH_FIX, &after));
    end(&out, &proof, &after, result.show.output)
}

/// One of the runs, with a signal of its own: an experiment that is done sets it, too.
async fn one_run(
    experiment: &dyn Experiment,
    setup: &Setup,
    progress: &Arc<dyn Narrator>,
    stop: &Stop,
) -> Result<Ran, Failure> {
    let own = Stop::default();
    let (outer, inner) = (stop.clone(), own.clone());
    let relay = tokio::spawn(async move { inner.set(outer.aborted().await) });
    let ran = crate::experiment::run(experiment, setup, Arc::clone(progress), &own).await;
    relay.abort();
    let ran = match ran {
        Ok(ran) => ran,
        Err(RunError::Interrupted) => {
            return Err(Failure { code: INTERRUPTED, message: RunError::Interrupted.to_string() });
        }
        Err(error) => return Err(Failure::tool(error)),
    };
    match (&ran.error, ran.ended_by) {
        (Some(error), _) => {
            // Its report is a by-product; the failure is the result.
            finish::write(&ran, &[])?;
            Err(Failure::tool(format!("{error}\n  what was measured is kept in {}", ran.dir.display())))
        }
        (None, EndedBy::Interrupt) => {
            finish::write(&ran, &[])?;
            let message = format!("interrupted; what was measured is kept in {}", ran.dir.display());
            Err(Failure { code: INTERRUPTED, message })
        }
        // Between two runs nothing listens but this.
        (None, _) if stop.reason() == Some(Reason::Interrupt) => {
            finish::write(&ran, &[])?;
            Err(Failure { code: INTERRUPTED, message: "interrupted between two runs: nothing is changed".to_owned() })
        }
        (None, _) => Ok(ran),
    }
}

/// The second run waits until NAT entries of the first have ended. None of these was used after the last failure, so the
/// wait counts from there and not from the end of the run.
fn wait_from_last_failure(before: &Report, setup: &Setup, nat_timeout: Duration) {
    let Some(last_ns) = before.failures.iter().map(|failure| failure.ended_ns).max() else { return };
    let Ok(dir) = journal::default_dir() else { return };
    let after_ns = before.run.ended_ns.saturating_sub(last_ns);
    if let Some(mut last) = last_run::read(&dir).filter(|last| last.namespace == setup.target.namespace) {
        // It is written as a time from which the usual life counts.
        let life_ns = ENTRY_LIFE_S * 1_000_000_000;
        last.ended_realtime_ns = (last.ended_realtime_ns + nat_timeout.as_nanos() as u64)
            .saturating_sub(life_ns)
            .saturating_sub(after_ns.min(life_ns));
        last_run::write(&dir, &last);
    }
}

/// Writes the proof, prints it, and says how it ends.
fn end(out: &Path, proof: &ProveFix, judged: &Report, format: Format) -> Result<u8, Failure> {
    let file = out.join("prove-fix.json");
    write_json(&file, proof).map_err(Failure::tool)?;
    let printed = match format {
        Format::Table => text(proof, output::style()) + &finish::thresholds(judged),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(proof).map_err(Failure::tool)?),
        Format::Ndjson => format!("{}\n", serde_json::to_string(proof).map_err(Failure::tool)?),
    };
    output::write(&printed)?;
    eprintln!("· proof: {}, reports: {}/*/report.html", file.display(), out.display());
    Ok(match (finish::verdict(judged), proof.outcome) {
        (0, Outcome::Proven) => 0,
        (0, Outcome::Incomplete) => TOOL,
        (0, _) => NOT_PROVEN,
        (threshold, _) => threshold,
    })
}
