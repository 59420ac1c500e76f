//! A model of the kernel's table, and the join against it, with events read at any delay.

#![allow(clippy::unwrap_used)]
use std::iter::Peekable;

use proptest::prelude::*;

use super::tests::{entry, query, whole_table};
use super::*;

const MS: u64 = 1_000_000;
/// Longest delay between an event and our reading it; the agent asks only after this.
const DELAY_MS: u64 = 400;

/// What happens when the one source port of the model is used.
#[derive(Clone, Debug)]
struct Use {
    /// After the use before.
    gap_ms: u64,
    /// The entry had ended by then (else it is still in `SYN_SENT` and is matched again).
    ended: bool,
    /// Its events are read this much later.
    delay_ms: u64,
    /// The event of its entry never comes.
    missed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Made(Entry),
    Destroyed(Entry),
}

/// A connection, when it was opened, and what really happened.
type Expected = (Query, u64, NatSource, Entry);

/// Events in the order in which they are read, and what really happened to each connection.
fn truth(uses: &[Use]) -> (Vec<(u64, Event)>, Vec<Expected>) {
    let (mut events, mut expected) = (Vec::new(), Vec::new());
    let (mut now, mut read) = (1_000 * MS, 0);
    let mut alive: Option<Entry> = None;
    for (index, this) in uses.iter().enumerate() {
        // Bursts in which nothing is told hide the end of the old entry with the beginning of the new one.
        let mut tell = |at, event| (!this.missed).then(|| events.push((at, event)));
        now += this.gap_ms * MS;
        // Netlink keeps the order of events, whatever the delay.
        read = read.max(now + this.delay_ms * MS);
        let opened = query(index as u64 + 1, now);
        let source = match alive {
            Some(_) if !this.ended => NatSource::Reused,
            _ => {
                if let Some(old) = alive {
                    tell(read, Event::Destroyed(old));
                }
                let made = Entry { id: Some(index as u32), ..entry(index as u8 + 1) };
                tell(read, Event::Made(made));
                alive = Some(made);
                NatSource::New
            }
        };
        expected.push((opened, now, source, alive.unwrap()));
    }
    (events, expected)
}

fn feed(table: &mut NatTable, at_ns: u64, event: Event) {
    match event {
        Event::Made(entry) => table.made(entry, at_ns),
        Event::Destroyed(entry) => table.destroyed(&entry, at_ns),
    }
}

/// What has been read by then, when it is settled what the connection met.
fn feed_until(table: &mut NatTable, unread: &mut Peekable<impl Iterator<Item = (u64, Event)>>, until_ns: u64) {
    while let Some((at, event)) = unread.next_if(|(at, _)| *at <= until_ns) {
        feed(table, at, event);
    }
}

fn uses() -> impl Strategy<Value = Vec<Use>> {
    some_missed(Just(false).boxed())
}

fn some_missed(missed: BoxedStrategy<bool>) -> impl Strategy<Value = Vec<Use>> {
    let one = (DELAY_MS + 1..30_000, any::<bool>(), 0..DELAY_MS, missed);
    let one = one.prop_map(|(gap_ms, ended, delay_ms, missed)| Use { gap_ms, ended, delay_ms, missed });
    proptest::collection::vec(one, 1..12)
}

proptest! {
    /// Every connection asked as soon as it is settled, with later events not read yet.
    #[test]
    fn asked_as_soon_as_settled(uses in uses()) {
        let (events, expected) = truth(&uses);
        let mut table = whole_table();
        let mut unread = events.into_iter().peekable();
        for (query, opened, source, entry) in expected {
            table.opened(&query);
            feed_until(&mut table, &mut unread, opened + DELAY_MS * MS);
            let applied = table.resolve(&query).unwrap();
            prop_assert_eq!((applied.source, applied.entry), (source, entry));
        }
    }

    /// Events go missing, and the kernel is asked when the agent decides: then the table holds the entry of the connection.
    #[test]
    fn what_no_event_told_is_asked_for(uses in some_missed(any::<bool>().boxed())) {
        let (events, expected) = truth(&uses);
        let mut table = whole_table();
        let mut unread = events.into_iter().peekable();
        for (query, opened, source, entry) in expected {
            table.opened(&query);
            feed_until(&mut table, &mut unread, opened + DELAY_MS * MS);
            let mut applied = table.resolve(&query);
            if applied.is_none_or(|applied| applied.source == NatSource::Reused) && table.asked(&query, entry) {
                applied = table.resolve(&query);
            }
            let applied = applied.unwrap();
            prop_assert_eq!((applied.source, applied.entry), (source, entry));
        }
    }

    /// The source port is used every few milliseconds, each connection ends and makes an entry of its own, and events are read late and
    /// in batches: no connection is given another one's entry. Asked in order, each as soon as it is settled.
    #[test]
    fn a_port_used_again_at_once(
        gaps_ms in proptest::collection::vec(1_u64..60, 1..60),
        batch_ms in 1_u64..120,
        delay_ms in 0_u64..120,
    ) {
        let opened_ns: Vec<u64> = gaps_ms.iter().scan(1_000 * MS, |at, gap| {
            *at += gap * MS;
            Some(*at)
        }).collect();
        let made = |index: usize| Entry { id: Some(index as u32), ..entry((index % 3) as u8 + 1) };
        // The reader comes by every so often, and is behind.
        let read_at = |happened_ns: u64| ((happened_ns + delay_ms * MS) / (batch_ms * MS) + 1) * batch_ms * MS;
        let mut table = NatTable::default();
        let (mut read, mut known) = (0, 0);
        for (index, at_ns) in opened_ns.iter().enumerate() {
            let now_ns = at_ns + LATE_NS + (batch_ms + delay_ms) * MS;
            while let Some(at_ns) = opened_ns.get(known).filter(|at_ns| **at_ns + MS / 2 <= now_ns) {
                table.opened(&query(known as u64 + 1, *at_ns));
                known += 1;
            }
            while let Some(happened_ns) = opened_ns.get(read).filter(|at_ns| read_at(**at_ns) <= now_ns) {
                if read > 0 {
                    table.destroyed(&made(read - 1), read_at(*happened_ns));
                }
                table.made(made(read), read_at(*happened_ns));
                read += 1;
            }
            table.read_until(now_ns / (batch_ms * MS) * batch_ms * MS - delay_ms * MS);
            let applied = table.resolve(&query(index as u64 + 1, *at_ns)).unwrap();
            prop_assert_eq!((applied.source, applied.entry), (NatSource::New, made(index)), "connection {}", index);
        }
    }

    /// Every event read before the first connection is asked for: long delays, short gaps.
    #[test]
    fn asked_at_the_very_end(uses in uses()) {
        let (events, expected) = truth(&uses);
        let mut table = whole_table();
        for (at, event) in events {
            feed(&mut table, at, event);
        }
        for (query, ..) in &expected {
            table.opened(query);
        }
        for (query, _, source, entry) in expected {
            let applied = table.resolve(&query).unwrap();
            prop_assert_eq!((applied.source, applied.entry), (source, entry));
        }
    }
}
