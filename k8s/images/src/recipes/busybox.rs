//! A shell with the usual tools, from the distribution's static busybox.

use std::path::Path;

use crate::{Error, Image, ImageConfig, Rootfs, names};

/// Where Debian's `busybox-static` puts it.
pub const BUSYBOX_PATH: &str = "/bin/busybox";

/// What the lab's debug pods and load generators call, and a little more.
pub const APPLETS: &[&str] = &[
    "sh", "cat", "cut", "date", "echo", "env", "false", "find", "grep", "head", "hostname", "id", "ip", "kill", "ls",
    "nc", "netstat", "nslookup", "ping", "printf", "ps", "sed", "seq", "sleep", "sort", "tail", "test", "time", "top",
    "tr", "true", "uname", "uniq", "vi", "wc", "wget", "which", "xargs",
];

/// From a static busybox.
pub fn busybox(binary: &Path) -> Result<Image, Error> {
    let mut rootfs = Rootfs::new();
    add(&mut rootfs, binary)?;
    rootfs
        .directory("/tmp", 0o1777)?
        .directory("/root", 0o700)?
        .file("/etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")?
        .file("/etc/group", 0o644, "root:x:0:\nnogroup:x:65534:\n")?;
    let config = ImageConfig { cmd: vec!["sh".into()], env: vec!["PATH=/bin".into()], ..ImageConfig::default() };
    Ok(Image { reference: names::BUSYBOX.into(), rootfs, config })
}

/// Adds busybox and a link for each applet.
pub fn add(rootfs: &mut Rootfs, binary: &Path) -> Result<(), Error> {
    if !binary.exists() {
        return Err(Error::Missing { path: binary.to_owned(), package: "busybox-static" });
    }
    rootfs.copy(binary, "/bin/busybox", 0o755)?;
    for applet in APPLETS {
        rootfs.symlink(&format!("/bin/{applet}"), "busybox")?;
    }
    Ok(())
}
