//! The runs that are held: at most one open, a few closed, bounded in memory.

use std::collections::BTreeMap;

use super::belongs::{Span, belongs};
use super::chunks::{Chunks, Lines};
use crate::api::{Problem, RecordsEnd, Run, RunRequest};
use crate::pods::ServiceName;
use crate::pods::topology::Parts;
use crate::record::Record;

/// An open run that is older than this was abandoned by its client, and makes room for the next.
/// Longer than any experiment of the load generator takes.
const ABANDONED_AFTER_NS: u64 = 2 * 3600 * 1_000_000_000;

/// Closed runs are kept for a client that fetches late or twice; this many.
const CLOSED_MAX: usize = 4;

/// Why a run was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another run is open.
    Busy(Problem),
    /// The request makes no sense.
    Bad(Problem),
}

#[derive(Debug)]
struct Held {
    run: Run,
    parts: Parts,
    closing_ns: Option<u64>,
    lines: Chunks,
    loss_before: BTreeMap<String, u64>,
    loss: BTreeMap<String, u64>,
}

/// Every run that is held.
#[derive(Debug)]
pub struct RunStore {
    held: Vec<Held>,
    max_bytes: usize,
}

impl RunStore {
    /// Holds records of at most about `max_bytes`, compressed.
    pub fn new(max_bytes: usize) -> Self {
        Self { held: Vec::new(), max_bytes }
    }

    fn find(&self, id: &str) -> Option<&Held> {
        self.held.iter().find(|held| held.run.id == id)
    }

    fn open_mut(&mut self) -> Option<&mut Held> {
        self.held.iter_mut().find(|held| held.run.closed_ns.is_none())
    }

    /// Opens a run. `loss` is the state of the loss counters now.
    pub fn open(&mut self, request: RunRequest, loss: BTreeMap<String, u64>, now_ns: u64) -> Result<Run, Refused> {
        check(&request)?;
        if self.find(&request.id).is_some() {
            return Err(Refused::Busy(Problem {
                error: format!("run {} is held already", request.id),
                fix: format!("choose another id, or drop it with DELETE /v1/runs/{}", request.id),
            }));
        }
        if let Some(other) = self.open_mut() {
            let age_ns = now_ns.saturating_sub(other.run.opened_ns);
            if age_ns < ABANDONED_AFTER_NS {
                return Err(Refused::Busy(busy(&other.run, age_ns)));
            }
            tracing::warn!(run = other.run.id, client = other.run.client, "an abandoned run is closed to make room");
            other.run.closed_ns = Some(now_ns);
        }
        while self.held.len() > CLOSED_MAX {
            self.held.remove(0);
        }
        let service = |name: String| Some(ServiceName::new(request.namespace.clone(), name));
        let parts = Parts { gateway: service(request.gateway_service), upstream: service(request.upstream_service) };
        let run = Run {
            id: request.id,
            client: request.client,
            opened_ns: now_ns,
            closed_ns: None,
            records: 0,
            records_dropped: 0,
        };
        self.held.push(Held {
            run: run.clone(),
            parts,
            closing_ns: None,
            lines: Chunks::default(),
            loss_before: loss,
            loss: BTreeMap::new(),
        });
        Ok(run)
    }

    /// Keeps a record if it belongs to the open run. Older runs make room when memory runs short; beyond that it is counted
    /// as dropped. `any_hop`: see [`Span::any_hop`].
    pub fn push(&mut self, record: &Record, any_hop: bool) {
        if self.bytes() > self.max_bytes && self.held.first().is_some_and(|oldest| oldest.run.closed_ns.is_some()) {
            let oldest = self.held.remove(0);
            tracing::warn!(run = oldest.run.id, "a closed run is dropped to make room for the open one");
        }
        let full = self.bytes() > self.max_bytes;
        let Some(held) = self.open_mut() else { return };
        let span = Span { id: &held.run.id, from_ns: held.run.opened_ns, until_ns: held.closing_ns, any_hop };
        if !belongs(record, span) {
            return;
        }
        let pushed = !full && held.lines.push(|out| serde_json::to_writer(out, record)).is_ok();
        if pushed {
            held.run.records += 1;
        } else {
            held.run.records_dropped += 1;
        }
    }

