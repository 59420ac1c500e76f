//! One shard's records as if they had been made here: on our clock, and with workers of their own. Pure.

use crate::raw::{ClientRequest, ClockOffset, Lag};

/// A record on our clock. Workers of all shards are counted through.
pub fn on_our_clock(mut record: ClientRequest, offset_ns: i64, shard: u32, workers: u32) -> ClientRequest {
    let ours = |ns: u64| ns.saturating_add_signed(offset_ns.saturating_neg());
    record.due_ns = ours(record.due_ns);
    record.sent_ns = ours(record.sent_ns);
    record.headers_ns = record.headers_ns.map(ours);
    record.end_ns = ours(record.end_ns);
    record.worker += shard * workers;
    record
}

/// A lag on our clock.
pub fn lag_on_our_clock(lag: Lag, offset_ns: i64, shard: u32) -> Lag {
    let ours = |ns: u64| ns.saturating_add_signed(offset_ns.saturating_neg());
    Lag { due_ns: ours(lag.due_ns), ran_ns: ours(lag.ran_ns), shard: Some(shard) }
}

/// A moment of ours on the shard's clock.
pub fn on_its_clock(ours_ns: u64, clock: &ClockOffset) -> u64 {
    ours_ns.saturating_add_signed(clock.offset_ns)
}

#[cfg(test)]
mod tests {
    use observer::api::Clock;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn there_and_back_is_the_same_moment(at in 2_000_000_000_000_u64..4_000_000_000_000, offset_ns in -1_000_000_000_000_i64..1_000_000_000_000) {
            let node = Clock { node: String::new(), boot_id: String::new(), monotonic_ns: 0, realtime_ns: 0 };
            let clock = ClockOffset { node, offset_ns, error_bound_ns: 0, same_machine: false };
            let its_ns = on_its_clock(at, &clock);
            let record = ClientRequest {
                seq: 7,
                trace_id: String::new(),
                due_ns: its_ns,
                sent_ns: its_ns + 1,
                headers_ns: Some(its_ns + 2),
                end_ns: its_ns + 3,
                status: Some(200),
                error: None,
                local: None,
                remote: None,
                pod_name: None,
                version: None,
                body_bytes: 0,
                starved: false,
                worker: 5,
            };
            let ours = on_our_clock(record, offset_ns, 2, 32);
            prop_assert_eq!((ours.due_ns, ours.sent_ns, ours.headers_ns, ours.end_ns), (at, at + 1, Some(at + 2), at + 3));
            prop_assert_eq!((ours.seq, ours.worker), (7, 69));
            let lag = Lag { due_ns: its_ns, ran_ns: its_ns + 9, shard: None };
            prop_assert_eq!(lag_on_our_clock(lag, offset_ns, 2), Lag { due_ns: at, ran_ns: at + 9, shard: Some(2) });
        }
    }
}
