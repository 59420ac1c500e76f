//! Message heads: only what the allow-list names leaves this file.

use httparse::{EMPTY_HEADER, Header, ParserConfig, Status};

use super::trace_parent::trace_id;

/// Header lines that a head may have; the usual servers accept about a hundred.
const MAX_LINES: usize = 128;

/// How a message's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// This many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Everything until the connection ends.
    UntilClose,
    /// The protocol changes.
    Switched,
    /// The head contradicts itself: nobody can tell.
    Unknown,
}

/// What is kept of a request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestHead {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    pub(super) trace_id: Option<String>,
    /// It names itself a kubelet probe.
    pub(super) probe: bool,
    pub(super) body: Body,
}

/// What is kept of an answer's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResponseHead {
    pub(super) status: u16,
    lines: Lines,
}

/// Result of parsing what there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parsed<H> {
    /// A head, and its length.
    Head(H, usize),
    /// More bytes are needed.
    Partial,
    /// No HTTP/1.x head.
    Invalid,
}

/// Header lines that delimit the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lines {
    length: Option<u64>,
    /// Lengths differ, or are no numbers.
    bad_length: bool,
    transfer_encoding: bool,
    /// `chunked` is the last transfer coding.
    chunked: bool,
}

/// Parses a request's head.
pub(super) fn request(bytes: &[u8]) -> Parsed<RequestHead> {
    let mut lines = [EMPTY_HEADER; MAX_LINES];
    let mut head = httparse::Request::new(&mut lines);
    let mut config = ParserConfig::default();
    config.ignore_invalid_headers_in_requests(true);
    let length = match config.parse_request(&mut head, bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Invalid,
    };
    let (Some(method), Some(target)) = (head.method, head.path) else { return Parsed::Invalid };
    let framing = Lines::of(head.headers);
    let body = match framing {
        Lines { transfer_encoding: true, chunked: true, .. } => Body::Chunked,
        Lines { transfer_encoding: true, .. } | Lines { bad_length: true, .. } => Body::Unknown,
        Lines { length, .. } => Body::Length(length.unwrap_or(0)),
    };
    Parsed::Head(
        RequestHead {
            method: method.to_owned(),
            path: path(target).to_owned(),
            trace_id: the_only(head.headers, "traceparent").and_then(trace_id).map(str::to_owned),
            probe: values(head.headers, "user-agent").any(|value| value.starts_with(b"kube-probe/")),
            body,
        },
        length,
    )
}

/// Parses an answer's head.
pub(super) fn response(bytes: &[u8]) -> Parsed<ResponseHead> {
    let mut lines = [EMPTY_HEADER; MAX_LINES];
    let mut head = httparse::Response::new(&mut lines);
    let mut config = ParserConfig::default();
    config
        .ignore_invalid_headers_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true);
    let length = match config.parse_response(&mut head, bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Invalid,
    };
    let Some(status) = head.code else { return Parsed::Invalid };
    Parsed::Head(ResponseHead { status, lines: Lines::of(head.headers) }, length)
}

impl ResponseHead {
    /// How the body is delimited, given the method that it answers.
    pub(super) fn body(&self, method: &str) -> Body {
        match (self.status, self.lines) {
            (101, _) => Body::Switched,
            (200..=299, _) if method == "CONNECT" => Body::Switched,
            (100..=199 | 204 | 304, _) => Body::Length(0),
            _ if method == "HEAD" => Body::Length(0),
            (_, Lines { transfer_encoding: true, chunked: true, .. }) => Body::Chunked,
            (_, Lines { transfer_encoding: true, .. }) => Body::UntilClose,
            (_, Lines { bad_length: true, .. }) => Body::Unknown,
            (_, Lines { length: Some(length), .. }) => Body::Length(length),
            _ => Body::UntilClose,
        }
    }

    /// An interim answer: the final one follows.
    pub(super) fn is_interim(&self) -> bool {
        (100..=199).contains(&self.status) && self.status != 101
    }
}

