//! From a client's error to its kind, by walking the chain of sources down to the socket's own error.

use std::error::Error;
use std::io;

use crate::raw::{ClientError, ClientErrorKind};

/// What is known of the failed request besides the error itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the status line had arrived.
    Head,
    /// While the body was read.
    Body,
}

/// Classifies an error of the HTTP client.
pub fn classify(error: &reqwest::Error, phase: Phase) -> ClientError {
    let kind = if error.is_connect() {
        connect_kind(error)
    } else if error.is_timeout() {
        ClientErrorKind::Timeout
    } else {
        answer_kind(error, phase)
    };
    ClientError { kind, detail: chain(error) }
}

fn connect_kind(error: &reqwest::Error) -> ClientErrorKind {
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => ClientErrorKind::ConnectRefused,
        Some(io::ErrorKind::TimedOut) => ClientErrorKind::ConnectTimeout,
        Some(io::ErrorKind::AddrNotAvailable) => ClientErrorKind::NoSourcePort,
        // The client's own connect timeout is no socket error.
        _ if error.is_timeout() => ClientErrorKind::ConnectTimeout,
        _ => ClientErrorKind::ConnectOther,
    }
}

fn answer_kind(error: &reqwest::Error, phase: Phase) -> ClientErrorKind {
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted) => {
            ClientErrorKind::Reset
        }
        Some(io::ErrorKind::UnexpectedEof) => ClientErrorKind::ClosedEarly,
        _ if hyper_error(error).is_some_and(hyper::Error::is_incomplete_message) => ClientErrorKind::ClosedEarly,
        // A body that ends before its length is told only in words by the layer that counts.
        _ if phase == Phase::Body && error.is_decode() => ClientErrorKind::ClosedEarly,
        _ => ClientErrorKind::Other,
    }
}

/// The innermost I/O error's kind.
fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    sources(error).filter_map(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind).last()
}

fn hyper_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e hyper::Error> {
    sources(error).find_map(|source| source.downcast_ref::<hyper::Error>())
}

fn sources<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// The whole chain, in words; a source that only repeats the one before is left out.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for source in sources(error) {
        let words = source.to_string();
        if text.is_empty() {
            text = words;
        } else if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
    }
    text
}
