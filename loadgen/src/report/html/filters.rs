//! How texts and figures stand on the page.

#![allow(
    clippy::inline_always,
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "what `filter_fn` makes of a function"
)]

use std::fmt::{self, Display};

use askama::filters::{Escaper as _, Html, Safe};
use askama::{Result, Values};

/// Text with what stands between backticks set as code. One backtick without a second one stays as it is.
#[askama::filter_fn]
pub fn marked(text: impl Display, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(mark(&text.to_string())?))
}

/// A time as RFC 3339, to the second.
#[askama::filter_fn]
pub fn second(time: impl Display, _: &dyn Values) -> Result<String> {
    Ok(to_second(&time.to_string()))
}

/// Whole milliseconds.
#[askama::filter_fn]
pub fn whole(ms: impl Display, _: &dyn Values) -> Result<String> {
    Ok(format!("{ms:.0}"))
}

fn mark(text: &str) -> Result<String, fmt::Error> {
    let mut html = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (code, after))) =
        rest.split_once('`').and_then(|(before, behind)| Some((before, behind.split_once('`')?)))
    {
        Html.write_escaped_str(&mut html, before)?;
        html.push_str("<code>");
        Html.write_escaped_str(&mut html, code)?;
        html.push_str("</code>");
        rest = after;
    }
    Html.write_escaped_str(&mut html, rest)?;
    Ok(html)
}

fn to_second(time: &str) -> String {
    match time.split_once('.') {
        Some((second, fraction)) if fraction.ends_with('Z') => format!("{second}Z"),
        _ => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::to_second;

    #[test]
    fn code_is_set_as_code_and_all_else_is_text() {
        let marked = |text| super::mark(text).unwrap_or_default();
        assert_eq!(marked("set `a: 3` and `<b>`"), "set <code>a: 3</code> and <code>&#60;b&#62;</code>");
        assert_eq!(marked("5 < 6 & `one"), "5 &#60; 6 &#38; `one");
        assert_eq!(marked(""), "");
    }

    #[test]
    fn a_time_is_told_to_the_second() {
        assert_eq!(to_second("2026-11-26T12:00:52.041967632Z"), "2026-11-26T12:00:52Z");
        assert_eq!(to_second("2026-11-26T12:00:52Z"), "2026-11-26T12:00:52Z");
        assert_eq!(to_second("not known"), "not known");
    }
}
