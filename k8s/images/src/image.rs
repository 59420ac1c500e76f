//! An image: its files and how they are to be run.

use std::fmt::Write;

use oci_spec::image::{
    Arch, Config, ConfigBuilder, Descriptor, Digest, HistoryBuilder, ImageConfigurationBuilder, ImageManifestBuilder,
    MediaType, Os, RootFsBuilder, SCHEMA_VERSION,
};
use sha2::{Digest as _, Sha256};

use crate::{Error, Rootfs, layout};

/// How the image's process is started and stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// What always runs.
    pub entrypoint: Vec<String>,
    /// Its arguments, or the command when there is no entry point; a pod may replace it.
    pub cmd: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Signal that asks the process to stop; SIGTERM when `None`.
    pub stop_signal: Option<String>,
}

/// A name, files, and how to run them.
#[derive(Clone, Debug)]
pub struct Image {
    /// Full reference, registry and tag included.
    pub reference: String,
    /// Its files.
    pub rootfs: Rootfs,
    /// How to run it.
    pub config: ImageConfig,
}

/// The bytes of an archive with the digest that a container runtime will know it by.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Digest of the image's manifest: `sha256:…`.
    pub digest: String,
    /// The archive.
    pub archive: Vec<u8>,
}

/// The one date in an image; anything else would change its digest with every build.
const CREATED: &str = "1970-01-01T00:00:00Z";

impl Image {
    /// Packs the image as an OCI image-layout archive with one uncompressed layer.
    pub fn pack(&self) -> Result<Packed, Error> {
        let layer = Blob::new(MediaType::ImageLayer, self.rootfs.to_layer()?)?;
        let config = Blob::new(MediaType::ImageConfig, self.configuration(&layer)?)?;
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .config(config.descriptor.clone())
            .layers([layer.descriptor.clone()])
            .build()?;
        let manifest = Blob::new(MediaType::ImageManifest, layout::canonical_json(&manifest)?)?;
        let digest = manifest.descriptor.digest().to_string();
        let archive = layout::archive(&self.reference, &manifest, &config, &layer)?;
        Ok(Packed { digest, archive })
    }

    fn configuration(&self, layer: &Blob) -> Result<Vec<u8>, Error> {
        let configuration = ImageConfigurationBuilder::default()
            .created(CREATED)
            // The crate's default is this machine's architecture.
            .architecture(Arch::default())
            .os(Os::Linux)
            .config(self.runtime_config()?)
            .rootfs(RootFsBuilder::default().typ("layers").diff_ids([layer.descriptor.digest().to_string()]).build()?)
            .history([HistoryBuilder::default().created(CREATED).created_by("cargo xtask image").build()?])
            .build()?;
        layout::canonical_json(&configuration)
    }

    fn runtime_config(&self) -> Result<Config, Error> {
        let ImageConfig { entrypoint, cmd, env, stop_signal } = self.config.clone();
        let mut config = ConfigBuilder::default().working_dir("/");
        if !entrypoint.is_empty() {
            config = config.entrypoint(entrypoint);
        }
        if !cmd.is_empty() {
            config = config.cmd(cmd);
        }
        if !env.is_empty() {
            config = config.env(env);
        }
        if let Some(signal) = stop_signal {
            config = config.stop_signal(signal);
        }
        Ok(config.build()?)
    }
}

/// Content with its address.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub descriptor: Descriptor,
    pub content: Vec<u8>,
}

impl Blob {
    fn new(media_type: MediaType, content: Vec<u8>) -> Result<Self, Error> {
        let mut digest = String::from("sha256:");
        for byte in Sha256::digest(&content) {
            // Writing to a string cannot fail.
            _ = write!(digest, "{byte:02x}");
        }
        let digest = Digest::try_from(digest)?;
        Ok(Self { descriptor: Descriptor::new(media_type, content.len() as u64, digest), content })
    }

    /// Where the content is in the archive.
    pub fn path(&self) -> String {
        format!("blobs/sha256/{}", self.descriptor.digest().digest())
    }
}
