//! Builds the eBPF object (feature `agent`), and tells how.

fn main() {
    println!("cargo::rustc-env=PODWITNESS_BPF_BUILT_WITH=not built yet");
}
