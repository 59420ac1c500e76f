//! A server of our own on a free loopback port, and a client that shows every byte.
#![allow(clippy::unwrap_used, dead_code, missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_inference"))
            .args(["-listen=127.0.0.1:0", "-text=forty-two", "--pod-name=pod-a", "--access-log=false"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.rsplit(' ').next().unwrap().trim().parse().unwrap_or_else(|_| panic!("no address in {line:?}"));
        Self { child, address }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Waits for the end; `None` when it is still running after `limit`.
    pub fn ends_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait().unwrap() {
                None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
                ended => return ended,
            }
        }
    }

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client { reader: BufReader::new(stream) }
    }

    pub fn get(&self, target: &str) -> Answer {
        self.connect().ask("GET", target, "")
    }

    pub fn post(&self, target: &str) -> Answer {
        self.connect().ask("POST", target, "Content-Length: 0\r\n")
    }

    pub fn stats(&self) -> serde_json::Value {
        serde_json::from_str(&self.get("/_stats").body).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub fn send(&mut self, method: &str, target: &str, headers: &str) {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: lab\r\n{headers}\r\n");
        self.reader.get_mut().write_all(head.as_bytes()).unwrap();
    }

    /// The next answer, or `None` when the server closed instead.
    pub fn receive(&mut self) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(self.reader.read_line(&mut head), Ok(n) if n > 0) {
                return None;
            }
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).ok()?;
        Some(Answer { status, head, body: String::from_utf8(body).unwrap() })
    }

    pub fn ask(&mut self, method: &str, target: &str, headers: &str) -> Answer {
        self.send(method, target, headers);
        self.receive().unwrap()
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Status line and headers in lower case.
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}
