#![allow(clippy::unwrap_used)]
use super::*;

const MS: u64 = 1_000_000;

fn address(text: &str) -> std::net::SocketAddr {
    text.parse().unwrap()
}

fn original() -> Tuple {
    Tuple { src: address("10.244.0.5:40000"), dst: address("10.96.0.2:5000") }
}

/// An entry of the one tuple of these tests, towards the pod `pod`.
pub fn entry(pod: u8) -> Entry {
    let backend = std::net::SocketAddr::from(([10, 244, 0, pod], 5678));
    Entry { original: original(), reply: Tuple { src: backend, dst: original().src }, id: None }
}

pub fn query(conn: u64, opened_ns: u64) -> Query {
    Query { original: original(), opened_ns, conn, syn_retransmits: 0, last_syn_ns: opened_ns }
}

/// Nothing is unread.
pub fn whole_table() -> NatTable {
    NatTable { read_until_ns: u64::MAX, ..NatTable::default() }
}

fn found(table: &mut NatTable, conn: u64, opened_ns: u64) -> Option<(u8, NatSource)> {
    table.resolve(&query(conn, opened_ns)).map(|applied| match applied.entry.reply.src.ip() {
        std::net::IpAddr::V4(ip) => (ip.octets()[3], applied.source),
        std::net::IpAddr::V6(_) => unreachable!("only IPv4 here"),
    })
}

#[test]
fn a_new_entry_belongs_to_the_connection_that_was_opened_just_before() {
    let mut table = whole_table();
    table.made(entry(7), 1_001 * MS);
    assert_eq!(found(&mut table, 1, 1_000 * MS), Some((7, NatSource::New)));
    assert_eq!(found(&mut table, 1, 1_000 * MS), Some((7, NatSource::New)), "asking twice changes nothing");
}

#[test]
fn a_source_port_used_again_on_a_living_entry_goes_to_the_old_pod() {
    let mut table = whole_table();
    table.made(entry(7), 1_001 * MS);
    assert_eq!(found(&mut table, 1, 1_000 * MS), Some((7, NatSource::New)));
    let applied = table.resolve(&query(2, 9_000 * MS)).unwrap();
    assert_eq!((applied.source, applied.made_ns), (NatSource::Reused, 1_001 * MS));
}

#[test]
fn a_source_port_used_again_after_the_entry_had_ended_is_new() {
    let mut table = whole_table();
    table.made(entry(7), 1_001 * MS);
    assert_eq!(found(&mut table, 1, 1_000 * MS), Some((7, NatSource::New)));
    // A SYN on a closed entry destroys it and makes another: both events follow the opening.
    table.destroyed(&entry(7), 9_001 * MS);
    table.made(entry(8), 9_001 * MS);
    assert_eq!(found(&mut table, 2, 9_000 * MS), Some((8, NatSource::New)));
}

#[test]
fn a_repeated_syn_that_made_a_second_entry_goes_where_that_one_leads() {
    let mut table = whole_table();
    table.made(entry(7), 1_001 * MS);
    table.destroyed(&entry(7), 1_012 * MS);
    table.made(entry(8), 1_012 * MS);
    let once = table.resolve(&query(1, 1_000 * MS)).unwrap();
    assert_eq!((once.entry, once.entries), (entry(7), 1), "one SYN makes one entry");
    let applied = table.resolve(&Query { syn_retransmits: 1, ..query(1, 1_000 * MS) }).unwrap();
    assert_eq!((applied.entry, applied.source, applied.entries), (entry(8), NatSource::New, 2));
    // Another connection between the two has made the second one.
    table.opened(&query(2, 1_011 * MS));
    let applied = table.resolve(&Query { syn_retransmits: 1, ..query(1, 1_000 * MS) }).unwrap();
    assert_eq!((applied.entry, applied.entries), (entry(7), 1));
}

#[test]
fn an_event_read_late_still_belongs_to_the_first_of_two() {
    let mut table = whole_table();
    table.made(entry(7), 1_300 * MS);
    table.opened(&query(1, 1_000 * MS));
    table.opened(&query(2, 1_200 * MS));
    assert_eq!(found(&mut table, 1, 1_000 * MS), Some((7, NatSource::New)));
    assert_eq!(found(&mut table, 2, 1_200 * MS), Some((7, NatSource::Reused)));
}

