//! The pod was gone, or on its way out.

use loadgen::report::schema::{Cause, JoinedBy};
use observer::record::{Close, ExpiredEntry, NatSource, Outcome};

use super::{failure_of, is, says};
use crate::synthetic::{Try, World, pod_ref};

const THREAD: Option<JoinedBy> = Some(JoinedBy::ThreadOrder);
const TRACE: Option<JoinedBy> = Some(JoinedBy::Trace);

#[test]
fn refused_by_a_pod_being_deleted() {
    let mut world = World::new("pod-delete");
    world.delete(500.0, "a", 1_500.0);
    world.event(520.0, "FailedPreStopHook", "a", "exec: \"/bin/sh\": no such file", 1);
    let mut flow = world.flow(600.0, "a").answered(502, 2);
    flow.last().failed(Outcome::Refused, 1);
    let failure = failure_of(world, flow);
    is(&failure, Cause::RefusedByTerminatedPod, Some("a"), THREAD);
    says(&failure, "action", "asked to delete pod a");
    says(&failure, "kernel", "pod a refused the connection");
    says(&failure, "conntrack", "chose 10.244.0.11:5000");
    says(&failure, "kubernetes", "FailedPreStopHook");
    assert!((failure.after_deletion_ms.unwrap() - 100.6).abs() < 0.1);
    assert_eq!(failure.chain.len(), 8);
}

#[test]
fn refused_before_the_watch_told_us() {
    // A rollout deletes: there is no request of ours, and the watch is a little late.
    let mut world = World::new("rollout");
    world.terminate(630.0, "a", 1_000.0);
    let mut flow = world.flow(600.0, "a").answered(502, 2);
    flow.last().failed(Outcome::Refused, 1);
    is(&failure_of(world, flow), Cause::RefusedByTerminatedPod, Some("a"), THREAD);
}

#[test]
fn refused_by_a_pod_deleted_much_later_is_unknown() {
    let mut world = World::new("rollout");
    world.terminate(5_000.0, "a", 1_000.0);
    let mut flow = world.flow(600.0, "a").answered(502, 2);
    flow.last().failed(Outcome::Refused, 1);
    let failure = failure_of(world, flow);
    is(&failure, Cause::Unknown, Some("a"), THREAD);
    says(&failure, "client", "not proven: why a pod that was not being deleted refused");
}

#[test]
fn refused_while_a_container_was_down() {
    let mut world = World::new("steady");
    world.container_ends(550.0, "a", "OOMKilled:137");
    let mut flow = world.flow(600.0, "a").answered(502, 2);
    flow.last().failed(Outcome::Refused, 1);
    let failure = failure_of(world, flow);
    is(&failure, Cause::RefusedByTerminatedPod, Some("a"), THREAD);
    says(&failure, "kubernetes", "OOMKilled");
}

#[test]
fn unanswered_by_the_address_of_a_pod_that_is_gone() {
    let mut world = World::new("pod-delete");
    world.delete(100.0, "a", 600.0);
    let mut flow = world.flow(900.0, "a").answered(504, 1_003);
    flow.last().failed(Outcome::Unanswered, 1_001);
    let failure = failure_of(world, flow);
    is(&failure, Cause::UnansweredPodIp, Some("a"), THREAD);
    says(&failure, "kubernetes", "no longer a ready endpoint");
}

#[test]
fn unanswered_through_an_old_entry() {
    let mut world = World::new("pod-delete");
    world.delete(100.0, "a", 600.0);
    let mut flow = world.flow(9_000.0, "a").answered(504, 1_003);
    flow.last().failed(Outcome::Unanswered, 1_001).source(NatSource::Reused);
    flow.last().conn().nat.as_mut().unwrap().created_ns -= 8_000_000_000;
    let failure = failure_of(world, flow);
    is(&failure, Cause::StaleNatEntry, Some("a"), THREAD);
    says(&failure, "conntrack", "no rule was consulted");
}

/// The SYN waited for somebody to have the address: a new pod got it, just when the gateway gave up.
#[test]
fn an_old_entry_to_an_address_that_a_pod_gets_too_late() {
    let mut world = World::new("pod-delete");
    world.delete(100.0, "a", 600.0);
    let mut flow = world.flow(9_000.0, "a").answered(504, 1_003);
    flow.last().failed(Outcome::Established, 1_002).source(NatSource::Reused);
    let conn = flow.last().conn();
    conn.nat.as_mut().unwrap().created_ns -= 8_000_000_000;
    conn.established_ns = Some(conn.opened_ns + 1_000_300_000);
    conn.close = Some(Close::FinLocal);
    let failure = failure_of(world, flow);
    is(&failure, Cause::StaleNatEntry, Some("a"), THREAD);
    says(&failure, "kernel", "the SYN was answered after 1.00 s, too late for the gateway's patience");
}

