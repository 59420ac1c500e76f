//! The image-layout archive around an image's blobs.

use std::collections::HashMap;

use oci_spec::image::{ANNOTATION_REF_NAME, ImageIndexBuilder, MediaType, OciLayoutBuilder, SCHEMA_VERSION};
use serde_json::Value;

use crate::image::Blob;
use crate::{Error, Rootfs};

/// containerd names an imported image by this.
const ANNOTATION_CONTAINERD_NAME: &str = "io.containerd.image.name";

/// `oci-layout`, `index.json` and the blobs; and `manifest.json`, which older `docker load` and `minikube image load` look for.
pub fn archive(reference: &str, manifest: &Blob, config: &Blob, layer: &Blob) -> Result<Vec<u8>, Error> {
    let mut named = manifest.descriptor.clone();
    named.set_annotations(Some(HashMap::from([
        (ANNOTATION_CONTAINERD_NAME.to_owned(), reference.to_owned()),
        (ANNOTATION_REF_NAME.to_owned(), reference.to_owned()),
    ])));
    let index = ImageIndexBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests([named])
        .build()?;
    let layout = OciLayoutBuilder::default().image_layout_version("1.0.0").build()?;
    let docker = serde_json::json!([{ "Config": config.path(), "RepoTags": [reference], "Layers": [layer.path()] }]);

    // An archive is a tree of files as an image's layer is.
    let mut files = Rootfs::new();
    files
        .file("/oci-layout", 0o644, canonical_json(&layout)?)?
        .file("/index.json", 0o644, canonical_json(&index)?)?
        .file("/manifest.json", 0o644, canonical_json(&docker)?)?;
    for blob in [manifest, config, layer] {
        files.file(&format!("/{}", blob.path()), 0o644, blob.content.clone())?;
    }
    files.to_layer()
}

/// JSON with sorted keys: the crate's maps of annotations come in another order on every run.
pub fn canonical_json(document: &impl serde::Serialize) -> Result<Vec<u8>, Error> {
    Ok(serde_json::to_vec(&sorted(serde_json::to_value(document)?))?)
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<(String, Value)> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(pairs.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