impl Lines {
    fn of(headers: &[Header<'_>]) -> Self {
        let mut lines = Self::default();
        for value in values(headers, "content-length") {
            for part in value.split(|byte| *byte == b',') {
                let number = std::str::from_utf8(part).ok().map(str::trim).filter(|part| is_number(part));
                match (number.and_then(|number| number.parse().ok()), lines.length) {
                    (Some(number), None) => lines.length = Some(number),
                    (Some(number), Some(earlier)) if number == earlier => (),
                    _ => lines.bad_length = true,
                }
            }
        }
        for value in values(headers, "transfer-encoding") {
            lines.transfer_encoding = true;
            let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            lines.chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        }
        lines
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn values<'a>(headers: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// The value of a header that must not be repeated.
fn the_only<'a>(headers: &'a [Header<'a>], name: &'a str) -> Option<&'a [u8]> {
    let mut all = values(headers, name);
    all.next().filter(|_| all.next().is_none())
}

/// The path of a request target: without query, and without scheme and authority.
fn path(target: &str) -> &str {
    let target = target.split(['?', '#']).next().unwrap_or_default();
    match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').map_or("/", |begin| &rest[begin..]),
        _ => target,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Body, Parsed, RequestHead, path, request, response};

    fn head(text: &str) -> RequestHead {
        match request(text.as_bytes()) {
            Parsed::Head(head, length) => {
                assert_eq!(length, text.len());
                head
            }
            other => panic!("{other:?}"),
        }
    }

    fn body_of(text: &str, method: &str) -> Body {
        match response(text.as_bytes()) {
            Parsed::Head(head, _) => head.body(method),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_allow_list_is_kept() {
        let head = head(
            "POST /predict?token=secret HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\nCookie: secret\r\n\
             Content-Length: 12\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
        );
        assert!(!format!("{head:?}").contains("secret"));
        assert_eq!((head.method.as_str(), head.path.as_str()), ("POST", "/predict"));
        assert_eq!(head.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        assert_eq!(head.body, Body::Length(12));
        assert!(!head.probe);
    }

    #[test]
    fn probes_are_recognised() {
        assert!(head("GET /healthz HTTP/1.1\r\nUser-Agent: kube-probe/1.36\r\n\r\n").probe);
    }

    #[test]
    fn two_trace_parents_are_none() {
        let line = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
        assert_eq!(head(&format!("GET / HTTP/1.1\r\n{line}{line}\r\n")).trace_id, None);
    }

    #[test]
    fn request_bodies() {
        let of = |lines: &str| head(&format!("POST / HTTP/1.1\r\n{lines}\r\n")).body;
        assert_eq!(of(""), Body::Length(0));
        assert_eq!(of("Transfer-Encoding: gzip, chunked\r\n"), Body::Chunked);
        assert_eq!(of("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), Body::Chunked);
        assert_eq!(of("Transfer-Encoding: gzip\r\n"), Body::Unknown);
        assert_eq!(of("Content-Length: 3\r\nContent-Length: 3\r\n"), Body::Length(3));
        assert_eq!(of("Content-Length: 3, 3\r\n"), Body::Length(3));
        assert_eq!(of("Content-Length: 3\r\nContent-Length: 4\r\n"), Body::Unknown);
        assert_eq!(of("Content-Length: +3\r\n"), Body::Unknown);
    }

    #[test]
    fn answer_bodies() {
        let with_length = |status: &str| format!("HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(body_of(&with_length("200"), "GET"), Body::Length(5));
        assert_eq!(body_of(&with_length("200"), "HEAD"), Body::Length(0));
        assert_eq!(body_of(&with_length("304"), "GET"), Body::Length(0));
        assert_eq!(body_of(&with_length("204"), "GET"), Body::Length(0));
        assert_eq!(body_of(&with_length("200"), "CONNECT"), Body::Switched);
        assert_eq!(body_of("HTTP/1.1 101 Switching Protocols\r\n\r\n", "GET"), Body::Switched);
        assert_eq!(body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET"), Body::Chunked);
        assert_eq!(body_of("HTTP/1.0 200 OK\r\n\r\n", "GET"), Body::UntilClose);
    }

    #[test]
    fn paths() {
        assert_eq!(path("/a/b?c=d"), "/a/b");
        assert_eq!(path("http://host:80/a?b"), "/a");
        assert_eq!(path("http://host"), "/");
        assert_eq!(path("/redirect/http://x/y"), "/redirect/http://x/y");
        assert_eq!(path("*"), "*");
        assert_eq!(path("host:443"), "host:443");
    }

    #[test]
    fn partial_and_invalid() {
        assert_eq!(request(b"GET / HT"), Parsed::Partial);
        assert_eq!(request(b"EHLO x\r\n"), Parsed::Invalid);
        assert_eq!(response(b"HTTP/1.1 2"), Parsed::Partial);
    }
}