#[test]
fn an_old_entry_to_a_living_pod_is_not_stale() {
    let world_with = |source| {
        let mut world = World::new("steady");
        let mut flow = world.flow(900.0, "a").answered(504, 1_003);
        flow.last().failed(Outcome::Unanswered, 1_001).source(source);
        failure_of(world, flow)
    };
    // The pod was ready all the time: its packets were lost, whichever entry sent them there.
    is(&world_with(NatSource::Reused), Cause::NetworkLoss, Some("a"), THREAD);
    is(&world_with(NatSource::New), Cause::NetworkLoss, Some("a"), THREAD);
}

/// The first SYN met a Service without an endpoint, and the repeated one came too late.
#[test]
fn the_repeated_syn_finds_a_pod_when_the_gateway_gives_up() {
    let mut world = World::new("steady");
    world.no_endpoints(500.0, "ml-inference");
    let mut flow = world.flow(600.0, "a").answered(504, 1_003);
    flow.last().failed(Outcome::Unanswered, 1_001).source(NatSource::New);
    flow.last().conn().nat.as_mut().unwrap().created_ns += 1_000_200_000;
    is(&failure_of(world, flow), Cause::NoReadyEndpoint, Some("a"), THREAD);
}

/// A SYN is answered by the kernel, however busy the pod's program is: a second without an answer is a loss, whether or not a repetition
/// was seen. A shorter patience proves nothing.
#[test]
fn a_second_without_an_answer_is_a_loss() {
    let after = |ms: u64| {
        let mut world = World::new("steady");
        let mut flow = world.flow(900.0, "a").answered(504, ms + 2);
        flow.last().failed(Outcome::Unanswered, ms).source(NatSource::New);
        flow.last().conn().syn_retransmits = 0;
        failure_of(world, flow)
    };
    is(&after(1_001), Cause::NetworkLoss, Some("a"), THREAD);
    is(&after(200), Cause::Unknown, Some("a"), THREAD);
}

#[test]
fn unanswered_by_an_address_that_nobody_can_name_is_unknown() {
    let mut world = World::new("pod-delete");
    world.delete(100.0, "a", 600.0);
    let mut flow = world.flow(900.0, "a").answered(504, 1_003);
    flow.last().failed(Outcome::Unanswered, 1_001).conn().nat = None;
    is(&failure_of(world, flow), Cause::Unknown, None, THREAD);
}

#[test]
fn cut_by_a_pod_being_deleted() {
    let mut world = World::new("pod-delete");
    world.delete(590.0, "a", 100.0);
    let mut flow = world.flow(600.0, "a").answered(502, 30);
    flow.last().cut(Close::ResetRemote, 25);
    let failure = failure_of(world, flow);
    is(&failure, Cause::CutInFlight, Some("a"), TRACE);
    says(&failure, "kernel", "pod a read the request");
    says(&failure, "kernel", "the pod's side reset the connection");
}

#[test]
fn cut_by_a_pod_that_stays_is_unknown() {
    let mut world = World::new("pod-delete");
    world.delete(590.0, "b", 100.0);
    let mut flow = world.flow(600.0, "a").answered(502, 30);
    flow.last().cut(Close::FinRemote, 25);
    is(&failure_of(world, flow), Cause::Unknown, Some("a"), TRACE);
}

#[test]
fn no_ready_endpoint() {
    let mut world = World::new("steady");
    world.no_endpoints(500.0, "ml-inference");
    let mut flow = world.flow(600.0, "a").answered(502, 2);
    flow.last().failed(Outcome::Unreachable, 0).conn().nat = None;
    let failure = failure_of(world, flow);
    is(&failure, Cause::NoReadyEndpoint, None, THREAD);
    says(&failure, "kubernetes", "no ready endpoint");
}

#[test]
fn rejected_although_there_are_endpoints_is_unknown() {
    let mut world = World::new("steady");
    let mut flow = world.flow(600.0, "a").answered(502, 2);
    flow.last().failed(Outcome::Unreachable, 0).conn().nat = None;
    is(&failure_of(world, flow), Cause::Unknown, None, THREAD);
}

#[test]
fn an_old_entry_to_a_pod_of_an_earlier_run() {
    // The agent remembers the pod; the watch of this run never saw it.
    let mut world = World::new("steady");
    let mut flow = world.flow(900.0, "a").answered(504, 1_003);
    flow.last().failed(Outcome::Unanswered, 1_001).source(NatSource::Reused);
    let nat = flow.last().conn().nat.as_mut().unwrap();
    nat.pod = Some(pod_ref("long-gone"));
    nat.chosen = "10.244.0.99:5000".parse().unwrap();
    let failure = failure_of(world, flow);
    is(&failure, Cause::StaleNatEntry, Some("long-gone"), THREAD);
    says(&failure, "kubernetes", "was gone before the watch began");
}

