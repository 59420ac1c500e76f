//! The manifests name the images that are made here.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use podwitness_images::names;

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

/// Every local reference, written whole or as kustomize's name and tag.
fn references(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("newName: ") {
            let tag = lines.peek().and_then(|next| next.strip_prefix("newTag: ")).unwrap();
            found.push(format!("{name}:{tag}"));
        } else if let Some(reference) = line.strip_prefix("image: ") {
            found.push(reference.to_owned());
        }
    }
    found.retain(|reference| reference.starts_with("podwitness.local/"));
    found
}

#[test]
fn every_local_image_in_a_manifest_is_one_of_ours() {
    let ours = [names::OBSERVER, names::INFERENCE_0_2_3, names::INFERENCE_1_0_0, names::NGINX, names::NGINX_NEXT];
    let k8s = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    yaml_files(&k8s.join("lab"), &mut files);
    yaml_files(&k8s.join("observer"), &mut files);
    let used: Vec<String> = files.iter().flat_map(|path| references(&std::fs::read_to_string(path).unwrap())).collect();
    assert!(used.len() >= 4, "the manifests were not found: {used:?}");
    for reference in used {
        assert!(ours.contains(&reference.as_str()), "no recipe makes {reference}");
    }
}
