//! A run's files: what packing them costs while they are written, and what reading them back takes.

use std::path::Path;
use std::time::Instant;

use loadgen::raw::read_run;
use loadgen::raw::write::{NdjsonWriter, write_json};
use observer::record::Outcome;
use serde::Serialize;
use tempfile::TempDir;

use crate::synthetic::{Wire, World};

/// Requests of the run that is written both ways.
const REQUESTS: u32 = 100_000;
/// Requests that are held as they travel before they are written.
const AT_ONCE: u32 = 10_000;

/// The files of a run at 1,000 requests a second in which one of a thousand is lost.
pub fn written(requests: u32) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| NdjsonWriter::create(&dir.path().join(name)).unwrap();
    let (mut client, mut records) = (file("client.ndjson.gz"), file("records-node-1.ndjson.gz"));
    let mut world = World::new("rollout");
    world.terminate(100.0, "a", 1_000.0);
    for n in 0..requests {
        add(&mut world, n);
        if n % AT_ONCE == AT_ONCE - 1 || n == requests - 1 {
            let (some, seen) = world.take();
            write_all(&mut client, &some);
            write_all(&mut records, &seen);
        }
    }
    let Wire { run, timeline, mut observers, .. } = world.finish();
    let end = observers[0].records_end.as_mut().unwrap();
    end.records = records.lines();
    records.write(end).unwrap();
    client.finish().unwrap();
    records.finish().unwrap();
    let mut lines = file("timeline.ndjson");
    write_all(&mut lines, &timeline);
    lines.finish().unwrap();
    write_json(&dir.path().join("run.json"), &run).unwrap();
    write_json(&dir.path().join("observer-node-1.json"), &observers[0]).unwrap();
    dir
}

fn add(world: &mut World, n: u32) {
    let mut flow = world.flow(f64::from(n), ["a", "b", "c"][n as usize % 3]);
    if n % 1_000 == 150 {
        flow = flow.answered(502, 2);
        flow.last().failed(Outcome::Refused, 1);
    }
    world.add(flow);
}

/// Writes one run both ways, and reads it back.
pub fn packed_and_plain() {
    let mut world = World::new("rollout");
    (0..REQUESTS).for_each(|n| add(&mut world, n));
    let run = world.finish();
    println!("| {REQUESTS} requests | client, per line | size | records, per request | size | read all, per request |");
    println!("|---|--:|--:|--:|--:|--:|");
    for (name, ending) in [("plain", ""), ("packed", ".gz")] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("run.json"), serde_json::to_vec(&run.run).unwrap()).unwrap();
        let (client_us, client_bytes) = write(&dir.path().join(format!("client.ndjson{ending}")), &run.client);
        let (node, records) = &run.records[0];
        let (records_us, bytes) = write(&dir.path().join(format!("records-{node}.ndjson{ending}")), records);
        let start = Instant::now();
        assert_eq!(read_run(dir.path()).unwrap().client.len(), run.client.len());
        let read_us = start.elapsed().as_secs_f64() * 1e6 / f64::from(REQUESTS);
        let mb = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
        println!(
            "| {name} | {client_us:.2} µs | {} | {records_us:.2} µs | {} | {read_us:.1} µs |",
            mb(client_bytes),
            mb(bytes)
        );
    }
}

fn write_all<T: Serialize>(writer: &mut NdjsonWriter, values: &[T]) {
    for value in values {
        writer.write(value).unwrap();
    }
}

fn write<T: Serialize>(file: &Path, values: &[T]) -> (f64, u64) {
    let start = Instant::now();
    let mut writer = NdjsonWriter::create(file).unwrap();
    write_all(&mut writer, values);
    writer.finish().unwrap();
    (start.elapsed().as_secs_f64() * 1e6 / f64::from(REQUESTS), std::fs::metadata(file).unwrap().len())
}
