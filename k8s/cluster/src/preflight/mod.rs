//! What the machine must have, each finding with the command that cures it. Nothing is changed here.

mod kernel;
mod programs;
mod space;

use serde::Serialize;

use crate::{Error, Options, Result};

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is there.
    Ok,
    /// It is missing, and the cluster cannot start without it.
    Missing,
    /// It is missing, and something less important will not work.
    Optional,
}

/// One thing that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked for.
    pub what: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found, or what is missing and what for.
    pub detail: String,
    /// Debian's or Ubuntu's package that has it.
    pub apt_package: Option<&'static str>,
    /// The exact command, or what else to do.
    pub fix: Option<String>,
}

impl Finding {
    fn ok(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Ok, detail: detail.into(), apt_package: None, fix: None }
    }

    fn missing(what: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        let fix = Some(fix.into());
        Self { what, verdict: Verdict::Missing, detail: detail.into(), apt_package: None, fix }
    }

    fn package(what: &'static str, detail: impl Into<String>, package: &'static str) -> Self {
        let fix = format!("apt-get install -y --no-install-recommends {package}");
        Self { apt_package: Some(package), ..Self::missing(what, detail, fix) }
    }

    fn optional(self) -> Self {
        let verdict = if self.verdict == Verdict::Missing { Verdict::Optional } else { self.verdict };
        Self { verdict, ..self }
    }
}

/// Looks at everything, in the order in which one would set up a machine.
pub fn check(options: &Options) -> Vec<Finding> {
    let mut findings = kernel::check();
    findings.extend(programs::check(options));
    findings.extend(space::check(options));
    findings
}

/// Fails unless root: everything else needs that even to look.
pub(crate) fn require_root() -> Result<()> {
    let finding = kernel::root();
    if finding.verdict == Verdict::Missing { Err(Error::Preflight(vec![finding])) } else { Ok(()) }
}

/// Fails with all that is missing at once.
pub fn require(options: &Options) -> Result<()> {
    let mut findings = check(options);
    findings.retain(|finding| finding.verdict == Verdict::Missing);
    if findings.is_empty() { Ok(()) } else { Err(Error::Preflight(findings)) }
}

/// One line per missing thing, its fix below it, and one command for all packages.
pub fn describe_missing(findings: &[Finding]) -> String {
    let missing: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict != Verdict::Ok).collect();
    let mut lines: Vec<String> = Vec::new();
    for finding in &missing {
        lines.push(format!("  {}: {}", finding.what, finding.detail));
        if let Some(fix) = &finding.fix {
            lines.push(format!("    fix: {fix}"));
        }
    }
    let packages: Vec<&str> = missing.iter().filter_map(|finding| finding.apt_package).collect();
    if packages.len() > 1 {
        lines.push(format!("  all at once: apt-get install -y --no-install-recommends {}", packages.join(" ")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_packages_make_one_command() {
        let findings = [
            Finding::package("runc", "not found", "runc"),
            Finding::ok("root", "yes"),
            Finding::package("conntrack", "not found", "conntrack").optional(),
        ];
        let text = describe_missing(&findings);
        assert!(text.ends_with("all at once: apt-get install -y --no-install-recommends runc conntrack"), "{text}");
        assert!(!text.contains("root"), "{text}");
    }
}
