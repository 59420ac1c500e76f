//! All requests of the client.

use std::net::SocketAddr;

use super::address::{Address, Hosts};
use super::maybe::Maybe;
use super::near::{Far, Near};
use super::numbers::Numbers;
use crate::raw::client::{ClientError, ClientRequest, succeeded};

/// All requests of the client, compact: 32 bytes each. Not kept, because nothing reads it: when the headers had arrived, the version, the
/// size of the body, the worker.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    run_id: String,
    rows: Vec<Row>,
    kinds: Numbers<Kind>,
    pods: Numbers<String>,
    hosts: Hosts,
    rare: Vec<Rare>,
    far: Far,
}

#[derive(Clone, Debug)]
struct Row {
    seq: u64,
    due_ns: u64,
    sent: Near,
    end: Near,
    /// Number of its [`Kind`].
    kind: u32,
    /// Port of the client's own address.
    port: u16,
}

/// What many requests have in common: all but the times and the client's port, which is 0 here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    pod_name: Maybe,
    /// Place of its [`Rare`].
    rare: Maybe,
    local: Address,
    remote: Address,
    status: u16,
    starved: bool,
}

/// No status is that large.
const NO_STATUS: u16 = u16::MAX;

/// What most requests do not have.
#[derive(Clone, Debug)]
struct Rare {
    error: Option<ClientError>,
    /// One that is not the run's id and the number.
    trace_id: Option<String>,
}

/// One request of the client. The fields are those of [`ClientRequest`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "they are described there")]
pub struct Request<'a> {
    pub seq: u64,
    pub due_ns: u64,
    pub sent_ns: u64,
    pub end_ns: u64,
    pub status: Option<u16>,
    pub error: Option<&'a ClientError>,
    pub pod_name: Option<&'a str>,
    pub starved: bool,
    row: &'a Row,
    kind: &'a Kind,
    all: &'a Requests,
}

impl Request<'_> {
    /// Answered with a status below 400 and a complete body.
    pub fn succeeded(&self) -> bool {
        succeeded(self.status, self.error)
    }

    /// Trace id.
    pub fn trace_id(&self) -> String {
        let own = self.kind.rare.get().and_then(|at| self.all.rare[at as usize].trace_id.clone());
        own.unwrap_or_else(|| trace_id(&self.all.run_id, self.seq))
    }

    /// Local and remote address of the connection. `None`: one of them is not known.
    pub fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let Kind { local, remote, .. } = *self.kind;
        let known = local != Address::NONE && remote != Address::NONE;
        known.then(|| (self.all.hosts.unpack(local.at_port(self.row.port)), self.all.hosts.unpack(remote)))
    }
}

impl Requests {
    /// Of the run with that id.
    pub fn new(run_id: &str) -> Self {
        Self { run_id: run_id.to_owned(), ..Self::default() }
    }

    /// Keeps a request.
    pub fn push<S: AsRef<str>>(&mut self, it: &ClientRequest<S>) {
        let usual = is_trace_id(it.trace_id.as_ref(), &self.run_id, it.seq);
        let rare = (it.error.is_some() || !usual).then(|| {
            let trace_id = (!usual).then(|| it.trace_id.as_ref().to_owned());
            self.rare.push(Rare { error: it.error.clone(), trace_id });
            (self.rare.len() - 1) as u32
        });
        let pod_name = it.pod_name.as_ref().map(|name| self.pod(name.as_ref()));
        let mut pack = |address: Option<SocketAddr>| address.map_or(Address::NONE, |address| self.hosts.pack(address));
        let local = pack(it.local);
        let kind = Kind {
            pod_name: pod_name.into(),
            rare: rare.into(),
            local: local.at_port(0),
            remote: pack(it.remote),
            status: it.status.unwrap_or(NO_STATUS),
            starved: it.starved,
        };
        let row = Row {
            seq: it.seq,
            due_ns: it.due_ns,
            sent: self.far.put(it.due_ns, Some(it.sent_ns)),
            end: self.far.put(it.due_ns, Some(it.end_ns)),
            kind: self.kinds.of_value(kind),
            port: local.port(),
        };
        self.rows.push(row);
    }

    /// A part of the same run, without requests.
    #[must_use]
    pub fn part(&self) -> Self {
        Self::new(&self.run_id)
    }

    /// Puts the requests of a part behind these.
    pub fn append(&mut self, part: Self) {
        let hosts = self.hosts.append(&part.hosts);
        let pods: Vec<u32> = part.pods.list().iter().map(|name| self.pod(name)).collect();
        let (rare, far) = (self.rare.len() as u32, self.far.append(part.far));
        self.rare.extend(part.rare);
        // No address has a number beyond the list.
        let moved = |address: Address| {
            let host = address.host();
            address.at_host(hosts.get(host as usize).copied().unwrap_or(host))
        };
        let kinds: Vec<u32> = part
            .kinds
            .list()
            .iter()
            .map(|kind| {
                self.kinds.of_value(Kind {
                    pod_name: kind.pod_name.get().map(|pod| pods[pod as usize]).into(),
                    rare: kind.rare.moved(rare),
                    local: moved(kind.local),
                    remote: moved(kind.remote),
                    ..*kind
                })
            })
            .collect();
        self.rows.extend(part.rows.into_iter().map(|row| Row {
            sent: row.sent.moved(far),
            end: row.end.moved(far),
            kind: kinds[row.kind as usize],
            ..row
        }));
    }

