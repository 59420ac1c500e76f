//! A record of the ring buffer as a checked value.

use super::{Body, Call, Header, Kind, Open, Segment, State, Wire};

/// One record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// `connect()` was called.
    Connect(Open),
    /// A client socket's handshake is complete.
    EstablishedActive(Open),
    /// An accepted socket's handshake is complete.
    EstablishedPassive(Open),
    /// A socket older than the observer.
    Found(Open),
    /// TCP state changed.
    State(State),
    /// A reset left.
    ResetSent(Header),
    /// A reset arrived.
    ResetReceived(Header),
    /// Something was sent again.
    Retransmit(Header),
    /// Payload that may hold a message head, and its captured bytes.
    Segment(Segment, &'a [u8]),
    /// Payload without its bytes.
    Body(Body),
    /// Data was read.
    Recv(Call),
    /// Data was written.
    Send(Call),
    /// The socket was closed.
    Release(Call),
    /// An error was reported to the socket's owner; `flags` is its errno, 0 for an ICMP error.
    Error(Header),
    /// `connect()` failed, since there was no source port.
    Undialled(Open),
}

impl<'a> Event<'a> {
    /// Reads a record. `None`: unknown kind, or too short for its kind.
    pub fn decode(record: &'a [u8]) -> Option<Self> {
        let header = Header::read(record)?;
        Some(match header.kind {
            Kind::CONNECT => Self::Connect(Open::read(record)?),
            Kind::ESTABLISHED_ACTIVE => Self::EstablishedActive(Open::read(record)?),
            Kind::ESTABLISHED_PASSIVE => Self::EstablishedPassive(Open::read(record)?),
            Kind::FOUND => Self::Found(Open::read(record)?),
            Kind::STATE => Self::State(State::read(record)?),
            Kind::RESET_SENT => Self::ResetSent(header),
            Kind::RESET_RECEIVED => Self::ResetReceived(header),
            Kind::RETRANSMIT => Self::Retransmit(header),
            Kind::SEGMENT => {
                let segment = Segment::read(record)?;
                let data = record.get(size_of::<Segment>()..)?.get(..segment.captured as usize)?;
                Self::Segment(segment, data)
            }
            Kind::BODY => Self::Body(Body::read(record)?),
            Kind::RECV => Self::Recv(Call::read(record)?),
            Kind::SEND => Self::Send(Call::read(record)?),
            Kind::RELEASE => Self::Release(Call::read(record)?),
            Kind::ERROR => Self::Error(header),
            Kind::UNDIALLED => Self::Undialled(Open::read(record)?),
            _ => return None,
        })
    }

    /// The header that every record has.
    pub fn header(&self) -> &Header {
        match self {
            Self::Connect(open)
            | Self::EstablishedActive(open)
            | Self::EstablishedPassive(open)
            | Self::Found(open)
            | Self::Undialled(open) => &open.header,
            Self::State(state) => &state.header,
            Self::ResetSent(header) | Self::ResetReceived(header) | Self::Retransmit(header) | Self::Error(header) => {
                header
            }
            Self::Segment(segment, _) => &segment.header,
            Self::Body(body) => &body.header,
            Self::Recv(call) | Self::Send(call) | Self::Release(call) => &call.header,
        }
    }
}
