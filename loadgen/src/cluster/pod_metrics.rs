//! CPU use of pods, asked of the metrics API: the same figures that an autoscaler gets.

use std::time::Duration;

use kube::Client;
use serde_json::Value;

use super::Timeline;
use super::connect::words;
use crate::raw::Subject;
use crate::raw::quantity::milli;
use crate::raw::scaling::{PodMetrics, PodUsage};

/// Samples come every ten seconds at the most often: asked this often, none is missed and each is known early.
const EVERY: Duration = Duration::from_secs(1);

/// Asks for ever, and tells the time line of every change. Failures are told once each.
pub async fn follow(client: Client, namespace: String, timeline: Timeline) {
    let mut last: Option<Result<PodMetrics, String>> = None;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = read(&client, &namespace).await;
        if last.as_ref() == Some(&now) {
            continue;
        }
        let told = match &now {
            Ok(metrics) => metrics.clone(),
            Err(why) => PodMetrics { pods: Vec::new(), error: Some(why.clone()) },
        };
        timeline.push(Subject::PodMetrics(told));
        last = Some(now);
    }
}

/// All pods of a namespace that have a sample. The sentence says why not.
pub async fn read(client: &Client, namespace: &str) -> Result<PodMetrics, String> {
    let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods");
    let request = hyper::Request::get(&path).body(Vec::new()).map_err(|e| e.to_string())?;
    let list: Value = client.request(request).await.map_err(|e| words(&e))?;
    Ok(parse(&list))
}

fn parse(list: &Value) -> PodMetrics {
    let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
    let mut pods: Vec<PodUsage> = items.iter().filter_map(usage).collect();
    pods.sort_by(|a, b| a.pod.cmp(&b.pod));
    PodMetrics { pods, error: None }
}

/// A pod without containers, or with one that has no sample, has none.
fn usage(item: &Value) -> Option<PodUsage> {
    let containers = item["containers"].as_array().filter(|containers| !containers.is_empty())?;
    let cpu = containers.iter().map(|container| milli(container.pointer("/usage/cpu")?.as_str()?));
    Some(PodUsage {
        pod: item.pointer("/metadata/name")?.as_str()?.to_owned(),
        at_s: item["timestamp"].as_str()?.parse::<jiff::Timestamp>().ok()?.as_second(),
        window_ms: window_ms(item["window"].as_str()?)?,
        cpu_milli: cpu.sum::<Option<i64>>()?,
    })
}

/// Go's spelling of a duration: `10.062s`, `1m0s`.
fn window_ms(text: &str) -> Option<u64> {
    let mut ms = 0.0;
    let mut number = String::new();
    let mut unit = String::new();
    let mut add = |number: &mut String, unit: &mut String| {
        let factor = match unit.as_str() {
            "h" => 3_600_000.0,
            "m" => 60_000.0,
            "s" => 1_000.0,
            "ms" => 1.0,
            "us" | "µs" => 0.001,
            "ns" => 0.000_001,
            _ => return None,
        };
        ms += number.parse::<f64>().ok()? * factor;
        number.clear();
        unit.clear();
        Some(())
    };
    for c in text.chars() {
        if c.is_ascii_digit() || c == '.' {
            if !unit.is_empty() {
                add(&mut number, &mut unit)?;
            }
            number.push(c);
        } else {
            unit.push(c);
        }
    }
    add(&mut number, &mut unit)?;
    Some(ms.round() as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_of_go_are_read() {
        let cases =
            [("10.062s", Some(10_062)), ("1m0s", Some(60_000)), ("1m30.5s", Some(90_500)), ("", None), ("7", None)];
        for (text, ms) in cases {
            assert_eq!(window_ms(text), ms, "{text}");
        }
    }

    #[test]
    fn containers_are_rounded_up_one_by_one_as_the_controller_does() {
        let list = json!({"items": [
            {"metadata": {"name": "b"}, "timestamp": "1970-01-01T00:00:10Z", "window": "10s", "containers": [
                {"name": "x", "usage": {"cpu": "1100000n"}}, {"name": "y", "usage": {"cpu": "1100000n"}}]},
            {"metadata": {"name": "a"}, "timestamp": "1970-01-01T00:00:10Z", "window": "10s", "containers": []}]});
        let metrics = parse(&list);
        assert_eq!(metrics.pods, [PodUsage { pod: "b".into(), at_s: 10, window_ms: 10_000, cpu_milli: 4 }]);
    }
}
