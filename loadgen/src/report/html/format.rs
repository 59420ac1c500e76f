//! Figures as people read them.

/// Microseconds in the unit that reads best; `–` is not measured.
pub fn us(value: Option<u64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(us) if us < 1_000 => format!("{us} µs"),
        Some(us) if us < 1_000_000 => format!("{:.2} ms", us as f64 / 1e3),
        Some(us) => format!("{:.3} s", us as f64 / 1e6),
    }
}

/// Milliseconds since something, with their sign.
pub fn after_ms(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |ms| format!("{ms:+.1} ms"))
}
