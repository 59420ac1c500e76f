//! One `up` or `down` at a time on a machine: the names of the namespaces are fixed.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use crate::error::Doing;
use crate::steps::Steps;
use crate::{Error, Result};

const NAME: &[u8] = b"podwitness-cluster-lifecycle";
const PATIENCE: Duration = Duration::from_secs(120);

/// Held until dropped. An abstract socket leaves no file behind and goes with its process, however that ends.
pub(crate) struct Lock {
    _listener: UnixListener,
}

impl Lock {
    pub(crate) fn take(steps: &Steps) -> Result<Self> {
        let address = SocketAddr::from_abstract_name(NAME).doing(|| "naming the lock".into())?;
        let mut announced = false;
        let taken = steps.wait("the lock", PATIENCE, || match UnixListener::bind_addr(&address) {
            Ok(listener) => Ok(Ok(Self { _listener: listener })),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                if !announced {
                    steps.say("another process is bringing the cluster up or down; waiting for it");
                    announced = true;
                }
                Ok(Err(String::new()))
            }
            Err(error) => Err(error).doing(|| "taking the lock".into()),
        });
        taken.map_err(|error| match error {
            Error::Timeout { seconds, .. } => Error::Busy(seconds),
            other => other,
        })
    }
}
