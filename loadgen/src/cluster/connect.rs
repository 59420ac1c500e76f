//! From a kubeconfig to a client that answers.

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use super::names::hint;

/// A connection to the API server.
#[derive(Clone)]
pub struct Cluster {
    /// Never retries by itself: an action's time stamps would not be those of its one request.
    pub client: Client,
    /// kubeconfig context. `None` inside a pod.
    pub context: Option<String>,
    /// Address of the API server.
    pub server: String,
    /// Its version.
    pub version: String,
}

/// No client, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No kubeconfig.
    #[error(
        "no kubeconfig: {0}\n  fix: start a cluster (`minikube start`, or `cargo xtask cluster up`), or set KUBECONFIG to its file"
    )]
    NoKubeconfig(String),
    /// No such context.
    #[error(
        "the kubeconfig has no context `{wanted}`: {hint}\n  fix: name one of `kubectl config get-contexts -o name` with --context"
    )]
    NoContext {
        /// Asked for.
        wanted: String,
        /// What there is.
        hint: String,
    },
    /// The kubeconfig is there, but no good.
    #[error("the kubeconfig cannot be used: {0}\n  fix: check it with `kubectl config view`")]
    Kubeconfig(String),
    /// The API server does not answer.
    #[error(
        "the API server {server} does not answer: {why}\n  fix: check it with `kubectl cluster-info`; start it (`minikube start`) or choose another with --context"
    )]
    Unreachable {
        /// Its address.
        server: String,
        /// Why not.
        why: String,
    },
}

impl Cluster {
    /// Connects with a kubeconfig context (the current one when `None`), or from inside a pod.
    pub async fn connect(context: Option<&str>) -> Result<Self, ConnectError> {
        let (mut config, context) = load(context).await?;
        config.default_retry = false;
        config.connect_timeout = Some(std::time::Duration::from_secs(5));
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|e| ConnectError::Kubeconfig(e.to_string()))?;
        let version = client
            .apiserver_version()
            .await
            .map_err(|e| ConnectError::Unreachable { server: server.clone(), why: words(&e) })?;
        Ok(Self { client, context, server, version: version.git_version })
    }
}

async fn load(wanted: Option<&str>) -> Result<(Config, Option<String>), ConnectError> {
    let kubeconfig = match Kubeconfig::read() {
        Ok(kubeconfig) => kubeconfig,
        Err(error) => {
            // Inside a pod there is no kubeconfig, but a service account.
            if let (None, Ok(config)) = (wanted, Config::incluster()) {
                return Ok((config, None));
            }
            return Err(match error {
                KubeconfigError::FindPath | KubeconfigError::ReadConfig(..) => {
                    ConnectError::NoKubeconfig(error.to_string())
                }
                other => ConnectError::Kubeconfig(other.to_string()),
            });
        }
    };
    let Some(context) = wanted.map(str::to_owned).or_else(|| kubeconfig.current_context.clone()) else {
        return Err(ConnectError::Kubeconfig("it names no current context; choose one with --context".into()));
    };
    let there: Vec<String> = kubeconfig.contexts.iter().map(|named| named.name.clone()).collect();
    if !there.contains(&context) {
        let hint = hint(&context, &there);
        return Err(ConnectError::NoContext { wanted: context, hint });
    }
    let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|e| ConnectError::Kubeconfig(e.to_string()))?;
    Ok((config, Some(context)))
}

/// An API error without its debugging form, down to its last source.
pub fn words(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return format!("{} ({} {})", status.message, status.code, status.reason);
    }
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        let words = source.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = source.source();
    }
    text
}
