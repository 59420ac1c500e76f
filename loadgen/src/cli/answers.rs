//! From runs to the answers of the lab's questions.

use std::path::Path;

use super::args::AnswersArgs;
use super::exit::Failure;
use super::output;
use crate::correlate::correlate;
use crate::raw::read::read_run;
use crate::raw::write::{write_json, write_text};
use crate::report::answers;
use crate::report::html::overview;

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
    let links = args.dirs.iter().map(|dir| link(&args.out, dir));
    let page = overview(&answers, &links.zip(&reports).collect::<Vec<_>>()).map_err(Failure::tool)?;
    let file = args.out.join("report.html");
    write_text(&file, &page).map_err(Failure::tool)?;
    eprintln!("· {}", file.display());
    output::write(&answers::text(&answers, output::style()))?;
    Ok(0)
}

/// Where the page of a run is, seen from the folder of the answers.
fn link(out: &Path, dir: &Path) -> String {
    let page = dir.join("report.html");
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (from, to) = (whole(out), whole(&page));
    to.strip_prefix(&from).unwrap_or(&to).to_string_lossy().into_owned()
}
