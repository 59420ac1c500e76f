//! The offset between a node's clock and ours.

use observer::api::Clock;

use super::conversation::Conversation;
use super::error::ObserverError;
use crate::load::monotonic_ns;
use crate::raw::ClockOffset;

/// Exchanges tried: the fastest of them tells most.
const EXCHANGES: usize = 10;

/// One exchange: our clock before and after, the node's in between.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Before.
    pub sent_ns: u64,
    /// After.
    pub received_ns: u64,
    /// In between.
    pub node: Clock,
}

/// Measures it.
pub async fn measure(conversation: &mut Conversation, boot_id: &str) -> Result<ClockOffset, ObserverError> {
    let mut samples = Vec::with_capacity(EXCHANGES);
    for _ in 0..EXCHANGES {
        let sent_ns = monotonic_ns();
        let node: Clock = conversation.get("/v1/clock").await?;
        samples.push(Sample { sent_ns, received_ns: monotonic_ns(), node });
    }
    Ok(offset_from(&samples, boot_id).unwrap_or_else(|| unreachable!("there is a sample")))
}

/// The offset by the exchange with the smallest round trip. `None`: no exchange.
pub fn offset_from(samples: &[Sample], boot_id: &str) -> Option<ClockOffset> {
    let best = samples.iter().min_by_key(|sample| sample.received_ns - sample.sent_ns)?;
    let same_machine = !boot_id.is_empty() && best.node.boot_id == boot_id;
    let middle_ns = best.sent_ns.midpoint(best.received_ns);
    Some(ClockOffset {
        node: best.node.clone(),
        offset_ns: if same_machine { 0 } else { best.node.monotonic_ns as i64 - middle_ns as i64 },
        error_bound_ns: if same_machine { 0 } else { (best.received_ns - best.sent_ns).div_ceil(2) },
        same_machine,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn sample(sent_ns: u64, there_ns: u64, back_ns: u64, offset_ns: i64) -> Sample {
        let at = (sent_ns + there_ns) as i64 + offset_ns;
        let node = Clock { node: "n".into(), boot_id: "b".into(), monotonic_ns: at as u64, realtime_ns: 0 };
        Sample { sent_ns, received_ns: sent_ns + there_ns + back_ns, node }
    }

    proptest! {
        #[test]
        fn the_true_offset_is_within_the_bound(
            offset_ns in -1_000_000_000_000_i64..1_000_000_000_000,
            ways in prop::collection::vec((1_u64..50_000_000, 1_u64..50_000_000), 1..20),
        ) {
            let start = 2_000_000_000_000;
            let samples: Vec<_> = ways.iter().map(|&(there, back)| sample(start, there, back, offset_ns)).collect();
            let found = offset_from(&samples, "other").unwrap();
            prop_assert!(found.offset_ns.abs_diff(offset_ns) <= found.error_bound_ns);
        }
    }

    #[test]
    fn one_machine_has_one_clock() {
        let found = offset_from(&[sample(100, 10, 10, 77)], "b").unwrap();
        assert_eq!((found.offset_ns, found.error_bound_ns, found.same_machine), (0, 0, true));
        assert!(!offset_from(&[sample(100, 10, 10, 77)], "").unwrap().same_machine);
    }
}
