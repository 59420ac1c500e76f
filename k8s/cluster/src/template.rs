//! `${NAME}` in a file of `templates/` becomes a value; anything that does not fit is an error, never an empty string.

use std::fmt::Display;

use crate::{Error, Result};

/// A template with its file name, for error messages.
pub(crate) struct Template {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// Names a file of `templates/` that is part of the program.
macro_rules! template {
    ($file:literal) => {
        $crate::template::Template {
            name: $file,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/", $file)),
        }
    };
}
pub(crate) use template;

impl Template {
    /// Replaces every placeholder. A placeholder without a value and a value without a placeholder are errors.
    pub(crate) fn render(&self, values: &[(&str, &dyn Display)]) -> Result<String> {
        let refuse = |problem: String| Err(Error::Template { template: self.name, problem });
        let mut used = vec![false; values.len()];
        let mut out = String::with_capacity(self.text.len());
        let mut rest = self.text;
        while let Some(start) = rest.find("${") {
            let (before, from) = rest.split_at(start);
            out.push_str(before);
            let Some(end) = from.find('}') else { return refuse(format!("unclosed placeholder: {from:.20}")) };
            let name = &from[2..end];
            let Some(at) = values.iter().position(|(known, _)| *known == name) else {
                return refuse(format!("no value for ${{{name}}}"));
            };
            used[at] = true;
            out.push_str(&values[at].1.to_string());
            rest = &from[end + 1..];
        }
        out.push_str(rest);
        match used.iter().position(|used| !used) {
            Some(at) => refuse(format!("${{{}}} does not occur", values[at].0)),
            None => Ok(out),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn render(text: &'static str, values: &[(&str, &dyn Display)]) -> Result<String> {
        Template { name: "test", text }.render(values)
    }

    #[test]
    fn every_placeholder_is_replaced() {
        assert_eq!(render("${A}-${B}-${A}", &[("A", &1), ("B", &"x")]).unwrap(), "1-x-1");
    }

    #[test]
    fn a_value_is_not_read_as_a_template() {
        assert_eq!(render("<${A}>", &[("A", &"${A}")]).unwrap(), "<${A}>");
    }

    #[test]
    fn missing_and_superfluous_values_are_errors() {
        assert!(render("${A}", &[]).is_err());
        assert!(render("a", &[("A", &1)]).is_err());
        assert!(render("${A", &[("A", &1)]).is_err());
    }
}
