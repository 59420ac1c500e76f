//! `loadgen plan FILE`: a series of experiments.

mod file;

use std::path::{Path, PathBuf};

use clap::{Args, Parser};

use self::file::{Planned, Series};
use super::args::Cli;
use super::compare::runs_in;
use super::exit::{Failure, INTERRUPTED, THRESHOLD, TOOL, USAGE};
use super::{answers, signals};

pub const HELP: &str = "Examples:
  loadgen plan docs/plans/prestop.toml --check
  loadgen plan docs/plans/prestop.toml --out target/prestop

A plan file:
  out = \"prestop\"                # each experiment goes to OUT/NAME

  [defaults]                     # options of every experiment that has them
  rate = 150

  [[experiment]]
  name = \"as-assigned\"
  run = \"rollout\"                # any command that sends load
  prestop = \"exec\"               # its options, spelled as on the command line, without the dashes
  fail-if = [\"unknown>0\"]

The whole file is checked, and everything that each experiment needs in the cluster, before anything is touched.";

tokio::task_local! {
    /// What the experiment under way would be on the command line.
    static COMMAND_LINE: Vec<String>;
}

/// The command line that leads to what is being done, for the run's own record.
pub fn command_line() -> Vec<String> {
    COMMAND_LINE.try_with(Clone::clone).unwrap_or_else(|_| std::env::args().collect())
}

/// `plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// The plan.
    pub file: PathBuf,
    /// Check everything, and stop before anything is touched.
    #[arg(long)]
    pub check: bool,
    /// Directory of the series [default: the plan's own `out`].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with the next experiment when one fails.
    #[arg(long)]
    pub keep_going: bool,
}

/// Checks the plan, runs it in order, then answers.
pub async fn run(args: &PlanArgs) -> Result<u8, Failure> {
    let series = read(args)?;
    let mut unfit = 0;
    for planned in &series.experiments {
        eprintln!("· checking {}", planned.name);
        let code = told(start(&planned.arguments, &["--check"]).await);
        unfit += usize::from(code != 0);
    }
    if unfit > 0 {
        let of = series.experiments.len();
        return Err(Failure::tool(format!(
            "{unfit} of {of} experiments cannot be run as things are; nothing was touched"
        )));
    }
    if args.check {
        return Ok(0);
    }
    let mut codes = Vec::new();
    for planned in &series.experiments {
        if signals::asked() {
            break;
        }
        eprintln!("\n· {} of {}: {}", codes.len() + 1, series.experiments.len(), planned.name);
        let code = told(start(&planned.arguments, &[]).await);
        codes.push((planned, code));
        if code == INTERRUPTED || (is_error(code) && !args.keep_going) {
            break;
        }
    }
    let answered = if series.answers { answer(&series.out, &codes) } else { Ok(0) };
    for (planned, code) in &codes {
        eprintln!("· {}: {}", planned.name, outcome(*code));
    }
    for planned in series.experiments.iter().skip(codes.len()) {
        eprintln!("· {}: not begun", planned.name);
    }
    answered?;
    Ok(worst(codes.iter().map(|(_, code)| *code)))
}

fn read(args: &PlanArgs) -> Result<Series, Failure> {
    let name = args.file.display();
    let text = std::fs::read_to_string(&args.file).map_err(|e| {
        Failure::tool(format!("cannot read {name}: {e}\n  fix: name a plan file, e.g. docs/plans/prestop.toml"))
    })?;
    file::read(&text, args.out.as_deref()).map_err(|problems| Failure {
        code: USAGE,
        message: format!("{name} is no plan that can be run:\n  - {}", problems.join("\n  - ")),
    })
}

async fn start(arguments: &[String], more: &[&str]) -> Result<u8, Failure> {
    let line: Vec<String> = arguments.iter().cloned().chain(more.iter().map(|word| (*word).to_owned())).collect();
    let cli = Cli::try_parse_from(&line).map_err(|error| Failure::usage(error.render()))?;
    COMMAND_LINE.scope(line, Box::pin(super::dispatch(cli.command))).await
}

/// The exit code; an error is told here, for the series goes on.
fn told(result: Result<u8, Failure>) -> u8 {
    result.unwrap_or_else(|failure| {
        if !failure.message.is_empty() {
            eprintln!("error: {}", failure.message);
        }
        failure.code
    })
}

/// Answers from what has been measured.
fn answer(out: &Path, codes: &[(&Planned, u8)]) -> Result<u8, Failure> {
    let measured = codes
        .iter()
        .map(|(planned, _)| out.join(&planned.name))
        .filter(|dir| crate::raw::read::raw_dir(dir).join("run.json").exists() || !runs_in(dir).is_empty());
    let dirs: Vec<PathBuf> = measured.collect();
    if dirs.is_empty() {
        return Ok(0);
    }
    eprintln!();
    answers::answers(&answers::AnswersArgs { dirs, out: out.to_owned(), all: false })
}

/// Other codes are verdicts about what was measured.
fn is_error(code: u8) -> bool {
    matches!(code, TOOL | USAGE)
}

fn outcome(code: u8) -> String {
    match code {
        0 => "done".to_owned(),
        THRESHOLD => "a --fail-if condition held".to_owned(),
        INTERRUPTED => "interrupted".to_owned(),
        code if is_error(code) => "failed".to_owned(),
        code => format!("done, exit code {code}"),
    }
}

/// An interruption outranks an error, and that a verdict.
fn worst(codes: impl Iterator<Item = u8>) -> u8 {
    let rank = |code: u8| match code {
        0 => 0,
        INTERRUPTED => 3,
        code if is_error(code) => 2,
        _ => 1,
    };
    codes.max_by_key(|code| rank(*code)).unwrap_or(INTERRUPTED)
}
