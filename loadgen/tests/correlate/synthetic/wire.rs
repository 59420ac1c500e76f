//! A run as its files hold it, where every value can still be changed.

use loadgen::raw::{ClientRequest, Lag, ObserverFile, RawRun, Records, Requests, RunFile, TimelineEntry};
use loadgen::report::schema::Report;
use observer::record::Record;

/// All values of a run's files.
#[derive(Clone, Debug)]
pub struct Wire {
    pub run: RunFile,
    pub client: Vec<ClientRequest>,
    pub lags: Vec<Lag>,
    pub timeline: Vec<TimelineEntry>,
    pub records: Vec<(String, Vec<Record>)>,
    pub observers: Vec<ObserverFile>,
    pub warnings: Vec<String>,
}

impl Wire {
    /// As it is after reading.
    pub fn read(&self) -> RawRun {
        let mut read = RawRun {
            run: self.run.clone(),
            client: Requests::new(&self.run.id),
            lags: self.lags.clone(),
            timeline: self.timeline.clone(),
            records: Records::new(&self.run.id),
            observers: self.observers.clone(),
            warnings: self.warnings.clone(),
        };
        for request in &self.client {
            read.client.push(request);
        }
        for (node, records) in &self.records {
            let node = read.records.node(node);
            for record in records {
                read.records.push(node, record);
            }
        }
        read
    }
}

/// The report of a run.
pub fn correlate(run: &Wire) -> Report {
    loadgen::correlate::correlate(&run.read())
}
