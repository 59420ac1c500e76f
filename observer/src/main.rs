//! The agent's command line. See `observer --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    observer::cli::main()
}
