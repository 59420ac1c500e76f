//! Whole archives: their form and their sameness.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::io::Read;

use podwitness_images::{Image, ImageConfig, Rootfs, names, write};

fn image(content: &str) -> Image {
    let mut rootfs = Rootfs::new();
    rootfs.file("/app", 0o755, content).unwrap().directory("/tmp", 0o1777).unwrap();
    let config = ImageConfig {
        entrypoint: vec!["/app".into()],
        env: vec!["A=1".into(), "B=2".into()],
        stop_signal: Some("SIGQUIT".into()),
        ..ImageConfig::default()
    };
    Image { reference: names::PAUSE.into(), rootfs, config }
}

fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(entry.path().unwrap().display().to_string(), content);
    }
    files
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let first = image("x").pack().unwrap();
    for _ in 0..20 {
        let again = image("x").pack().unwrap();
        assert_eq!(again.digest, first.digest);
        assert!(again.archive == first.archive, "the archive differs though the digest does not");
    }
    assert_ne!(image("y").pack().unwrap().digest, first.digest);
}

#[test]
fn every_reference_within_the_archive_leads_to_its_content() {
    let packed = image("x").pack().unwrap();
    let files = files(&packed.archive);
    let json = |path: &str| serde_json::from_slice::<serde_json::Value>(&files[path]).unwrap();
    let blob = |digest: &serde_json::Value| digest.as_str().unwrap().replace("sha256:", "blobs/sha256/");

    assert_eq!(json("oci-layout")["imageLayoutVersion"], "1.0.0");
    let entry = json("index.json")["manifests"][0].clone();
    assert_eq!(entry["digest"], packed.digest);
    assert_eq!(entry["annotations"]["io.containerd.image.name"], names::PAUSE);
    assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], names::PAUSE);
    let manifest = json(&blob(&entry["digest"]));
    let config = json(&blob(&manifest["config"]["digest"]));
    let layer = &manifest["layers"][0];
    assert_eq!(files[&blob(&layer["digest"])].len() as u64, layer["size"]);
    assert_eq!(config["rootfs"]["diff_ids"][0], layer["digest"], "an uncompressed layer is its own diff");
    assert_eq!(config["config"]["Entrypoint"][0], "/app");
    assert_eq!(config["config"]["StopSignal"], "SIGQUIT");
    let docker = &json("manifest.json")[0];
    assert!(
        files.contains_key(docker["Config"].as_str().unwrap())
            && files.contains_key(docker["Layers"][0].as_str().unwrap())
    );
}

#[test]
fn an_archive_that_is_there_is_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("images");
    let first = write(&image("x"), &out).unwrap();
    assert!(first.written && first.path.ends_with("pause-1.tar"));
    assert!(!write(&image("x"), &out).unwrap().written);
    assert!(write(&image("y"), &out).unwrap().written);
    std::fs::write(&first.path, "cut short").unwrap();
    assert!(write(&image("y"), &out).unwrap().written);
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1, "nothing is left beside the archive");
}
