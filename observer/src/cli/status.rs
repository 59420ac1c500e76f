//! `observer status`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::table::table;
use super::{FAILED, Output, fetch};
use crate::api::Status;

/// Options of `observer status`.
#[derive(Debug, Args)]
pub struct StatusOptions {
    /// Address of the agent.
    #[arg(long, default_value = "http://127.0.0.1:9414")]
    url: String,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Print nothing but a problem: for probes.
    #[arg(short, long)]
    quiet: bool,
}

/// Prints the status.
pub async fn run(options: StatusOptions) -> Result<ExitCode> {
    let status: Status = fetch::json(&format!("{}/status", options.url.trim_end_matches('/'))).await?;
    let problem = status.problem();
    match options.output {
        _ if options.quiet => {}
        Output::Json => println!("{}", serde_json::to_string_pretty(&status)?),
        Output::Table => print(&status),
    }
    match problem {
        None => Ok(ExitCode::SUCCESS),
        Some(problem) => {
            eprintln!("unhealthy: {problem}");
            Ok(ExitCode::from(FAILED))
        }
    }
}

fn print(status: &Status) {
    let up_s = status.now_ns.saturating_sub(status.started_ns) / 1_000_000_000;
    println!("observer {} on {} (kernel {}), up {up_s} s", status.version, status.node, status.kernel);
    println!("attached at {}; test connection {}", status.cgroup, if status.canary_seen { "seen" } else { "NOT SEEN" });
    let cost = &status.cost;
    let cpu = if cost.wall_ns == 0 { 0.0 } else { cost.cpu_ns as f64 / cost.wall_ns as f64 };
    let programs = match (cost.bpf_ns, cost.exchanges) {
        (None, _) => "not measured".to_owned(),
        (Some(ns), 0) => format!("{:.3} s", ns as f64 / 1e9),
        (Some(ns), exchanges) => format!("{} ns for each exchange seen", ns / exchanges),
    };
    println!("cost: {cpu:.4} cores, {} MiB, programs {programs}", cost.rss_bytes >> 20);
    let ports = status.ports.iter().map(|port| format!("{} ({})", port.port, port.source)).collect::<Vec<_>>();
    println!("watching: {}", if ports.is_empty() { "nothing yet".into() } else { ports.join(", ") });

    let mut programs = table(&["\nPROGRAM", "\nHOOK", "\nVERDICT", "\nWITHOUT IT"]);
    for program in &status.programs {
        let verdict = match (&program.reason, program.attached) {
            (_, true) => "attached".to_owned(),
            (reason, false) => format!("MISSING: {}", reason.as_deref().unwrap_or("no reason given")),
        };
        let lost = if program.attached { "" } else { &program.lost_without };
        programs.add_row([&program.name, &program.hook, &verdict, lost]);
    }
    println!("{programs}");

    let mut watches = table(&["\nSOURCE", "\nVERDICT"]);
    for watch in &status.watches {
        let verdict =
            if watch.ok { "works".into() } else { format!("FAILS: {}", watch.reason.as_deref().unwrap_or("")) };
        watches.add_row([&watch.name, &verdict]);
    }
    println!("{watches}");

    if !status.hops.is_empty() {
        let mut hops = table(&["\nHOP", "\nPOD", "\nEXCHANGES", "\nP50", "\nP99"]);
        for hop in &status.hops {
            let counts =
                hop.by_status.iter().map(|(class, count)| format!("{class} {count}")).collect::<Vec<_>>().join(", ");
            let ms = |us: Option<u64>| us.map_or("-".into(), |us| format!("{:.3} ms", us as f64 / 1e3));
            let pod = hop.pod.as_deref().unwrap_or("unknown");
            hops.add_row([
                crate::serve::metrics::list::hop_name(hop.hop),
                pod,
                &counts,
                &ms(hop.p50_us),
                &ms(hop.p99_us),
            ]);
        }
        println!("{hops}");
    }

    let lost: Vec<_> = status.loss.by_name.iter().filter(|(_, count)| **count > 0).collect();
    if lost.is_empty() {
        println!("\nlost: nothing");
    } else {
        let lost = lost.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ");
        println!("\nLOST: {lost}");
    }
    for run in &status.runs {
        let state = if run.closed_ns.is_some() { "closed" } else { "open" };
        println!("run {} of {}: {state}, {} records, {} dropped", run.id, run.client, run.records, run.records_dropped);
    }
}