#[test]
fn an_old_entry_that_no_rule_had_translated() {
    let made = |ms_before: u64| {
        let mut world = World::new("steady");
        let mut flow = world.flow(900.0, "a").answered(504, 1_003);
        let conn = flow.last().failed(Outcome::Unanswered, 1_001).source(NatSource::Direct).conn();
        let opened_ns = conn.opened_ns;
        let nat = conn.nat.as_mut().unwrap();
        (nat.chosen, nat.pod) = (nat.dialled, None);
        nat.created_ns = opened_ns + 100_000 - ms_before * 1_000_000;
        failure_of(world, flow)
    };
    let failure = made(20_000);
    is(&failure, Cause::StaleNatEntry, None, THREAD);
    says(&failure, "conntrack", "leads to the Service's own address");
    // Its own entry says that there was no rule, and the watch that there were endpoints: not proven.
    is(&made(0), Cause::Unknown, None, THREAD);
}

#[test]
fn an_old_entry_to_an_address_that_nobody_has() {
    let stale = |source, chosen: &str| {
        let mut world = World::new("steady");
        let mut flow = world.flow(900.0, "a").answered(504, 1_003);
        flow.last().failed(Outcome::Unanswered, 1_001).source(source);
        let nat = flow.last().conn().nat.as_mut().unwrap();
        (nat.pod, nat.chosen) = (None, chosen.parse().unwrap());
        failure_of(world, flow)
    };
    let failure = stale(NatSource::Reused, "10.244.0.99:5000");
    is(&failure, Cause::StaleNatEntry, None, THREAD);
    says(&failure, "kubernetes", "no pod has had the address 10.244.0.99");
    is(&stale(NatSource::Dump, "10.244.0.99:5000"), Cause::Unknown, None, THREAD);
    is(&stale(NatSource::New, "10.244.0.99:5000"), Cause::Unknown, None, THREAD);
}

#[test]
fn cut_by_a_container_whose_end_is_told_late() {
    let cut = |told_ms: f64| {
        let mut world = World::new("steady");
        let mut flow = world.flow(600.0, "a").answered(502, 30);
        flow.last().cut(Close::FinRemote, 25);
        world.container_ends(told_ms, "a", "Error:137");
        failure_of(world, flow)
    };
    // The kubelet looks once a second, and then has to tell.
    let failure = cut(2_900.0);
    is(&failure, Cause::CutInFlight, Some("a"), TRACE);
    says(&failure, "kubernetes", "Error:137");
    is(&cut(4_500.0), Cause::Unknown, Some("a"), TRACE);
}

#[test]
fn cut_by_a_container_that_was_back_before_the_watch_saw_it_end() {
    let mut world = World::new("steady");
    let mut flow = world.flow(600.0, "a").answered(502, 30);
    flow.last().cut(Close::FinRemote, 25);
    world.container_restarts(2_000.0, "a");
    let failure = failure_of(world, flow);
    is(&failure, Cause::CutInFlight, Some("a"), TRACE);
    says(&failure, "kubernetes", "restarted");
}

#[test]
fn no_ready_endpoint_and_the_node_does_not_say_so() {
    // The node limits its ICMP errors; the conntrack entry is missing all the same.
    let silent = |empty_ms: f64| {
        let mut world = World::new("steady");
        world.no_endpoints(empty_ms, "ml-inference");
        let mut flow = world.flow(600.0, "a").answered(504, 1_003);
        flow.last().failed(Outcome::Unanswered, 1_001).conn().nat = None;
        failure_of(world, flow)
    };
    is(&silent(500.0), Cause::NoReadyEndpoint, None, THREAD);
    // The node may know a little before the watch tells us.
    is(&silent(610.0), Cause::NoReadyEndpoint, None, THREAD);
    is(&silent(2_500.0), Cause::Unknown, None, THREAD);
}

#[test]
fn no_ready_endpoint_and_what_conntrack_has_is_no_choice() {
    // The pod is there, and not ready: its container is being started again.
    let silent = |change: &dyn Fn(&mut Try)| {
        let mut world = World::new("steady");
        world.container_ends(550.0, "a", "Error:137");
        world.no_endpoints(560.0, "ml-inference");
        let mut flow = world.flow(600.0, "a").answered(504, 1_003);
        change(flow.last().failed(Outcome::Unanswered, 1_001));
        failure_of(world, flow)
    };
    // The SYN ended an entry of an earlier connection, and the rule rejected it in silence.
    let failure = silent(&|attempt| _ = attempt.source(NatSource::Reused));
    is(&failure, Cause::NoReadyEndpoint, Some("a"), THREAD);
    // Between two sets of rules there was none for the Service: an entry was made that leads to the Service's own address.
    let failure = silent(&|attempt| {
        let nat = attempt.source(NatSource::Direct).conn().nat.as_mut().unwrap();
        (nat.chosen, nat.pod) = (nat.dialled, None);
    });
    is(&failure, Cause::NoReadyEndpoint, None, THREAD);
    says(&failure, "conntrack", "was not translated");
}

