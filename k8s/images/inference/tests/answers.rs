//! What the server answers, over loopback.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::Server;

#[test]
fn answers_with_its_text_and_its_pod_s_name() {
    let server = Server::start(&["--app-version=v7"]);
    let answer = server.get("/anything?model=half_plus_two");
    assert_eq!((answer.status, answer.body.as_str()), (200, "forty-two\n"));
    assert_eq!(answer.header("x-pod-name"), Some("pod-a"));
    assert_eq!(answer.header("x-version"), Some("v7"));
    assert_eq!(answer.header("x-app-name"), Some("http-echo"));
    let health = server.get("/health");
    assert_eq!((health.status, health.body.as_str()), (200, "{\"status\":\"ok\"}\n"));
    assert_eq!(health.header("x-pod-name"), Some("pod-a"));
}

#[test]
fn keeps_connections_alive_and_answers_head_without_a_body() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(client.ask("GET", "/", "").status, 200);
    }
    client.send("HEAD", "/", "");
    client.send("GET", "/health", "");
    // Were there a body after the first head, the second answer would not be one.
    let connections = &server.stats()["connections"];
    assert_eq!(connections["accepted"], 2);
    assert_eq!(connections["open"], 2);
}

#[test]
fn delay_holds_for_one_request_or_by_admin_for_all() {
    let server = Server::start(&[]);
    let took = |headers: &str, target: &str| {
        let begun = Instant::now();
        assert_eq!(server.connect().ask("GET", target, headers).status, 200);
        begun.elapsed()
    };
    let slow = Duration::from_millis(150);
    assert!(took("", "/?delay_ms=150") >= slow);
    assert!(took("X-Inference-Delay-Ms: 150\r\n", "/") >= slow);
    assert!(took("", "/") < slow);
    let answer = server.post("/_admin?delay_ms=150&jitter_ms=0");
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains(r#""delay_ms":150"#), "{}", answer.body);
    assert!(took("", "/") >= slow);
    assert!(took("User-Agent: kube-probe/1.36\r\n", "/") < slow, "a slow pod stays ready");
    assert_eq!(server.post("/_admin?reset").status, 200);
    assert!(took("", "/") < slow);
}

#[test]
fn affect_probes_slows_probes_too() {
    let server = Server::start(&["--affect-probes", "--delay-ms=150"]);
    let begun = Instant::now();
    server.connect().ask("GET", "/", "User-Agent: kube-probe/1.36\r\n");
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[test]
fn fails_exactly_the_share_it_was_told() {
    let server = Server::start(&["--fail-ratio=0.25", "--fail-status=503"]);
    let mut client = server.connect();
    let statuses: Vec<u16> = (0..40).map(|_| client.ask("GET", "/", "traceparent: 00-1-2-01\r\n").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 10);
    let stats = server.stats();
    assert_eq!(stats["requests"]["by_status"], serde_json::json!({ "200": 30, "503": 10 }));
    assert_eq!((&stats["requests"]["traced"], &stats["requests"]["answered"]), (&40.into(), &40.into()));
    assert_eq!(stats["pod_name"], "pod-a");
}

#[test]
fn probes_and_questions_about_itself_are_counted_apart() {
    let server = Server::start(&[]);
    server.connect().ask("GET", "/", "User-Agent: kube-probe/1.36\r\n");
    server.get("/_admin");
    let stats = server.stats();
    assert_eq!((&stats["requests"]["answered"], &stats["probes"]), (&0.into(), &1.into()));
    assert_eq!(stats["operator_requests"], 1);
}

#[test]
fn bodies_have_the_size_that_was_asked() {
    let server = Server::start(&[]);
    for size in [1, 2, 10, 70_000] {
        let body = server.get(&format!("/?body_bytes={size}")).body;
        assert_eq!((body.len(), body.ends_with('\n')), (size, true));
    }
}

#[test]
fn burning_leaves_other_requests_alone() {
    let server = Server::start(&[]);
    let mut burning = server.connect();
    burning.send("GET", "/?burn_ms=600", "");
    let begun = Instant::now();
    assert_eq!(server.get("/").status, 200);
    assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
    assert_eq!(burning.receive().unwrap().status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(500));
}

#[test]
fn mistakes_are_named() {
    let server = Server::start(&[]);
    let answer = server.post("/_admin?dely_ms=5");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("dely_ms") && answer.body.contains("delay_ms"), "{}", answer.body);
    let answer = server.get("/?fail_ratio=2");
    assert!(answer.status == 400 && answer.body.contains("from 0 to 1"), "{}", answer.body);
    assert_eq!(server.connect().ask("PUT", "/_admin", "Content-Length: 0\r\n").status, 405);
}
