//! The order of socket calls within each thread.
//!
//! A call by an event loop is made on behalf of what the loop handled just before: a gateway's `connect()` follows the read
//! of the request that it is for. So for each thread the last call is kept, and the last one on another connection.

use std::collections::HashMap;

use crate::record::SocketCall;

/// What is known of each thread.
#[derive(Debug)]
pub(super) struct Threads {
    calls: HashMap<u32, Calls>,
    most: usize,
    /// Threads given up because there were too many.
    pub(super) forgotten: u64,
}

#[derive(Debug)]
struct Calls {
    last: SocketCall,
    /// The last call on another connection than `last`'s.
    other: Option<SocketCall>,
}

impl Threads {
    pub(super) fn new(most: usize) -> Self {
        Self { calls: HashMap::new(), most, forgotten: 0 }
    }

    /// The thread's last call that was not on `conn`.
    pub(super) fn before(&self, thread: u32, conn: u64) -> Option<&SocketCall> {
        let calls = self.calls.get(&thread)?;
        if calls.last.conn == conn { calls.other.as_ref() } else { Some(&calls.last) }
    }

    /// Remembers a call. Thread 0 is "unknown".
    pub(super) fn made(&mut self, thread: u32, call: SocketCall) {
        if thread == 0 {
            return;
        }
        if let Some(calls) = self.calls.get_mut(&thread) {
            let before = std::mem::replace(&mut calls.last, call);
            if before.conn != calls.last.conn {
                calls.other = Some(before);
            }
            return;
        }
        if self.calls.len() >= self.most {
            self.forget_old();
        }
        self.calls.insert(thread, Calls { last: call, other: None });
    }

    /// Gives up the older half.
    fn forget_old(&mut self) {
        let mut times: Vec<u64> = self.calls.values().map(|calls| calls.last.at_ns).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        let before = self.calls.len();
        self.calls.retain(|_, calls| calls.last.at_ns > median);
        self.forgotten += (before - self.calls.len()) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::Threads;
    use crate::record::{SocketCall, SocketCallKind};

    fn call(conn: u64, at_ns: u64) -> SocketCall {
        SocketCall { kind: SocketCallKind::Recv, conn, exchange: None, at_ns }
    }

    #[test]
    fn the_last_call_elsewhere() {
        let mut threads = Threads::new(10);
        threads.made(7, call(1, 10));
        threads.made(7, call(2, 20));
        threads.made(7, call(2, 30));
        assert_eq!(threads.before(7, 3), Some(&call(2, 30)));
        assert_eq!(threads.before(7, 2), Some(&call(1, 10)));
        assert_eq!(threads.before(8, 2), None);
    }

    #[test]
    fn bounded() {
        let mut threads = Threads::new(10);
        for thread in 1..100 {
            threads.made(thread, call(1, u64::from(thread)));
        }
        assert!(threads.calls.len() <= 10);
        assert!(threads.before(99, 0).is_some());
        assert_eq!(threads.forgotten as usize + threads.calls.len(), 99);
    }
}
