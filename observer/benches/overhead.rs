//! What watching costs the watched: `cargo bench -p observer --bench overhead`, as root.
//!
//! The same requests with and without the programs, in turns within one run, since machines differ and drift. Told are
//! ratios of medians, and what the kernel itself counts as the programs' time.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use observer::{
    flow::{FlowConfig, FlowTable},
    kernel::{Kernel, LoadOptions, cgroup2_mount},
};

/// Turns of each kind; the order within a pair alternates.
const TURNS: usize = 12;
/// Requests of a turn.
const REQUESTS: usize = 2_000;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const REQUEST: &[u8] =
    b"GET /predict HTTP/1.1\r\nhost: x\r\ntraceparent: 00-0123456789abcdef0123456789abcdef-00000000000000aa-01\r\n\r\n";

fn main() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("SKIPPED: this benchmark attaches eBPF programs and needs root");
        return;
    }
    let address = serve();
    for (name, requests_per_connection) in [("a connection per request", 1), ("kept connections", 100)] {
        compare(name, address, requests_per_connection);
    }
}

/// Answers on loopback for as long as the process lives.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut head = [0; REQUEST.len()];
            while stream.read_exact(&mut head).is_ok() && stream.write_all(ANSWER).is_ok() {}
        }
    });
    address
}

fn compare(name: &str, address: SocketAddr, requests_per_connection: usize) {
    turn(address, requests_per_connection);
    let mut pairs = Vec::new();
    let (mut bpf_ns, mut runs, mut measured) = (0, 0, true);
    for n in 0..TURNS {
        let mut without = Duration::ZERO;
        if n % 2 == 0 {
            without = turn(address, requests_per_connection);
        }
        let watched = Watched::start(address);
        let with = turn(address, requests_per_connection);
        let costs = watched.stop();
        measured &= costs.iter().any(|(_, _, runs)| *runs > 0);
        bpf_ns += costs.iter().map(|(_, ns, _)| ns).sum::<u64>();
        runs += costs.iter().map(|(_, _, runs)| runs).sum::<u64>();
        if n % 2 == 1 {
            without = turn(address, requests_per_connection);
        }
        pairs.push((without, with));
    }
    let mut ratios: Vec<f64> = pairs.iter().map(|(without, with)| with.as_secs_f64() / without.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    let mut alone: Vec<Duration> = pairs.iter().map(|(without, _)| *without).collect();
    alone.sort();
    println!("{name} ({TURNS} turns of {REQUESTS} requests, both ends of each connection are watched)");
    println!("  median latency without the programs  {:>8.1} µs", alone[TURNS / 2].as_secs_f64() * 1e6);
    println!(
        "  ratio with : without                 {:>8.3}   (quartiles {:.3} … {:.3})",
        ratios[TURNS / 2],
        ratios[TURNS / 4],
        ratios[TURNS * 3 / 4]
    );
    if measured {
        let requests = (TURNS * REQUESTS) as f64;
        println!(
            "  time in the programs                 {:>8.2} µs for a request and both ends",
            bpf_ns as f64 / requests / 1e3
        );
        println!("  runs of the programs                 {:>8.1} for a request and both ends", runs as f64 / requests);
    } else {
        println!("  time in the programs                 not measured: the kernel refused to count it");
    }
}

/// Median time of a request, its connection's share included.
fn turn(address: SocketAddr, requests_per_connection: usize) -> Duration {
    let mut times = Vec::with_capacity(REQUESTS);
    let mut answer = [0; ANSWER.len()];
    while times.len() < REQUESTS {
        let mut from = Instant::now();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        for _ in 0..requests_per_connection {
            stream.write_all(REQUEST).unwrap();
            stream.read_exact(&mut answer).unwrap();
            times.push(from.elapsed());
            from = Instant::now();
        }
    }
    times.sort_unstable();
    times[times.len() / 2]
}

/// The programs, drained in the background as the agent does it.
struct Watched {
    stop: &'static AtomicBool,
    drainer: std::thread::JoinHandle<Vec<(&'static str, u64, u64)>>,
}

impl Watched {
    fn start(address: SocketAddr) -> Self {
        let stop: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
        let cgroup = cgroup2_mount().expect("a cgroup2 mount");
        let mut kernel =
            Kernel::load(&LoadOptions { cgroup, measure_cost: true, leave_out: &[] }).expect("the programs load");
        kernel.watch_ports(&[address.port()]).expect("the port is watched");
        let drainer = std::thread::spawn(move || {
            let mut flow = FlowTable::new(FlowConfig { calls: kernel.tells_calls(), ..FlowConfig::default() });
            let mut out = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                kernel.drain(|event| flow.push(event, &mut out));
                out.clear();
                std::thread::sleep(Duration::from_millis(10));
            }
            kernel.program_costs()
        });
        Self { stop, drainer }
    }

    fn stop(self) -> Vec<(&'static str, u64, u64)> {
        self.stop.store(true, Ordering::Relaxed);
        self.drainer.join().expect("the drainer ends well")
    }
}
