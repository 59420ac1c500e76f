//! Bounds of what counts as "at the same time". Each has its reason; none of them is a measurement.

/// The watch tells us of a change some time after the node may have acted on it: a deletion that we learn of up to this
/// long after an attempt has ended can still be its cause. On a busy one-node cluster 12 to 45 ms were seen; a loaded
/// API server needs longer.
pub const WATCH_LAG_NS: u64 = 1_000_000_000;

/// The kubelet looks once a second which containers still run, and then has to tell: we learn of a container's end up to this
/// long after what it cut off.
pub const CONTAINER_LAG_NS: u64 = 3_000_000_000;

/// kube-proxy applies changes at most once a second, and a large rule set takes a while to load: a Service that had no
/// endpoint this long ago may still be rejected now.
pub const RULE_LAG_NS: u64 = 3_000_000_000;

/// An event of conntrack is stamped when it is read, so it can be a little later than the packet that made it.
pub const CONNTRACK_LAG_NS: u64 = 1_000_000_000;

/// An unanswered SYN keeps its conntrack entry this long (`nf_conntrack_tcp_timeout_syn_sent`).
pub const STALE_ENTRY_NS: u64 = 120_000_000_000;

/// Two clocks of one path may disagree by this much beside their measured error before we call it disorder.
pub const CLOCK_SLACK_NS: u64 = 50_000;

/// A SYN is repeated after one second; nothing faster is a repetition.
pub const SYN_TIMEOUT_NS: u64 = 900_000_000;

/// The last packet of a handshake is under way no longer than this: a pod's socket is not made later than this after the other
/// end has closed.
pub const HANDSHAKE_NS: u64 = 500_000_000;

/// Slowest successes that are explained where nobody asks for more.
pub const SLOWEST: usize = 10;
