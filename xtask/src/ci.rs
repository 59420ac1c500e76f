//! `cargo xtask ci`: what must hold of every commit, without root and without a cluster.

use anyhow::Result;

use crate::{
    run::{Steps, cargo, run},
    setup::Tools,
};

/// These pages are for people who work on the source: private items are in them, so links to private items are fine.
const DOC_FLAGS: &str = "-D warnings -A rustdoc::private_intra_doc_links";

/// Formatting, lints, documentation, licences, generated files.
pub fn ci() -> Result<()> {
    let mut steps = Steps::new(4);
    steps.next("formatting", "1 s");
    run(cargo().args(["fmt", "--all", "--check"]))?;

    // Host and BPF packages are linted apart: one call would give both the same features.
    steps.next("lints", "3 min the first time");
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    run(cargo().args(["clippy", "-p", "observer", "--no-default-features", "--lib", "--", "-D", "warnings"]))?;

    steps.next("documentation", "20 s");
    run(cargo().env("RUSTDOCFLAGS", DOC_FLAGS).args(["doc", "--workspace", "--no-deps", "--document-private-items"]))?;

    // The advisory database lives outside; everything else that cargo-deny checks is in the lock file.
    steps.next("licences, sources, banned crates", "5 s");
    let mut deny = cargo();
    run(Tools::locate().apply(deny.args(["deny", "--locked", "check", "licenses", "bans", "sources"])))
}
