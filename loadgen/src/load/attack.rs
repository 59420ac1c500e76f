//! The only module that knows goose: its users are the workers.
//!
//! Each user runs one long transaction, which draws tickets until there are none left. goose sees every request through
//! its own `request()`, so its counts are a second opinion on ours.

use std::sync::Arc;

use goose::GooseAttack;
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{GooseMethod, GooseRequest, GooseUser, Scenario, Transaction, TransactionResult};
use goose::metrics::GooseMetrics;
use reqwest::Url;

use super::client::{ClientSettings, builder};
use super::clock::monotonic_ns;
use super::counters::Counters;
use super::exchange::{Answer, read_answer};
use super::quiet::QuietStdout;
use super::recorder::RecordSender;
use super::schedule::Plan;
use super::stop::{Reason, Stop};
use super::tickets::{Ticket, Tickets};
use super::timer::Timer;
use super::trace::RunId;
use crate::raw::{ClientRequest, GooseCheck};

/// From the last worker's readiness to the first due time: every worker is asleep at its timer by then.
const LEAD_NS: u64 = 100_000_000;

/// What to send, and how.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// The whole URL.
    pub url: Url,
    /// When.
    pub schedule: Plan,
    /// Most requests in flight at once.
    pub workers: u32,
    /// Client settings.
    pub client: ClientSettings,
    /// First half of each trace id.
    pub run_id: RunId,
    /// When ticket 0 is due. `None`: as soon as all workers are ready.
    pub start_ns: Option<u64>,
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOutcome {
    /// Requests handed to the HTTP client.
    pub sent: u64,
    /// Ticket 0 was due. `None`: the run was stopped before that.
    pub started_ns: Option<u64>,
    /// The last request had ended.
    pub ended_ns: u64,
    /// goose's counts.
    pub goose: GooseCheck,
}

/// The load could not be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// goose refused.
    #[error("the load generator's engine failed: {0}")]
    Goose(#[from] Box<goose::GooseError>),
    /// Its output could not be kept from stdout.
    #[error("cannot redirect stdout: {0}")]
    Stdout(std::io::Error),
}

/// What all workers share.
struct Shared {
    path: String,
    client: ClientSettings,
    run_id: RunId,
    start_ns: Option<u64>,
    tickets: Arc<Tickets>,
    counters: Arc<Counters>,
    records: RecordSender,
    stop: Stop,
}

/// The load, ready to run.
pub struct Load {
    plan: LoadPlan,
    /// The tickets, for those who want to know when the first is due.
    pub tickets: Arc<Tickets>,
}

impl Load {
    /// Prepares it.
    pub fn new(plan: LoadPlan) -> Self {
        let tickets = Arc::new(Tickets::new(plan.schedule.clone(), u64::from(plan.workers)));
        Self { plan, tickets }
    }

    /// Sends until the schedule ends or `stop` is set, and returns when the last request has ended.
    pub async fn run(
        self,
        counters: Arc<Counters>,
        records: RecordSender,
        stop: Stop,
    ) -> Result<LoadOutcome, LoadError> {
        let Self { plan, tickets } = self;
        let workers = plan.workers.to_string();
        // All within a tenth of a second, whatever their number.
        let increase_rate = (u64::from(plan.workers) * 10).to_string();
        let host = plan.url.origin().ascii_serialization();
        // One iteration of one transaction each; all users at once; nothing printed, nothing written.
        let arguments = [
            ["--host", &host].as_slice(),
            &["--users", &workers, "--iterations", "1", "--increase-rate", &increase_rate],
            &["--no-telnet", "--no-print-metrics", "--no-transaction-metrics"],
            &["--no-scenario-metrics", "--no-error-summary", "--co-mitigation", "disabled", "-qq"],
        ]
        .concat();
        let configuration = GooseConfiguration::parse_args_default(&arguments).map_err(Box::new)?;
        let shared = Arc::new(Shared {
            path: path_and_query(&plan.url),
            client: plan.client,
            run_id: plan.run_id,
            start_ns: plan.start_ns,
            tickets: Arc::clone(&tickets),
            counters: Arc::clone(&counters),
            records,
            stop,
        });
        let _quiet = QuietStdout::start().map_err(LoadError::Stdout)?;
        let attack = GooseAttack::initialize_with_config(configuration)
            .map_err(Box::new)?
            // Each user makes its own client when it starts; until then one is enough for all. It sends nothing, so it need
            // not read the system's certificates, which an image from scratch does not have.
            .set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies().accept_invalid_certs(true))
            .map_err(Box::new)?
            .register_scenario(scenario(&shared));
        let metrics = Box::pin(attack.execute()).await.map_err(Box::new)?;
        Ok(LoadOutcome {
            sent: counters.snapshot().sent,
            started_ns: tickets.start_ns(),
            // The engine itself takes up to half a second longer to notice.
            ended_ns: counters.last_end_ns().unwrap_or_else(monotonic_ns),
            goose: count(&metrics),
        })
    }
}

fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

fn scenario(shared: &Arc<Shared>) -> Scenario {
    let (on_start, main) = (Arc::clone(shared), Arc::clone(shared));
    Scenario::new("load")
        .register_transaction(
            Transaction::new(Arc::new(move |user| Box::pin(get_ready(user, Arc::clone(&on_start))))).set_on_start(),
        )
        .register_transaction(Transaction::new(Arc::new(move |user| Box::pin(work(user, Arc::clone(&main))))))
}

async fn get_ready(user: &mut GooseUser, shared: Arc<Shared>) -> TransactionResult {
    let built = user.set_client_builder(builder(shared.client)).await;
    if let Err(error) = built {
        shared.stop.set(Reason::Error(format!("cannot make an HTTP client: {error}")));
        return Err(error.into());
    }
    // Workers that are ready too late are late: the schedule does not wait for them.
    shared.tickets.ready(|| shared.start_ns.unwrap_or_else(|| monotonic_ns() + LEAD_NS));
    Ok(())
}

async fn work(user: &mut GooseUser, shared: Arc<Shared>) -> TransactionResult {
    let mut timer = match Timer::new() {
        Ok(timer) => timer,
        Err(error) => {
            shared.stop.set(Reason::Error(format!("cannot make a timer: {error}")));
            return Ok(());
        }
    };
    let start_ns = tokio::select! {
        start_ns = shared.tickets.started() => start_ns,
        _ = shared.stop.wait() => return Ok(()),
    };
    while let Some(ticket) = shared.tickets.draw(start_ns) {
        let starved = monotonic_ns() > ticket.due_ns;
        tokio::select! {
            biased;
            _ = shared.stop.wait() => break,
            slept = timer.sleep_until(ticket.due_ns) => {
                if let Err(error) = slept {
                    shared.stop.set(Reason::Error(format!("the timer failed: {error}")));
                    break;
                }
            }
        }
        let record = send(user, &shared, ticket, starved).await;
        shared.counters.ended(&record);
        shared.records.send(record);
    }
    Ok(())
}

async fn send(user: &mut GooseUser, shared: &Shared, ticket: Ticket, starved: bool) -> ClientRequest {
    let worker = user.weighted_users_index as u32;
    shared.counters.sending();
    let mut record = ClientRequest {
        seq: ticket.seq,
        trace_id: shared.run_id.trace_id(ticket.seq),
        due_ns: ticket.due_ns,
        sent_ns: monotonic_ns(),
        headers_ns: None,
        end_ns: 0,
        status: None,
        error: None,
        local: None,
        remote: None,
        pod_name: None,
        version: None,
        body_bytes: 0,
        starved,
        worker,
    };
    let answer = exchange(user, shared, ticket.seq, &mut record).await;
    record.end_ns = monotonic_ns();
    answer.fill(&mut record);
    record
}

/// Sends one request through goose and reads the whole answer.
async fn exchange(user: &mut GooseUser, shared: &Shared, seq: u64, record: &mut ClientRequest) -> Answer {
    let request = match user.get_request_builder(&GooseMethod::Get, &shared.path) {
        Ok(request) => request.header("traceparent", shared.run_id.traceparent(seq)),
        Err(error) => return Answer::engine_error(&error),
    };
    let request = GooseRequest::builder().name("load").set_request_builder(request).build();
    record.sent_ns = monotonic_ns();
    let mut seen = match user.request(request).await {
        Ok(seen) => seen,
        Err(error) => return Answer::engine_error(&error),
    };
    let answer = read_answer(seen.response).await;
    // goose judged by the status line alone; its count must follow where the rest of the answer says otherwise. An
    // error of these calls would only mean that goose is already ending, and shows as a difference in counts.
    if answer.succeeded() {
        let _ = user.set_success(&mut seen.request);
    } else {
        let _ = user.set_failure("failed", &mut seen.request, None, None);
    }
    answer
}

fn count(metrics: &GooseMetrics) -> GooseCheck {
    let (mut successes, mut failures) = (0, 0);
    for request in metrics.requests.values() {
        successes += request.success_count as u64;
        failures += request.fail_count as u64;
    }
    GooseCheck { requests: successes + failures, successes, failures }
}
