//! The agent's numbers as Prometheus text.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

pub mod list;

use crate::agent::input::Snapshot;
use list::Metric;

/// Of the text that [`encode`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the latency buckets in seconds: from 100 µs to 10 s in steps of about 2.
const BUCKETS_S: [f64; 16] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The whole answer to `/metrics`.
pub fn encode(snapshot: Snapshot) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(list::PREFIX);
    registry.register_collector(Box::new(Numbers(snapshot)));
    let mut out = String::new();
    text::encode(&mut out, &registry)?;
    Ok(out)
}

#[derive(Debug)]
struct Numbers(Snapshot);

type Labels<'a> = Vec<(&'a str, String)>;

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = &self.0.status;
        self.latency(&mut encoder)?;
        counters(&mut encoder, &list::LOST, "name", &status.loss.by_name)?;
        counter(&mut encoder, &list::EVENTS_DROPPED, status.loss.events_dropped)?;
        let (levels, counts): (BTreeMap<_, _>, BTreeMap<_, _>) =
            status.counters.clone().into_iter().partition(|(name, _)| list::LEVELS.contains(&name.as_str()));
        counters(&mut encoder, &list::COUNTED, "name", &counts)?;
        gauges(&mut encoder, &list::LEVEL, "name", levels.into_iter().map(|(name, level)| (name, level as i64)))?;
        let attached = status.programs.iter().map(|program| (program.name.clone(), i64::from(program.attached)));
        gauges(&mut encoder, &list::PROGRAM_ATTACHED, "program", attached)?;
        let works = status.watches.iter().map(|watch| (watch.name.clone(), i64::from(watch.ok)));
        gauges(&mut encoder, &list::WATCH_WORKS, "watch", works)?;
        gauge(&mut encoder, &list::CANARY_SEEN, i64::from(status.canary_seen))?;
        gauge(&mut encoder, &list::WATCHED_PORTS, status.ports.len() as i64)?;
        counter(&mut encoder, &list::CPU_SECONDS, status.cost.cpu_ns as f64 / 1e9)?;
        gauge(&mut encoder, &list::RESIDENT_BYTES, status.cost.rss_bytes as i64)?;
        if let (Some(ns), Some(runs)) = (status.cost.bpf_ns, status.cost.bpf_runs) {
            counter(&mut encoder, &list::BPF_SECONDS, ns as f64 / 1e9)?;
            counter(&mut encoder, &list::BPF_RUNS, runs)?;
        }
        let records = status.runs.iter().map(|run| run.records).sum::<u64>();
        let dropped = status.runs.iter().map(|run| run.records_dropped).sum::<u64>();
        gauge(&mut encoder, &list::RECORDS_HELD, records as i64)?;
        gauge(&mut encoder, &list::RECORDS_NOT_HELD, dropped as i64)
    }
}

impl Numbers {
    fn latency(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let series = self.0.hops.sorted();
        let labels = |key: &crate::agent::hops::SeriesKey| -> Labels<'_> {
            let pod = key.pod.clone().unwrap_or_else(|| "unknown".into());
            vec![("hop", list::hop_name(key.hop).to_owned()), ("pod", pod), ("status", key.class.name())]
        };
        let metric = &list::EXCHANGES;
        let mut family = encoder.encode_descriptor(metric.name, metric.help, None, MetricType::Counter)?;
        for (key, series) in &series {
            ConstCounter::new(series.count).encode(family.encode_family(&labels(key))?)?;
        }
        let metric = &list::LATENCY;
        let mut family = encoder.encode_descriptor(metric.name, metric.help, None, MetricType::Histogram)?;
        for (key, series) in &series {
            let latency = &series.latency_us;
            let mut below = 0;
            let mut buckets = Vec::with_capacity(BUCKETS_S.len() + 1);
            for bound_s in BUCKETS_S {
                let up_to = latency.count_between(0, (bound_s * 1e6) as u64);
                buckets.push((bound_s, up_to - below));
                below = up_to;
            }
            buckets.push((f64::INFINITY, latency.len() - below));
            let labels = labels(key);
            let mut encoder = family.encode_family(&labels)?;
            encoder.encode_histogram::<[(&str, &str); 0]>(series.sum_us as f64 / 1e6, latency.len(), &buckets, None)?;
        }
        Ok(())
    }
}

fn counter<N>(encoder: &mut DescriptorEncoder<'_>, metric: &Metric, value: N) -> fmt::Result
where
    ConstCounter<N>: prometheus_client::encoding::EncodeMetric,
{
    let value = ConstCounter::new(value);
    value.encode(encoder.encode_descriptor(metric.name, metric.help, None, MetricType::Counter)?)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, metric: &Metric, value: i64) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_descriptor(metric.name, metric.help, None, MetricType::Gauge)?)
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &Metric,
    label: &str,
    values: &BTreeMap<String, u64>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(metric.name, metric.help, None, MetricType::Counter)?;
    for (name, value) in values {
        ConstCounter::new(*value).encode(family.encode_family(&[(label, name.as_str())])?)?;
    }
    Ok(())
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &Metric,
    label: &str,
    values: impl Iterator<Item = (String, i64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(metric.name, metric.help, None, MetricType::Gauge)?;
    for (name, value) in values {
        ConstGauge::new(value).encode(family.encode_family(&[(label, name.as_str())])?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
