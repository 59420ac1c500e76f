//! Why a request failed. Each rule names the facts it stands on; where they are missing, the answer is `unknown`.
//!
//! The definitions, in the order in which they are tried, are in `docs/reading-results.md`.

mod answered;
mod attempt;
mod client_side;
mod dials;
mod facts;
mod refused;
mod sent;
mod stalled;
mod unanswered;

pub use client_side::in_words;
pub use dials::Dials;
pub use facts::Facts;

use super::cluster::PodAt;
use super::context::Context;
use crate::report::schema::{Cause, JoinedBy};

/// Why a request failed.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The cause.
    pub cause: Cause,
    /// The serving pod, or the pod whose address was dialled (for the client's own attempts: the gateway pod).
    pub pod: Option<PodAt>,
    /// How the decisive attempt was joined.
    pub joined_by: Option<JoinedBy>,
    /// When the decisive attempt was made.
    pub attempt_ns: Option<u64>,
    /// What proves it.
    pub facts: Facts,
}

impl Decision {
    fn new(cause: Cause, facts: Facts) -> Self {
        Self { cause, pod: None, joined_by: None, attempt_ns: None, facts }
    }
}

/// Decides on a failed request.
pub fn decide(ctx: &Context<'_, '_>, request: u32) -> Decision {
    let mut facts = Facts::default();
    client_side::tell(ctx, request, &mut facts);
    let client = ctx.client.at(request);
    match client.status {
        Some(status) if client.error.is_none() && status < 500 => answered::client_error(ctx, request, status, facts),
        Some(status) if client.error.is_none() => answered::server_error(ctx, request, status, facts),
        _ => client_side::no_answer(ctx, request, facts),
    }
}
