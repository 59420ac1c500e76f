//! `cargo xtask test`: every test, those on the embedded cluster included.

use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;

use crate::{
    builds::{self, Built},
    image,
    run::{Steps, cargo, run},
    setup,
};

/// Names the folder of image archives to the end-to-end tests; without it they say that they were skipped.
pub const ARCHIVES: &str = "PODWITNESS_E2E_ARCHIVES";
/// Names the load generator to the end-to-end tests.
pub const LOADGEN: &str = "PODWITNESS_E2E_LOADGEN";

/// Names a static busybox to the cluster's own tests.
const BUSYBOX: &str = "PODWITNESS_BUSYBOX";

/// Arguments of `test`.
#[derive(Args, Debug)]
pub struct TestArgs {
    /// Only the end-to-end tests whose name contains this
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "")]
    pub e2e: Option<String>,
}

/// Sets up and runs them.
pub fn test(args: &TestArgs) -> Result<()> {
    let mut steps = Steps::new(4);
    steps.next("tools: what is missing is installed", "1 min once, then 1 s");
    let tools = setup::ensure()?;
    steps.next("Kubernetes from source; load generator, observer and images", builds::USUALLY);
    let Built { loadgen, .. } = builds::all(true, &Arc::default())?;

    steps.next("unit and integration tests", "6 min the first time");
    if args.e2e.is_none() {
        ensure!(nix::unistd::Uid::effective().is_root(), "the kernel and cluster tests need root\n  fix: run as root");
        let mut tests = cargo();
        tests.args(["test", "--workspace", "--exclude", "xtask"]).envs(tools.busybox().map(|path| (BUSYBOX, path)));
        run(tools.apply(&mut tests))?;
        run(cargo().args(["test", "-p", "xtask", "--lib", "--bins"]))?;
    }

    steps.next("end-to-end tests on the embedded cluster", "22 min");
    let mut e2e = cargo();
    e2e.args(["test", "-p", "xtask", "--test", "e2e", "--"]);
    e2e.args(args.e2e.as_deref().filter(|filter| !filter.is_empty()));
    run(e2e.env(ARCHIVES, image::default_folder()).env(LOADGEN, loadgen))
}
