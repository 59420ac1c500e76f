//! Reads a pod's UID out of the name of its cgroup. Pure.
//!
//! Two drivers name the same thing differently:
//! - cgroupfs: `kubepods/burstable/pod<UID>/<container>`
//! - systemd: `kubepods-burstable.slice/kubepods-burstable-pod<UID with _ for ->.slice/cri-containerd-<container>.scope`

/// The pod UID named by one directory, if it is a pod's.
pub fn pod_uid(directory: &str) -> Option<String> {
    let name = directory.strip_suffix(".slice").unwrap_or(directory);
    let uid = match name.strip_prefix("pod") {
        Some(uid) => uid,
        // Only below `kubepods`: `podman` and the like are no pods.
        None => name.contains("kubepods").then(|| name.rsplit_once("-pod"))?.map(|(_, uid)| uid)?,
    };
    let uid = uid.replace('_', "-");
    let dashed =
        uid.len() == 36 && uid.chars().enumerate().all(|(i, c)| if DASHES.contains(&i) { c == '-' } else { hex(c) });
    // The UID of a static pod is the hash of its manifest: 32 digits, no dashes.
    let hashed = uid.len() == 32 && uid.chars().all(hex);
    (dashed || hashed).then_some(uid)
}

const DASHES: [usize; 4] = [8, 13, 18, 23];

fn hex(c: char) -> bool {
    c.is_ascii_hexdigit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_drivers_and_static_pods() {
        let uid = "0d4f2a6e-93b1-4c55-a7d0-1b2c3d4e5f60";
        for name in [
            format!("pod{uid}"),
            "kubepods-burstable-pod0d4f2a6e_93b1_4c55_a7d0_1b2c3d4e5f60.slice".into(),
            "kubepods-pod0d4f2a6e_93b1_4c55_a7d0_1b2c3d4e5f60.slice".into(),
            "kubelet-kubepods-besteffort-pod0d4f2a6e_93b1_4c55_a7d0_1b2c3d4e5f60.slice".into(),
        ] {
            assert_eq!(pod_uid(&name).as_deref(), Some(uid), "{name}");
        }
        let hash = "c9d0f2a6e93b14c55a7d01b2c3d4e5f6";
        assert_eq!(pod_uid(&format!("pod{hash}")).as_deref(), Some(hash));
    }

    #[test]
    fn other_directories_are_no_pods() {
        for name in [
            "kubepods",
            "kubepods-burstable.slice",
            "podman",
            "pod",
            "pods",
            "machine.slice",
            "user-1000.slice",
            "podxyz",
            "",
        ] {
            assert_eq!(pod_uid(name), None, "{name}");
        }
        let container = "cri-containerd-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.scope";
        assert_eq!(pod_uid(container), None);
    }
}
