//! Container images as OCI archives, made without Docker.
//!
//! A [`Rootfs`] and an [`ImageConfig`] make an [`Image`]; [`Image::pack`] turns it into the bytes of an image-layout archive that
//! `ctr images import`, `docker load`, `minikube image load` and `kind load image-archive` take. The same input gives the same bytes:
//! entries are sorted, times are zero, owners are root, and JSON keys are in order.
//!
//! [`recipes`] has one function for each image of this project; [`names`] their references.

#![forbid(unsafe_code)]

mod error;
mod image;
mod layout;
mod libraries;
pub mod names;
pub mod recipes;
mod rootfs;
mod store;

pub use error::Error;
pub use image::{Image, ImageConfig, Packed};
pub use recipes::is_static;
pub use rootfs::Rootfs;
pub use store::{Archive, write};
