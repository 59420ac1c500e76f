//! A connection and an exchange in which everything went well.

use std::net::SocketAddr;

use observer::record::{Connection, Exchange, ExchangeEnd, Hop, Outcome, PodSource};

use super::world::{NODE, pod_ref};

pub fn connection(conn: u64, hop: Hop, local: SocketAddr, remote: SocketAddr, pod: &str, opened_ns: u64) -> Connection {
    Connection {
        node: NODE.into(),
        conn,
        hop,
        local,
        remote,
        pod: Some(pod_ref(pod)),
        pod_source: Some(PodSource::Cgroup),
        nat: None,
        opened_ns,
        established_ns: None,
        closed_ns: None,
        outcome: Outcome::Established,
        close: None,
        reset_sent_ns: None,
        reset_received_ns: None,
        syn_retransmits: 0,
        retransmits: 0,
        srtt_us: Some(40),
        bytes_in: 100,
        bytes_out: 200,
        exchanges: 1,
        opened_after: None,
        thread: None,
        predates_observer: false,
        not_http: false,
    }
}

pub fn exchange(
    conn: u64,
    hop: Hop,
    local: SocketAddr,
    remote: SocketAddr,
    trace_id: &str,
    pod: &str,
    request_start_ns: u64,
) -> Exchange {
    Exchange {
        node: NODE.into(),
        conn,
        index: 0,
        hop,
        local,
        remote,
        pod: Some(pod_ref(pod)),
        pod_source: Some(PodSource::Cgroup),
        trace_id: Some(trace_id.into()),
        method: "GET".into(),
        path: "/predict".into(),
        status: Some(200),
        request_start_ns,
        request_end_ns: Some(request_start_ns),
        request_read_ns: None,
        response_start_ns: None,
        response_end_ns: None,
        response_read_ns: None,
        request_bytes: 200,
        response_bytes: 264,
        end: ExchangeEnd::Complete,
        sent_after: None,
        thread: None,
        pipelined: false,
        reused: false,
    }
}
