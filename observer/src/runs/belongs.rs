//! Which records belong to a run.

use crate::record::{Hop, Record};

/// Identity and times of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    /// First half of the run's trace ids.
    pub id: &'a str,
    /// Opened at.
    pub from_ns: u64,
    /// Asked to close at; `None`: not yet.
    pub until_ns: Option<u64>,
    /// Nobody tells which pods are gateways and which serve: no hop is known, so every one is kept.
    pub any_hop: bool,
}

/// Whether a record belongs to a run: it stands on the way from client to pod, it overlaps the run in time, and it carries
/// no foreign trace id. Plain traffic on the same way is kept: it may be what made a request wait or fail.
pub fn belongs(record: &Record, run: Span<'_>) -> bool {
    let overlaps = |from_ns: u64, to_ns: Option<u64>| {
        run.until_ns.is_none_or(|until| from_ns <= until) && to_ns.is_none_or(|to| to >= run.from_ns)
    };
    let on_the_way = |hop: Hop| run.any_hop || hop != Hop::Other;
    match record {
        Record::Connection(it) => on_the_way(it.hop) && overlaps(it.opened_ns, it.closed_ns),
        Record::Exchange(it) => {
            let ended_ns = it.response_end_ns.or(it.response_start_ns);
            let own = it.trace_id.as_ref().is_none_or(|trace| trace.starts_with(run.id));
            on_the_way(it.hop) && own && overlaps(it.request_start_ns, ended_ns)
        }
        Record::Translation(it) => overlaps(it.nat.created_ns, Some(it.nat.created_ns)),
        Record::Throttling(it) => overlaps(it.from_ns, Some(it.to_ns)),
        Record::Pressure(it) => overlaps(it.from_ns, Some(it.to_ns)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::store::tests::exchange;

    #[test]
    fn foreign_traces_other_hops_and_other_times_stay_out() {
        let run = Span { id: "0011223344556677", from_ns: 100, until_ns: Some(200), any_hop: false };
        let own = "00112233445566770000000000000001";
        let foreign = "ffffffffffffffff0000000000000001";
        let cases = [
            (exchange(Hop::Pod, Some(own), 150, Some(160)), true),
            (exchange(Hop::Pod, None, 150, Some(160)), true),
            (exchange(Hop::Front, Some(foreign), 150, Some(160)), false),
            (exchange(Hop::Other, Some(own), 150, Some(160)), false),
            (exchange(Hop::Pod, None, 50, Some(60)), false),
            (exchange(Hop::Pod, None, 50, Some(120)), true),
            (exchange(Hop::Pod, None, 50, None), true),
            (exchange(Hop::Pod, None, 201, None), false),
        ];
        for (record, expected) in cases {
            assert_eq!(belongs(&record, run), expected, "{record:?}");
        }
        assert!(belongs(&exchange(Hop::Other, Some(own), 150, Some(160)), Span { any_hop: true, ..run }));
    }
}
