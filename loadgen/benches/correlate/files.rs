//! What packing the raw files costs while they are written, and what reading them back takes.

use std::path::Path;
use std::time::Instant;

use loadgen::raw::write::NdjsonWriter;
use loadgen::raw::{RawRun, read_run};
use serde::Serialize;

/// Requests of the run that is written.
pub const REQUESTS: u32 = 100_000;

/// Writes one run both ways, and reads it back.
pub fn packed_and_plain(run: &RawRun) {
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

fn write<T: Serialize>(file: &Path, values: &[T]) -> (f64, u64) {
    let start = Instant::now();
    let mut writer = NdjsonWriter::create(file).unwrap();
    for value in values {
        writer.write(value).unwrap();
    }
    writer.finish().unwrap();
    (start.elapsed().as_secs_f64() * 1e6 / f64::from(REQUESTS), std::fs::metadata(file).unwrap().len())
}
