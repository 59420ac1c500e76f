//! What the flow table counts.

use std::collections::BTreeMap;

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident: $lost:literal,)+) => {
        /// Counters of the flow table. [`FlowCounters::lost`] names those that mean a loss.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct FlowCounters {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl FlowCounters {
            /// Counters that mean a loss, by name.
            pub fn lost(&self) -> BTreeMap<String, u64> {
                [$((stringify!($name), $lost, self.$name)),+]
                    .into_iter().filter(|(_, lost, _)| *lost).map(|(name, _, value)| (name.into(), value)).collect()
            }

            /// Counters that are no losses, by name.
            pub fn seen(&self) -> BTreeMap<String, u64> {
                [$((stringify!($name), $lost, self.$name)),+]
                    .into_iter().filter(|(_, lost, _)| !*lost).map(|(name, _, value)| (name.into(), value)).collect()
            }
        }
    };
}

counters! {
    /// Exchanges emitted, without those still open.
    exchanges: false,
    /// Connections emitted, without those still open.
    connections: false,
    /// Requests written while an earlier one was unanswered.
    pipelined: false,
    /// Interim answers (1xx).
    interim_answers: false,
    /// Answers without a request on a connection older than the agent, or unasked for.
    answers_without_request: false,
    /// Connections that do not speak HTTP/1.x.
    not_http: false,
    /// Of these, connections that speak HTTP/2.
    http2: false,
    /// Connections that are older than the agent.
    older_connections: false,
    /// Connections met between their beginning and their first data: the port was not watched yet, or the kernel had no room
    /// to tell (which it counts itself).
    beginnings_missed: false,
    /// Payload bytes that were not told, within followed connections.
    payload_bytes_missed: true,
    /// Times a connection's framing was lost.
    framing_lost: true,
    /// Connections given up because there were too many.
    connections_evicted: true,
    /// Connections given up because nothing was heard of them for long.
    connections_expired: false,
    /// Of these, attempts that nobody had answered: they end sooner, so their end was not told.
    ends_missed: true,
    /// Attempts of which nothing but their owner's `close()` told that they were over: how they ended is not known.
    ends_untold: false,
    /// Threads forgotten because there were too many.
    threads_forgotten: false,
    /// Data at a listener whose connection never came.
    listener_data_unclaimed: false,
}
