//! The closed lists in words.

use super::{Cause, JoinedBy, SlowCause};

impl Cause {
    /// As the report spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RefusedByTerminatedPod => "refused_by_terminated_pod",
            Self::UnansweredPodIp => "unanswered_pod_ip",
            Self::StaleNatEntry => "stale_nat_entry",
            Self::CutInFlight => "cut_in_flight",
            Self::StaleKeepalive => "stale_keepalive",
            Self::NoReadyEndpoint => "no_ready_endpoint",
            Self::GatewayTerminated => "gateway_terminated",
            Self::GatewayError => "gateway_error",
            Self::Pod5xx => "pod_5xx",
            Self::PodTooSlow => "pod_too_slow",
            Self::ClientTimeout => "client_timeout",
            Self::ClientStalled => "client_stalled",
            Self::NetworkLoss => "network_loss",
            Self::ClientOutOfPorts => "client_out_of_ports",
            Self::GatewayOutOfPorts => "gateway_out_of_ports",
            Self::RequestError => "request_error",
            Self::Unknown => "unknown",
        }
    }

    /// Continues a sentence that begins with a number of requests.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::RefusedByTerminatedPod => "refused by a pod that had closed its listener",
            Self::UnansweredPodIp => "sent by a rule to the address of a pod that was gone",
            Self::StaleNatEntry => "sent by an old conntrack entry to a pod that was gone",
            Self::CutInFlight => "cut off by a pod that ended before it had answered",
            Self::StaleKeepalive => "written to a kept connection that the pod had closed",
            Self::NoReadyEndpoint => "rejected because the Service had no ready endpoint",
            Self::GatewayTerminated => "lost at a gateway pod that ended",
            Self::GatewayError => "answered with an error by the gateway, no attempt at a pod having failed",
            Self::Pod5xx => "answered with an error by the pod itself",
            Self::PodTooSlow => "given up by the gateway because the pod was too slow",
            Self::ClientTimeout => "given up by the client",
            Self::ClientStalled => "given up by the load generator, which did not run itself",
            Self::NetworkLoss => "lost on the network between two ends that were alive",
            Self::ClientOutOfPorts => "never sent, because the client's machine had no free source port",
            Self::GatewayOutOfPorts => "not passed on, because the gateway pod had no free source port",
            Self::RequestError => "refused because of the request itself (4xx)",
            Self::Unknown => "without a proven cause",
        }
    }

    /// A serving pod's end is behind it, so a hook that waits can cure it.
    pub fn is_of_a_deleted_pod(self) -> bool {
        matches!(
            self,
            Self::RefusedByTerminatedPod
                | Self::UnansweredPodIp
                | Self::StaleNatEntry
                | Self::CutInFlight
                | Self::StaleKeepalive
        )
    }
}

impl JoinedBy {
    /// As the report spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::ThreadOrder => "thread_order",
            Self::Tuple => "tuple",
            Self::TimeWindow => "time_window",
        }
    }
}

impl SlowCause {
    /// As the report spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SynRetransmit => "syn_retransmit",
            Self::CpuThrottled => "cpu_throttled",
            Self::CpuPressure => "cpu_pressure",
            Self::QueuedAtGateway => "queued_at_gateway",
            Self::QueuedAtPod => "queued_at_pod",
            Self::SlowPod => "slow_pod",
            Self::SlowGateway => "slow_gateway",
            Self::LateSender => "late_sender",
            Self::LateClient => "late_client",
            Self::Retried => "retried",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_those_of_the_report() {
        for cause in [Cause::RefusedByTerminatedPod, Cause::Pod5xx, Cause::CutInFlight, Cause::Unknown] {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.name());
        }
        assert_eq!(serde_json::to_value(JoinedBy::ThreadOrder).unwrap(), JoinedBy::ThreadOrder.name());
        assert_eq!(serde_json::to_value(SlowCause::CpuThrottled).unwrap(), SlowCause::CpuThrottled.name());
    }
}
