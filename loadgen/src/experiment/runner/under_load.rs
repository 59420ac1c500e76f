//! The load, and what the experiment does meanwhile.

use std::sync::Arc;
use std::time::Duration;

use super::source::{Sent, Source, SourceError};
use crate::experiment::{Experiment, Lab};
use crate::load::recorder::RecordSender;
use crate::load::{Counters, Reason, Stop, monotonic_ns};

/// Sends, and lets the experiment act meanwhile.
pub async fn under_load(
    experiment: &dyn Experiment,
    lab: &Lab,
    load: Source,
    counters: Arc<Counters>,
    records: RecordSender,
    stop: &Stop,
) -> Result<Sent, SourceError> {
    let (start, length) = load.timing();
    let total = experiment.at_most().is_none().then_some(length);
    let mut sending = Box::pin(load.run(Arc::clone(&counters), records, stop.clone()));
    let acting = async {
        let start_ns = start.known().await;
        tokio::time::sleep(Duration::from_nanos(start_ns.saturating_sub(monotonic_ns()))).await;
        tokio::select! {
            driven = experiment.drive(lab) => stop.set(match driven {
                Ok(()) => Reason::Done,
                Err(error) => Reason::Error(error.to_string()),
            }),
            _ = stop.aborted() => {}
        }
        std::future::pending::<()>().await;
    };
    let telling = async {
        let start_ns = start.known().await;
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let elapsed = Duration::from_nanos(monotonic_ns().saturating_sub(start_ns));
            lab.narrator.load(elapsed, total, counters.snapshot());
        }
    };
    let outcome = tokio::select! {
        outcome = &mut sending => outcome,
        () = acting => unreachable!("acting never ends by itself"),
        () = telling => unreachable!("telling never ends by itself"),
    };
    if experiment.at_most().is_some() && stop.reason().is_none() {
        stop.set(Reason::Error(
            "the schedule ended before the experiment did\n  fix: allow more with --rollout-timeout".into(),
        ));
    }
    outcome
}
