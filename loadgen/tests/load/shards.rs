//! Senders of one schedule, each a process of its own, as their pods run them.

use std::process::{Child, Command};
use std::time::Duration;

use loadgen::load::{Plan, Shard, monotonic_ns};
use loadgen::raw::{ClientRequest, Lag, Schedule};
use loadgen::shard::{Order, Progress, State};
use serde_json::Value;

use crate::server::{Behaviour, Server};

/// A sender; killed when dropped.
struct Sender {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Drop for Sender {
    fn drop(&mut self) {
        // It has ended already when all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sender {
    async fn start() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        // Its image has no certificates.
        command.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
        command.arg("shard").arg("--dir").arg(dir.path()).args(["--port", &port.to_string()]);
        let sender = Self { child: command.spawn().unwrap(), url: format!("http://127.0.0.1:{port}"), _dir: dir };
        for _ in 0..200 {
            if reqwest::get(format!("{}/healthz", sender.url)).await.is_ok() {
                return sender;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it does not listen");
    }

    async fn ask(&self, path: &str, body: Option<&impl serde::Serialize>) -> (u16, String) {
        let client = reqwest::Client::new();
        let url = format!("{}{path}", self.url);
        let answer = match body {
            Some(body) => {
                let body = serde_json::to_vec(body).unwrap();
                client.post(url).header("content-type", "application/json").body(body).send().await
            }
            None => client.get(url).send().await,
        };
        let answer = answer.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn ended(&self) -> Progress {
        for _ in 0..600 {
            let progress: Progress = serde_json::from_str(&self.ask("/v1/load", None::<&()>).await.1).unwrap();
            if progress.state == State::Ended {
                return progress;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it does not end");
    }

    async fn records(&self) -> Vec<ClientRequest> {
        self.lines("/v1/records").await
    }

    async fn lines<T: serde::de::DeserializeOwned>(&self, path: &str) -> Vec<T> {
        let (status, text) = self.ask(path, None::<&()>).await;
        assert_eq!(status, 200, "{text}");
        let mut lines: Vec<&str> = text.lines().collect();
        let last: Value = serde_json::from_str(lines.pop().unwrap()).unwrap();
        assert_eq!(last["records_before"], lines.len());
        lines.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Stops a sender's process in the middle of its load. For how long, in nanoseconds.
async fn stop_for_a_while(sender: &Sender, start_ns: u64) -> u64 {
    let send = |signal| nix::sys::signal::kill(nix::unistd::Pid::from_raw(sender.child.id() as i32), signal).unwrap();
    tokio::time::sleep(Duration::from_nanos((start_ns + 800_000_000).saturating_sub(monotonic_ns()))).await;
    send(nix::sys::signal::Signal::SIGSTOP);
    let from_ns = monotonic_ns();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stopped_ns = monotonic_ns() - from_ns;
    send(nix::sys::signal::Signal::SIGCONT);
    stopped_ns
}

#[tokio::test(flavor = "multi_thread")]
async fn three_senders_send_the_schedule_of_one() {
    let server = Server::start(Behaviour::Answer).await;
    let senders = [Sender::start().await, Sender::start().await, Sender::start().await];
    let schedule = Schedule::Poisson { rate_per_s: 60.0, duration_s: 2.0, seed: 5 };
    let start_ns = monotonic_ns() + 1_500_000_000;
    for (index, sender) in (0..).zip(&senders) {
        let order = Order {
            run_id: "00000000deadbeef".into(),
            url: format!("http://{}/predict", server.address),
            schedule: schedule.clone(),
            shard: Shard { index, of: 3 },
            workers: 8,
            start_ns,
            connect_timeout_ms: 1_000,
            timeout_ms: 5_000,
            keep_alive: false,
            tls: false,
        };
        assert_eq!(sender.ask("/v1/records", None::<&()>).await.0, 409, "nothing is there yet");
        assert_eq!(sender.ask("/v1/lags", None::<&()>).await.0, 409, "nothing is there yet");
        assert_eq!(sender.ask("/v1/load", Some(&order)).await.0, 200);
        let (status, text) = sender.ask("/v1/load", Some(&order)).await;
        assert!(status == 409 && text.contains("fix"), "a second order: {status} {text}");
    }
    let stopped = stop_for_a_while(&senders[1], start_ns).await;
    let mut sent = Vec::new();
    for (index, sender) in senders.iter().enumerate() {
        let progress = sender.ended().await;
        assert_eq!((progress.error, progress.records_dropped), (None, 0));
        let lags: Vec<Lag> = sender.lines("/v1/lags").await;
        let longest_ns = lags.iter().map(|lag| lag.ran_ns - lag.due_ns).max();
        if index == 1 {
            assert!(longest_ns.is_some_and(|ns| ns + 5_000_000 >= stopped), "{longest_ns:?} of {stopped} ns");
        }
        let records = sender.records().await;
        assert_eq!(progress.counts.sent, records.len() as u64);
        assert_eq!(progress.goose.unwrap().requests, records.len() as u64);
        sent.extend(records);
    }
    sent.sort_by_key(|request| request.seq);
    let plan = Plan::new(&schedule).unwrap();
    let expected: Vec<_> = (0..plan.tickets()).map(|k| (k, start_ns + plan.due_ns(k).unwrap())).collect();
    assert_eq!(sent.iter().map(|request| (request.seq, request.due_ns)).collect::<Vec<_>>(), expected);
    assert!(sent.iter().all(|request| request.succeeded() && request.sent_ns >= request.due_ns));
    assert!(server.seen.lock().unwrap().values().all(|times| *times == 1), "a request was sent twice");
    for mut sender in senders {
        assert_eq!(sender.ask("/v1/end", Some(&())).await.0, 200);
        let status = tokio::task::spawn_blocking(move || sender.child.wait().unwrap()).await.unwrap();
        assert!(status.success(), "{status}");
    }
}
