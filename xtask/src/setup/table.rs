//! What setup found, for people.

use std::fmt::Write;

use super::need::{Need, Remedy};
use super::tools::Tools;

/// One line per need.
pub fn render(needs: &[Need]) -> String {
    let width = needs.iter().map(|need| need.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for need in needs {
        let (mark, detail) = match (&need.found, need.required) {
            (Ok(detail), _) => ("ok      ", detail.clone()),
            (Err(missing), true) => ("MISSING ", missing.why.clone()),
            (Err(missing), false) => ("optional", missing.why.clone()),
        };
        // Writing to a string cannot fail.
        _ = writeln!(text, "{mark}  {:width$}  {detail}", need.name);
    }
    text
}

/// The commands for what is required and still missing, packages in one; empty when there is nothing to do.
pub fn commands(needs: &[Need], tools: &Tools) -> String {
    let remedies: Vec<&Remedy> = needs.iter().filter(|need| need.required).filter_map(Need::remedy).collect();
    let mut packages = Vec::new();
    let mut text = String::new();
    for remedy in &remedies {
        match remedy {
            Remedy::Packages(some) => packages.extend(some.iter().cloned()),
            other => _ = writeln!(text, "    {}", other.command(tools)),
        }
    }
    if !packages.is_empty() {
        text.insert_str(0, &format!("    {}\n", Remedy::Packages(packages).command(tools)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs() -> Vec<Need> {
        vec![
            Need::there("ip", true, "/sbin/ip"),
            Need::missing("runc", true, "not found", Remedy::Packages(vec!["runc".into()])),
            Need::missing("bpf-linker", true, "not found", Remedy::Linker),
            Need::missing("iptables", true, "not found", Remedy::Packages(vec!["iptables".into()])),
            Need::missing("cargo-deny", false, "only for ci", Remedy::CargoTool("cargo-deny")),
        ]
    }

    #[test]
    fn every_need_has_its_line() {
        let text = render(&needs());
        assert_eq!(text.lines().count(), 5);
        assert!(text.contains("MISSING   runc        not found\n"), "{text}");
        assert!(text.contains("optional  cargo-deny  only for ci\n"), "{text}");
    }

    #[test]
    fn packages_are_one_command_and_optional_things_none() {
        let text = commands(&needs(), &Tools::locate());
        assert!(text.starts_with("    apt-get install -y --no-install-recommends runc iptables\n"), "{text}");
        assert!(text.contains("cargo install bpf-linker") && !text.contains("cargo-deny"), "{text}");
        assert_eq!(commands(&needs()[..1], &Tools::locate()), "");
    }
}
