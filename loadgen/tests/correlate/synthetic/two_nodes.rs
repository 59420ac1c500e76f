//! The same run on two nodes: some pods, and what was seen at their sockets, move to the other one.

use loadgen::raw::Subject;
use observer::record::Record;

use super::clocks::shifted;
use super::wire::Wire;

/// The second node.
pub const OTHER: &str = "node-2";
/// Its clock is ahead of the first node's by this much.
const AHEAD_NS: i64 = -3_000_000_000_000;

/// Moves pods to the second node, on a machine of its own. Each node's offset is known within its bound.
pub fn split(mut raw: Wire, moved: &[&str], bounds_ns: (u64, u64)) -> Wire {
    let is_moved = |record: &Record| {
        match record {
            Record::Connection(conn) => conn.pod.as_ref(),
            Record::Exchange(exchange) => exchange.pod.as_ref(),
            Record::Throttling(it) => Some(&it.pod),
            Record::Pressure(it) => Some(&it.pod),
            // The client dials the first node.
            Record::Translation(_) => None,
        }
        .is_some_and(|pod| moved.contains(&pod.name.as_str()))
    };
    let (there, here): (Vec<Record>, Vec<Record>) = raw.records.remove(0).1.into_iter().partition(is_moved);
    let there: Vec<Record> = there.into_iter().map(|record| on_other(shifted(record, AHEAD_NS))).collect();

    let mut first = raw.observers.remove(0);
    let mut second = first.clone();
    for (file, records, bound_ns) in [(&mut first, here.len(), bounds_ns.0), (&mut second, there.len(), bounds_ns.1)] {
        file.clock.same_machine = false;
        file.clock.error_bound_ns = bound_ns;
        file.records_end.as_mut().unwrap().records = records as u64;
    }
    second.node = OTHER.into();
    second.clock.node.boot_id = "another boot".into();
    second.clock.offset_ns += AHEAD_NS;
    raw.records = vec![(first.node.clone(), here), (OTHER.into(), there)];
    raw.observers = vec![first, second];
    for entry in &mut raw.timeline {
        if let Subject::Pod { name, node, .. } = &mut entry.subject
            && moved.contains(&name.as_str())
        {
            *node = Some(OTHER.into());
        }
    }
    raw
}

fn on_other(mut record: Record) -> Record {
    match &mut record {
        Record::Connection(conn) => conn.node = OTHER.into(),
        Record::Exchange(exchange) => exchange.node = OTHER.into(),
        Record::Translation(translation) => translation.node = OTHER.into(),
        Record::Throttling(it) => it.node = OTHER.into(),
        Record::Pressure(it) => it.node = OTHER.into(),
    }
    record
}
