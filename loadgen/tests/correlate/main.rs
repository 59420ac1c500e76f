//! The correlation and its report, from raw runs made by hand: each cause with its nearest neighbour that is not it,
//! the properties that hold for every run, and the whole report of a few runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod balance;
mod causes;
mod compare;
mod damage;
mod hpa;
mod joins;
mod lab;
mod page;
mod properties;
mod recorded;
mod reports;
mod requests;
mod schema;
mod slow;
mod synthetic;
mod two_nodes;
mod updates;
mod verify;