    /// What begins after `now_ns` no longer belongs to the run; what is still on its way does. `false`: no such open run.
    pub fn begin_close(&mut self, id: &str, now_ns: u64) -> bool {
        let Some(held) = self.open_mut().filter(|held| held.run.id == id) else { return false };
        held.closing_ns.get_or_insert(now_ns);
        true
    }

    /// Everything of the run has been pushed. `loss` is the state of the loss counters now.
    pub fn finish_close(&mut self, id: &str, now_ns: u64, loss: &BTreeMap<String, u64>) -> Option<Run> {
        let held = self.open_mut().filter(|held| held.run.id == id)?;
        held.run.closed_ns = Some(held.closing_ns.unwrap_or(now_ns));
        held.loss = difference(&held.loss_before, loss);
        Some(held.run.clone())
    }

    /// Forgets a run. `false`: there is none of that id.
    pub fn delete(&mut self, id: &str) -> bool {
        let before = self.held.len();
        self.held.retain(|held| held.run.id != id);
        self.held.len() < before
    }

    /// Memory taken by the records.
    pub fn bytes(&self) -> usize {
        self.held.iter().map(|held| held.lines.bytes()).sum()
    }

    /// The open run's Services.
    pub fn parts(&self) -> Option<&Parts> {
        self.held.iter().find(|held| held.run.closed_ns.is_none()).map(|held| &held.parts)
    }

    /// One run.
    pub fn get(&self, id: &str) -> Option<Run> {
        self.find(id).map(|held| held.run.clone())
    }

    /// All runs, oldest first.
    pub fn all(&self) -> Vec<Run> {
        self.held.iter().map(|held| held.run.clone()).collect()
    }

    /// The records of a run, and the line that ends them. `loss` is the state of the loss counters now, for a run that is
    /// still open.
    pub fn records(&self, id: &str, loss: &BTreeMap<String, u64>) -> Option<(Lines, RecordsEnd)> {
        let held = self.find(id)?;
        let loss = if held.run.closed_ns.is_some() { held.loss.clone() } else { difference(&held.loss_before, loss) };
        Some((held.lines.lines(), RecordsEnd { record: "end".into(), records: held.run.records, loss }))
    }
}

fn difference(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let grown = |(name, after): (&String, &u64)| {
        let lost = after.saturating_sub(before.get(name).copied().unwrap_or(0));
        (lost > 0).then(|| (name.clone(), lost))
    };
    after.iter().filter_map(grown).collect()
}

fn busy(other: &Run, age_ns: u64) -> Problem {
    let seconds = age_ns / 1_000_000_000;
    Problem {
        error: format!(
            "run {} of {} is open since {seconds} s ago; there can be one at a time",
            other.id, other.client
        ),
        fix: format!(
            "wait for it, or, if its client is gone, drop it with DELETE /v1/runs/{} (after {} h that happens by itself)",
            other.id,
            ABANDONED_AFTER_NS / 3_600_000_000_000
        ),
    }
}

fn check(request: &RunRequest) -> Result<(), Refused> {
    let lower_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let bad = |error: String, fix: &str| Err(Refused::Bad(Problem { error, fix: fix.into() }));
    if request.id.len() != 16 || !request.id.chars().all(lower_hex) {
        let id: String = request.id.chars().take(40).collect();
        return bad(format!("`{id}` is no run id"), "send 16 lower-case hexadecimal digits");
    }
    let names = [&request.namespace, &request.gateway_service, &request.upstream_service];
    if names.iter().any(|name| name.is_empty()) {
        return bad("a name is empty".into(), "send namespace, gateway_service and upstream_service");
    }
    Ok(())
}

#[cfg(test)]
pub mod tests;
