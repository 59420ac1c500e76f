//! Width, colour, and foreign text.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal.
    pub width: u16,
    /// Use colour; meaning never hangs on it alone.
    pub color: bool,
}

impl Style {
    /// A title line.
    pub fn title(self, text: &str) -> String {
        if self.color { format!("\u{1b}[1m{text}\u{1b}[0m\n") } else { format!("{text}\n") }
    }

    /// Something good.
    pub fn good(self, text: &str) -> String {
        if self.color { format!("\u{1b}[32m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Something bad.
    pub fn bad(self, text: &str) -> String {
        if self.color { format!("\u{1b}[31m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A paragraph, indented, wrapped at spaces, but not at those between a figure and its unit.
    pub fn paragraph(self, first: &str, text: &str) -> String {
        let indent = first.chars().count();
        let room = usize::from(self.width).saturating_sub(indent).max(20);
        let mut out = String::from(first);
        let mut used = 0;
        let mut words = text.split(' ').peekable();
        while let Some(word) = words.next() {
            let unit = words.next_if(|next| word.ends_with(|c: char| c.is_ascii_digit()) && is_unit(next));
            let length = word.chars().count() + unit.map_or(0, |unit| 1 + unit.chars().count());
            if used > 0 && used + 1 + length > room {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent));
                used = 0;
            } else if used > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            out.extend(unit.into_iter().flat_map(|unit| [" ", unit]));
            used += length;
        }
        out.push('\n');
        out
    }

    /// An empty table of this width.
    pub fn table(self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(self.width);
        table.set_header(header);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table
    }
}

/// Whether a word of a paragraph is the unit of the figure before it.
fn is_unit(word: &str) -> bool {
    let bare = word.trim_end_matches(|c: char| c.is_ascii_punctuation() && c != '%');
    matches!(bare, "%" | "ns" | "µs" | "ms" | "s" | "min")
}

/// A table as lines without trailing blanks. A name or a figure is never broken in two as long as there is room: only
/// at blanks, and not at those between a figure and its unit.
pub fn lines(table: &Table) -> String {
    let mut table = table.clone();
    let room = table.width().unwrap_or(u16::MAX);
    let columns = table.column_count();
    // A table that needs the room more than the air gets it.
    let wide = table.column_max_content_widths().iter().map(|width| u32::from(*width) + 2).sum::<u32>();
    if wide > u32::from(room) {
        for column in table.column_iter_mut() {
            column.set_padding((0, 1));
        }
    }
    let longest: Vec<u16> = (0..columns)
        .map(|column| {
            let texts = table.column_cells_with_header_iter(column).flatten().map(comfy_table::Cell::content);
            let words = texts.map(|text| text.split(' ').map(|word| word.chars().count()).max().unwrap_or(0));
            words.max().and_then(|count| u16::try_from(count).ok()).unwrap_or(0)
        })
        .collect();
    let paddings: Vec<u16> = table.column_iter().map(comfy_table::Column::padding_width).collect();
    let least: Vec<u16> = longest.iter().zip(&paddings).map(|(word, padding)| word.saturating_add(*padding)).collect();
    if least.iter().map(|width| u32::from(*width)).sum::<u32>() <= u32::from(room) {
        for (column, least) in table.column_iter_mut().zip(least) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
    }
    let mut out = String::new();
    for line in table.to_string().lines() {
        out.push_str(line.trim_end().replace('\u{a0}', " ").as_str());
        out.push('\n');
    }
    out
}

/// Text that came from elsewhere (names, messages, errors): control characters must not reach a terminal.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Direction marks can make a line read as another one.
        if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A pod's name without the hash of its template, which tells a reader of a table nothing: `ml-inference-…-x7k2p`.
/// `report.json` has the whole names.
pub fn short(name: &str) -> String {
    let mut parts = name.rsplitn(3, '-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(own), Some(hash), Some(rest)) if own.len() == 5 && (8..=10).contains(&hash.len()) => {
            escape(&format!("{rest}-…-{own}"))
        }
        _ => escape(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hash_of_a_deployments_pod_is_left_out() {
        assert_eq!(short("ml-inference-6c9f7d8b59-x7k2p"), "ml-inference-…-x7k2p");
        assert_eq!(short("database-0"), "database-0");
        assert_eq!(short("pod/ml-inference-6c9f7d8b59-x7k2p"), "pod/ml-inference-…-x7k2p");
    }

    #[test]
    fn control_characters_do_not_pass() {
        assert_eq!(escape("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(escape("µs → ok"), "µs → ok");
    }

    #[test]
    fn a_tables_names_and_figures_stay_whole() {
        let style = Style { width: 60, color: false };
        let mut table = style.table(&["pod", "refused from", "why"]);
        table.add_row([
            "ml-inference-…-x7k2p",
            "12.3\u{a0}ms",
            "a long text with many short words that has to be broken",
        ]);
        let text = lines(&table);
        assert!(text.contains("ml-inference-…-x7k2p") && text.contains("12.3 ms"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    }

    #[test]
    fn paragraphs_keep_within_the_width() {
        let style = Style { width: 30, color: false };
        let text = style.paragraph("  Q1  ", "one two three four five six seven eight nine");
        assert!(text.lines().all(|line| line.chars().count() <= 30), "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("      ")));
    }

    #[test]
    fn a_figure_and_its_unit_stay_on_one_line() {
        let text = "2 of 87 failed (2.30 %), after 201 ms; and 87 more";
        for width in 20..60 {
            let lines = Style { width, color: false }.paragraph("", text);
            assert!(lines.contains("(2.30 %),") && lines.contains("201 ms;"), "{lines}");
            assert_eq!(lines.trim_end().replace('\n', " "), text);
        }
    }
}
