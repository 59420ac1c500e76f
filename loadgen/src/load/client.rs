//! The HTTP client of one worker.

use std::time::Duration;

use reqwest::ClientBuilder;

/// What a worker's client is told.
#[derive(Clone, Copy, Debug)]
pub struct ClientSettings {
    /// Give up connecting after this.
    pub connect_timeout: Duration,
    /// Give up on the whole request after this.
    pub timeout: Duration,
    /// Keep connections between requests.
    pub keep_alive: bool,
    /// The URL is `https`.
    pub tls: bool,
}

/// A client that does one thing per request: no proxy, no retry, no redirect, no decompression. Anything it did by
/// itself would show as the cluster's doing.
pub fn builder(settings: ClientSettings) -> ClientBuilder {
    let builder = ClientBuilder::new()
        .no_proxy()
        .no_gzip()
        .http1_only()
        .tcp_nodelay(true)
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.timeout)
        .user_agent(concat!("podwitness-loadgen/", env!("CARGO_PKG_VERSION")));
    // Reading the system's certificates takes milliseconds for each worker; plain HTTP needs none of them.
    let builder = if settings.tls { builder } else { builder.tls_certs_only([]) };
    if settings.keep_alive { builder } else { builder.pool_max_idle_per_host(0) }
}
