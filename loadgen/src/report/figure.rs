//! Figures for people, the same in the terminal and on the page.

/// Microseconds in the unit that reads best. A figure and its unit stay together: the blank between them does not break.
pub fn us(value: Option<u64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(us) if us < 1_000 => format!("{us}\u{a0}µs"),
        Some(us) if us < 10_000 => format!("{:.2}\u{a0}ms", us as f64 / 1e3),
        Some(us) if us < 1_000_000 => format!("{:.1}\u{a0}ms", us as f64 / 1e3),
        Some(us) => format!("{:.2}\u{a0}s", us as f64 / 1e6),
    }
}

/// A share in percent.
pub fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{:.1}\u{a0}%", ratio * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        let shown: Vec<String> = [7, 1_234, 12_345, 1_234_567].map(|value| us(Some(value))).into();
        assert_eq!(shown, ["7\u{a0}µs", "1.23\u{a0}ms", "12.3\u{a0}ms", "1.23\u{a0}s"]);
        assert_eq!((us(None), percent(Some(0.3333))), ("–".to_owned(), "33.3\u{a0}%".to_owned()));
    }
}
