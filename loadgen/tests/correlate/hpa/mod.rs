//! The autoscaler's arithmetic and the report's section about the number of pods.

mod formula;
mod limits;
mod runs;
