//! What would other policies have given? A replay of the run: the same requests at the same moments, the service times
//! that were measured at each pod, and another choice of the pod. Computed, and said so.

#[cfg(test)]
mod known;
mod model;
mod policy;
mod replay;
mod simulate;

pub use replay::{in_window, of_run};
