//! Network namespaces for tests, removed again whatever happens.

#![allow(clippy::unwrap_used, dead_code, clippy::missing_panics_doc)]

use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};

/// Whether the test can run. When it cannot, says so where it cannot be overlooked.
pub fn is_root(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!(
            "\n*** SKIPPED, NOT RUN: {test} needs root (network namespaces, netlink). Run the tests with sudo. ***\n"
        );
    }
    root
}

/// Runs a command that must succeed.
pub fn must(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {said}", args.join(" "));
}

/// A network namespace of our own.
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes one; `name` is made unique.
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pwt-{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        must("ip", &["netns", "add", &name]);
        let it = Self { name };
        it.ip(&["link", "set", "lo", "up"]);
        it
    }

    /// `ip` in it.
    pub fn ip(&self, args: &[&str]) {
        must("ip", &[&["-n", &self.name], args].concat());
    }

    /// Lays a cable to another one: `(name, address/len)` on each side.
    pub fn cable(&self, here: (&str, &str), other: &Self, there: (&str, &str)) {
        let ends = ["link", "add", here.0, "type", "veth", "peer", "name", there.0, "netns", &other.name];
        self.ip(&ends);
        for (netns, end) in [(self, here), (other, there)] {
            netns.ip(&["addr", "add", end.1, "dev", end.0]);
            netns.ip(&["link", "set", end.0, "up"]);
        }
    }

    /// Replaces its whole nftables rule set.
    pub fn nft(&self, rules: &str) {
        let mut child = Command::new("nsenter")
            .args([&format!("--net=/run/netns/{}", self.name), "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(format!("flush ruleset\n{rules}").as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "nft refused:\n{rules}");
    }

    /// Lets it route.
    pub fn forward(&self) {
        self.run(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap());
    }

    /// Runs something in it, on a thread of its own.
    pub fn run<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.name);
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(File::open(&path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
                inside()
            });
            thread.join().unwrap()
        })
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // Cables go with the namespace.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}
