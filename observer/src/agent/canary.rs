//! Proves at start that the programs see traffic: one HTTP request of ours to ourselves, over loopback.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::core::Handle;
use super::input::Command;

/// What the canary asks for, so that its exchange is recognised.
pub const PATH: &str = "/podwitness-canary";
/// The core reads the kernel's events every few milliseconds; a second is generous also on a busy machine.
const SEEN_WITHIN: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 3;
const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Whether the programs have seen our own request.
pub async fn fly(core: &Handle) -> Result<bool> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("the canary cannot listen on loopback")?;
    let port = listener.local_addr()?.port();
    let (reply, watched) = oneshot::channel();
    core.send(Command::CanaryPort(port, reply))?;
    watched.await?.map_err(|problem| anyhow::anyhow!("{}; {}", problem.error, problem.fix))?;
    let mut seen = false;
    for _ in 0..ATTEMPTS {
        let (reply, told) = oneshot::channel();
        core.send(Command::CanarySeen(reply))?;
        tokio::try_join!(serve(&listener), request(port)).context("the canary's own request failed")?;
        if let Ok(Ok(())) = timeout(SEEN_WITHIN, told).await {
            seen = true;
            break;
        }
    }
    core.send(Command::CanaryDone { seen })?;
    Ok(seen)
}

async fn serve(listener: &TcpListener) -> Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let mut request = [0; 512];
    let _ = stream.read(&mut request).await?;
    stream.write_all(ANSWER).await?;
    stream.shutdown().await?;
    Ok(())
}

/// The connection is the canary's. Its port alone would also match any client that happens to come from that port.
pub fn is_own(port: u16, local: SocketAddr, remote: SocketAddr) -> bool {
    let on_loopback = local.ip().is_loopback() && remote.ip().is_loopback();
    on_loopback && (local.port() == port || remote.port() == port)
}

async fn request(port: u16) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(format!("GET {PATH} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_client_that_comes_from_the_canarys_port_is_no_canary() {
        let own = |local: &str, remote: &str| is_own(35_003, local.parse().unwrap(), remote.parse().unwrap());
        assert!(own("127.0.0.1:35003", "127.0.0.1:41000"));
        assert!(own("127.0.0.1:41000", "127.0.0.1:35003"));
        assert!(!own("10.244.0.26:80", "10.244.0.1:35003"));
        assert!(!own("127.0.0.1:41000", "127.0.0.1:80"));
    }
}
