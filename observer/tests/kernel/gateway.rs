//! A gateway of one thread, as nginx' workers are: each attempt must lead back to the request that it was made for.

use std::{
    collections::{HashMap, HashSet},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, socket},
};

use observer::{
    flow::Side,
    record::{Connection, Exchange, Outcome, SocketCall, SocketCallKind},
};

use crate::{
    observed::observe,
    servers::{connect, read_until},
};

const BAD_GATEWAY: &[u8] = b"HTTP/1.1 502 Bad\r\nContent-Length: 2\r\n\r\nno";
const REQUESTS: usize = 300;

/// A request whose first attempt was refused, with the socket of that attempt, still open.
struct Failed {
    front: TcpStream,
    attempt: OwnedFd,
}

/// Handles what is ready in any order on one thread: reads fronts, dials, retries once, answers.
fn gateway(listener: &TcpListener, upstream: SocketAddr, done: &AtomicBool) {
    listener.set_nonblocking(true).unwrap();
    let mut fronts: Vec<TcpStream> = Vec::new();
    let mut failed: Vec<Failed> = Vec::new();
    while !done.load(Ordering::Relaxed) {
        while let Ok((front, _)) = listener.accept() {
            front.set_nonblocking(true).unwrap();
            fronts.push(front);
        }
        let mut buffer = [0; 4096];
        fronts.retain_mut(|front| match front.read(&mut buffer) {
            Ok(0) => false,
            Ok(_) => {
                failed.push(Failed { front: front.try_clone().unwrap(), attempt: refused(upstream) });
                true
            }
            Err(_) => true,
        });
        // Retries come later, after other requests have been read and dialled for. As with nginx, the failed connection is
        // closed directly before the next is opened.
        for Failed { mut front, attempt } in failed.drain(..) {
            drop(attempt);
            drop(refused(upstream));
            front.write_all(BAD_GATEWAY).unwrap();
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Dials where nobody listens.
fn refused(upstream: SocketAddr) -> OwnedFd {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).unwrap();
    let address = SockaddrStorage::from(upstream);
    assert_eq!(nix::sys::socket::connect(socket.as_raw_fd(), &address), Err(Errno::ECONNREFUSED));
    socket
}

#[test]
fn every_refused_attempt_leads_back_to_its_request() {
    let Some(mut observed) = observe() else { return };
    let front = TcpListener::bind("127.0.0.1:0").unwrap();
    let front_address = front.local_addr().unwrap();
    // Bound and closed again: refused for as long as nobody takes the port.
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    observed.kernel.watch_ports(&[front_address.port(), refusing.port()]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let gateway = scope.spawn(|| gateway(&front, refusing, &done));
        let clients: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(move || {
                    let mut client = connect(front_address);
                    for _ in 0..REQUESTS / 6 {
                        client.write_all(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
                        read_until(&mut client, BAD_GATEWAY);
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        gateway.join().unwrap();
    });
    observed.settle();

    let fronts: HashMap<(u64, u32), Exchange> = observed
        .exchanges(Side::Server)
        .into_iter()
        .map(|exchange| ((exchange.conn, exchange.index), exchange))
        .collect();
    assert_eq!(fronts.len(), REQUESTS);
    assert!(fronts.values().all(|exchange| exchange.status == Some(502)));
    let attempts: HashMap<u64, Connection> = observed
        .connections(Side::Client)
        .into_iter()
        .filter(|record| record.remote == refusing)
        .map(|record| (record.conn, record))
        .collect();
    assert_eq!(attempts.len(), 2 * REQUESTS);
    let mut led_to: HashMap<(u64, u32), usize> = HashMap::new();
    for attempt in attempts.values() {
        assert_eq!(attempt.outcome, Outcome::Refused);
        let origin = origin(attempt, &attempts);
        let request = &fronts[&(origin.conn, origin.exchange.unwrap())];
        assert!(request.request_start_ns < attempt.opened_ns);
        assert!(attempt.closed_ns.unwrap() < request.response_start_ns.unwrap());
        *led_to.entry((request.conn, request.index)).or_default() += 1;
    }
    assert_eq!(led_to.len(), REQUESTS);
    assert!(led_to.values().all(|attempts| *attempts == 2), "{led_to:?}");
}

/// Walks back over failed attempts to the read of the request.
fn origin<'a>(attempt: &'a Connection, attempts: &'a HashMap<u64, Connection>) -> &'a SocketCall {
    let mut seen = HashSet::new();
    let mut attempt = attempt;
    loop {
        assert!(seen.insert(attempt.conn));
        let call = attempt.opened_after.as_ref().unwrap();
        match call.kind {
            SocketCallKind::Recv => return call,
            SocketCallKind::Close => attempt = &attempts[&call.conn],
            other => panic!("{other:?}"),
        }
    }
}
