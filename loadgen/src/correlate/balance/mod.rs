//! How connections and requests spread over the pods that were there the whole time, and how each pod was chosen.

mod choices;
mod decide;
mod evidence;
#[cfg(test)]
mod known;
mod order;
mod section;
mod shares;
mod spread;

pub use section::balance;
pub use spread::{chosen_in_run, steady_pods};
