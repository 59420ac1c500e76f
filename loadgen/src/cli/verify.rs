//! `loadgen verify`: Steps 2 to 7 of the lab, from the outside.

use std::path::PathBuf;

use clap::Args;

use super::args::{Format, TargetArgs};
use super::exit::{Failure, INTERRUPTED, TOOL};
use super::run::{default_out, names};
use super::{output, signals};
use crate::cluster::restore::leftovers::boot_id;
use crate::cluster::restore::{Entry, Journal, journal};
use crate::cluster::{Cluster, gateway};
use crate::load::{RunId, Stop};
use crate::raw::write::{WriteError, write_json};
use crate::report::schema::SCHEMA_VERSION;
use crate::verify::look::{Question, look, look_from_inside};
use crate::verify::{FILE, State, Verified, check, judge, text};

pub const HELP: &str = "Examples:
  loadgen verify
  loadgen verify --step 7
  loadgen verify --show-secrets
  loadgen verify --debug-image busybox:1.36

The last one also looks from inside pods, as in Step 5.
What is not deployed yet is not reached, and no failure, unless --step demands it. Exit code 1: a check failed.";

/// `verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// Demand every step up to this one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=i64::from(check::LAST_STEP)))]
    pub step: Option<u8>,
    /// Show the decoded values of Secrets.
    #[arg(long)]
    pub show_secrets: bool,
    /// Look at names from inside pods as well: two short-lived ones with this image (`sh`, `cat`, `nslookup`).
    #[arg(long, value_name = "IMAGE")]
    pub debug_image: Option<String>,
    /// Another namespace, from which the short name must not be found.
    #[arg(long, value_name = "NAMESPACE", default_value = "default")]
    pub other_namespace: String,
    /// The cluster's DNS domain.
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    pub cluster_domain: String,
    /// What is written to stdout.
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Format,
    /// Directory of the result, for `loadgen answers --all` [default: podwitness-results/verify-TIME].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Looks and judges.
pub async fn run(args: &VerifyArgs) -> Result<u8, Failure> {
    let out = args.out.clone().unwrap_or_else(|| default_out("verify"));
    let file = out.join(FILE);
    let url = args.target.url.as_deref().map(|url| gateway::given(url, "/predict")).transpose();
    let question = Question {
        target: names(&args.target),
        url: url.map_err(Failure::usage)?,
        patience: args.target.patience,
        id: RunId::random(),
        show_secrets: args.show_secrets,
        other_namespace: args.other_namespace.clone(),
        cluster_domain: args.cluster_domain.clone(),
        debug_image: args.debug_image.clone(),
    };
    if question.other_namespace == question.target.namespace {
        return Err(Failure::usage("--other-namespace must be another one than --namespace"));
    }
    let cluster = Cluster::connect(args.target.context.as_deref()).await.map_err(Failure::tool)?;
    std::fs::create_dir_all(&out).map_err(|e| Failure::tool(WriteError::new(&out, e)))?;
    let stop = Stop::default();
    signals::install(&stop)?;
    let mut facts = tokio::select! {
        facts = look(&cluster, &question) => facts,
        _ = stop.aborted() => return Err(Failure { code: INTERRUPTED, message: "interrupted".to_owned() }),
    };
    if question.debug_image.is_some() {
        let dir = journal::default_dir().map_err(Failure::tool)?;
        let mut journal = Journal::new(&dir, entry(&cluster, &question));
        // It takes away what it made before it returns; it is short, so Ctrl-C waits for that.
        look_from_inside(&cluster, &question, &mut journal, &mut facts).await;
    }
    let (checks, reached_step) = judge(&facts, args.step);
    let verified = Verified {
        schema_version: SCHEMA_VERSION,
        tool: format!("podwitness {}", env!("CARGO_PKG_VERSION")),
        id: question.id.to_string(),
        at: jiff::Timestamp::now().to_string(),
        passed: checks.iter().all(|check| check.state != State::Fail),
        reached_step,
        checks,
        facts,
    };
    let kept = Verified { facts: verified.facts.without_secrets(), ..verified.clone() };
    write_json(&file, &kept).map_err(Failure::tool)?;
    output::write(&match args.output {
        Format::Table => text::text(&verified, output::style()),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&verified).map_err(Failure::tool)?),
        Format::Ndjson => ndjson(&verified)?,
    })?;
    eprintln!("· {}", file.display());
    if signals::asked() {
        return Ok(INTERRUPTED);
    }
    Ok(if verified.passed { 0 } else { TOOL })
}

/// One line for each check.
fn ndjson(verified: &Verified) -> Result<String, Failure> {
    let mut text = String::new();
    for check in &verified.checks {
        text += &serde_json::to_string(check).map_err(Failure::tool)?;
        text.push('\n');
    }
    Ok(text)
}

fn entry(cluster: &Cluster, question: &Question) -> Entry {
    Entry {
        schema_version: 1,
        run_id: question.id.to_string(),
        pid: std::process::id() as i32,
        boot_id: boot_id(),
        started_at: jiff::Timestamp::now().to_string(),
        context: cluster.context.clone(),
        server: cluster.server.clone(),
        namespace: question.target.namespace.clone(),
        changes: Vec::new(),
    }
}
