//! The podwitness load generator: drives Kubernetes experiments and explains each request.

pub mod load;
pub mod raw;
pub mod report;
