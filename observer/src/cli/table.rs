//! Plain tables for the terminal.

use comfy_table::{ContentArrangement, Table, presets};

/// Columns where nobody says how many there are: a log, a pipe, a terminal that does not export `COLUMNS`.
const WIDTH: u16 = 160;

/// A table without lines: columns are found by the eye, and by `awk`.
pub fn table(header: &[&str]) -> Table {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(columns.unwrap_or(WIDTH))
        .set_header(header.to_vec());
    table
}
