//! Open loop: every ticket is sent once, at its time, whatever the server does.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use loadgen::load::client::ClientSettings;
use loadgen::load::{Counters, Load, LoadOutcome, LoadPlan, Plan, Reason, Recorder, RunId, Stop};
use loadgen::raw::{ClientRequest, Schedule};

use crate::server::{Behaviour, Server};

pub struct Run {
    pub outcome: LoadOutcome,
    pub requests: Vec<ClientRequest>,
    pub id: RunId,
}

pub fn settings() -> ClientSettings {
    ClientSettings {
        connect_timeout: Duration::from_secs(1),
        timeout: Duration::from_secs(3),
        keep_alive: false,
        tls: false,
    }
}

pub async fn run(url: &str, rate_per_s: f64, duration_s: f64, workers: u32, client: ClientSettings, stop: Stop) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("client.ndjson.gz");
    let recorder = Recorder::create(&file, stop.clone()).unwrap();
    let run_id = RunId::random();
    let schedule = Plan::new(&Schedule::Constant { rate_per_s, duration_s }).unwrap();
    let load = Load::new(LoadPlan { url: url.parse().unwrap(), schedule, workers, client, run_id, start_ns: None });
    let began = std::time::Instant::now();
    let began_ns = loadgen::load::monotonic_ns();
    let outcome = load.run(Arc::new(Counters::default()), recorder.sender(), stop).await.unwrap();
    println!(
        "start {:?} ms, all {:?}",
        outcome.started_ns.map(|start| start.saturating_sub(began_ns) / 1_000_000),
        began.elapsed()
    );
    let recorded = recorder.finish().await;
    assert!(recorded.error.is_none(), "{:?}", recorded.error);
    assert_eq!(recorded.dropped, 0);
    assert_eq!(recorded.written, outcome.sent, "one line for each request sent");
    let lines = BufReader::new(MultiGzDecoder::new(BufReader::new(std::fs::File::open(&file).unwrap()))).lines();
    let requests = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    Run { outcome, requests, id: run_id }
}

fn percentile(mut values: Vec<u64>, ratio: f64) -> Duration {
    values.sort_unstable();
    Duration::from_nanos(values[((values.len() - 1) as f64 * ratio) as usize])
}

/// Latency as the project counts it: from the due time when no worker was free, else from the real send time.
fn latency_ns(request: &ClientRequest) -> u64 {
    request.end_ns - if request.starved { request.due_ns } else { request.sent_ns }
}

#[tokio::test(flavor = "multi_thread")]
async fn engine() {
    // One test, in parts: two attacks in one process share goose's state.
    each_ticket_is_sent_once_with_its_own_trace_id().await;
    a_freeze_shows_in_the_latency_from_due().await;
    stopping_ends_in_time_and_counts_what_was_sent().await;
    crate::errors::each_failure_has_its_kind().await;
}

async fn each_ticket_is_sent_once_with_its_own_trace_id() {
    let server = Server::start(Behaviour::Answer).await;
    let run = run(&format!("http://{}/predict?x=1", server.address), 200.0, 2.0, 64, settings(), Stop::default()).await;
    assert_eq!(run.outcome.sent, 400);
    assert_eq!(run.outcome.goose.requests, 400);
    assert_eq!(run.outcome.goose.successes, 400);
    let seqs: HashSet<u64> = run.requests.iter().map(|request| request.seq).collect();
    assert_eq!(seqs.len(), 400);
    let seen = server.seen.lock().unwrap();
    for request in &run.requests {
        assert!(request.succeeded(), "{request:?}");
        assert_eq!(seen.get(&run.id.traceparent(request.seq)), Some(&1));
        assert_eq!(request.trace_id, run.id.trace_id(request.seq));
        assert!(request.sent_ns >= request.due_ns, "never early");
        assert!(request.headers_ns.unwrap() >= request.sent_ns && request.end_ns >= request.headers_ns.unwrap());
        assert_eq!(request.remote, Some(server.address));
        assert_eq!((request.pod_name.as_deref(), request.version.as_deref()), (Some("pod-a"), Some("v1")));
        assert_eq!(request.body_bytes, 5);
    }
    assert!(run.requests.iter().all(|request| request.local.is_some()));
    // Counted where they arrive: a source port may come back within a second or two.
    assert_eq!(server.accepted.load(Ordering::Relaxed), 400, "a connection for each request");
    // Told, not judged: on a busy machine everything is late.
    let late = percentile(run.requests.iter().map(|r| r.sent_ns - r.due_ns).collect(), 0.5);
    println!("median lateness {late:?}");
}

async fn a_freeze_shows_in_the_latency_from_due() {
    let freeze = Behaviour::FreezeBetween(Duration::from_millis(500), Duration::from_millis(1500));
    let server = Server::start(freeze).await;
    let url = format!("http://{}/", server.address);
    // Two seconds, one of them frozen: half of all requests wait, evenly from 1 s down to 0. True p90: 0.8 s.
    let run = run(&url, 200.0, 2.0, 8, settings(), Stop::default()).await;
    assert_eq!(run.requests.len(), 400);
    assert!(run.requests.iter().any(|request| request.starved), "8 workers cannot hold 200 waiting requests");
    let p90 = percentile(run.requests.iter().map(latency_ns).collect(), 0.9);
    let naive = percentile(run.requests.iter().map(|r| r.end_ns - r.sent_ns).collect(), 0.9);
    assert!(p90 > Duration::from_millis(600), "p90 from due {p90:?}");
    assert!(naive < p90 / 2, "p90 from sent {naive:?} hides it");
}

async fn stopping_ends_in_time_and_counts_what_was_sent() {
    let server = Server::start(Behaviour::Silence).await;
    let stop = Stop::default();
    let later = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        later.set(Reason::Interrupt);
    });
    let started = std::time::Instant::now();
    let client = ClientSettings { timeout: Duration::from_secs(1), ..settings() };
    let run = run(&format!("http://{}/", server.address), 50.0, 60.0, 100, client, stop).await;
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(run.outcome.sent > 0 && run.outcome.sent < 100, "{}", run.outcome.sent);
    assert_eq!(run.outcome.goose.requests, run.outcome.sent);
    assert_eq!(run.outcome.goose.failures, run.outcome.sent);
}
