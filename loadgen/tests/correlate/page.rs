//! The HTML page.

use loadgen::report::html::html;

use crate::reports::{clean_pod_delete, lossy_rollout};
use crate::synthetic::correlate;

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    for raw in [lossy_rollout(), clean_pod_delete()] {
        let page = html(&correlate(&raw)).unwrap();
        for forbidden in ["http://", "https://", "<script", "src=", "url(", "@import", "<link"] {
            let found = page.match_indices(forbidden).find(|(at, _)| !page[..*at].ends_with('"'));
            assert!(
                found.is_none(),
                "{forbidden} in the page: {:?}",
                found.map(|(at, _)| &page[at.saturating_sub(40)..at + 40])
            );
        }
    }
}

#[test]
fn foreign_text_is_text() {
    let mut raw = lossy_rollout();
    raw.run.warnings.push("<img src=x onerror=alert(1)>".into());
    raw.run.experiment = "rollout\"><b>".into();
    let page = html(&correlate(&raw)).unwrap();
    assert!(!page.contains("<img") && !page.contains("<b>a"), "unescaped");
    assert!(page.contains("&#60;img"));
}

#[test]
fn what_was_lost_is_on_the_page() {
    let page = html(&correlate(&lossy_rollout())).unwrap();
    for words in
        ["FailedPreStopHook", "stale_nat_entry", "last_new_connection", "Q10.3", "class=\"lost\"", "thread_order"]
    {
        assert!(page.contains(words), "{words} is missing");
    }
    if let Some(file) = std::env::var_os("PAGE") {
        std::fs::write(file, &page).unwrap();
    }
}
