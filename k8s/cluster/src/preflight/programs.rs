//! Programs of the distribution, and Go for the first build.

use super::Finding;
use crate::command::find_program;
use crate::{Error, Options, ProxyMode, binaries};

pub(super) fn check(options: &Options) -> Vec<Finding> {
    let rules = match options.proxy_mode {
        ProxyMode::Iptables => "kube-proxy writes its rules with it",
        ProxyMode::Nftables => "the CNI plugin for host ports writes its rules with it",
    };
    let mut findings = vec![
        program("runc", "runc", "containerd starts containers with it"),
        program("ip", "iproute2", "it makes the network namespaces"),
        program("nsenter", "util-linux", "it runs commands in them"),
        program("mount", "mount", "the kubelet mounts volumes with it"),
        program("iptables", "iptables", rules),
    ];
    if options.proxy_mode == ProxyMode::Nftables {
        findings.push(program("nft", "nftables", "kube-proxy writes its rules with it"));
    }
    findings.push(program("conntrack", "conntrack", "only to look at NAT entries by hand and in tests").optional());
    findings.push(program("bash", "bash", "only for `cluster shell`").optional());
    findings.push(go(options));
    findings
}

fn program(name: &'static str, package: &'static str, purpose: &str) -> Finding {
    match find_program(name) {
        Some(path) => Finding::ok(name, path.display().to_string()),
        None => Finding::package(name, format!("not found; {purpose}"), package),
    }
}

fn go(options: &Options) -> Finding {
    let what = "Go";
    if options.bin_dir.is_some() || binaries::is_built() {
        return Finding::ok(what, "not needed: Kubernetes is built");
    }
    match binaries::find_go() {
        Ok(go) => Finding::ok(what, format!("{} {}", go.path.display(), go.version)),
        Err(Error::Go { problem, fix }) => Finding::missing(what, problem, fix),
        Err(other) => Finding::missing(what, other.to_string(), "make `go version` work"),
    }
}
