//! `--runs N`: the same run again and again, pooled.

use super::args::{Format, ResultArgs};
use super::check::taken;
use super::exit::{Failure, INTERRUPTED, THRESHOLD};
use super::run::once;
use super::{finish, output, signals};
use crate::correlate::repeat::pool;
use crate::experiment::{Experiment, Setup};
use crate::raw::write::write_json;
use crate::report::repeat::text;
use crate::report::schema::Report;

/// Runs it N times into OUT/1, OUT/2, … Each is a run like any other; what they say together is in OUT/repeat.json.
pub async fn repeat(experiment: &dyn Experiment, setup: &Setup, result: &ResultArgs) -> Result<u8, Failure> {
    if taken(&setup.out, result.runs) {
        return Err(Failure::tool(format!(
            "{} holds a run already\n  fix: choose another directory with --out, or remove that one",
            setup.out.display()
        )));
    }
    let mut reports = Vec::new();
    let mut worst = Ok(0);
    for n in 1..=result.runs {
        if signals::asked() {
            worst = Ok(INTERRUPTED);
            break;
        }
        eprintln!("· run {n} of {}", result.runs);
        let one = Setup { out: setup.out.join(n.to_string()), ..setup.clone() };
        let done = match once(experiment, &one).await {
            Ok(ran) => finish::quietly(&ran, &result.show),
            Err(failure) => Err(failure),
        };
        match done {
            Ok((report, code)) => {
                eprintln!("· run {n}: {} of {} requests lost", report.ledger.failed, report.ledger.sent);
                reports.push(report);
                worst = worst.map(|worst| if code == 0 { worst } else { code });
                if !matches!(code, 0 | THRESHOLD) {
                    break;
                }
            }
            Err(failure) => {
                // What the runs before it found is kept, and told before the error.
                worst = Err(failure);
                break;
            }
        }
    }
    if !reports.is_empty() {
        tell(&reports, setup, result)?;
    }
    worst
}

fn tell(reports: &[Report], setup: &Setup, result: &ResultArgs) -> Result<(), Failure> {
    let pooled = pool(reports, u64::from(result.runs));
    let file = setup.out.join("repeat.json");
    write_json(&file, &pooled).map_err(Failure::tool)?;
    let text = match result.show.output {
        Format::Table => text(&pooled, output::style()),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&pooled).map_err(Failure::tool)?),
        Format::Ndjson => format!("{}\n", serde_json::to_string(&pooled).map_err(Failure::tool)?),
    };
    output::write(&text)?;
    eprintln!("· repeats: {}", file.display());
    Ok(())
}
