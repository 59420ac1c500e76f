//! Pieces of the status. Pure.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use super::hops::Hops;
use crate::api::{HopSummary, Loss, Watch};
use crate::record::Hop;

/// Verdict of each watch.
pub fn watches(watches: &BTreeMap<&'static str, Option<String>>) -> Vec<Watch> {
    let one = |(name, problem): (&&str, &Option<String>)| Watch {
        name: (*name).to_owned(),
        ok: problem.is_none(),
        reason: problem.clone(),
    };
    watches.iter().map(one).collect()
}

/// Losses; `kernel` is the sum over the kernel side's.
pub fn loss(by_name: BTreeMap<String, u64>, kernel: u64) -> Loss {
    Loss { by_name, events_dropped: kernel }
}

#[derive(Default)]
struct Sum {
    by_status: BTreeMap<String, u64>,
    latency_us: Option<Histogram<u32>>,
}

/// Series summed up over the status classes.
pub fn hops(hops: &Hops) -> Vec<HopSummary> {
    let mut sums: BTreeMap<(Hop, Option<String>), Sum> = BTreeMap::new();
    for (key, series) in hops.sorted() {
        let sum = sums.entry((key.hop, key.pod.clone())).or_default();
        sum.by_status.insert(key.class.name(), series.count);
        match &mut sum.latency_us {
            // Equal bounds and digits, and a size that adapts: it always fits.
            Some(all) => drop(all.add(&series.latency_us)),
            none => *none = Some(series.latency_us.clone()),
        }
    }
    sums.into_iter().map(|((hop, pod), sum)| sum.told(hop, pod)).collect()
}

impl Sum {
    fn told(self, hop: Hop, pod: Option<String>) -> HopSummary {
        let all = self.latency_us.filter(|all| !all.is_empty());
        let percentile = |quantile: f64| all.as_ref().map(|all| all.value_at_quantile(quantile));
        let hdr = all.as_ref().and_then(encode);
        HopSummary { hop, pod, by_status: self.by_status, p50_us: percentile(0.5), p99_us: percentile(0.99), hdr }
    }
}

fn encode(histogram: &Histogram<u32>) -> Option<String> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).ok()?;
    Some(BASE64_STANDARD.encode(bytes))
}
