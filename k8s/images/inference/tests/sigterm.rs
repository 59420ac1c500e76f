//! The two ways to die, on real processes and sockets.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::Server;
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(2);

fn refuses(server: &Server) -> bool {
    let deadline = Instant::now() + SOON;
    while Instant::now() < deadline {
        match TcpStream::connect(server.address) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return true,
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    false
}

#[test]
fn v0_2_3_serves_on_until_sigkill() {
    let mut server = Server::start(&["--behaviour=0.2.3"]);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ends_within(Duration::from_millis(300)), None);
    let answer = server.get("/");
    assert_eq!((answer.status, answer.header("x-app-version")), (200, Some("0.2.3")));
    assert_eq!(answer.header("connection"), None, "it must not even announce an end");
    server.signal(Signal::SIGKILL);
    assert_eq!(server.ends_within(SOON).unwrap().code(), None);
}

#[test]
fn v0_2_3_knows_sigint() {
    let mut server = Server::start(&["--behaviour=0.2.3"]);
    server.signal(Signal::SIGINT);
    assert_eq!(server.ends_within(SOON).unwrap().code(), Some(2));
}

#[test]
fn v1_0_0_refuses_at_once_and_finishes_what_is_open() {
    let mut server = Server::start(&["--behaviour=1.0.0"]);
    let mut open = server.connect();
    open.send("GET", "/?delay_ms=700", "");
    let mut idle = server.connect();
    assert_eq!(idle.ask("GET", "/", "").status, 200);
    let asked = Instant::now();
    server.signal(Signal::SIGTERM);
    assert!(refuses(&server));
    assert!(asked.elapsed() < Duration::from_millis(500), "refused only after {:?}", asked.elapsed());
    assert!(idle.receive().is_none(), "an idle connection is closed");
    let answer = open.receive().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(server.ends_within(SOON).unwrap().code(), Some(2));
}

#[test]
fn v1_0_0_still_waits_for_a_connection_that_has_not_asked_yet() {
    let mut server = Server::start(&["--behaviour=1.0.0"]);
    let mut young = server.connect();
    // An answer on a later connection shows that the earlier one has been accepted.
    assert_eq!(server.get("/").status, 200);
    server.signal(Signal::SIGTERM);
    assert!(refuses(&server));
    assert_eq!(young.ask("GET", "/", "").header("connection"), Some("close"));
    assert_eq!(server.ends_within(SOON).unwrap().code(), Some(2));
}

#[test]
fn v1_0_0_cuts_what_takes_longer_than_five_seconds() {
    let mut server = Server::start(&["--behaviour=1.0.0"]);
    let mut open = server.connect();
    open.send("GET", "/?delay_ms=9000", "");
    std::thread::sleep(Duration::from_millis(100));
    let asked = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ends_within(Duration::from_secs(8)).unwrap().code(), Some(1));
    assert!((4.8..6.5).contains(&asked.elapsed().as_secs_f64()), "{:?}", asked.elapsed());
    assert!(open.receive().is_none());
}

#[test]
fn a_burning_request_does_not_hold_the_exit_beyond_the_drain() {
    let mut server = Server::start(&["--behaviour=1.0.0"]);
    let mut burning = server.connect();
    burning.send("GET", "/?burn_ms=20000", "");
    std::thread::sleep(Duration::from_millis(200));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ends_within(Duration::from_secs(8)).unwrap().code(), Some(1));
}
