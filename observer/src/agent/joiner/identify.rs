//! Which pod a socket belongs to, and which hop it stands at.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Connection, Exchange, Hop, Joiner, PodRef, PodSource, Role, Seen, Side};

/// What identifies a socket.
#[derive(Clone, Copy, Debug)]
pub struct Socket {
    pub side: Side,
    pub cgroup_id: u64,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// Its connection was opened, or its exchange began.
    pub at_ns: u64,
}

impl Socket {
    pub fn of_connection(seen: &Seen<Connection>) -> Self {
        let it = &seen.record;
        Self { side: seen.side, cgroup_id: seen.cgroup_id, local: it.local, remote: it.remote, at_ns: it.opened_ns }
    }

    pub fn of_exchange(seen: &Seen<Exchange>) -> Self {
        let it = &seen.record;
        Self {
            side: seen.side,
            cgroup_id: seen.cgroup_id,
            local: it.local,
            remote: it.remote,
            at_ns: it.request_start_ns,
        }
    }
}

/// What is known of a socket.
#[derive(Clone, Debug)]
pub struct Known {
    pub hop: Hop,
    pub pod: Option<(Arc<PodRef>, PodSource)>,
}

impl Known {
    fn pod_fields(&self) -> (Option<PodRef>, Option<PodSource>) {
        self.pod.as_ref().map(|(pod, source)| ((**pod).clone(), *source)).unzip()
    }

    pub fn fill_connection(&self, node: &str, seen: &mut Seen<Connection>) -> Connection {
        let (pod, pod_source) = self.pod_fields();
        Connection { node: node.to_owned(), hop: self.hop, pod, pod_source, ..seen.record.clone() }
    }

    pub fn fill_exchange(&self, node: &str, seen: &mut Seen<Exchange>) -> Exchange {
        let (pod, pod_source) = self.pod_fields();
        Exchange { node: node.to_owned(), hop: self.hop, pod, pod_source, ..seen.record.clone() }
    }
}

impl Joiner {
    /// Pod and hop of a socket. `None`: what is missing may still come.
    pub fn identify(&mut self, socket: &Socket, last_try: bool) -> Option<Known> {
        let in_unknown_cgroup = socket.cgroup_id != 0 && self.pods.uid_of_cgroup(socket.cgroup_id).is_none();
        if in_unknown_cgroup && !self.cgroups.is_foreign(socket.cgroup_id, socket.at_ns) && !last_try {
            return None;
        }
        let pod = self.pods.of_socket(socket.cgroup_id, socket.local.ip(), socket.at_ns);
        let pod = pod.map(|(pod, source)| (Arc::clone(pod), source));
        let named_by_cgroup = self.pods.uid_of_cgroup(socket.cgroup_id).is_some();
        if pod.is_none() && named_by_cgroup && self.pods_watched && !last_try {
            return None;
        }
        let Some((owner, _)) = &pod else { return Some(Known { hop: Hop::Other, pod }) };
        let waits = self.pods_watched && !last_try;
        if waits && !self.topology.knows_part(&owner.uid) {
            // A pod that has just become an endpoint: its slice may be on its way to us.
            return None;
        }
        let hop = self.hop(&owner.uid, socket);
        if waits && socket.side == Side::Client && hop == Hop::Other && !self.knows_remote(socket) {
            return None;
        }
        Some(Known { hop, pod })
    }

    fn knows_remote(&self, socket: &Socket) -> bool {
        let pod = self.pods.by_address(socket.remote.ip(), socket.at_ns);
        self.topology.service_at(socket.remote).is_some() || pod.is_some_and(|pod| self.topology.knows_part(&pod.uid))
    }

    fn hop(&self, uid: &str, socket: &Socket) -> Hop {
        let parts = self.parts.as_ref();
        match (socket.side, self.topology.role(uid, parts)) {
            (Side::Server, Role::Gateway) => Hop::Front,
            (Side::Server, Role::Upstream) => Hop::Pod,
            (Side::Client, Role::Gateway) => {
                let dialled = self.pods.by_address(socket.remote.ip(), socket.at_ns).map(|pod| pod.uid.as_str());
                if self.topology.leads_upstream(socket.remote, dialled, parts) { Hop::Upstream } else { Hop::Other }
            }
            _ => Hop::Other,
        }
    }
}
