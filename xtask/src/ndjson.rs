//! A run's packed files as a stranger reads them: gunzip, then one JSON value a line. Nothing of ours is used for it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use anyhow::{Context as _, Result};
use flate2::read::MultiGzDecoder;
use serde_json::Value;

/// All values of a `.ndjson.gz` file, which must be whole.
pub fn values(file: &Path) -> Result<Vec<Value>> {
    let failed = || format!("cannot read {}", file.display());
    let lines = BufReader::new(MultiGzDecoder::new(File::open(file).with_context(failed)?)).lines();
    lines.map(|line| serde_json::from_str(&line?).map_err(Into::into)).collect::<Result<_>>().with_context(failed)
}
