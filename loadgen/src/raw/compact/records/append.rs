//! Parts of a run that were read side by side, put together.

use std::hash::Hash;
use std::mem::take;

use super::super::cookies::Cookies;
use super::super::kinds::{ConnectionKind, Ends, ExchangeKind, NatKind, TranslationKind};
use super::super::numbers::Numbers;
use super::{Address, CallRow, ConnectionRow, ExchangeRow, Maybe, MoreRow, Near, Records, TranslationRow, TroubleRow};

/// Where the numbers of a part have gone.
struct Moved {
    hosts: Vec<u32>,
    pods: Vec<u32>,
    pages: Vec<u32>,
    more: u32,
    calls: u32,
    troubles: u32,
    far: u32,
}

impl Records {
    /// A part of the same run, without records.
    #[must_use]
    pub fn part(&self) -> Self {
        Self::new(&self.run_id)
    }

    /// Puts the records of a part behind these. All is numbered by its first record, so that this is what reading both one after the other
    /// would have given.
    pub fn append(&mut self, mut part: Self) {
        let moved = Moved {
            hosts: self.hosts.append(&part.hosts),
            pods: part.pods.list().iter().map(|pod| self.pod_number(pod)).collect(),
            pages: self.cookies.append(&part.cookies),
            more: self.more.len() as u32,
            calls: self.calls.len() as u32,
            troubles: self.troubles.len() as u32,
            far: self.far.append(take(&mut part.far)),
        };
        let nats = moved.kinds(&mut self.nat_kinds, &part.nat_kinds, Moved::nat);
        let calls = moved.kinds(&mut self.call_kinds, &part.call_kinds, |_, _| {});
        let connections = moved.kinds(&mut self.connection_kinds, &part.connection_kinds, Moved::connection_kind);
        let exchanges = moved.kinds(&mut self.exchange_kinds, &part.exchange_kinds, Moved::exchange_kind);
        let translations = moved.kinds(&mut self.translation_kinds, &part.translation_kinds, Moved::translation_kind);
        moved.all(&mut self.more, part.more, |moved, row| moved.more(row, &nats));
        moved.all(&mut self.calls, part.calls, |moved, row| moved.call(row, &calls));
        moved.all(&mut self.troubles, part.troubles, Moved::trouble);
        moved.all(&mut self.connections, part.connections, |moved, row| moved.connection(row, &connections));
        moved.all(&mut self.exchanges, part.exchanges, |moved, row| moved.exchange(row, &exchanges));
        let translation = |_: &Moved, row: &mut TranslationRow| row.kind = translations[row.kind as usize];
        moved.all(&mut self.translations, part.translations, translation);
        moved.all(&mut self.stops, part.stops, |moved, stop| moved.pod(&mut stop.pod));
        moved.all(&mut self.pressures, part.pressures, |moved, pressure| moved.pod(&mut pressure.pod));
        for named in &mut part.named {
            named.pod = moved.pods[named.pod as usize];
            named.host = moved.host(named.host);
            self.mention(*named);
        }
    }
}

impl Moved {
    fn all<T>(&self, rows: &mut Vec<T>, mut part: Vec<T>, each: impl Fn(&Self, &mut T)) {
        for row in &mut part {
            each(self, row);
        }
        rows.append(&mut part);
    }

    /// Keeps the kinds of a part; tells the number of each, in their order.
    fn kinds<T: Copy + Eq + Hash>(
        &self,
        kinds: &mut Numbers<T>,
        part: &Numbers<T>,
        each: impl Fn(&Self, &mut T),
    ) -> Vec<u32> {
        let moved = part.list().iter().copied().map(|mut kind| {
            each(self, &mut kind);
            kinds.of_value(kind)
        });
        moved.collect()
    }

    fn host(&self, number: u32) -> u32 {
        // No address has a number beyond the list.
        self.hosts.get(number as usize).copied().unwrap_or(number)
    }

    fn address(&self, address: &mut Address) {
        *address = address.at_host(self.host(address.host()));
    }

    fn ends(&self, ends: &mut Ends) {
        self.address(&mut ends.local);
        self.address(&mut ends.remote);
    }

    fn pod(&self, pod: &mut Maybe) {
        *pod = pod.get().map(|pod| self.pods[pod as usize]).into();
    }

    fn socket(&self, number: &mut u32) {
        *number = Cookies::moved(&self.pages, *number);
    }

    fn time(&self, near: &mut Near) {
        *near = near.moved(self.far);
    }

    fn connection_kind(&self, kind: &mut ConnectionKind) {
        self.pod(&mut kind.pod);
        self.ends(&mut kind.ends);
    }

    fn exchange_kind(&self, kind: &mut ExchangeKind) {
        self.pod(&mut kind.pod);
        self.ends(&mut kind.ends);
    }

