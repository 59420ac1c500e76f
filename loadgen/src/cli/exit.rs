//! Exit codes: 0 pass, 1 tool error, 2 usage, 3 no fix proven, 99 threshold failed, 130 interrupted.

use std::fmt::Display;

/// Something of ours or the cluster's failed.
pub const TOOL: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// `--prove-fix` has proved no fix: nothing failed, no change is known, or the change did not cure it.
pub const NOT_PROVEN: u8 = 3;
/// A `--fail-if` condition held.
pub const THRESHOLD: u8 = 99;
/// Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Why the program ends badly.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub code: u8,
    /// For the user; empty when all has been said.
    pub message: String,
}

impl Failure {
    /// Something of ours or the cluster's.
    pub fn tool(message: impl Display) -> Self {
        Self { code: TOOL, message: message.to_string() }
    }

    /// The command line.
    pub fn usage(message: impl Display) -> Self {
        Self { code: USAGE, message: message.to_string() }
    }
}
