//! Looks for everything. Nothing is changed here.

use std::path::Path;

use podwitness_cluster::Options;
use podwitness_cluster::preflight::{self, Verdict};
use podwitness_images::recipes::{BUSYBOX_PATH, NGINX_PATH};

use super::need::{Need, Remedy};
use super::tools::{Tools, below};
use super::{apt, bpf};
use crate::run::root;

/// In the order in which things are installed.
pub fn all(tools: &Tools) -> Vec<Need> {
    let mut needs = cluster();
    needs.push(program(tools, "nft", "nftables", "only for kube-proxy's nftables mode"));
    needs.push(program(tools, "tcpdump", "tcpdump", "only for `cargo xtask test`: a witness on the wire"));
    needs.push(nginx(tools));
    needs.push(busybox(tools));
    needs.push(bpf::core());
    needs.push(bpf::linker(tools));
    needs.push(btf());
    needs.push(tracefs());
    needs.push(cargo_deny(tools));
    needs
}

/// What the embedded cluster needs, by its own account.
fn cluster() -> Vec<Need> {
    preflight::check(&Options::default())
        .into_iter()
        .map(|finding| {
            let required = finding.verdict == Verdict::Missing;
            match (finding.verdict, finding.apt_package) {
                (Verdict::Ok, _) => Need::there(finding.what, true, finding.detail),
                (_, Some(package)) if apt::is_there() => {
                    Need::missing(finding.what, required, finding.detail, Remedy::Packages(vec![package.into()]))
                }
                _ if finding.what == "Go" => Need::missing(finding.what, required, finding.detail, go()),
                _ => {
                    let fix = finding.fix.unwrap_or_else(|| "no cure is known".into());
                    Need::missing(finding.what, required, finding.detail, Remedy::ByHand(fix))
                }
            }
        })
        .collect()
}

/// A distribution's Go of at least 1.21 fetches the version that the module asks for by itself. Older ones are of no use.
fn go() -> Remedy {
    if apt::candidate("golang-go").is_some_and(|version| fetches_toolchains(&version)) {
        return Remedy::Packages(vec!["golang-go".into()]);
    }
    let module = std::fs::read_to_string(root().join("k8s/cluster/go.mod")).unwrap_or_default();
    let version = module.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or("VERSION").trim().to_owned();
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Remedy::ByHand(format!("curl -fsSL https://go.dev/dl/go{version}.linux-{machine}.tar.gz | tar -C /usr/local -xz"))
}

/// From a Debian version such as `2:1.24~2`.
fn fetches_toolchains(version: &str) -> bool {
    let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
    let mut numbers = upstream.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
    let (major, minor): (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (major, minor) >= (1, 21)
}

fn program(tools: &Tools, name: &'static str, package: &str, why: &str) -> Need {
    let sbin = Path::new("/usr/sbin").join(name);
    match tools.find(name).or_else(|| sbin.is_file().then_some(sbin)) {
        Some(path) => Need::there(name, false, path.display().to_string()),
        None => Need::missing(name, false, why, Remedy::Packages(vec![package.into()])),
    }
}

/// Installed it would be started as a service on port 80 and stay; unpacked it is only a file for the gateway's image.
fn nginx(tools: &Tools) -> Need {
    let name = "nginx";
    if let Some(root) = tools.nginx_root() {
        return Need::there(name, true, below(&root, NGINX_PATH).display().to_string());
    }
    // Until Debian 11 and Ubuntu 22.04 `nginx` is a name without a program.
    let package = if apt::is_metapackage("nginx") { "nginx-core" } else { "nginx" };
    let packages = [package, "nginx-common"];
    let remedy = if apt::knows(&packages) {
        Remedy::Unpack { folder: "nginx", packages: packages.map(str::to_owned).into() }
    } else {
        Remedy::ByHand("install nginx by your distribution's means".into())
    };
    Need::missing(name, true, "the gateway's image is made of it", remedy)
}

/// Unpacked for another reason: Debian's `busybox` and `busybox-static` exclude each other.
fn busybox(tools: &Tools) -> Need {
    let name = "busybox-static";
    if let Some(path) = tools.busybox() {
        return Need::there(name, false, path.display().to_string());
    }
    let remedy = if apt::knows(&[name]) {
        Remedy::Unpack { folder: "busybox", packages: vec![name.into()] }
    } else {
        Remedy::ByHand(format!("put a static busybox at {BUSYBOX_PATH}"))
    };
    Need::missing(name, false, "only for a shell in the gateway and in debug pods", remedy)
}

/// Without it the agent cannot start, which one wants to know before half an hour of building.
fn btf() -> Need {
    let (name, path) = ("btf", "/sys/kernel/btf/vmlinux");
    if Path::new(path).is_file() {
        return Need::there(name, true, path);
    }
    let remedy = "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as every current distribution's is".to_owned();
    Need::missing(name, true, format!("{path} is not there; the observer cannot start"), Remedy::ByHand(remedy))
}

fn tracefs() -> Need {
    let name = "tracefs";
    let places = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
    match places.iter().find(|place| Path::new(place).join("events").is_dir()) {
        Some(place) => Need::there(name, false, *place),
        None => Need::missing(name, false, "not mounted; layouts of tracepoints are read there", Remedy::Tracefs),
    }
}

fn cargo_deny(tools: &Tools) -> Need {
    let name = "cargo-deny";
    match tools.find(name) {
        Some(path) => Need::there(name, false, path.display().to_string()),
        None => Need::missing(name, false, "only for `cargo xtask ci`", Remedy::CargoTool(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_versions_of_go_are_compared_as_numbers() {
        for (version, expected) in
            [("2:1.19~1", false), ("2:1.24~2", true), ("1.21.1-1", true), ("2:1.3.3", false), ("", false)]
        {
            assert_eq!(fetches_toolchains(version), expected, "{version}");
        }
    }
}
