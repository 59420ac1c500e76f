//! Small servers and clients over plain sockets.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread::JoinHandle,
};

pub const GET: &[u8] = b"GET /a?secret HTTP/1.1\r\nHost: x\r\nAuthorization: secret\r\n\r\n";
pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A server for one connection.
pub fn serve_one(handle: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, std::thread::spawn(move || handle(listener.accept().unwrap().0)))
}

/// Reads until the buffer ends with `end`.
pub fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 65_536];
    while !all.ends_with(end) {
        let n = stream.read(&mut buffer).unwrap();
        assert_ne!(n, 0, "the stream ended after {:?}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&buffer[..n]);
    }
    all
}

/// Reads exactly so many bytes.
pub fn read_bytes(stream: &mut TcpStream, count: usize) {
    let mut buffer = vec![0; count];
    stream.read_exact(&mut buffer).unwrap();
}

/// Writes each part by itself, at once.
pub fn write_parts(stream: &mut TcpStream, parts: &[&[u8]]) {
    stream.set_nodelay(true).unwrap();
    for part in parts {
        stream.write_all(part).unwrap();
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}
