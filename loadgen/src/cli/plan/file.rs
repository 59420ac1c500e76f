//! From TOML to command lines. What an experiment can be told is what its command can be told: clap is asked, nothing is
//! listed here.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command, CommandFactory, Parser};
use toml::{Table, Value};

use crate::cli::args::Cli;
use crate::cluster::names::{hint, nearest};

/// Keys of the file itself.
const KEYS: [&str; 4] = ["out", "answers", "defaults", "experiment"];
/// Options that are the series' business.
const RESERVED: [&str; 4] = ["out", "check", "help", "version"];

/// A plan that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Directory of all runs.
    pub out: PathBuf,
    /// Write answers at the end.
    pub answers: bool,
    /// In order.
    pub experiments: Vec<Planned>,
}

/// One experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name, and that of its directory.
    pub name: String,
    /// Its command line.
    pub arguments: Vec<String>,
}

/// Reads a plan; all problems at once.
pub fn read(text: &str, out: Option<&Path>) -> Result<Series, Vec<String>> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| vec![error.to_string().trim_end().to_owned()])?;
    let mut problems = Vec::new();
    for key in table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        problems.push(format!("`{key}` is no key of a plan: {}", hint(key, &KEYS.map(str::to_owned))));
    }
    let out = match (out, table.get("out")) {
        (Some(out), _) => out.to_owned(),
        (None, Some(Value::String(out))) => out.into(),
        (None, Some(_)) => {
            problems.push("`out` must be the name of a directory, as a string".to_owned());
            PathBuf::new()
        }
        (None, None) => {
            problems.push("`out`, the directory of the series, is missing (or give --out)".to_owned());
            PathBuf::new()
        }
    };
    let answers = match table.get("answers") {
        None => true,
        Some(Value::Boolean(answers)) => *answers,
        Some(_) => {
            problems.push("`answers` must be true or false".to_owned());
            false
        }
    };
    let defaults = match table.get("defaults") {
        None => Table::new(),
        Some(Value::Table(defaults)) => defaults.clone(),
        Some(_) => {
            problems.push("`defaults` must be a table".to_owned());
            Table::new()
        }
    };
    let commands: Vec<Command> = Cli::command().get_subcommands().filter(|command| is_run(command)).cloned().collect();
    unknown_defaults(&defaults, &commands, &mut problems);
    let tables: Vec<&Value> = match table.get("experiment") {
        Some(Value::Array(list)) if !list.is_empty() => list.iter().collect(),
        _ => {
            problems.push("it has no [[experiment]]".to_owned());
            Vec::new()
        }
    };
    let mut experiments: Vec<Planned> = Vec::new();
    for (at, value) in tables.into_iter().enumerate() {
        let Value::Table(options) = value else {
            problems.push(format!("experiment {} is no table", at + 1));
            continue;
        };
        let mut found = Vec::new();
        let planned = experiment(at, options, &defaults, &commands, &out, &mut found);
        if experiments.iter().any(|other| other.name == planned.name) {
            found.push("another experiment has the same name".to_owned());
        }
        problems.extend(found.into_iter().map(|problem| format!("experiment `{}`: {problem}", planned.name)));
        experiments.push(planned);
    }
    if problems.is_empty() { Ok(Series { out, answers, experiments }) } else { Err(problems) }
}

/// Whoever sends load into a directory is an experiment.
fn is_run(command: &Command) -> bool {
    option(command, "out").is_some() && option(command, "rate").is_some()
}

fn option<'c>(command: &'c Command, key: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|argument| argument.get_long() == Some(key))
}

fn options(command: &Command) -> Vec<String> {
    let names = command.get_arguments().filter_map(Arg::get_long).filter(|name| !RESERVED.contains(name));
    names.map(str::to_owned).collect()
}

fn unknown_defaults(defaults: &Table, commands: &[Command], problems: &mut Vec<String>) {
    for key in defaults.keys() {
        if RESERVED.contains(&key.as_str()) || !commands.iter().any(|command| option(command, key).is_some()) {
            let all: Vec<String> = commands.iter().flat_map(options).collect();
            problems.push(format!("`{key}` in [defaults] is no option of any experiment{}", suggestion(key, &all)));
        }
    }
}

fn suggestion(key: &str, there: &[String]) -> String {
    nearest(key, there.iter().map(String::as_str)).map_or(String::new(), |name| format!(": did you mean `{name}`?"))
}

