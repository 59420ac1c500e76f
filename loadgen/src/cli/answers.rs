//! From runs to the answers of the lab's questions.

use std::path::{Path, PathBuf};

use clap::Args;

use super::compare::runs_in;
use super::exit::Failure;
use super::output;
use crate::correlate::correlate;
use crate::raw::read::read_run;
use crate::raw::write::{write_json, write_text};
use crate::report::answers::{self, markdown::markdown};
use crate::report::html::overview;
use crate::verify::{FILE, Verified};

pub const HELP: &str = "Examples:
  loadgen rollout --out rollout-1
  loadgen pod-delete --out pod-delete-1
  loadgen answers rollout-1 pod-delete-1
  loadgen answers --all podwitness-results/* --out answers";

/// `answers`.
#[derive(Clone, Debug, Args)]
pub struct AnswersArgs {
    /// Directories of runs, of repeats, and of `loadgen verify`.
    #[arg(required = true, value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
    /// Also the questions of Steps 2 to 7, from `loadgen verify` and from runs.
    #[arg(long)]
    pub all: bool,
    /// Where to write q8.json, q9.json, q10.json, report.html and answers.md.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
}

/// `loadgen answers DIR...`.
pub fn answers(args: &AnswersArgs) -> Result<u8, Failure> {
    let (mut reports, mut links, mut verified) = (Vec::new(), Vec::new(), Vec::new());
    for dir in args.dirs.iter().flat_map(|dir| parts(dir)) {
        if dir.join(FILE).is_file() {
            verified.push(read_verified(&dir.join(FILE))?);
        } else {
            // Always from the raw files: a report may have been written by an older version.
            reports.push(correlate(&read_run(&dir).map_err(Failure::tool)?));
            links.push(link(&args.out, &dir));
        }
    }
    if !args.all && !verified.is_empty() {
        eprintln!("! what `loadgen verify` found answers questions of Steps 2 to 7: add --all");
    }
    let answers = if args.all { answers::all_answers(&reports, &verified) } else { answers::answers(&reports) };
    std::fs::create_dir_all(&args.out).map_err(|e| {
        Failure::tool(format!("cannot create {}: {e}\n  fix: name another with --out", args.out.display()))
    })?;
    for step in &answers {
        let file = args.out.join(format!("{}.json", step.step.to_lowercase()));
        write_json(&file, step).map_err(Failure::tool)?;
        eprintln!("· {}", file.display());
    }
    let page = overview(&answers, &links.into_iter().zip(&reports).collect::<Vec<_>>()).map_err(Failure::tool)?;
    for (name, text) in [("report.html", page), ("answers.md", markdown(&answers))] {
        let file = args.out.join(name);
        write_text(&file, &text).map_err(Failure::tool)?;
        eprintln!("· {}", file.display());
    }
    output::write(&answers::text(&answers, output::style()))?;
    Ok(0)
}

/// A directory of repeats is all of its runs.
fn parts(dir: &Path) -> Vec<PathBuf> {
    let runs = runs_in(dir);
    if runs.is_empty() { vec![dir.to_owned()] } else { runs }
}

fn read_verified(file: &Path) -> Result<Verified, Failure> {
    let text = std::fs::read(file).map_err(|e| Failure::tool(format!("cannot read {}: {e}", file.display())))?;
    serde_json::from_slice(&text).map_err(|e| {
        Failure::tool(format!("{} is not understood: {e}\n  fix: make it again with `loadgen verify`", file.display()))
    })
}

/// Where the page of a run is, seen from the folder of the answers.
fn link(out: &Path, dir: &Path) -> String {
    let page = dir.join("report.html");
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // Relative, so that both can be copied together to somewhere else.
    let to = pathdiff::diff_paths(whole(&page), whole(out)).unwrap_or(page);
    to.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::link;

    #[test]
    fn a_runs_page_is_found_from_wherever_the_answers_are() {
        let to = |out: &str| link(Path::new(out), Path::new("runs/a"));
        assert_eq!(to("."), "runs/a/report.html");
        assert_eq!(to("runs"), "a/report.html");
        assert_eq!(to("answers"), "../runs/a/report.html");
    }
}
