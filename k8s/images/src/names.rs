//! References of the images. The registry's name does not exist, so nothing can be pulled by mistake: manifests that use them say
//! `imagePullPolicy: Never`.

/// The agent.
pub const OBSERVER: &str = "podwitness.local/observer:dev";
/// The inference server that serves on after SIGTERM.
pub const INFERENCE_0_2_3: &str = "podwitness.local/inference:0.2.3";
/// The inference server that closes its listener on SIGTERM.
pub const INFERENCE_1_0_0: &str = "podwitness.local/inference:1.0.0";
/// The gateway.
pub const NGINX: &str = "podwitness.local/nginx:dev";
/// The same gateway under another tag: what a rollout of the gateway changes to.
pub const NGINX_NEXT: &str = "podwitness.local/nginx:next";
/// The process that holds a pod's namespaces.
pub const PAUSE: &str = "podwitness.local/pause:1";
/// The load generator, for loads from inside the cluster.
pub const LOADGEN: &str = "podwitness.local/loadgen:dev";
/// A shell with the usual tools, for the lab's debug pods.
pub const BUSYBOX: &str = "podwitness.local/busybox:dev";

/// Name of an image's archive: `podwitness.local/inference:0.2.3` is in `inference-0.2.3.tar`.
pub fn archive_file_name(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    format!("{}.tar", last.replace(':', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_named_by_image_and_tag() {
        assert_eq!(archive_file_name(INFERENCE_0_2_3), "inference-0.2.3.tar");
        assert_eq!(archive_file_name("busybox"), "busybox.tar");
    }
}
