//! What the observer itself costs.
