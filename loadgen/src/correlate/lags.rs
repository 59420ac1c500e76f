//! How long a request's sender itself did not run in a part of its way: the load generator, or a pod of its Job.

use super::context::Context;
use crate::raw::Lag;

/// Of that time, in nanoseconds. 0: it ran, or nothing is known of it.
pub fn late_ns(ctx: &Context<'_, '_>, request: u32, from_ns: u64, to_ns: u64) -> u64 {
    within_ns(&ctx.raw.lags, sender(ctx, request), from_ns, to_ns)
}

/// The sender in words.
pub fn sender_in_words(ctx: &Context<'_, '_>, request: u32) -> String {
    match sender(ctx, request) {
        Some(shard) => format!("the load generator's pod {}", ctx.raw.run.shards[shard as usize].pod),
        None => "the load generator itself".to_owned(),
    }
}

/// Which of the pods that send; each sends every n-th request. `None`: the load generator itself.
fn sender(ctx: &Context<'_, '_>, request: u32) -> Option<u32> {
    let shards = ctx.raw.run.shards.len() as u64;
    ctx.client.at(request).seq.checked_rem(shards).map(|shard| shard as u32)
}

/// Lags of one sender follow each other and do not overlap: each begins after the one before has ended.
fn within_ns(lags: &[Lag], sender: Option<u32>, from_ns: u64, to_ns: u64) -> u64 {
    let first = lags.partition_point(|lag| (lag.shard, lag.ran_ns) <= (sender, from_ns));
    let met = lags[first..].iter().take_while(|lag| lag.shard == sender && lag.due_ns < to_ns);
    met.map(|lag| lag.ran_ns.min(to_ns).saturating_sub(lag.due_ns.max(from_ns))).sum()
}

#[cfg(test)]
mod tests {
    use super::within_ns;
    use crate::raw::Lag;

    #[test]
    fn lags_count_as_far_as_they_were_inside() {
        let lags = [(10, 20), (30, 50), (60, 61)].map(|(due_ns, ran_ns)| Lag { due_ns, ran_ns, shard: None });
        let late = |from_ns, to_ns| within_ns(&lags, None, from_ns, to_ns);
        assert_eq!([late(0, 100), late(15, 40), late(20, 30), late(61, 90)], [31, 15, 0, 0]);
        assert_eq!((within_ns(&[], None, 0, 9), within_ns(&lags, Some(0), 0, 100)), (0, 0));
    }

    #[test]
    fn each_sender_has_its_own() {
        let lags = [(None, 1, 2), (Some(0), 10, 20), (Some(0), 30, 50), (Some(1), 5, 95)];
        let lags = lags.map(|(shard, due_ns, ran_ns)| Lag { due_ns, ran_ns, shard });
        let late = |sender| within_ns(&lags, sender, 15, 40);
        assert_eq!([None, Some(0), Some(1), Some(2)].map(late), [0, 15, 25, 0]);
    }
}