    fn translation_kind(&self, kind: &mut TranslationKind) {
        self.nat(&mut kind.nat);
        self.address(&mut kind.client);
    }

    fn nat(&self, kind: &mut NatKind) {
        self.pod(&mut kind.pod);
        for address in [&mut kind.dialled, &mut kind.chosen, &mut kind.source_seen] {
            self.address(address);
        }
    }

    fn more(&self, row: &mut MoreRow, nats: &[u32]) {
        self.time(&mut row.nat_created);
        row.nat = row.nat.get().map(|kind| nats[kind as usize]).into();
        row.opened_after = row.opened_after.moved(self.calls);
        row.trouble = row.trouble.moved(self.troubles);
    }

    fn call(&self, row: &mut CallRow, kinds: &[u32]) {
        self.time(&mut row.at);
        self.socket(&mut row.conn);
        row.kind = kinds[row.kind as usize];
    }

    fn trouble(&self, row: &mut TroubleRow) {
        if let Some(expired) = &mut row.expired {
            self.pod(&mut expired.pod);
            self.address(&mut expired.chosen);
        }
    }

    fn connection(&self, row: &mut ConnectionRow, kinds: &[u32]) {
        self.time(&mut row.established);
        self.time(&mut row.closed);
        self.socket(&mut row.id);
        row.kind = kinds[row.kind as usize];
        row.more = row.more.moved(self.more);
    }

    fn exchange(&self, row: &mut ExchangeRow, kinds: &[u32]) {
        for time in [&mut row.request_end, &mut row.request_read, &mut row.response_start, &mut row.response_end] {
            self.time(time);
        }
        self.socket(&mut row.conn);
        row.kind = kinds[row.kind as usize];
        row.sent_after = row.sent_after.moved(self.calls);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use observer::record::Record;

    use super::*;

    /// Of two nodes with the same cookies, one pod in both parts, and times that are far from each other.
    fn records() -> Vec<(u16, Record)> {
        let record = |at: u64, node: u16, pod: &str| {
            let text = format!(
                r#"{{"record":"connection","conn":{},"node":"n{node}","hop":"upstream","local":"10.0.0.{at}:1","remote":"10.9.0.1:5000",
                "opened_ns":{at},"closed_ns":{},"established_ns":{},"outcome":"established","syn_retransmits":{at},"retransmits":0,"exchanges":1,
                "bytes_in":0,"bytes_out":0,"predates_observer":false,"not_http":false,
                "opened_after":{{"conn":{},"kind":"recv","at_ns":{}}},
                "pod":{{"namespace":"lab","name":"{pod}","uid":"{pod}"}},"pod_source":"cgroup",
                "nat":{{"dialled":"10.9.0.1:5000","chosen":"10.0.1.{at}:5000","source_seen":"10.0.0.{at}:1","created_ns":{at},"source":"new",
                "expired":{{"chosen":"10.0.2.{at}:5000","pod":{{"namespace":"lab","name":"old","uid":"old"}},"created_ns":1}}}}}}"#,
                40 * at,
                at + 100_000_000_000,
                at + 5,
                40 * at + 1,
                at + 1,
            );
            (node, serde_json::from_str(&text).unwrap())
        };
        vec![
            record(1, 0, "gw-a"),
            record(2, 1, "gw-b"),
            record(1, 1, "gw-a"),
            record(4, 0, "gw-c"),
            record(3, 1, "gw-b"),
        ]
    }

    #[test]
    fn parts_put_together_are_what_one_would_have_read() {
        let all = records();
        let read = |records: &[(u16, Record)]| {
            let mut kept = Records::new("00c0ffee00c0ffee");
            for (node, record) in records {
                kept.push(*node, record);
            }
            kept
        };
        let told = |records: &Records| {
            let Records { connections, exchanges, translations, more, calls, troubles, far, named, pods, .. } = records;
            let Records { connection_kinds, exchange_kinds, call_kinds, nat_kinds, translation_kinds, .. } = records;
            let cookies: Vec<u64> = connections.iter().map(|row| records.cookie(row.id)).collect();
            format!(
                "{connections:?} {exchanges:?} {translations:?} {more:?} {calls:?} {troubles:?} {far:?} {named:?} {cookies:?}
                {:?} {:?} {:?} {:?} {:?} {:?}",
                pods.list(),
                connection_kinds.list(),
                exchange_kinds.list(),
                call_kinds.list(),
                nat_kinds.list(),
                translation_kinds.list()
            )
        };
        let whole = read(&all);
        for cut in 0..=all.len() {
            let mut first = read(&all[..cut]);
            first.append(read(&all[cut..]));
            assert_eq!(told(&first), told(&whole), "cut at {cut}");
        }
    }
}
