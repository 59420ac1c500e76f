//! Cuts one direction's stream into messages.

use observer_ebpf::http::Start;

use super::{
    head::{self, Body, Parsed, RequestHead, ResponseHead},
    stream::Piece,
};

/// A head longer than this is not collected.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What the direction carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    /// Requests.
    Requests,
    /// Answers.
    Answers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The next byte begins a message.
    Idle,
    /// Within a head.
    Head,
    /// The connection's owner must say what follows the head.
    HeadDone,
    /// This many bytes of body are left.
    Length(u64),
    /// Within a chunked body.
    Chunked,
    /// Within a body that ends with the connection.
    UntilClose,
    /// No HTTP/1.x any more.
    Opaque,
    /// Not known where messages begin.
    Lost,
}

/// What a step found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing worth telling.
    Nothing,
    /// The first byte of a message.
    Start,
    /// A request's head. [`Framer::body`] must follow.
    Request(RequestHead),
    /// An answer's head. [`Framer::body`] must follow.
    Response(ResponseHead),
    /// The last byte of a message.
    End,
    /// These bytes are no HTTP/1.x head.
    NotHttp,
    /// Bytes that were needed are missing.
    Lost,
}

/// One direction.
#[derive(Clone, Debug)]
pub(super) struct Framer {
    carries: Carries,
    state: State,
    head: Vec<u8>,
    /// Offset of the current message's first byte.
    pub(super) begin: u64,
    /// When it passed.
    pub(super) begin_ns: u64,
    /// When the message's last byte so far passed. `None`: that byte was not seen.
    pub(super) last_ns: Option<u64>,
    /// The message's bytes so far.
    pub(super) bytes: u64,
}

impl Framer {
    pub(super) fn new(carries: Carries) -> Self {
        Self { carries, state: State::Idle, head: Vec::new(), begin: 0, begin_ns: 0, last_ns: None, bytes: 0 }
    }

    /// A head has begun and is not complete.
    pub(super) fn in_head(&self) -> bool {
        matches!(self.state, State::Head | State::HeadDone)
    }

    /// Within a body whose end cannot be computed.
    pub(super) fn in_chunked(&self) -> bool {
        self.state == State::Chunked
    }

    /// Within a body that the end of the connection ends.
    pub(super) fn until_close(&self) -> bool {
        self.state == State::UntilClose
    }

    /// The next message begins wherever a head is recognised.
    pub(super) fn lose(&mut self) {
        if self.state != State::Opaque {
            self.state = State::Lost;
            self.head = Vec::new();
        }
    }

    /// What follows is not HTTP/1.x.
    pub(super) fn make_opaque(&mut self) {
        self.state = State::Opaque;
        self.head = Vec::new();
    }

    /// The message is over, the next byte begins another.
    pub(super) fn end(&mut self) {
        self.state = State::Idle;
    }

    /// Says what follows the head. Returns true when that is nothing: the message is complete.
    pub(super) fn body(&mut self, body: Body) -> bool {
        self.state = match body {
            Body::Length(0) => State::Idle,
            Body::Length(length) => State::Length(length),
            Body::Chunked => State::Chunked,
            Body::UntilClose => State::UntilClose,
            Body::Switched => State::Opaque,
            Body::Unknown => State::Lost,
        };
        self.state == State::Idle
    }

    /// Takes bytes from the beginning of `piece` (which is not empty) up to the next thing worth telling, and cuts them off.
    pub(super) fn take(&mut self, piece: &mut Piece<'_>) -> Found {
        match self.state {
            State::Idle => self.begin(piece),
            State::Head => self.collect(piece),
            State::Length(left) => {
                let taken = left.min(piece.length);
                self.count(piece, taken);
                if left == taken {
                    self.state = State::Idle;
                    return Found::End;
                }
                self.state = State::Length(left - taken);
                Found::Nothing
            }
            State::Chunked => {
                let last = piece.last_chunk;
                self.count(piece, piece.length);
                if last {
                    self.state = State::Idle;
                    return Found::End;
                }
                Found::Nothing
            }
            State::Lost if begins_message(piece) => {
                self.state = State::Idle;
                Found::Nothing
            }
            State::UntilClose | State::Opaque | State::Lost | State::HeadDone => {
                self.count(piece, piece.length);
                Found::Nothing
            }
        }
    }

    fn begin(&mut self, piece: &Piece<'_>) -> Found {
        let (Some(at_ns), Some(_)) = (piece.at_ns, piece.data.first()) else {
            self.lose();
            return Found::Lost;
        };
        self.state = State::Head;
        self.head.clear();
        self.begin = piece.offset;
        self.begin_ns = at_ns;
        self.last_ns = None;
        self.bytes = 0;
        Found::Start
    }

    fn collect(&mut self, piece: &mut Piece<'_>) -> Found {
        let before = self.head.len();
        self.head.extend_from_slice(piece.data);
        let (found, length) = match self.carries {
            Carries::Requests => split(head::request(&self.head), Found::Request),
            Carries::Answers => split(head::response(&self.head), Found::Response),
        };
        match found {
            // Empty lines before a request are allowed, and counted to it. Bytes after the head are not its own.
            Some(found) if length > before => {
                self.state = State::HeadDone;
                self.head.clear();
                self.count(piece, (length - before) as u64);
                found
            }
            Some(_) => self.give_up(piece, Found::NotHttp),
            None if length != 0 => self.give_up(piece, Found::NotHttp),
            None if piece.data.len() as u64 != piece.length || self.head.len() > MAX_HEAD_BYTES => {
                self.give_up(piece, Found::Lost)
            }
            None => {
                self.count(piece, piece.length);
                Found::Nothing
            }
        }
    }

    fn give_up(&mut self, piece: &mut Piece<'_>, found: Found) -> Found {
        self.count(piece, piece.length);
        self.lose();
        found
    }

    /// Counts bytes to the message and cuts them off.
    fn count(&mut self, piece: &mut Piece<'_>, taken: u64) {
        self.bytes += taken;
        self.last_ns = piece.at_ns;
        piece.offset += taken;
        piece.length -= taken;
        piece.data = piece.data.get(taken as usize..).unwrap_or_default();
    }
}

/// A head and its length; `None` and 0 for "more bytes", `None` and not 0 for "invalid".
fn split<H>(parsed: Parsed<H>, found: impl FnOnce(H) -> Found) -> (Option<Found>, usize) {
    match parsed {
        Parsed::Head(head, length) => (Some(found(head)), length),
        Parsed::Partial => (None, 0),
        Parsed::Invalid => (None, 1),
    }
}

/// The first bytes can hardly be anything but the beginning of a message.
pub(super) fn begins_message(piece: &Piece<'_>) -> bool {
    matches!(start_of(piece.data), Start::REQUEST | Start::RESPONSE)
}

/// The kernel's judgement of the first bytes.
pub(super) fn start_of(data: &[u8]) -> u32 {
    let mut word = [0; 8];
    let length = data.len().min(8);
    word[..length].copy_from_slice(&data[..length]);
    Start::of(u64::from_le_bytes(word), length as u32)
}
