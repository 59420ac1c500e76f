//! Parts of a run that were read side by side, put together.

use super::super::cookies::Cookies;
use super::{Address, CallRow, ConnectionRow, ExchangeRow, Maybe, NatRow, Near, Records, TranslationRow, TroubleRow};

/// Where the numbers of a part have gone.
struct Moved {
    hosts: Vec<u32>,
    pods: Vec<u32>,
    pages: Vec<u32>,
    nats: u32,
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
            nats: self.nats.len() as u32,
            calls: self.calls.len() as u32,
            troubles: self.troubles.len() as u32,
            far: self.far.append(part.far),
        };
        moved.all(&mut self.nats, part.nats, Moved::nat);
        moved.all(&mut self.calls, part.calls, Moved::call);
        moved.all(&mut self.troubles, part.troubles, Moved::trouble);
        moved.all(&mut self.connections, part.connections, Moved::connection);
        moved.all(&mut self.exchanges, part.exchanges, Moved::exchange);
        moved.all(&mut self.translations, part.translations, Moved::translation);
        moved.all(&mut self.stops, part.stops, |moved, stop| moved.pod(&mut stop.pod));
        moved.all(&mut self.waits, part.waits, |moved, wait| moved.pod(&mut wait.pod));
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

    fn host(&self, number: u32) -> u32 {
        // No address has a number beyond the list.
        self.hosts.get(number as usize).copied().unwrap_or(number)
    }

    fn address(&self, address: &mut Address) {
        *address = address.at_host(self.host(address.host()));
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

    fn nat(&self, row: &mut NatRow) {
        self.time(&mut row.created);
        self.pod(&mut row.pod);
        for address in [&mut row.dialled, &mut row.chosen, &mut row.source_seen] {
            self.address(address);
        }
    }

    fn call(&self, row: &mut CallRow) {
        self.time(&mut row.at);
        self.socket(&mut row.conn);
    }

    fn trouble(&self, row: &mut TroubleRow) {
        if let Some(expired) = &mut row.expired {
            self.pod(&mut expired.pod);
            self.address(&mut expired.chosen);
        }
    }

    fn connection(&self, row: &mut ConnectionRow) {
        self.time(&mut row.established);
        self.time(&mut row.closed);
        self.socket(&mut row.id);
        self.pod(&mut row.pod);
        row.nat = row.nat.moved(self.nats);
        row.opened_after = row.opened_after.moved(self.calls);
        row.trouble = row.trouble.moved(self.troubles);
        self.address(&mut row.local);
        self.address(&mut row.remote);
    }

    fn exchange(&self, row: &mut ExchangeRow) {
        for time in [&mut row.request_end, &mut row.request_read, &mut row.response_start, &mut row.response_end] {
            self.time(time);
        }
        self.socket(&mut row.conn);
        self.pod(&mut row.pod);
        row.sent_after = row.sent_after.moved(self.calls);
        self.address(&mut row.local);
        self.address(&mut row.remote);
    }

    fn translation(&self, row: &mut TranslationRow) {
        self.pod(&mut row.pod);
        for address in [&mut row.client, &mut row.dialled, &mut row.chosen, &mut row.source_seen] {
            self.address(address);
        }
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
            let Records { connections, exchanges, translations, nats, calls, troubles, far, named, pods, .. } = records;
            let cookies: Vec<u64> = connections.iter().map(|row| records.cookie(row.id)).collect();
            format!(
                "{connections:?} {exchanges:?} {translations:?} {nats:?} {calls:?} {troubles:?} {far:?} {named:?} {:?} {cookies:?}",
                pods.list()
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
