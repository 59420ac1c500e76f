//! The schemas in `docs` are what the types say. After a change: `UPDATE=1 cargo test -p loadgen --test correlate`.

use std::fs;

use loadgen::report::schema::{comparison_schema, json_schema, repeats_schema, request_schema};
use loadgen::verify::verified_schema;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

#[test]
fn the_committed_schemas_are_the_generated_ones() {
    for (name, schema) in [
        ("report", json_schema()),
        ("compare", comparison_schema()),
        ("repeat", repeats_schema()),
        ("request", request_schema()),
        ("verify", verified_schema()),
    ] {
        let file = format!("{DOCS}/{name}.schema.json");
        let generated = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            fs::write(&file, &generated).unwrap();
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            committed == generated,
            "docs/{name}.schema.json is not what the types say; run `UPDATE=1 cargo test -p loadgen --test correlate` and commit it"
        );
    }
}

/// Fails with the place and the reason when a report is not what its schema says.
pub fn validate(report: &serde_json::Value) {
    fits(&json_schema(), report);
}

/// The same for any schema.
pub fn fits(schema: &serde_json::Value, report: &serde_json::Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn the_schema_refuses_what_is_no_report() {
    let validator = jsonschema::validator_for(&json_schema()).unwrap();
    assert!(!validator.is_valid(&serde_json::json!({"schema_version": 1})));
}
