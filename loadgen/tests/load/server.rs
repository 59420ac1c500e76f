//! An HTTP server that misbehaves on demand.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What to do with a request.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    /// Answer at once.
    Answer,
    /// Answer, but do nothing at all while the clock is in this window after the first request.
    FreezeBetween(Duration, Duration),
    /// Reset the connection instead of answering.
    Reset,
    /// Close the connection instead of answering.
    Close,
    /// Promise a longer body than is sent.
    CutBody,
    /// Never answer.
    Silence,
    /// Answer with this status.
    Status(u16),
}

/// A running server; stops when dropped.
pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<HashMap<String, u32>>>,
    /// Connections accepted.
    pub accepted: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let accepted = Arc::new(AtomicU32::new(0));
        let (map, first, count) = (Arc::clone(&seen), Arc::new(Mutex::new(None)), Arc::clone(&accepted));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, behaviour, Arc::clone(&map), Arc::clone(&first)));
            }
        });
        Self { address, seen, accepted, task }
    }
}

async fn serve(
    mut stream: TcpStream,
    behaviour: Behaviour,
    seen: Arc<Mutex<HashMap<String, u32>>>,
    first: Arc<Mutex<Option<std::time::Instant>>>,
) {
    let mut head = Vec::new();
    loop {
        while !head.windows(4).any(|w| w == b"\r\n\r\n") {
            let mut buffer = [0; 2048];
            match stream.read(&mut buffer).await {
                Ok(n) if n > 0 => head.extend_from_slice(&buffer[..n]),
                _ => return,
            }
        }
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let traceparent = text.lines().find_map(|line| line.strip_prefix("traceparent: ")).unwrap_or("none");
        *seen.lock().unwrap().entry(traceparent.to_owned()).or_default() += 1;
        head.clear();
        let mut status = 200;
        match behaviour {
            Behaviour::Answer => {}
            Behaviour::Status(other) => status = other,
            Behaviour::FreezeBetween(from, to) => {
                let since = first.lock().unwrap().get_or_insert_with(std::time::Instant::now).elapsed();
                if (from..to).contains(&since) {
                    tokio::time::sleep(to.saturating_sub(since)).await;
                }
            }
            Behaviour::Reset => {
                // Zero linger turns the close into a reset.
                #[allow(deprecated)]
                stream.set_linger(Some(Duration::ZERO)).unwrap();
                return;
            }
            Behaviour::Close => return,
            Behaviour::CutBody => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort").await;
                return;
            }
            Behaviour::Silence => return std::future::pending().await,
        }
        let answer =
            format!("HTTP/1.1 {status} X\r\ncontent-length: 5\r\nx-pod-name: pod-a\r\nx-version: v1\r\n\r\nhello");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
