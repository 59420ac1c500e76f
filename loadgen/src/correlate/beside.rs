//! How many other requests a pod had while it had one.

use observer::record::Hop;
use rustc_hash::FxHashMap;

use super::cluster::PodAt;
use super::seen::Seen;

/// The part of a request's way in which it was at a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    pub pod: PodAt,
    pub from_ns: u64,
    pub to_ns: u64,
}

/// Of each stay: how many others were there at the same time, on average over it. Everything that was seen at the pod counts, probes too.
pub fn others(seen: &Seen<'_>, stays: &[Stay]) -> Vec<f64> {
    if stays.is_empty() {
        return Vec::new();
    }
    let mut at_pod: FxHashMap<PodAt, Vec<usize>> = FxHashMap::default();
    for (number, stay) in stays.iter().enumerate() {
        at_pod.entry(stay.pod).or_default().push(number);
    }
    let mut together_ns = vec![0_u64; stays.len()];
    for exchange in seen.exchanges().filter(|exchange| exchange.hop == Hop::Pod) {
        let Some(numbers) = exchange.pod.and_then(|pod| at_pod.get(&pod)) else { continue };
        let (came_ns, left_ns) = (exchange.request_start_ns(), exchange.last_seen_ns());
        for &number in numbers {
            let stay = stays[number];
            together_ns[number] += left_ns.min(stay.to_ns).saturating_sub(came_ns.max(stay.from_ns));
        }
    }
    let on_average = |(stay, ns): (&Stay, u64)| {
        let long_ns = stay.to_ns.saturating_sub(stay.from_ns);
        // It was there all the time itself.
        ns.saturating_sub(long_ns) as f64 / long_ns.max(1) as f64
    };
    stays.iter().zip(together_ns).map(on_average).collect()
}

/// "3.4 other requests were there on average". What was not seen is not said to be away.
pub fn in_words(others: f64) -> String {
    if others <= 0.0 {
        "no other request was seen there".to_owned()
    } else if others < 0.05 {
        "other requests were seen there for less than a twentieth of it".to_owned()
    } else {
        format!("{others:.1} other requests were there on average")
    }
}
