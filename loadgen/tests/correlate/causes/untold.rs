//! How the attempt ended was not told.

use loadgen::report::schema::{Cause, JoinedBy};
use observer::record::{NatSource, Outcome};

use super::{failure_of, is, says};
use crate::synthetic::World;

const THREAD: Option<JoinedBy> = Some(JoinedBy::ThreadOrder);

#[test]
fn an_attempt_whose_end_was_not_told() {
    let ended = |source: NatSource, gone: bool| {
        let mut world = World::new("pod-delete");
        if gone {
            world.delete(100.0, "a", 600.0);
        }
        let mut flow = world.flow(2_000.0, "a").answered(502, 1_003);
        flow.last().failed(Outcome::Pending, 1_001).source(source);
        failure_of(world, flow)
    };
    // Refused, rejected or not answered: an old entry led there in any case.
    let stale = ended(NatSource::Reused, true);
    is(&stale, Cause::StaleNatEntry, Some("a"), THREAD);
    says(&stale, "kernel", "how the attempt had ended was not told");
    let by_rule = ended(NatSource::New, true);
    is(&by_rule, Cause::Unknown, Some("a"), THREAD);
    says(&by_rule, "client", "whether the pod refused the connection or nobody answered");
    is(&ended(NatSource::New, false), Cause::Unknown, Some("a"), THREAD);
}
