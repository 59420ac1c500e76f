//! A look at the lab as text for a terminal.

use std::collections::BTreeSet;

use super::check::{STEPS, State};
use super::facts::Found;
use super::{Check, Verified};
use crate::report::summary::{Style, escape, lines};

/// Writes it, step by step.
pub fn text(verified: &Verified, style: Style) -> String {
    let mut out = String::new();
    let steps: BTreeSet<u8> = verified.checks.iter().map(|check| check.step).collect();
    for step in steps {
        let title =
            STEPS.iter().find(|(number, _)| *number == step).map_or("Setting Up Your Kubernetes Cluster", |s| s.1);
        let checks: Vec<&Check> = verified.checks.iter().filter(|check| check.step == step).collect();
        if checks.iter().all(|check| check.state == State::NotReached) {
            out += &style.title(&format!("Step {step}  {title}: not reached"));
            continue;
        }
        out += &style.title(&format!("Step {step}  {title}"));
        for check in checks {
            out += &line(check, style);
        }
    }
    out += &secrets(verified, style);
    out.push('\n');
    out += &conclusion(verified, style);
    out
}

fn line(check: &Check, style: Style) -> String {
    let said = format!("{}: {}", escape(&check.what), escape(&check.detail));
    let redo = |first: &str| check.redo.as_ref().map_or(String::new(), |redo| style.paragraph(first, &escape(redo)));
    match check.state {
        // Coloured last: a paragraph counts what it is given.
        State::Pass => style.paragraph("  ok    ", &said).replacen("ok", &style.good("ok"), 1),
        State::Fail => {
            let reason = style.paragraph("  FAIL  ", &said).replacen("FAIL", &style.bad("FAIL"), 1);
            reason + &redo(&format!("        do {} again: ", check.task))
        }
        State::NotChecked => {
            let said = format!("{}: not checked: {}", escape(&check.what), escape(&check.detail));
            style.paragraph("  –     ", &said) + &redo("        by hand: ")
        }
        State::NotReached => String::new(),
    }
}

/// Only what was asked for with `--show-secrets`.
fn secrets(verified: &Verified, style: Style) -> String {
    let mut table = style.table(&["secret", "key", "value"]);
    let mut any = false;
    for (name, secret) in &verified.facts.secrets {
        let Found::There(values) = secret else { continue };
        for (key, value) in values {
            let Some(text) = &value.value else { continue };
            any = true;
            table.add_row([escape(name), escape(key), escape(text)]);
        }
    }
    if any { format!("\n{}", lines(&table)) } else { String::new() }
}

fn conclusion(verified: &Verified, style: Style) -> String {
    let count = |state| verified.checks.iter().filter(|check| check.state == state).count();
    let (failed, passed, not_checked) = (count(State::Fail), count(State::Pass), count(State::NotChecked));
    let open = if not_checked > 0 { format!(", {not_checked} not checked") } else { String::new() };
    if failed == 0 {
        let until = verified.reached_step;
        return style.paragraph("", &format!("{} {passed} checks up to Step {until}{open}", style.good("PASS")));
    }
    let mut tasks: Vec<&str> =
        verified.checks.iter().filter(|check| check.state == State::Fail).map(|check| check.task.as_str()).collect();
    tasks.dedup();
    style.paragraph(
        "",
        &format!("{} {failed} of {} checks{open}; do again: {}", style.bad("FAIL"), failed + passed, tasks.join(", ")),
    )
}
