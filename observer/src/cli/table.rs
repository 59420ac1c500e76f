//! Plain tables for the terminal.

use comfy_table::{ContentArrangement, Table, presets};

/// A table without lines: columns are found by the eye, and by `awk`.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(header.to_vec());
    table
}
