//! Figures as people read them.

/// Milliseconds since something, with their sign.
pub fn after_ms(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |ms| format!("{ms:+.1} ms"))
}
