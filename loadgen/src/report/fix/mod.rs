//! `--prove-fix`: from what was lost to the smallest change that the evidence supports, and from two runs to a proof.
//!
//! Pure: reports in, values out. Applying the change is `experiment/with_fix.rs`.

mod compare;
mod derive;
mod schema;
mod text;

pub use compare::{prove, unproven};
pub use derive::{Derived, derive};
pub use schema::{Comparison, FixChange, FixRun, Outcome, ProveFix};
pub use text::text;
