//! One function for each image of the project.

mod busybox;
mod inference;
mod loadgen;
mod nginx;
mod observer;
mod pause;
mod static_binary;

pub use busybox::{APPLETS, BUSYBOX_PATH, busybox};
pub use inference::{Release, inference};
pub use loadgen::loadgen;
pub use nginx::{NGINX_PATH, nginx};
pub use observer::observer;
pub use pause::pause;
pub use static_binary::is_static;
