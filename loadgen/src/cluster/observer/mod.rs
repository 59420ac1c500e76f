//! The agents on the nodes: found by themselves, spoken to through the API server's port-forward.
//!
//! An agent listens on its node's loopback only, so whoever may forward ports to its pod may use it, and nobody else.

mod clock;
mod conversation;
mod error;
mod find;
mod session;

pub use clock::{measure, offset_from};
pub use conversation::Conversation;
pub use error::ObserverError;
pub use find::{Agent, Agents, find};
pub use session::{Observed, Session, no_observer_warning};
