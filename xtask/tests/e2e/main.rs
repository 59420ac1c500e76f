//! Real packets on a real Kubernetes: what the report claims, held against independent witnesses.
//!
//! One cluster serves all tests that want as many nodes, one after the other. `cargo xtask test` runs them; alone they say
//! that they were skipped.

mod bad_input;
mod balance;
mod bench;
mod capture;
mod churn;
mod hard_pods;
mod job;
mod observer;
mod report;
mod rollout;
mod scale;
mod steady;
mod two_nodes;
mod updates;
mod verify;
mod witness;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let Some(inputs) = bench::Inputs::from_environment() else {
        eprintln!("SKIPPED: the end-to-end tests need images and root\n  fix: cargo xtask test (as root)");
        return libtest_mimic::run(&arguments, Vec::new()).exit_code();
    };
    if arguments.list {
        let all = CLUSTERS.iter().flat_map(|(_, tests)| trials(tests, None)).collect();
        return libtest_mimic::run(&arguments, all).exit_code();
    }
    let mut passed = true;
    for (nodes, tests) in CLUSTERS {
        // A cluster that no wanted test runs on is not brought up.
        if tests.iter().any(|(name, _)| is_wanted(&arguments, name)) {
            passed &= run_on(&inputs, nodes, tests, &arguments);
        }
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs tests on a cluster of their own.
fn run_on(inputs: &bench::Inputs, nodes: u8, tests: Tests, arguments: &Arguments) -> bool {
    match bench::Bench::up(inputs, nodes) {
        Ok(bench) => {
            // The one cluster is the tests' common ground: they must not run side by side.
            let arguments = Arguments { test_threads: Some(1), ..arguments.clone() };
            let bench = std::sync::Arc::new(bench);
            !libtest_mimic::run(&arguments, trials(tests, Some(&bench))).has_failed()
        }
        Err(error) => {
            eprintln!("the cluster for the end-to-end tests did not come up: {error:#}");
            false
        }
    }
}

/// As libtest filters.
fn is_wanted(arguments: &Arguments, name: &str) -> bool {
    let matches = |filter: &str| if arguments.exact { name == filter } else { name.contains(filter) };
    arguments.filter.as_deref().is_none_or(matches) && !arguments.skip.iter().any(|skip| matches(skip))
}

type Test = fn(&bench::Bench) -> anyhow::Result<()>;

type Tests = &'static [(&'static str, Test)];

/// Number of nodes, and the tests that run there.
const CLUSTERS: [(u8, Tests); 2] = [(1, ONE_NODE), (2, TWO_NODES)];

/// The order is that of the names' sections; each leaves the lab as the next one's `deploy` wants it.
const ONE_NODE: Tests = &[
    ("observer_runs_without_privileges_and_checks_green", observer::unprivileged_and_green),
    ("verify_passes_on_a_whole_lab", verify::passes),
    ("verify_names_what_is_broken", verify::names_what_is_broken),
    ("steady_sees_every_request_at_both_hops", steady::every_request_at_both_hops),
    ("rollout_as_assigned_explains_each_failure", rollout::as_assigned),
    ("rollout_with_sleep_loses_nothing", rollout::with_sleep),
    ("rollout_with_sleep_and_keepalive_loses_nothing", rollout::with_sleep_and_keepalive),
    ("pod_delete_as_assigned_explains_each_failure", rollout::pod_delete),
    ("pod_delete_with_sleep_loses_nothing", rollout::pod_delete_with_sleep),
    ("balance_is_chance_and_counts_as_conntrack_does", balance::chance_and_the_counts_of_conntrack),
    ("balance_names_kept_connections", balance::kept_connections_are_named),
    ("slow_pod_is_named_and_restored", balance::a_slow_pod_is_named_and_restored),
    ("slow_pod_by_cpu_is_restored", balance::a_pod_with_less_cpu_is_restored),
    ("forecasts_agree_with_a_real_balancer", balance::forecasts_against_a_real_balancer),
    ("ctrl_c_makes_a_slow_pod_fast_again", balance::ctrl_c_makes_the_pod_fast_again),
    ("prove_fix_cures_the_rollout_and_puts_it_back", updates::prove_fix),
    ("dual_rollout_says_which_part_lost_what", updates::dual_rollout),
    ("canary_share_is_what_the_pods_counted", updates::canary),
    ("weighted_canary_gets_its_weight", updates::weighted_canary),
    ("rollback_is_kubectls", updates::rollback),
    ("a_pod_in_the_nodes_network_is_told_also_after_a_restart", hard_pods::host_network_and_a_restart_in_place),
    ("requests_without_a_trace_id_count_for_their_pods", hard_pods::requests_without_a_trace_id),
    ("the_ledger_stays_closed_under_churn", churn::ledger_stays_closed),
    ("scale_follows_each_pod_and_its_share", scale::by_hand),
    ("hpa_decides_as_its_formula_says", scale::by_autoscaler),
    ("a_second_run_at_once_is_refused", bad_input::two_runs_at_once),
    ("unknown_objects_are_named_with_a_fix", bad_input::unknown_objects),
    ("a_full_disk_is_named_and_leaves_nothing_open", bad_input::full_disk),
    ("ctrl_c_in_a_rollout_restores_the_cluster", bad_input::interrupt),
];

/// Pods on two nodes that share a kernel.
const TWO_NODES: Tests = &[
    ("two_nodes_each_have_an_agent_at_their_own_cgroup", two_nodes::agents_at_their_own_cgroups),
    ("two_nodes_every_request_is_joined_across_them", two_nodes::every_request_across_nodes),
    ("two_nodes_rollout_explains_each_failure", two_nodes::rollout_as_assigned),
    ("job_three_senders_make_one_schedule", job::three_senders_make_one_schedule),
    ("job_a_sender_that_is_stopped_is_told_from_the_cluster", job::a_sender_that_is_stopped_is_told_from_the_cluster),
];

/// The tests as the harness wants them; without a cluster they can be listed only.
fn trials(tests: Tests, bench: Option<&std::sync::Arc<bench::Bench>>) -> Vec<Trial> {
    tests
        .iter()
        .map(|&(name, test)| {
            let bench = bench.cloned();
            Trial::test(name, move || {
                let bench = bench.ok_or("no cluster")?;
                let start = std::time::Instant::now();
                let result = test(&bench).map_err(|error| format!("{error:#}").into());
                eprint!("({:.0} s) ", start.elapsed().as_secs_f64());
                result
            })
        })
        .collect()
}
