//! `docs/report.schema.json` is what the types say. After a change: `UPDATE=1 cargo test -p loadgen --test correlate`.

use std::fs;
use std::path::Path;

use loadgen::report::schema::json_schema;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/report.schema.json");

#[test]
fn the_committed_schema_is_the_generated_one() {
    let generated = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(FILE, &generated).unwrap();
    }
    let committed = fs::read_to_string(Path::new(FILE)).unwrap_or_default();
    assert!(
        committed == generated,
        "docs/report.schema.json is not what the types say; run `UPDATE=1 cargo test -p loadgen --test correlate` and commit it"
    );
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
