//! The gateway has no source port left.
//!
//! A connection needs a source port that no other one to the same address has; the side that closes first keeps it for a minute
//! after the end (`TIME_WAIT`, `TCP_TIMEWAIT_LEN` in the kernel's `include/net/tcp.h`). How many a pod has is its own
//! `net.ipv4.ip_local_port_range`, 28,232 by default.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use observer::record::{Hop, Outcome};

use super::Facts;
use crate::correlate::context::Context;
use crate::correlate::seen::{Conn, Seen};
use crate::report::schema::Cause;

const RESTS_NS: u64 = 60_000_000_000;

/// From where to where, on which node.
type Way = (u16, IpAddr, SocketAddr);

/// When each gateway pod opened its connections, by where they go: only of a run in which one found no port, since it is asked for
/// nothing else. In order of time, in the node's clock.
#[derive(Debug, Default)]
pub struct Dials(HashMap<Way, Vec<u64>>);

impl Dials {
    /// Of all connections that have a port.
    pub fn of(seen: &Seen<'_>) -> Self {
        let mut dials: HashMap<Way, Vec<u64>> = HashMap::new();
        if !seen.conns().any(has_no_port) {
            return Self(dials);
        }
        for conn in seen.conns().filter(|conn| conn.hop == Hop::Upstream && !has_no_port(*conn)) {
            dials.entry(way(conn)).or_default().push(conn.opened_node_ns());
        }
        for times in dials.values_mut() {
            times.sort_unstable();
        }
        Self(dials)
    }

    /// How many were opened in the minute before this one, as far as the run's records go back.
    fn in_the_minute_before(&self, conn: Conn<'_>) -> usize {
        let Some(times) = self.0.get(&way(conn)) else { return 0 };
        let at_ns = conn.opened_node_ns();
        let until = |ns: u64| times.partition_point(|&opened_ns| opened_ns < ns);
        until(at_ns) - until(at_ns.saturating_sub(RESTS_NS))
    }
}

fn has_no_port(conn: Conn<'_>) -> bool {
    conn.outcome() == Outcome::NoSourcePort
}

fn way(conn: Conn<'_>) -> Way {
    (conn.node, conn.local().ip(), conn.remote())
}

/// `connect()` failed for want of a port.
pub fn none_left(ctx: &Context<'_, '_>, conn: Conn<'_>, facts: &mut Facts) -> Cause {
    let before = ctx.dials.in_the_minute_before(conn);
    let what = format!(
        "{before} connections from {} to {} were seen to be opened in the minute before; a port rests for a minute where its connection was closed first",
        conn.local().ip(),
        conn.remote()
    );
    facts.add(conn.opened_ns(), "kernel", what);
    Cause::GatewayOutOfPorts
}