    fn pod(&mut self, name: &str) -> u32 {
        self.pods.of(name, |other| other == name, || name.to_owned())
    }

    /// Puts them in order of `seq`, and gives back memory that is not used.
    pub fn sort(&mut self) {
        self.rows.sort_by_key(|row| row.seq);
        self.rows.shrink_to_fit();
        self.rare.shrink_to_fit();
        self.far.shrink();
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The one at that place.
    pub fn get(&self, at: usize) -> Request<'_> {
        let row = &self.rows[at];
        let kind = self.kinds.get(row.kind);
        let time = |near: Near| self.far.get(row.due_ns, near).unwrap_or(row.due_ns);
        Request {
            seq: row.seq,
            due_ns: row.due_ns,
            sent_ns: time(row.sent),
            end_ns: time(row.end),
            status: Some(kind.status).filter(|status| *status != NO_STATUS),
            error: kind.rare.get().and_then(|at| self.rare[at as usize].error.as_ref()),
            pod_name: kind.pod_name.get().map(|at| self.pods.get(at).as_str()),
            starved: kind.starved,
            row,
            kind,
            all: self,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Request<'_>> + ExactSizeIterator {
        (0..self.rows.len()).map(|at| self.get(at))
    }
}

fn trace_id(run_id: &str, seq: u64) -> String {
    format!("{run_id}{seq:016x}")
}

/// It is the run's id, then the number in 16 lower-case digits.
fn is_trace_id(text: &str, run_id: &str, seq: u64) -> bool {
    let digit = |byte: u8| if byte < 10 { b'0' + byte } else { b'a' + byte - 10 };
    let digits = (0..16).rev().map(|place| digit((seq >> (4 * place)) as u8 & 0xf));
    text.strip_prefix(run_id).is_some_and(|rest| rest.bytes().eq(digits))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::raw::client::ClientErrorKind;

    fn request(seq: u64) -> ClientRequest {
        ClientRequest {
            seq,
            trace_id: trace_id("00c0ffee00c0ffee", seq),
            due_ns: 5_000_000_000 + seq % 1_000,
            sent_ns: 5_000_000_007,
            headers_ns: None,
            end_ns: 5_001_000_000,
            status: Some(200),
            error: None,
            local: Some("10.99.0.1:54162".parse().unwrap()),
            remote: Some("[fe80::1%2]:30080".parse().unwrap()),
            pod_name: Some("a".into()),
            version: None,
            body_bytes: 1,
            starved: false,
            worker: 0,
        }
    }

    #[test]
    fn a_row_is_as_small_as_it_is_said_to_be() {
        assert_eq!(size_of::<Row>(), 32);
    }

    #[test]
    fn what_is_kept_comes_back_exactly() {
        let error = ClientError { kind: ClientErrorKind::Reset, detail: "by peer".into() };
        let given = [
            request(0),
            ClientRequest { status: None, error: Some(error), local: None, ..request(0xdead_beef) },
            ClientRequest { trace_id: "another".into(), remote: None, starved: true, ..request(1) },
            ClientRequest { trace_id: trace_id("00c0ffee00c0ffee", 3), pod_name: None, ..request(2) },
            ClientRequest { due_ns: 9, sent_ns: 0, end_ns: u64::MAX, pod_name: Some("b".into()), ..request(u64::MAX) },
        ];
        let mut kept = Requests::new("00c0ffee00c0ffee");
        for request in &given {
            kept.push(request);
        }
        assert_eq!((kept.len(), kept.iter().len()), (given.len(), given.len()));
        for (wire, it) in given.iter().zip(kept.iter()) {
            assert_eq!((it.seq, it.due_ns, it.sent_ns, it.end_ns), (wire.seq, wire.due_ns, wire.sent_ns, wire.end_ns));
            assert_eq!((it.status, it.error, it.starved), (wire.status, wire.error.as_ref(), wire.starved));
            assert_eq!((it.pod_name, it.trace_id()), (wire.pod_name.as_deref(), wire.trace_id.clone()));
            assert_eq!((it.addresses(), it.succeeded()), (wire.local.zip(wire.remote), wire.succeeded()));
        }
        assert_eq!(kept.rare.len(), 3, "an id that can be made again is not kept");
        kept.sort();
        assert!(kept.iter().map(|it| it.seq).is_sorted());
        assert_eq!(kept.get(1).trace_id(), "another");
    }
}
