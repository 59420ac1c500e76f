//! `CoreDNS` and metrics-server: processes of the first node, each behind a Service without a selector.

use super::{Context, Daemon, identity};
use crate::Result;
use crate::options::Metrics;
use crate::pki::write_secret;
use crate::template::template;

pub(crate) const COREDNS_READY_PORT: u16 = 8181;

/// Writes the configuration of `CoreDNS`.
pub(crate) fn write_configuration(context: &Context<'_>) -> Result<()> {
    let corefile = template!("Corefile")
        .render(&[("NODE_ADDRESS", &context.node.address()), ("KUBECONFIG", &context.kubeconfig("coredns"))])?;
    write_secret(&context.layout.corefile(), &corefile)
}

pub(crate) fn coredns(context: &Context<'_>) -> Daemon {
    context.daemon("coredns", [format!("-conf={}", context.layout.corefile().display())])
}

pub(crate) fn metrics_server(context: &Context<'_>) -> Daemon {
    let resolution = if context.options.metrics == Metrics::Fast { "10s" } else { "60s" };
    let mut arguments: Vec<String> = identity(&context.kubeconfig("metrics-server")).into();
    arguments.extend([
        "--secure-port=4443".into(),
        format!("--tls-cert-file={}", context.pki("metrics-server.crt")),
        format!("--tls-private-key-file={}", context.pki("metrics-server.key")),
        format!("--kubelet-certificate-authority={}", context.pki("ca.crt")),
        "--kubelet-preferred-address-types=InternalIP".into(),
        // Must be shorter than the resolution, which it is not by default.
        "--kubelet-request-timeout=5s".into(),
        format!("--metric-resolution={resolution}"),
    ]);
    context.daemon("metrics-server", arguments)
}
