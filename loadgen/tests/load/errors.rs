//! Each way a request can fail, made to happen on a real socket.

use std::time::Duration;

use loadgen::load::Stop;
use loadgen::load::client::ClientSettings;
use loadgen::raw::ClientErrorKind;
use tokio::net::TcpListener;

use crate::pacing::{Run, run, settings};
use crate::server::{Behaviour, Server};

async fn few(url: &str, client: ClientSettings) -> Run {
    run(url, 20.0, 0.25, 8, client, Stop::default()).await
}

fn all_are(run: &Run, kind: ClientErrorKind, words: &str) {
    assert_eq!(run.requests.len(), 5);
    for request in &run.requests {
        let error = request.error.as_ref().unwrap_or_else(|| panic!("no error: {request:?}"));
        assert_eq!(error.kind, kind, "{error:?}");
        assert!(error.detail.contains(words), "{error:?}");
        assert!(!request.succeeded());
        assert!(request.end_ns > request.sent_ns);
    }
    assert_eq!(run.outcome.goose.failures, 5, "goose agrees");
}

pub async fn each_failure_has_its_kind() {
    let quick = ClientSettings {
        connect_timeout: Duration::from_millis(300),
        timeout: Duration::from_millis(600),
        ..settings()
    };
    for (behaviour, kind, words) in [
        (Behaviour::Reset, ClientErrorKind::Reset, "reset by peer"),
        (Behaviour::Close, ClientErrorKind::ClosedEarly, "before message completed"),
        (Behaviour::CutBody, ClientErrorKind::ClosedEarly, ""),
        (Behaviour::Silence, ClientErrorKind::Timeout, ""),
    ] {
        let server = Server::start(behaviour).await;
        let run = few(&format!("http://{}/", server.address), quick).await;
        all_are(&run, kind, words);
        let half_answered = matches!(behaviour, Behaviour::CutBody);
        assert!(run.requests.iter().all(|request| request.status.is_some() == half_answered));
    }
    refused_and_unanswered(quick).await;
    let server = Server::start(Behaviour::Status(502)).await;
    let run = few(&format!("http://{}/", server.address), quick).await;
    assert!(run.requests.iter().all(|request| request.status == Some(502) && request.error.is_none()));
    assert_eq!(run.outcome.goose.failures, 5);
}

async fn refused_and_unanswered(quick: ClientSettings) {
    // A port that was just given back: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    all_are(&few(&format!("http://{address}/"), quick).await, ClientErrorKind::ConnectRefused, "refused");

    // A listener whose queue is full does not answer SYNs.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let mut fill = Vec::new();
    for _ in 0..4 {
        fill.push(tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await);
    }
    all_are(&few(&format!("http://{address}/"), quick).await, ClientErrorKind::ConnectTimeout, "");
}
