//! A real nginx between clients and servers: who each attempt was made for, told by the order of calls in nginx' thread, must
//! agree with the trace id wherever the attempt carried one.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use observer::{
    flow::Side,
    record::{Connection, Exchange, ExchangeEnd, Outcome, SocketCall, SocketCallKind},
};

use crate::{
    observed::{Observed, observe},
    servers::{OK, connect},
};

const CLIENTS: usize = 6;
const EACH: usize = 200;

/// A running nginx, stopped when dropped.
struct Nginx {
    process: Child,
    _directory: tempfile::TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts nginx. `None`, and a loud word, when it is not installed.
fn start(front: SocketAddr, servers: &str, http_version: &str) -> Option<Nginx> {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().display();
    let configuration = format!(
        "daemon off; master_process off; pid {root}/pid; error_log {root}/error.log;
         events {{ worker_connections 512; }}
         http {{
             access_log off; client_body_temp_path {root}/1; proxy_temp_path {root}/2; fastcgi_temp_path {root}/3;
             uwsgi_temp_path {root}/4; scgi_temp_path {root}/5;
             upstream servers {{ {servers} }}
             server {{
                 listen {front}; keepalive_requests 100000;
                 location / {{ proxy_pass http://servers; proxy_http_version {http_version};
                     proxy_set_header Connection \"\"; }}
             }}
         }}"
    );
    let file = directory.path().join("nginx.conf");
    std::fs::write(&file, configuration).unwrap();
    let started = Command::new("nginx").arg("-c").arg(&file).stdin(Stdio::null()).spawn();
    let Ok(process) = started else {
        eprintln!("\n*** SKIPPED: this test needs nginx (apt-get install nginx-light) ***\n");
        return None;
    };
    let nginx = Nginx { process, _directory: directory };
    for _ in 0..100 {
        if TcpStream::connect(front).is_ok() {
            return Some(nginx);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("nginx does not listen: {}", std::fs::read_to_string(file.with_file_name("error.log")).unwrap_or_default());
}

/// An address that nobody listens at, for the time being.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A server that answers `most` requests on a connection and then resets it when the next one comes.
fn server(most: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(stream.unwrap(), most));
        }
    });
    address
}

fn answer(mut stream: TcpStream, most: usize) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = [0; 4096];
    for number in 0.. {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer) {
                Ok(n) if n > 0 => head.extend_from_slice(&buffer[..n]),
                _ => return,
            }
        }
        if number == most {
            return crate::endings::reset_on_close(&stream);
        }
        if stream.write_all(OK).is_err() || head.starts_with(b"GET / HTTP/1.0") {
            return;
        }
    }
}

/// Clients with a connection each, every request with a trace id of its own; the observer drains meanwhile.
fn load(observed: &mut Observed, front: SocketAddr) {
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn(move || {
                    let mut stream = connect(front);
                    for request in 0..EACH {
                        let id = client * EACH + request + 1;
                        let trace = format!("00-{id:032x}-00000000000000aa-01");
                        let head = format!("GET / HTTP/1.1\r\nHost: x\r\ntraceparent: {trace}\r\n\r\n");
                        stream.write_all(head.as_bytes()).unwrap();
                        let mut buffer = [0; 4096];
                        let mut answer = Vec::new();
                        while !answer.ends_with(b"ok") && !answer.ends_with(b"</html>\r\n") {
                            let n = stream.read(&mut buffer).unwrap();
                            assert_ne!(n, 0);
                            answer.extend_from_slice(&buffer[..n]);
                        }
                        // Several cached connections in a row may be dead.
                        assert!(answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.1 502"));
                    }
                })
            })
            .collect();
        while clients.iter().any(|client| !client.is_finished()) {
            observed.drain();
            std::thread::sleep(Duration::from_millis(5));
        }
        for client in clients {
            client.join().unwrap();
        }
    });
}

/// What nginx did for whom.
struct Attempts {
    fronts: HashMap<(u64, u32), Exchange>,
    connections: HashMap<u64, Connection>,
    exchanges: HashMap<(u64, u32), Exchange>,
}

impl Attempts {
    fn new(observed: &Observed, front: SocketAddr) -> Self {
        let key = |exchange: Exchange| ((exchange.conn, exchange.index), exchange);
        Self {
            fronts: observed.exchanges(Side::Server).into_iter().filter(|e| e.local == front).map(key).collect(),
            connections: observed
                .connections(Side::Client)
                .into_iter()
                .filter(|connection| connection.remote != front)
                .map(|connection| (connection.conn, connection))
                .collect(),
            exchanges: observed.exchanges(Side::Client).into_iter().filter(|e| e.remote != front).map(key).collect(),
        }
    }

    /// Walks back from a call to the read of the request that it was made for.
    fn request(&self, call: Option<&SocketCall>) -> &Exchange {
        let mut call = call.expect("the call before is known");
        for _ in 0..10 {
            match call.kind {
                SocketCallKind::Recv if self.fronts.contains_key(&(call.conn, call.exchange.unwrap())) => {
                    return &self.fronts[&(call.conn, call.exchange.unwrap())];
                }
                // A failed attempt was given up.
                SocketCallKind::Close => {
                    let failed = call.exchange.and_then(|index| self.exchanges.get(&(call.conn, index)));
                    call = match failed {
                        Some(exchange) if exchange.reused => exchange.sent_after.as_ref().unwrap(),
                        _ => self.connections[&call.conn].opened_after.as_ref().unwrap(),
                    };
                }
                other => panic!("{other:?} in {call:?}"),
            }
        }
        panic!("a loop of calls");
    }
}

