//! What a run's raw files say, in the form people and programs read.

pub mod answers;
pub mod compare;
mod figure;
pub mod fix;
mod hook;
pub mod html;
pub mod repeat;
pub mod requests;
pub mod schema;
pub mod summary;
pub mod threshold;

pub use hook::Hook;
