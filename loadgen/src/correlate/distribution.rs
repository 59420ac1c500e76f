//! Many durations → one [`Latency`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use crate::report::schema::Latency;

/// Collects durations; three significant digits, any range.
pub struct Distribution {
    /// Of microseconds. Made with the first value: most pairs of pod and figure never see one.
    histogram: Option<Histogram<u64>>,
    sum_us: u128,
    /// The histogram rounds; these two are exact.
    min_us: u64,
    max_us: u64,
}

impl Distribution {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { histogram: None, sum_us: 0, min_us: u64::MAX, max_us: 0 }
    }

    /// Adds nanoseconds, rounded to the nearest microsecond.
    pub fn add_ns(&mut self, ns: u64) {
        let us = (ns + 500) / 1_000;
        if self.histogram.is_none() {
            self.histogram = Histogram::new(3).ok();
        }
        if let Some(histogram) = &mut self.histogram {
            // An auto-resizing histogram takes every value for which there is memory.
            if histogram.record(us).is_ok() {
                self.sum_us += u128::from(us);
                self.min_us = self.min_us.min(us);
                self.max_us = self.max_us.max(us);
            }
        }
    }

    /// `None`: no value.
    pub fn latency(&self) -> Option<Latency> {
        let histogram = self.histogram.as_ref().filter(|histogram| !histogram.is_empty())?;
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(histogram, &mut bytes).ok()?;
        // The upper edge of a bucket can lie above the largest value; a percentile above the maximum is nonsense.
        let at = |quantile: f64| histogram.value_at_quantile(quantile).clamp(self.min_us, self.max_us);
        Some(Latency {
            count: histogram.len(),
            min_us: self.min_us,
            mean_us: (self.sum_us as f64 / histogram.len() as f64 * 10.0).round() / 10.0,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: self.max_us,
            hdr: STANDARD.encode(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_is_not_zero() {
        assert!(Distribution::new().latency().is_none());
    }

    #[test]
    fn the_histogram_can_be_read_back() {
        let mut distribution = Distribution::new();
        for us in 1..=1_000_u64 {
            distribution.add_ns(us * 1_000);
        }
        let latency = distribution.latency().unwrap();
        assert_eq!((latency.count, latency.min_us, latency.p50_us, latency.max_us), (1_000, 1, 500, 1_000));
        let bytes = STANDARD.decode(latency.hdr).unwrap();
        let read: Histogram<u64> =
            hdrhistogram::serialization::Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        assert_eq!((read.len(), read.max()), (1_000, 1_000));
    }
}
