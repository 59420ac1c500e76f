//! From runs to the answers of the lab's questions.

use super::args::AnswersArgs;
use super::exit::Failure;
use super::output;
use crate::correlate::correlate;
use crate::raw::read::read_run;
use crate::raw::write::write_json;
use crate::report::answers;

/// `loadgen answers DIR...`.
pub fn answers(args: &AnswersArgs) -> Result<u8, Failure> {
    let mut reports = Vec::new();
    for dir in &args.dirs {
        // Always from the raw files: a report may have been written by an older version.
        reports.push(correlate(&read_run(dir).map_err(Failure::tool)?));
    }
    let answers = answers::answers(&reports);
    std::fs::create_dir_all(&args.out).map_err(|e| {
        Failure::tool(format!("cannot create {}: {e}\n  fix: name another with --out", args.out.display()))
    })?;
    for step in &answers {
        let file = args.out.join(format!("{}.json", step.step.to_lowercase()));
        write_json(&file, step).map_err(Failure::tool)?;
        eprintln!("· {}", file.display());
    }
    output::write(&answers::text(&answers, output::style()))?;
    Ok(0)
}