#[test]
fn a_new_entry_is_not_given_to_an_earlier_connection_that_had_one() {
    let mut table = whole_table();
    table.made(entry(7), 10 * MS);
    table.opened(&query(2, 1_000 * MS));
    table.opened(&query(3, 1_150 * MS));
    table.destroyed(&entry(7), 1_120 * MS);
    table.made(entry(8), 1_151 * MS);
    assert_eq!(found(&mut table, 2, 1_000 * MS), Some((7, NatSource::Reused)));
    assert_eq!(found(&mut table, 3, 1_150 * MS), Some((8, NatSource::New)));
}

#[test]
fn of_two_late_events_the_first_belongs_to_the_first_of_two() {
    // A busy agent: the first connection ends the old entry and makes another, is refused, and the port is used again, all before
    // anything is read.
    let mut table = whole_table();
    table.made(entry(7), 10 * MS);
    table.opened(&query(2, 1_000 * MS));
    table.opened(&query(3, 1_115 * MS));
    table.destroyed(&entry(7), 1_132 * MS);
    table.made(entry(8), 1_132 * MS);
    table.destroyed(&entry(8), 1_132 * MS);
    table.made(entry(9), 1_132 * MS);
    assert_eq!(found(&mut table, 2, 1_000 * MS), Some((8, NatSource::New)));
    assert_eq!(found(&mut table, 3, 1_115 * MS), Some((9, NatSource::New)));
}

#[test]
fn an_old_entry_that_ends_between_two_syns_took_the_first_along() {
    let mut table = whole_table();
    table.made(entry(7), 10 * MS);
    table.destroyed(&entry(7), 1_800 * MS);
    table.made(entry(8), 2_003 * MS);
    let repeated = Query { syn_retransmits: 1, last_syn_ns: 2_001 * MS, ..query(2, 1_000 * MS) };
    let applied = table.resolve(&repeated).unwrap();
    assert_eq!((applied.entry, applied.source, applied.entries), (entry(8), NatSource::New, 1));
    assert_eq!(applied.expired, Some((entry(7), 10 * MS)));
    // The old one had ended before: nothing took the first SYN along.
    let mut table = whole_table();
    table.made(entry(8), 2_003 * MS);
    assert_eq!(table.resolve(&repeated).unwrap().expired, None);
}

#[test]
fn without_an_entry_there_is_no_guess() {
    let mut table = whole_table();
    assert_eq!(found(&mut table, 1, 1_000 * MS), None);
    table.made(entry(7), 10 * MS);
    table.destroyed(&entry(7), 500 * MS);
    assert_eq!(found(&mut table, 1, 1_000 * MS), None);
    table.made(entry(8), 1_000 * MS + NEW_WITHIN_NS + 1);
    assert_eq!(found(&mut table, 1, 1_000 * MS), None, "far too late to be its own");
}

#[test]
fn a_dump_speaks_for_older_connections_only() {
    let mut table = whole_table();
    table.dumped(entry(7), 1_000 * MS);
    table.dump_done(999 * MS, 1_001 * MS, None);
    assert_eq!(found(&mut table, 1, 500 * MS), Some((7, NatSource::Dump)));
    assert_eq!(found(&mut table, 2, 2_000 * MS), Some((7, NatSource::Reused)));
}

#[test]
fn a_dump_ends_what_it_does_not_show_and_keeps_what_it_does() {
    let mut table = whole_table();
    table.made(entry(7), 100 * MS);
    table.dumped(entry(7), 1_000 * MS);
    table.dump_done(999 * MS, 1_001 * MS, None);
    assert_eq!(table.len(), 1);
    assert_eq!(found(&mut table, 1, 99 * MS), Some((7, NatSource::New)), "the dump does not make it younger");
    table.dump_done(3_000 * MS, 3_001 * MS, None);
    assert_eq!(found(&mut table, 2, 4_000 * MS), None);
}

#[test]
fn an_event_that_a_dump_has_overtaken_still_counts() {
    let mut table = whole_table();
    table.dumped(entry(7), 1_010 * MS);
    table.made(entry(7), 1_020 * MS);
    assert_eq!(table.len(), 1);
    assert_eq!(found(&mut table, 1, 1_000 * MS), Some((7, NatSource::New)));
}