#[test]
fn the_repeated_syn_is_answered_when_the_gateway_has_given_up() {
    let late = |empty: bool| {
        let mut world = World::new("steady");
        if empty {
            world.no_endpoints(500.0, "ml-inference");
        }
        let mut flow = world.flow(600.0, "a").answered(504, 1_003);
        flow.last().failed(Outcome::Established, 1_001);
        let conn = flow.last().conn();
        conn.established_ns = Some(conn.opened_ns + 1_000_300_000);
        conn.closed_ns = Some(conn.opened_ns + 1_000_400_000);
        conn.close = Some(Close::FinLocal);
        conn.syn_retransmits = 1;
        if empty {
            // Only the repeated SYN met a rule that knew a pod.
            conn.nat.as_mut().unwrap().created_ns += 1_000_200_000;
        }
        failure_of(world, flow)
    };
    is(&late(true), Cause::NoReadyEndpoint, Some("a"), THREAD);
    let failure = late(false);
    is(&failure, Cause::NetworkLoss, Some("a"), THREAD);
    says(&failure, "kernel", "too late for the gateway's patience");
}

#[test]
fn the_first_syn_went_along_an_entry_that_expired() {
    let late = |leads_to: &str, outcome: Outcome| {
        let mut world = World::new("pod-delete");
        world.delete(500.0, "a", 50.0);
        let mut flow = world.flow(600.0, "b").answered(504, 1_003);
        flow.last().failed(outcome, 1_001);
        let conn = flow.last().conn();
        if outcome == Outcome::Established {
            conn.established_ns = Some(conn.opened_ns + 1_000_300_000);
            conn.close = Some(Close::FinLocal);
        }
        conn.syn_retransmits = 1;
        let nat = conn.nat.as_mut().unwrap();
        // An entry is told of when the SYN leaves the node, here only after the gateway had given up.
        nat.created_ns += if outcome == Outcome::Established { 1_000_200_000 } else { 1_002_800_000 };
        let chosen = "10.244.0.11:5000".parse().unwrap();
        let created_ns = conn.opened_ns - 59_500_000_000;
        nat.expired = Some(Box::new(ExpiredEntry { chosen, pod: Some(pod_ref(leads_to)), created_ns }));
        failure_of(world, flow)
    };
    for outcome in [Outcome::Established, Outcome::Unanswered] {
        let failure = late("a", outcome);
        is(&failure, Cause::StaleNatEntry, Some("a"), THREAD);
        says(&failure, "conntrack", "sent the first SYN to 10.244.0.11:5000 (pod a), and had ended");
        // One that led to a pod that is well is no reason.
        is(&late("c", outcome), Cause::NetworkLoss, Some("b"), THREAD);
    }
}

#[test]
fn a_later_connection_from_the_same_port_to_the_same_address_is_another_pods() {
    let mut world = World::new("pod-delete");
    world.delete(500.0, "a", 1_500.0);
    let mut flow = world.flow(600.0, "a").answered(502, 3);
    // The kernel had completed the handshake for a listener that closed before it accepted: nothing at the pod's side.
    flow.last().failed(Outcome::Established, 2);
    let conn = flow.last().conn();
    conn.established_ns = Some(conn.opened_ns + 300_000);
    conn.close = Some(Close::ResetRemote);
    let again = conn.clone();
    let nat = again.nat.as_ref().unwrap();
    let mut later = world.flow(9_000.0, "b");
    let this = later.last();
    this.conn().local = again.local;
    let this_nat = this.conn().nat.as_mut().unwrap();
    (this_nat.chosen, this_nat.source_seen) = (nat.chosen, nat.source_seen);
    let (pod_conn, pod_exchange) = (this.pod_conn.as_mut().unwrap(), this.pod_exchange.as_mut().unwrap());
    (pod_conn.local, pod_conn.remote) = (nat.chosen, nat.source_seen);
    (pod_exchange.local, pod_exchange.remote) = (nat.chosen, nat.source_seen);
    this.exchange().local = again.local;
    world.add(later);
    is(&failure_of(world, flow), Cause::RefusedByTerminatedPod, Some("a"), THREAD);
}
