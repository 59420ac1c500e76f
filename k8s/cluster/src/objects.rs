//! The few Kubernetes objects the cluster itself needs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Result;
use crate::daemons::Context;
use crate::error::Doing;
use crate::options::{DNS_ADDRESS, Metrics};
use crate::template::template;

/// All of them as one YAML stream.
pub(crate) fn render(context: &Context<'_>) -> Result<String> {
    let address = context.node.address();
    let mut documents = vec![template!("rbac.yaml").render(&[])?];
    if context.options.dns {
        documents.push(template!("dns.yaml").render(&[("DNS_ADDRESS", &DNS_ADDRESS), ("NODE_ADDRESS", &address)])?);
    }
    if context.options.metrics != Metrics::None {
        let path = context.layout.pki().join("ca.crt");
        let authority = std::fs::read(&path).doing(|| format!("reading {}", path.display()))?;
        let authority = STANDARD.encode(authority);
        documents.push(template!("metrics.yaml").render(&[("NODE_ADDRESS", &address), ("CA", &authority)])?);
    }
    Ok(documents.join("---\n"))
}
