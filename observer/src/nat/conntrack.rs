//! Reads the kernel's conntrack events and table through netlink, in the network namespace of the calling thread.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

mod ask;
mod dump;
mod question;
mod socket;

use crate::clock::monotonic_ns;
use crate::ports::PortSet;

use super::message::Change;
use super::tuple::Entry;
pub use ask::Asker;
use socket::{EventSocket, Read};

/// While events flow they are read this often, and not one by one: a wake-up for each would cost more than reading it.
const BUSY_PERIOD: Duration = Duration::from_millis(5);
/// Without events, how long to wait for the first.
const IDLE_WAIT: Duration = Duration::from_millis(100);

/// Room for about 30,000 events (each takes about a KiB of the kernel's accounting): more than a second of a very busy node.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// One thing learned from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// An entry was made; read at.
    Made(Entry, u64),
    /// An entry was destroyed; read at.
    Destroyed(Entry, u64),
    /// An entry found in a dump; read at.
    Dumped(Entry, u64),
    /// A dump is complete.
    DumpDone {
        /// It was asked for at.
        started_ns: u64,
        /// Its last entry was read at.
        ended_ns: u64,
        /// It makes good a loss of events since then.
        lost_since_ns: Option<u64>,
    },
}

/// What the reader reports.
#[derive(Debug)]
pub enum Report {
    /// Things learned, in the kernel's order. Everything that happened before `read_until_ns` has been reported.
    Batch {
        /// The things.
        learned: Vec<Learned>,
        /// See above; `None`: there is more to read.
        read_until_ns: Option<u64>,
    },
    /// The kernel's queue had overflowed.
    Overflow,
    /// A message could not be parsed.
    Unparsed,
    /// The reader has ended.
    Failed(io::Error),
}

/// Opens the socket in this thread's network namespace, then reads in a thread of its own until `report` says stop
/// (returns false). Only entries that touch a port of `ports` are reported; when that set grows the table is dumped again.
pub fn spawn(ports: Arc<PortSet>, report: impl FnMut(Report) -> bool + Send + 'static) -> io::Result<()> {
    spawn_with_queue(ports, QUEUE_BYTES, report)
}

/// The same with a kernel queue of this size.
pub fn spawn_with_queue(
    ports: Arc<PortSet>,
    queue_bytes: usize,
    report: impl FnMut(Report) -> bool + Send + 'static,
) -> io::Result<()> {
    let socket = EventSocket::open(queue_bytes)?;
    let dumper = dump::Dumper::open()?;
    let mut reader =
        Reader { socket, dumper, ports, report, generation: 0, read_until_ns: monotonic_ns(), busy: false };
    thread::Builder::new().name("conntrack".into()).spawn(move || {
        if let Err(error) = reader.run() {
            (reader.report)(Report::Failed(error));
        }
    })?;
    Ok(())
}

struct Reader<F> {
    socket: EventSocket,
    dumper: dump::Dumper,
    ports: Arc<PortSet>,
    report: F,
    generation: u64,
    read_until_ns: u64,
    busy: bool,
}

impl<F: FnMut(Report) -> bool> Reader<F> {
    /// `Ok`: told to stop.
    fn run(&mut self) -> io::Result<()> {
        loop {
            let generation = self.ports.generation();
            if generation != self.generation {
                self.generation = generation;
                if !self.dump(None)? {
                    return Ok(());
                }
            }
            if self.busy {
                thread::sleep(BUSY_PERIOD);
            } else {
                self.socket.wait(IDLE_WAIT)?;
            }
            if !self.drain()? {
                return Ok(());
            }
        }
    }

    fn drain(&mut self) -> io::Result<bool> {
        let mut learned = Vec::new();
        let mut any = false;
        loop {
            let asked_ns = monotonic_ns();
            let ports = &self.ports;
            let mut unparsed = false;
            let read = self.socket.read(|change| {
                let (Change::Exists(entry) | Change::Gone(entry)) = change;
                if entry.touches(|port| ports.contains(port)) {
                    learned.push(match change {
                        Change::Exists(entry) => Learned::Made(entry, monotonic_ns()),
                        Change::Gone(entry) => Learned::Destroyed(entry, monotonic_ns()),
                    });
                }
            })?;
            match read {
                Read::Some => any = true,
                Read::Unparsed => unparsed = true,
                Read::Nothing => {
                    self.read_until_ns = asked_ns;
                    self.busy = any;
                    return Ok((self.report)(Report::Batch { learned, read_until_ns: Some(asked_ns) }));
                }
                Read::Overflow => {
                    let lost_since_ns = self.read_until_ns;
                    let batch = Report::Batch { learned: std::mem::take(&mut learned), read_until_ns: None };
                    if !((self.report)(batch) && (self.report)(Report::Overflow) && self.dump(Some(lost_since_ns))?) {
                        return Ok(false);
                    }
                }
            }
            if unparsed && !(self.report)(Report::Unparsed) {
                return Ok(false);
            }
        }
    }

    fn dump(&mut self, lost_since_ns: Option<u64>) -> io::Result<bool> {
        let started_ns = monotonic_ns();
        let mut learned = Vec::new();
        let ports = &self.ports;
        self.dumper.dump(|entry| {
            if entry.touches(|port| ports.contains(port)) {
                learned.push(Learned::Dumped(entry, monotonic_ns()));
            }
        })?;
        learned.push(Learned::DumpDone { started_ns, ended_ns: monotonic_ns(), lost_since_ns });
        Ok((self.report)(Report::Batch { learned, read_until_ns: None }))
    }
}

/// Subscribes and dumps once, to see whether it can be done; `each` is called for every TCP entry.
pub fn probe(mut each: impl FnMut()) -> io::Result<()> {
    EventSocket::open(QUEUE_BYTES)?;
    dump::Dumper::open()?.dump(|_| each())
}
