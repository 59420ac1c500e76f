//! etcd, API server, controller manager and scheduler. They run on the first node, as processes beside its kubelet.

use super::{Context, Daemon, identity};
use crate::options::{Metrics, SERVICE_CIDR};

pub(crate) const ETCD_PORT: u16 = 2379;
pub(crate) const API_PORT: u16 = 6443;

pub(crate) fn etcd(context: &Context<'_>) -> Daemon {
    let client = format!("http://127.0.0.1:{ETCD_PORT}");
    let peer = "http://127.0.0.1:2380";
    let arguments = [
        format!("--data-dir={}", context.layout.etcd().display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // Survives the death of the process, not of the machine, and after that everything is made anew.
        "--unsafe-no-fsync=true".into(),
    ];
    context.daemon("etcd", arguments)
}

pub(crate) fn api_server(context: &Context<'_>) -> Daemon {
    let pki = |file| context.pki(file);
    let arguments = [
        format!("--etcd-servers=http://127.0.0.1:{ETCD_PORT}"),
        "--bind-address=0.0.0.0".into(),
        format!("--secure-port={API_PORT}"),
        format!("--advertise-address={}", context.node.address()),
        format!("--service-cluster-ip-range={SERVICE_CIDR}"),
        "--service-node-port-range=30000-32767".into(),
        "--allow-privileged=true".into(),
        "--authorization-mode=Node,RBAC".into(),
        "--enable-admission-plugins=NodeRestriction".into(),
        format!("--client-ca-file={}", pki("ca.crt")),
        format!("--tls-cert-file={}", pki("apiserver.crt")),
        format!("--tls-private-key-file={}", pki("apiserver.key")),
        format!("--kubelet-client-certificate={}", pki("kubelet-client.crt")),
        format!("--kubelet-client-key={}", pki("kubelet-client.key")),
        format!("--kubelet-certificate-authority={}", pki("ca.crt")),
        "--kubelet-preferred-address-types=InternalIP".into(),
        format!("--service-account-key-file={}", pki("service-accounts.pub")),
        format!("--service-account-signing-key-file={}", pki("service-accounts.key")),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--requestheader-client-ca-file={}", pki("front-proxy-ca.crt")),
        "--requestheader-allowed-names=front-proxy-client".into(),
        "--requestheader-username-headers=X-Remote-User".into(),
        "--requestheader-group-headers=X-Remote-Group".into(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
        format!("--proxy-client-cert-file={}", pki("front-proxy-client.crt")),
        format!("--proxy-client-key-file={}", pki("front-proxy-client.key")),
    ];
    context.daemon("kube-apiserver", arguments)
}

pub(crate) fn controller_manager(context: &Context<'_>) -> Daemon {
    let pki = |file| context.pki(file);
    let mut arguments: Vec<String> = identity(&context.kubeconfig("controller-manager")).into();
    arguments.extend([
        "--bind-address=127.0.0.1".into(),
        "--leader-elect=false".into(),
        "--use-service-account-credentials=true".into(),
        // At the default of 20 its own start, a token for each controller, takes 5 s. A lab of a few pods never comes
        // near either limit afterwards.
        "--kube-api-qps=200".into(),
        "--kube-api-burst=400".into(),
        format!("--service-account-private-key-file={}", pki("service-accounts.key")),
        format!("--root-ca-file={}", pki("ca.crt")),
        format!("--cluster-signing-cert-file={}", pki("ca.crt")),
        format!("--cluster-signing-key-file={}", pki("ca.key")),
        format!("--client-ca-file={}", pki("ca.crt")),
        format!("--requestheader-client-ca-file={}", pki("front-proxy-ca.crt")),
        format!("--flex-volume-plugin-dir={}", context.layout.root.join("volume-plugins").display()),
    ]);
    if context.options.metrics == Metrics::Fast {
        arguments.push("--horizontal-pod-autoscaler-sync-period=5s".into());
    }
    context.daemon("kube-controller-manager", arguments)
}

pub(crate) fn scheduler(context: &Context<'_>) -> Daemon {
    let mut arguments: Vec<String> = identity(&context.kubeconfig("scheduler")).into();
    arguments.extend(["--bind-address=127.0.0.1".into(), "--leader-elect=false".into()]);
    context.daemon("kube-scheduler", arguments)
}