fn experiment(
    at: usize,
    options_given: &Table,
    defaults: &Table,
    commands: &[Command],
    out: &Path,
    problems: &mut Vec<String>,
) -> Planned {
    let mut text = |key: &str| match options_given.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => {
            problems.push(format!("`{key}` must be a string"));
            None
        }
        None => None,
    };
    let run = text("run");
    let name = text("name").or_else(|| run.clone()).unwrap_or_else(|| (at + 1).to_string());
    if name.is_empty()
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        || name.starts_with('.')
    {
        problems.push("its name must be one of a directory: letters, digits, `-`, `_` and `.`".to_owned());
    }
    let kinds: Vec<String> = commands.iter().map(|command| command.get_name().to_owned()).collect();
    let command = run.as_ref().and_then(|run| commands.iter().find(|command| command.get_name() == run));
    let Some(command) = command else {
        problems.push(match run {
            None => format!("`run` is missing: one of {}", kinds.join(", ")),
            Some(run) => format!("`run = \"{run}\"` is no experiment: {}", hint(&run, &kinds)),
        });
        return Planned { name, arguments: Vec::new() };
    };
    let mut arguments = vec!["loadgen".to_owned(), command.get_name().to_owned()];
    arguments.push(format!("--out={}", out.join(&name).display()));
    let own = options_given.iter().filter(|(key, _)| !matches!(key.as_str(), "name" | "run"));
    // Where an experiment says nothing itself, and knows the option.
    let inherited =
        defaults.iter().filter(|(key, _)| !options_given.contains_key(*key) && option(command, key).is_some());
    let before = problems.len();
    for (key, value) in own.chain(inherited) {
        match option(command, key) {
            Some(argument) if !RESERVED.contains(&key.as_str()) => match words(argument, key, value) {
                Ok(words) => arguments.extend(words),
                Err(problem) => problems.push(problem),
            },
            Some(_) => problems.push(format!("`{key}` is the series' own business")),
            None => {
                let there = options(command);
                problems.push(format!("`{key}` is no option of {}{}", command.get_name(), suggestion(key, &there)));
            }
        }
    }
    if problems.len() == before
        && let Err(error) = Cli::try_parse_from(&arguments)
    {
        let text = error.render().to_string();
        let text = text.trim_start_matches("error: ");
        problems.push(text.split("\n\n").next().unwrap_or(text).trim().replace('\n', "\n    "));
    }
    Planned { name, arguments }
}

/// One option as words of a command line.
fn words(argument: &Arg, key: &str, value: &Value) -> Result<Vec<String>, String> {
    let takes_value = argument.get_action().takes_values();
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        _ => Err(format!("`{key}` must be a string, a number or a list of them")),
    };
    match value {
        Value::Boolean(set) if !takes_value => Ok(if *set { vec![format!("--{key}")] } else { Vec::new() }),
        _ if !takes_value => Err(format!("`{key}` is a switch: true or false")),
        Value::Array(list) if matches!(argument.get_action(), ArgAction::Append) => {
            let values: Vec<String> = list.iter().map(one).collect::<Result<_, _>>()?;
            match argument.get_value_delimiter() {
                _ if values.is_empty() => Ok(Vec::new()),
                Some(delimiter) => Ok(vec![format!("--{key}={}", values.join(&delimiter.to_string()))]),
                None => Ok(values.into_iter().map(|value| format!("--{key}={value}")).collect()),
            }
        }
        Value::Array(_) => Err(format!("`{key}` takes one value")),
        value => Ok(vec![format!("--{key}={}", one(value)?)]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = r#"
        out = "series"
        [defaults]
        rate = 120
        keep-alive = true
        [[experiment]]
        run = "steady"
        steps = ["100:30s", "200:30s"]
        rate = 1
        [[experiment]]
        name = "cured"
        run = "rollout"
        prestop = "sleep:5"
        fail-if = ["failed>0", "p99>50ms"]
        keep-alive = false
    "#;

    #[test]
    fn a_plan_becomes_command_lines() {
        let series = read(GOOD, None);
        // --steps and --rate exclude each other: clap's own rules hold.
        let problems = series.unwrap_err();
        assert!(problems[0].contains("experiment `steady`") && problems[0].contains("--rate"), "{problems:?}");
        let series = read(&GOOD.replace("rate = 1\n", "").replace("rate = 120", ""), Some(Path::new("x"))).unwrap();
        assert_eq!(series.out, Path::new("x"));
        assert_eq!(
            series.experiments[0].arguments,
            ["loadgen", "steady", "--out=x/steady", "--steps=100:30s,200:30s", "--keep-alive"]
        );
        let cured = &series.experiments[1];
        assert_eq!(cured.name, "cured");
        assert!(cured.arguments.contains(&"--fail-if=p99>50ms".to_owned()), "{cured:?}");
        assert!(!cured.arguments.contains(&"--keep-alive".to_owned()), "an experiment's own word counts");
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let problems = read(
            r#"
            outt = "x"
            [defaults]
            rat = 5
            [[experiment]]
            run = "roll-out"
            [[experiment]]
            name = "a"
            run = "rollout"
            pre-stop = "none"
            rate = "fast"
            force = true
            [[experiment]]
            name = "a"
            run = "steady"
            out = "elsewhere"
            keep-alive = "yes"
            [[experiment]]
            name = "b"
            run = "steady"
            rate = -3.5
            duration = "10"
            "#,
            None,
        )
        .unwrap_err();
        let all = problems.join("\n");
        for words in [
            "`outt` is no key of a plan: did you mean `out`?",
            "`out`, the directory of the series, is missing",
            "`rat` in [defaults] is no option of any experiment: did you mean `rate`?",
            "did you mean `rollout`?",
            "`pre-stop` is no option of rollout: did you mean `prestop`?",
            "`force` is no option of rollout",
            "experiment `a`: another experiment has the same name",
            "`out` is the series' own business",
            "`keep-alive` is a switch: true or false",
            "time unit",
        ] {
            assert!(all.contains(words), "{words} is not in:\n{all}");
        }
        assert!(read("x = ", None).unwrap_err()[0].contains("TOML"), "{:?}", read("x = ", None));
        assert!(read("out = 'x'", None).unwrap_err()[0].contains("no [[experiment]]"));
    }

    #[test]
    fn the_plans_of_the_repository_can_be_run() {
        let mut plans = 0;
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/plans")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let series = read(&text, None).unwrap_or_else(|problems| panic!("{}: {problems:#?}", path.display()));
            assert!(!series.experiments.is_empty());
            plans += 1;
        }
        assert!(plans > 0);
    }
}
