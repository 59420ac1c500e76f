//! One client's connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::answer::answer;
use crate::server::Server;

/// Serves it until either side ends it.
///
/// Once the server stops, Go's `Shutdown` is followed: an idle connection is closed at once, one with a request gets its answer with
/// `Connection: close`, and one that has not sent anything yet is still waited for. hyper alone would close the last kind as well and
/// so lose requests that http-echo answers.
pub async fn serve(server: Arc<Server>, stream: TcpStream, peer: SocketAddr, mut stopping: watch::Receiver<bool>) {
    let _open = server.stats.connection();
    // As Go does; without it a small answer may wait for the delayed ACK of the one before.
    _ = stream.set_nodelay(true);
    let asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        asked.store(true, Relaxed);
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(answer(&server, peer, request).await) }
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // The client's errors are the client's: it went away, or it does not speak HTTP.
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    if asked.load(Relaxed) {
        connection.as_mut().graceful_shutdown();
    }
    _ = connection.await;
}
