//! Whether this machine has the source ports for a connection per request.
//!
//! A port rests for a minute after its connection (`TCP_TIMEWAIT_LEN`), because the client closes first. Where the kernel
//! may use it again earlier (`net.ipv4.tcp_tw_reuse = 1`), it rests for a second.

use std::fs;

use super::Plan;

/// How long a port rests.
const REST_NS: u64 = 60_000_000_000;

/// Ports 32768 to 60999: Linux' own choice for a new network namespace.
const DEFAULT_COUNT: u64 = 28_232;

/// What the calling process' network namespace offers for one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourcePorts {
    /// Ports in `net.ipv4.ip_local_port_range`.
    pub count: u64,
    /// `net.ipv4.tcp_tw_reuse` is 1. (2, the default, means loopback only.)
    pub reused_early: bool,
}

impl SourcePorts {
    /// Reads both settings. `None`: not told here.
    pub fn read() -> Option<Self> {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
        let mut ends = range.split_whitespace().filter_map(|end| end.parse::<u64>().ok());
        let (from, to) = (ends.next()?, ends.next()?);
        let reuse = fs::read_to_string("/proc/sys/net/ipv4/tcp_tw_reuse").ok()?;
        Some(Self { count: (to + 1).checked_sub(from)?, reused_early: reuse.trim() == "1" })
    }

    /// What so many pods have together, by the kernel's defaults.
    pub fn of_pods(pods: u32) -> Self {
        Self { count: DEFAULT_COUNT * u64::from(pods), reused_early: false }
    }

    /// How many ports too few there are for this schedule with a connection per request.
    pub fn missing(&self, plan: &Plan) -> Option<u64> {
        let needed = if self.reused_early { 0 } else { most_within(plan, REST_NS) };
        needed.checked_sub(self.count).filter(|missing| *missing > 0)
    }
}

/// The most requests that are due within any window of this length, to a thousandth of the schedule.
fn most_within(plan: &Plan, window_ns: u64) -> u64 {
    let tickets = plan.tickets();
    let due = |k: u64| plan.due_ns(k).unwrap_or(u64::MAX);
    let count_from = |k: u64| {
        let end_ns = due(k).saturating_add(window_ns);
        let (mut inside, mut outside) = (k, tickets);
        while outside - inside > 1 {
            let middle = inside + (outside - inside) / 2;
            *(if due(middle) < end_ns { &mut inside } else { &mut outside }) = middle;
        }
        outside - k
    };
    (0..tickets).step_by((tickets / 1_000).max(1) as usize).map(count_from).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::raw::Schedule;

    const DEFAULT: SourcePorts = SourcePorts { count: 28_232, reused_early: false };

    fn plan(steps: &[(f64, f64)]) -> Plan {
        Plan::new(&Schedule::Steps { steps: steps.to_vec() }).unwrap()
    }

    #[test]
    fn a_minute_at_a_thousand_needs_more_ports_than_there_are() {
        assert_eq!(DEFAULT.missing(&plan(&[(1_000.0, 60.0)])), Some(60_000 - 28_232));
        assert_eq!(DEFAULT.missing(&plan(&[(250.0, 600.0)])), None);
        let reused = SourcePorts { reused_early: true, ..DEFAULT };
        assert_eq!(reused.missing(&plan(&[(1_000.0, 60.0)])), None);
    }

    #[test]
    fn a_short_peak_counts_with_what_is_around_it() {
        assert_eq!(most_within(&plan(&[(10.0, 100.0), (1_000.0, 20.0), (10.0, 100.0)]), REST_NS), 20_000 + 400);
    }

    #[test]
    fn this_machine_tells_its_settings() {
        assert!(SourcePorts::read().is_some_and(|ports| ports.count > 0));
    }
}