#[test]
fn where_events_were_lost_a_living_entry_proves_nothing() {
    let mut table = whole_table();
    table.made(entry(7), 100 * MS);
    table.dumped(entry(7), 2_000 * MS);
    table.dump_done(1_999 * MS, 2_001 * MS, Some(1_000 * MS));
    assert_eq!(found(&mut table, 1, 1_500 * MS), Some((7, NatSource::Dump)));
    assert_eq!(found(&mut table, 2, 2_500 * MS), Some((7, NatSource::Reused)));
}

#[test]
fn destroyed_entries_are_forgotten_in_time() {
    let mut table = whole_table();
    table.made(entry(7), 100 * MS);
    table.destroyed(&entry(7), 200 * MS);
    table.forget(201 * MS);
    assert_eq!(table.len(), 1);
    table.forget(200 * MS + DESTROYED_KEPT_NS + 1);
    assert!(table.is_empty());
}

/// The entries of one kernel object have one id, whatever they translate to.
fn with_id(pod: u8, id: u32) -> Entry {
    Entry { id: Some(id), ..entry(pod) }
}

#[test]
fn an_entry_of_which_no_event_came_is_the_kernels_answer() {
    let mut table = whole_table();
    table.made(with_id(7, 1), 1_001 * MS);
    assert_eq!(found(&mut table, 1, 1_000 * MS), Some((7, NatSource::New)));
    let second = query(2, 9_000 * MS);
    table.opened(&second);
    assert_eq!(found(&mut table, 2, 9_000 * MS), Some((7, NatSource::Reused)));
    assert!(!table.asked(&second, with_id(7, 1)), "the kernel still has the old one");
    assert_eq!(found(&mut table, 2, 9_000 * MS), Some((7, NatSource::Reused)));
    assert!(table.asked(&second, with_id(8, 1)), "it leads elsewhere: another entry, whatever its id");
    assert_eq!(found(&mut table, 2, 9_000 * MS), Some((8, NatSource::New)));
    // Its event was only late.
    table.made(with_id(8, 1), 9_800 * MS);
    assert_eq!(table.len(), 2);
    assert_eq!(found(&mut table, 3, 9_700 * MS), Some((8, NatSource::Reused)));
}

#[test]
fn an_answer_about_a_later_connection_says_nothing_of_an_earlier_one() {
    let mut table = whole_table();
    let (first, later) = (query(1, 1_000 * MS), query(2, 1_400 * MS));
    table.opened(&first);
    table.opened(&later);
    assert!(!table.asked(&first, with_id(7, 1)));
    assert!(table.asked(&later, with_id(7, 1)));
    assert_eq!(found(&mut table, 1, 1_000 * MS), None);
}

#[test]
fn the_end_of_a_refused_connections_entry_tells_where_it_led() {
    let mut table = whole_table();
    table.made(with_id(7, 1), 1_001 * MS);
    assert_eq!(found(&mut table, 1, 1_000 * MS), Some((7, NatSource::New)));
    // The old entry ends, a new one is made, which is not told, and ends with the refusal.
    table.opened(&query(2, 9_000 * MS));
    table.destroyed(&with_id(7, 1), 9_001 * MS);
    table.destroyed(&with_id(8, 1), 9_001 * MS);
    assert_eq!(found(&mut table, 2, 9_000 * MS), Some((8, NatSource::New)));
    assert_eq!(found(&mut table, 3, 9_500 * MS), None, "it had ended by then");
}

#[test]
fn an_entry_that_ended_unseen_may_be_older_than_the_connection_when_none_was_known() {
    let mut table = whole_table();
    table.destroyed(&with_id(8, 1), 9_001 * MS);
    assert_eq!(found(&mut table, 2, 9_000 * MS), Some((8, NatSource::Dump)));
    // Not when another connection came between.
    table.opened(&query(4, 20_000 * MS));
    table.opened(&query(5, 20_400 * MS));
    table.destroyed(&with_id(9, 2), 20_401 * MS);
    assert_eq!(found(&mut table, 4, 20_000 * MS), None);
    assert_eq!(found(&mut table, 5, 20_400 * MS), Some((9, NatSource::Dump)));
}

#[test]
fn an_entry_whose_making_was_told_counts_for_more_than_the_end_of_another() {
    let mut table = whole_table();
    table.destroyed(&with_id(6, 3), 9_001 * MS);
    table.made(with_id(7, 1), 9_002 * MS);
    assert_eq!(found(&mut table, 1, 9_000 * MS), Some((7, NatSource::New)));
}