fn run(servers: impl Fn(SocketAddr, SocketAddr) -> String, version: &str, most: usize) -> Option<(Attempts, usize)> {
    let mut observed = observe()?;
    let (front, dead, live) = (free_address(), free_address(), server(most));
    let _nginx = start(front, &servers(dead, live), version)?;
    observed.kernel.watch_ports(&[front.port(), dead.port(), live.port()]).unwrap();
    load(&mut observed, front);
    observed.settle();
    observed.flow.flush(&mut observed.out);
    let attempts = Attempts::new(&observed, front);
    assert_eq!(attempts.fronts.len(), CLIENTS * EACH);
    assert!(attempts.fronts.values().all(|exchange| matches!(exchange.status, Some(200 | 502))));

    let mut led_back = 0;
    for exchange in attempts.exchanges.values() {
        let call = if exchange.reused {
            exchange.sent_after.as_ref()
        } else {
            attempts.connections[&exchange.conn].opened_after.as_ref()
        };
        let request = attempts.request(call);
        assert_eq!(request.trace_id, exchange.trace_id);
        assert!(request.trace_id.is_some());
        led_back += 1;
    }
    for connection in attempts.connections.values().filter(|connection| connection.outcome == Outcome::Refused) {
        attempts.request(connection.opened_after.as_ref());
        led_back += 1;
    }
    Some((attempts, led_back))
}

#[test]
fn a_new_connection_for_each_request_and_a_dead_server() {
    let servers = |dead, live| format!("server {dead} max_fails=0; server {live} max_fails=0;");
    let Some((attempts, led_back)) = run(servers, "1.0", usize::MAX) else { return };
    let refused = attempts.connections.values().filter(|connection| connection.outcome == Outcome::Refused).count();
    assert!(refused >= CLIENTS * EACH / 3, "{refused}");
    assert_eq!(attempts.exchanges.len(), CLIENTS * EACH);
    assert_eq!(led_back, CLIENTS * EACH + refused);
    eprintln!(
        "nginx without keep-alive: {led_back} attempts, {refused} of them refused, all lead back to their request"
    );
}

#[test]
fn cached_connections_that_die() {
    let servers = |_, live| format!("server {live} max_fails=0; server {live} max_fails=0; keepalive 8;");
    let Some((attempts, led_back)) = run(servers, "1.1", 7) else { return };
    let cut = attempts.exchanges.values().filter(|exchange| exchange.end == ExchangeEnd::Reset).count();
    let reused = attempts.exchanges.values().filter(|exchange| exchange.reused).count();
    assert!(cut >= CLIENTS * EACH / 20, "{cut}");
    assert!(reused > CLIENTS * EACH / 2, "{reused}");
    let answered = attempts.exchanges.values().filter(|exchange| exchange.status == Some(200)).count();
    assert_eq!(attempts.exchanges.len(), answered + cut);
    assert_eq!(attempts.fronts.values().filter(|exchange| exchange.status == Some(200)).count(), answered);
    eprintln!("nginx with keep-alive: {led_back} attempts, {reused} on re-used connections, {cut} cut, all lead back");
}

/// The cached connection dies as it is used: the client sees one answer, and the records have both attempts, each with what became of it.
#[test]
fn one_request_and_two_attempts() {
    let Some(mut observed) = observe() else { return };
    let (front, live) = (free_address(), server(1));
    let servers = format!("server {live} max_fails=0; keepalive 1;");
    let Some(_nginx) = start(front, &servers, "1.1") else { return };
    observed.kernel.watch_ports(&[front.port(), live.port()]).unwrap();
    let mut client = connect(front);
    let id = |number: u32| format!("{:032x}", 0xabc0 + number);
    for number in 0..2 {
        let trace = format!("traceparent: 00-{}-00000000000000aa-01", id(number));
        client.write_all(format!("GET / HTTP/1.1\r\nHost: x\r\n{trace}\r\n\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while !answer.ends_with(b"ok") {
            let n = client.read(&mut buffer).unwrap();
            assert_ne!(n, 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..n]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
    drop(client);
    observed.settle();
    observed.flow.flush(&mut observed.out);
    let attempts = Attempts::new(&observed, front);
    assert!(attempts.fronts.values().all(|exchange| exchange.status == Some(200)));
    assert_eq!(attempts.fronts.len(), 2);
    let mut seen: Vec<_> = attempts.exchanges.values().collect();
    seen.sort_by_key(|exchange| exchange.request_start_ns);
    let told: Vec<_> =
        seen.iter().map(|it| (it.trace_id.clone().unwrap(), it.index, it.reused, it.status, it.end)).collect();
    assert_eq!(
        told,
        [
            (id(0), 0, false, Some(200), ExchangeEnd::Complete),
            (id(1), 1, true, None, ExchangeEnd::Reset),
            (id(1), 0, false, Some(200), ExchangeEnd::Complete),
        ]
    );
    assert_eq!(seen[0].conn, seen[1].conn);
    // The order of calls says the same: the second connection was dialled for the request whose attempt had failed.
    let request = attempts.request(attempts.connections[&seen[2].conn].opened_after.as_ref());
    assert_eq!(request.trace_id, Some(id(1)));
}
