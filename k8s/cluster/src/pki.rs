//! The cluster's certificates. All keys are P-256; nothing outlives the cluster.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use crate::daemons::node::proxy_user;
use crate::error::Doing;
use crate::layout::Layout;
use crate::node::Node;
use crate::options::API_SERVICE_ADDRESS;
use crate::{Error, Result, kubeconfig};

/// A certificate authority with its key.
pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

/// A certificate and its key, both as PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The users of the API server: file name, common name, organization.
const USERS: [(&str, &str, Option<&str>); 6] = [
    ("admin", "podwitness:admin", Some("system:masters")),
    ("controller-manager", "system:kube-controller-manager", None),
    ("scheduler", "system:kube-scheduler", None),
    ("proxy", "system:kube-proxy", None),
    ("coredns", "podwitness:coredns", None),
    ("metrics-server", "podwitness:metrics-server", None),
];

/// Writes every certificate, key and kubeconfig of a cluster.
pub(crate) fn write_all(layout: &Layout, nodes: &[Node]) -> Result<()> {
    let pki = layout.pki();
    let cluster = authority("kubernetes")?;
    let front = authority("front-proxy")?;
    write(&pki, "ca", &Pair { certificate: cluster.pem(), key: cluster.key().serialize_pem() })?;
    write(&pki, "front-proxy-ca", &Pair { certificate: front.pem(), key: front.key().serialize_pem() })?;

    let address = nodes[0].address().to_string();
    let names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];
    let api = names.into_iter().chain(["localhost", "127.0.0.1", API_SERVICE_ADDRESS, &address]);
    write(&pki, "apiserver", &server(&cluster, "kube-apiserver", api)?)?;
    write(&pki, "kubelet-client", &client(&cluster, "kube-apiserver-kubelet-client", Some("system:masters"))?)?;
    write(&pki, "front-proxy-client", &client(&front, "front-proxy-client", None)?)?;
    let metrics = ["metrics-server.kube-system.svc", "localhost", "127.0.0.1", &address];
    write(&pki, "metrics-server", &server(&cluster, "metrics-server", metrics)?)?;

    let accounts = KeyPair::generate().map_err(certificate_error("service accounts"))?;
    write_secret(&pki.join("service-accounts.key"), &accounts.serialize_pem())?;
    write_secret(&pki.join("service-accounts.pub"), &accounts.public_key_pem())?;

    let local = "https://127.0.0.1:6443";
    let remote = format!("https://{address}:6443");
    for (file, user, organization) in USERS {
        let pair = client(&cluster, user, organization)?;
        kubeconfig::write(&layout.kubeconfig(file), local, user, &cluster.pem(), &pair)?;
        if file == "admin" {
            // The same user, as seen from the client's side of the link.
            kubeconfig::write(&layout.kubeconfig("client"), &remote, user, &cluster.pem(), &pair)?;
        }
        if file == "proxy" {
            // The same user, as seen from the other nodes.
            for node in nodes.iter().skip(1) {
                kubeconfig::write(&layout.kubeconfig(&proxy_user(node)), &remote, user, &cluster.pem(), &pair)?;
            }
        }
    }
    nodes.iter().try_for_each(|node| write_node(layout, node, &cluster, &remote))
}

/// What a kubelet shows to those who ask it, and what it shows to the API server at `server_url`.
fn write_node(layout: &Layout, node: &Node, cluster: &Authority, server_url: &str) -> Result<()> {
    let (name, address) = (node.name(), node.address().to_string());
    let serving = server(cluster, &name, [name.as_str(), &address, "127.0.0.1"])?;
    write(&layout.pki(), &format!("{name}-serving"), &serving)?;
    let user = format!("system:node:{name}");
    let pair = client(cluster, &user, Some("system:nodes"))?;
    kubeconfig::write(&layout.kubeconfig(&name), server_url, &user, &cluster.pem(), &pair)
}

fn authority(name: &str) -> Result<Authority> {
    let make = || {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = distinguished_name(name, None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        CertifiedIssuer::self_signed(params, KeyPair::generate()?)
    };
    make().map_err(certificate_error(name))
}

fn server<'a>(issuer: &Authority, name: &str, names: impl IntoIterator<Item = &'a str>) -> Result<Pair> {
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    sign(issuer, name, None, names, ExtendedKeyUsagePurpose::ServerAuth)
}

fn client(issuer: &Authority, name: &str, organization: Option<&str>) -> Result<Pair> {
    sign(issuer, name, organization, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)
}

fn sign(
    issuer: &Authority,
    name: &str,
    organization: Option<&str>,
    alternative_names: Vec<String>,
    usage: ExtendedKeyUsagePurpose,
) -> Result<Pair> {
    let make = || {
        let mut params = CertificateParams::new(alternative_names)?;
        params.distinguished_name = distinguished_name(name, organization);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, issuer)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    };
    make().map_err(certificate_error(name))
}

fn distinguished_name(name: &str, organization: Option<&str>) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    if let Some(organization) = organization {
        distinguished.push(DnType::OrganizationName, organization);
    }
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn certificate_error(name: &str) -> impl FnOnce(rcgen::Error) -> Error {
    move |source| Error::Certificate { name: name.to_owned(), source }
}

fn write(dir: &Path, name: &str, pair: &Pair) -> Result<()> {
    write_secret(&dir.join(format!("{name}.crt")), &pair.certificate)?;
    write_secret(&dir.join(format!("{name}.key")), &pair.key)
}

/// Writes a file that only root may read.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<()> {
    let doing = || format!("writing {}", path.display());
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).doing(doing)?;
    }
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path).doing(doing)?;
    file.write_all(text.as_bytes()).doing(doing)
}
