//! "Did you mean …?"

/// The name most like `wanted`, when there is one that a typing slip explains.
pub fn nearest<'n>(wanted: &str, there: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    there
        .into_iter()
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// What to say about a name that does not exist: the nearest one, or all of them.
pub fn hint(wanted: &str, there: &[String]) -> String {
    match nearest(wanted, there.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None if there.is_empty() => "there are none".to_owned(),
        None => format!("there are: {}", there.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let there = ["ml-inference".to_owned(), "api-gateway".to_owned()];
        assert_eq!(hint("ml-inferense", &there), "did you mean `ml-inference`?");
        assert_eq!(hint("zzz", &there), "there are: ml-inference, api-gateway");
        assert_eq!(hint("x", &[]), "there are none");
    }
}
