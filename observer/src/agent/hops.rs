//! Always-on latency of each pod at each hop, by class of status. Pure.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use hdrhistogram::Histogram;

use crate::record::{Exchange, ExchangeEnd, Hop};

/// Pods times hops times status classes that are told apart; what exceeds it is added to the unknown pod.
const SERIES_MAX: usize = 4_096;
/// Relative error of a percentile: 0.1 %.
const SIGNIFICANT_DIGITS: u8 = 3;
/// A series without an exchange for this long makes room for others.
const IDLE_NS: u64 = 3_600 * 1_000_000_000;

/// Class of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatusClass(Option<u16>);

impl StatusClass {
    fn of(status: Option<u16>) -> Self {
        Self(status.map(|status| status / 100))
    }

    /// `2xx`, …, or `none` where there was no answer.
    pub fn name(self) -> String {
        self.0.map_or_else(|| "none".into(), |class| format!("{class}xx"))
    }
}

/// What a series is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    /// The hop.
    pub hop: Hop,
    /// `namespace/name` of the pod.
    pub pod: Option<String>,
    /// Class of the status.
    pub class: StatusClass,
}

/// One series.
#[derive(Clone, Debug)]
pub struct Series {
    /// Exchanges.
    pub count: u64,
    /// Latency of the complete ones in microseconds, request start → response end.
    pub latency_us: Histogram<u32>,
    /// Their sum.
    pub sum_us: u64,
    last_ns: u64,
}

/// All series.
#[derive(Clone, Debug, Default)]
pub struct Hops {
    series: HashMap<SeriesKey, Series>,
    overflow: u64,
}

impl Hops {
    /// Adds an exchange that has ended.
    pub fn add(&mut self, exchange: &Exchange, now_ns: u64) {
        let pod = exchange.pod.as_ref().map(|pod| format!("{}/{}", pod.namespace, pod.name));
        let mut key = SeriesKey { hop: exchange.hop, pod, class: StatusClass::of(exchange.status) };
        if self.series.len() >= SERIES_MAX && !self.series.contains_key(&key) {
            self.overflow += 1;
            key.pod = None;
        }
        match self.series.entry(key) {
            Entry::Occupied(known) => known.into_mut().add(exchange, now_ns),
            Entry::Vacant(vacant) => {
                if let Some(series) = Series::new(now_ns) {
                    vacant.insert(series).add(exchange, now_ns);
                }
            }
        }
    }

    /// Forgets series of pods that have long been silent.
    pub fn forget(&mut self, now_ns: u64) {
        self.series.retain(|key, series| key.pod.is_none() || now_ns.saturating_sub(series.last_ns) < IDLE_NS);
    }

    /// Every series, in order.
    pub fn sorted(&self) -> BTreeMap<&SeriesKey, &Series> {
        self.series.iter().collect()
    }

    /// Exchanges whose pod is not told apart because there were too many series.
    pub fn overflow(&self) -> u64 {
        self.overflow
    }
}

impl Series {
    fn new(now_ns: u64) -> Option<Self> {
        let latency_us = Histogram::new(SIGNIFICANT_DIGITS).ok()?;
        Some(Self { count: 0, latency_us, sum_us: 0, last_ns: now_ns })
    }

    fn add(&mut self, exchange: &Exchange, now_ns: u64) {
        self.count += 1;
        self.last_ns = now_ns;
        let complete = exchange.end == ExchangeEnd::Complete;
        if let Some(end_ns) = exchange.response_end_ns.filter(|_| complete) {
            let us = end_ns.saturating_sub(exchange.request_start_ns) / 1_000;
            // 0 µs would be lost by the histogram's lower bound of 1.
            if self.latency_us.record(us.max(1)).is_ok() {
                self.sum_us += us;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::record::{PodRef, Record};
    use crate::runs::tests::exchange;

    fn ended(pod: Option<&str>, status: Option<u16>, took_us: u64) -> Exchange {
        let Record::Exchange(base) = exchange(Hop::Pod, None, 1_000, Some(1_000 + took_us * 1_000)) else {
            unreachable!()
        };
        let pod = pod.map(|name| PodRef { namespace: "lab".into(), name: name.into(), uid: name.into() });
        Exchange { pod, status, ..base }
    }

    #[test]
    fn series_are_apart_by_pod_and_status() {
        let mut hops = Hops::default();
        for took in 1..=100 {
            hops.add(&ended(Some("a"), Some(200), took), 0);
        }
        hops.add(&ended(Some("a"), Some(503), 7), 0);
        hops.add(&ended(None, None, 7), 0);
        let told: Vec<_> =
            hops.sorted().iter().map(|(key, series)| (key.pod.clone(), key.class.name(), series.count)).collect();
        assert_eq!(
            told,
            [
                (None, "none".into(), 1),
                (Some("lab/a".into()), "2xx".into(), 100),
                (Some("lab/a".into()), "5xx".into(), 1)
            ]
        );
        let sorted = hops.sorted();
        let (_, ok) = sorted.iter().find(|(key, _)| key.class.name() == "2xx").unwrap();
        assert_eq!((ok.latency_us.value_at_quantile(0.5), ok.sum_us), (50, 5_050));
    }

    #[test]
    fn an_incomplete_answer_counts_but_has_no_latency() {
        let mut hops = Hops::default();
        hops.add(&Exchange { end: ExchangeEnd::Reset, ..ended(Some("a"), Some(200), 5) }, 0);
        let sorted = hops.sorted();
        let series = sorted.values().next().unwrap();
        assert_eq!((series.count, series.latency_us.len()), (1, 0));
    }

    #[test]
    fn silent_series_are_forgotten() {
        let mut hops = Hops::default();
        hops.add(&ended(Some("a"), Some(200), 5), 0);
        hops.forget(IDLE_NS + 1);
        assert!(hops.sorted().is_empty());
    }
}
