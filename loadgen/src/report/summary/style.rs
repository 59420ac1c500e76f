//! Width, colour, and foreign text.

use comfy_table::{ContentArrangement, Table, presets};

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

    /// A paragraph, indented, wrapped at spaces.
    pub fn paragraph(self, first: &str, text: &str) -> String {
        let indent = first.chars().count();
        let room = usize::from(self.width).saturating_sub(indent).max(20);
        let mut out = String::from(first);
        let mut used = 0;
        for word in text.split(' ') {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > room {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent));
                used = 0;
            } else if used > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
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
        table
    }
}

/// A table as lines without trailing blanks.
pub fn lines(table: &Table) -> String {
    let mut out = String::new();
    for line in table.to_string().lines() {
        out.push_str(line.trim_end());
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
/// The table of pods has the whole names.
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
    fn paragraphs_keep_within_the_width() {
        let style = Style { width: 30, color: false };
        let text = style.paragraph("  Q1  ", "one two three four five six seven eight nine");
        assert!(text.lines().all(|line| line.chars().count() <= 30), "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("      ")));
    }
}
