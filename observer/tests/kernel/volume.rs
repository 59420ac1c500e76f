//! Many connections at once: nothing is lost, and the cost is told.

use std::{
    io::Write as _,
    net::TcpListener,
    sync::atomic::{AtomicBool, Ordering},
};

use observer::{
    flow::Side,
    record::{ExchangeEnd, Outcome},
};

use crate::{
    observed::observe,
    servers::{OK, connect, read_bytes, read_until},
};

const CLIENTS: usize = 4;
const CONNECTIONS: usize = 500;
const EACH: usize = 3;

#[test]
fn thousands_of_exchanges_without_a_loss() {
    let Some(mut observed) = observe() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    observed.watch(address);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..CLIENTS * CONNECTIONS {
                let (mut stream, _) = listener.accept().unwrap();
                scope.spawn(move || {
                    for _ in 0..EACH {
                        read_until(&mut stream, b"\r\n\r\n");
                        stream.write_all(OK).unwrap();
                    }
                });
            }
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn(move || {
                    for connection in 0..CONNECTIONS {
                        let mut stream = connect(address);
                        for request in 0..EACH {
                            let id = (client * CONNECTIONS + connection) * EACH + request + 1;
                            let trace = format!("00-{id:032x}-00000000000000aa-01");
                            let head = format!("GET /a HTTP/1.1\r\nHost: x\r\ntraceparent: {trace}\r\n\r\n");
                            stream.write_all(head.as_bytes()).unwrap();
                            read_bytes(&mut stream, OK.len());
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            for client in clients {
                client.join().unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            observed.drain();
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    });
    observed.settle();

    let total = CLIENTS * CONNECTIONS * EACH;
    for side in [Side::Client, Side::Server] {
        let exchanges = observed.exchanges(side);
        assert_eq!(exchanges.len(), total);
        let mut ids: Vec<usize> = exchanges
            .iter()
            .map(|exchange| {
                assert_eq!((exchange.status, exchange.end), (Some(200), ExchangeEnd::Complete));
                assert!(exchange.thread.is_some());
                let read = if side == Side::Client { exchange.response_read_ns } else { exchange.request_read_ns };
                assert!(read.is_some(), "{exchange:?}");
                usize::from_str_radix(exchange.trace_id.as_deref().unwrap(), 16).unwrap()
            })
            .collect();
        ids.sort_unstable();
        assert!(ids.iter().copied().eq(1..=total));
        let connections = observed.connections(side);
        assert_eq!(connections.len(), CLIENTS * CONNECTIONS);
        for connection in connections {
            assert_eq!((connection.outcome, connection.exchanges), (Outcome::Established, EACH as u32));
        }
    }
    let cost = observed.kernel.cost();
    eprintln!(
        "{total} exchanges at two sockets each: {:?} ns of eBPF per request",
        cost.bpf_ns.map(|ns| ns / total as u64)
    );
    // Kernels since 5.12 count what they skipped themselves; `settle` demands that it is 0 like every loss.
    assert!(observed.kernel.counters().lost.contains_key("program_skipped"));
    for (name, ns, runs) in observed.kernel.program_costs() {
        eprintln!("  {name:18} {runs:8} runs, {:5} ns each", ns / runs.max(1));
    }
}
