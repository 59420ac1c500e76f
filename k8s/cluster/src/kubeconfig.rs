//! Who a program is to the API server, in the file format it reads.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Result;
use crate::pki::{Pair, write_secret};
use crate::template::template;

/// Writes a kubeconfig with everything inside.
pub(crate) fn write(path: &Path, server: &str, user: &str, authority: &str, pair: &Pair) -> Result<()> {
    let text = template!("kubeconfig.yaml").render(&[
        ("SERVER", &server),
        ("USER", &user),
        ("CA", &STANDARD.encode(authority)),
        ("CERTIFICATE", &STANDARD.encode(&pair.certificate)),
        ("KEY", &STANDARD.encode(&pair.key)),
    ])?;
    write_secret(path, &text)
}
