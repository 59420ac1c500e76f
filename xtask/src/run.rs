//! Running other programs: said on stderr, and a failure names the command.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// The root of this repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// The cargo that runs us, so that a toolchain chosen by the user stays chosen.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs to the end with our own stdout and stderr; an exit code that is not 0 is an error.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("  $ {}", line(command));
    let status = command.status().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(())
}

/// Runs to the end and gives stdout; stderr is part of the error.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !output.status.success() {
        bail!("`{}` ended with {}:\n{}", line(command), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as one would type it.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).map(quote).collect::<Vec<_>>().join(" ")
}

fn quote(word: std::borrow::Cow<'_, str>) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into_owned() } else { format!("'{word}'") }
}

/// Numbered steps on stderr, with the time each usually takes.
pub struct Steps {
    of: usize,
    at: usize,
    started: std::time::Instant,
}

impl Steps {
    /// So many steps will follow.
    pub fn new(of: usize) -> Self {
        Self { of, at: 0, started: std::time::Instant::now() }
    }

    /// Begins the next one.
    pub fn next(&mut self, what: &str, usually: &str) {
        self.at += 1;
        let elapsed = self.started.elapsed().as_secs();
        eprintln!(
            "\n[{}/{}] {what} — usually {usually} ({}:{:02} so far)",
            self.at,
            self.of,
            elapsed / 60,
            elapsed % 60
        );
    }
}
