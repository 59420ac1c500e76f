//! The gateway: the distribution's nginx, laid out as the official image.

use std::path::Path;

use super::busybox;
use crate::{Error, Image, ImageConfig, Rootfs, libraries, names};

/// Where Debian's nginx packages put the binary.
pub const NGINX_PATH: &str = "/usr/sbin/nginx";

/// Files that configurations include.
const INCLUDES: &[&str] = &["mime.types", "fastcgi_params", "scgi_params", "uwsgi_params"];

/// Runs when no configuration is mounted over it.
const CONFIGURATION: &str = "\
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    include /etc/nginx/conf.d/*.conf;
}
";
const DEFAULT_SERVER: &str = "server { listen 80; location / { root /usr/share/nginx/html; } }\n";

/// Debian builds nginx with `nobody` as the user of its workers, the official image with `nginx`. Both names are user 101 here, so the
/// workers' user is that of the official image whether or not a configuration names one.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnginx:x:101:101:nginx:/nonexistent:/bin/false\nnobody:x:101:101:nginx:/nonexistent:/bin/false\n";
const GROUP: &str = "root:x:0:\nnginx:x:101:\nnogroup:x:101:\nnobody:x:101:\n";

/// From the distribution's nginx and, where there is one, its static busybox (the official image has a shell as well).
///
/// `root` is the tree that nginx lies in: `/`, or a folder that its packages are unpacked in.
/// `reference` is one of [`names::NGINX`] and [`names::NGINX_NEXT`]; the second differs by a label in its environment, so that the two
/// have different digests, as two releases would.
pub fn nginx(reference: &str, root: &Path, shell: Option<&Path>) -> Result<Image, Error> {
    let within = |path: &str| root.join(path.trim_start_matches('/'));
    let nginx = within(NGINX_PATH);
    if !nginx.exists() {
        return Err(Error::Missing { path: nginx, package: "nginx-light" });
    }
    let mut rootfs = Rootfs::new();
    rootfs.copy(&nginx, NGINX_PATH, 0o755)?;
    libraries::add(&mut rootfs, &nginx)?;
    for name in INCLUDES {
        let path = format!("/etc/nginx/{name}");
        rootfs.copy(&within(&path), &path, 0o644)?;
    }
    rootfs
        .file("/etc/nginx/nginx.conf", 0o644, CONFIGURATION)?
        .file("/etc/nginx/conf.d/default.conf", 0o644, DEFAULT_SERVER)?
        .file("/usr/share/nginx/html/index.html", 0o644, "<h1>nginx</h1>\n")?
        .file("/etc/passwd", 0o644, PASSWD)?
        .file("/etc/group", 0o644, GROUP)?
        .file("/etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nhosts: files dns\n")?
        // As in the official image: what nginx logs, the container logs.
        .symlink("/var/log/nginx/access.log", "/dev/stdout")?
        .symlink("/var/log/nginx/error.log", "/dev/stderr")?
        // nginx makes its own folders for request and answer bodies, but not their parents.
        .directory("/var/lib/nginx", 0o755)?
        .directory("/var/cache/nginx", 0o755)?
        .directory("/run", 0o755)?
        .directory("/var/lock", 0o755)?
        .directory("/tmp", 0o1777)?;
    if let Some(shell) = shell {
        busybox::add(&mut rootfs, shell)?;
    }
    let tag = reference.rsplit(':').next().unwrap_or_default();
    let config = ImageConfig {
        cmd: ["nginx", "-g", "daemon off;"].map(Into::into).into(),
        env: vec!["PATH=/usr/sbin:/usr/bin:/sbin:/bin".into(), format!("IMAGE_TAG={tag}")],
        // Finishes open requests; SIGTERM would cut them. The official image says the same.
        stop_signal: Some("SIGQUIT".into()),
        ..ImageConfig::default()
    };
    debug_assert!([names::NGINX, names::NGINX_NEXT].contains(&reference));
    Ok(Image { reference: reference.into(), rootfs, config })
}
