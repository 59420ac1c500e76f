//! A finding, and how it reads.

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// The run can go on, but the user must know.
    Warning,
    /// The run cannot go on.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub fix: Option<String>,
}

/// All findings, in the order they were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Report {
    /// As it should be.
    pub fn ok(&mut self, what: impl Into<String>) {
        self.findings.push(Finding { level: Level::Ok, what: what.into(), fix: None });
    }

    /// The user must know.
    pub fn warn(&mut self, what: impl Into<String>, fix: impl Into<String>) {
        self.findings.push(Finding { level: Level::Warning, what: what.into(), fix: Some(fix.into()) });
    }

    /// Cannot go on.
    pub fn error(&mut self, what: impl Into<String>, fix: impl Into<String>) {
        self.findings.push(Finding { level: Level::Error, what: what.into(), fix: Some(fix.into()) });
    }

    /// The worst of them.
    pub fn worst(&self) -> Level {
        self.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
    }

    /// Those of one level.
    pub fn of(&self, level: Level) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.level == level)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(f, "{word}: {}", self.what)?;
        match &self.fix {
            Some(fix) => write!(f, "\n  fix: {fix}"),
            None => Ok(()),
        }
    }
}
