//! What the runner must not let pass: a vector that it cannot run, an unknown key, an expectation that is not met or is
//! without effect. Each is refused for the reason given beside it.

use crate::vector;
use libtest_mimic::{Failed, Trial};

const CIRCUIT: &str =
    r#"{"do": "circuit", "tenant": "t", "provider": "p", "as": "c", "expect": {"status": "TRIP_OK"}}"#;

/// Name, the last step of a vector that begins with `CIRCUIT`, and what the refusal says.
const STEPS: &[(&str, &str, &str)] = &[
    ("unknown-step", r#"{"do": "dance", "expect": {"status": "TRIP_OK"}}"#, "unknown step"),
    ("unknown-argument", r#"{"do": "advance", "ns": 1, "by": 2, "expect": {"status": "TRIP_OK"}}"#, "unknown key `by`"),
    ("missing-argument", r#"{"do": "advance", "expect": {"status": "TRIP_OK"}}"#, "`ns` is missing"),
    ("missing-expect", r#"{"do": "advance", "ns": 1}"#, "`expect` is missing"),
    ("missing-status", r#"{"do": "advance", "ns": 1, "expect": {}}"#, "`status` is missing"),
    ("wrong-status", r#"{"do": "advance", "ns": 1, "expect": {"status": "TRIP_STALE"}}"#, "TRIP_OK came back"),
    (
        "wrong-value",
        r#"{"do": "inspect", "circuit": "c", "expect": {"status": "TRIP_OK", "permits": 1}}"#,
        "`permits` is expected to be 1, and is 0",
    ),
    (
        "value-out-of-range",
        r#"{"do": "inspect", "circuit": "c", "expect": {"status": "TRIP_OK", "permits": {"min": 1, "max": 2}}}"#,
        "`permits` is expected",
    ),
    (
        "expect-without-effect",
        r#"{"do": "peek", "circuit": "c", "expect": {"status": "TRIP_OK", "retry_after_ns": 0}}"#,
        "does not give",
    ),
    (
        "epoch-without-an-earlier-one",
        r#"{"do": "inspect", "circuit": "c", "expect": {"status": "TRIP_OK", "epoch": "same"}}"#,
        "does not give",
    ),
    ("unknown-circuit", r#"{"do": "peek", "circuit": "d", "expect": {"status": "TRIP_OK"}}"#, "no circuit is named"),
    ("unknown-permit", r#"{"do": "drop", "permit": "p", "expect": {"status": "TRIP_OK"}}"#, "no permit is named"),
    (
        "permit-without-a-name",
        r#"{"do": "permit", "circuit": "c", "expect": {"status": "TRIP_OK"}}"#,
        "`as` is missing",
    ),
    (
        "not-the-same-circuit",
        r#"{"do": "circuit", "tenant": "t", "provider": "q", "as": "d",
            "expect": {"status": "TRIP_OK", "same_as": "c"}}"#,
        "another came back",
    ),
    (
        "the-same-circuit",
        r#"{"do": "circuit", "tenant": "t", "provider": "p", "as": "d",
            "expect": {"status": "TRIP_OK", "not_same_as": "c"}}"#,
        "the same came back",
    ),
    (
        "wrong-class",
        r#"{"do": "classify_http", "http_status": 504, "body": "",
            "expect": {"status": "TRIP_OK", "class": "TRIP_CLASS_SUCCESS"}}"#,
        "`class` is expected",
    ),
    (
        "wrong-wait",
        r#"{"do": "retry_hint", "name": "Retry-After", "value": "1", "now_unix_ns": 0,
            "expect": {"status": "TRIP_OK", "retry_after_ns": 1}}"#,
        "`retry_after_ns` is expected",
    ),
    (
        "hint-that-is-none",
        r#"{"do": "retry_hint", "name": "Date", "value": "1", "now_unix_ns": 0, "expect": {"status": "TRIP_OK"}}"#,
        "TRIP_NO_HINT came back",
    ),
    (
        "record-of-no-class",
        r#"{"do": "record", "permit": "p", "class": "TRIP_CLASS_NONE", "expect": {"status": "TRIP_OK"}}"#,
        "there is no class",
    ),
    (
        "ask-for-nothing",
        r#"{"do": "ask", "circuit": "c", "times": 0, "expect": {"status": "TRIP_OK"}}"#,
        "shows nothing",
    ),
    (
        "wrong-count-of-what-was-granted",
        r#"{"do": "ask", "circuit": "c", "times": 3, "expect": {"status": "TRIP_OK", "granted": 2}}"#,
        "`granted` is expected to be 2, and is 3",
    ),
    (
        "unknown-mode",
        r#"{"do": "set_mode", "circuit": "c", "mode": "TRIP_MODE_NONE", "expect": {"status": "TRIP_OK"}}"#,
        "there is no TRIP_MODE_NONE",
    ),
    (
        "mode-that-is-no-name",
        r#"{"do": "set_mode", "circuit": "c", "mode": 1, "expect": {"status": "TRIP_OK"}}"#,
        "`mode` must be a text",
    ),
    (
        "configure-with-nothing",
        r#"{"do": "configure", "scope": "TRIP_SCOPE_TRACKER", "expect": {"status": "TRIP_OK"}}"#,
        "`config` is missing",
    ),
    (
        "another-count-of-circuits",
        r#"{"do": "circuits", "page": 1, "expect": {"status": "TRIP_OK", "count": 2}}"#,
        "`count` is expected to be 2, and is 1",
    ),
    ("page-of-none", r#"{"do": "circuits", "page": 0, "expect": {"status": "TRIP_OK"}}"#, "TRIP_E_INVALID came back"),
    (
        "what-is-not-said",
        r#"{"do": "explain", "circuit": "c", "expect": {"status": "TRIP_OK", "says": "all is lost"}}"#,
        "`says` is expected",
    ),
    (
        "to-say-nothing",
        r#"{"do": "explain", "circuit": "c", "expect": {"status": "TRIP_OK", "says": ""}}"#,
        "shows nothing",
    ),
    (
        "event-that-did-not-happen",
        r#"{"do": "event", "expect": {"status": "TRIP_OK", "kind": "TRIP_EVENT_OPENED"}}"#,
        "`kind` is expected",
    ),
    (
        "number-of-no-event",
        r#"{"do": "event", "expect": {"status": "TRIP_OK", "kind": "none", "number": 1}}"#,
        "does not give",
    ),
    (
        "wrong-metric",
        r#"{"do": "metric", "labels": "TRIP_LABELS_PROVIDER", "series": "trip_permits_total{provider=\"p\"}",
            "expect": {"status": "TRIP_OK", "value": 1}}"#,
        "`value` is expected to be 1, and is 0",
    ),
    (
        "metric-of-no-series",
        r#"{"do": "metric", "labels": "TRIP_LABELS_PROVIDER", "series": "trip_perm",
            "expect": {"status": "TRIP_OK", "value": 0}}"#,
        "does not give",
    ),
    (
        "unknown-snapshot",
        r#"{"do": "restore", "snapshot": "s", "now_unix_ns": 1, "expect": {"status": "TRIP_OK"}}"#,
        "no snapshot is named",
    ),
    (
        "circuit-of-before-the-restart",
        r#"{"do": "repeat", "times": 1, "steps": [{"do": "restart", "expect": {"status": "TRIP_OK"}},
            {"do": "peek", "circuit": "c", "expect": {"status": "TRIP_E_HANDLE"}}]}"#,
        "no circuit is named",
    ),
    ("unknown-object", r#"{"do": "inspect_gate", "gate": "g", "expect": {"status": "TRIP_OK"}}"#, "no object is named"),
    (
        "object-of-another-kind",
        r#"{"do": "repeat", "times": 1, "steps": [
            {"do": "gate", "config": {}, "as": "g", "expect": {"status": "TRIP_OK"}},
            {"do": "inspect_dedup", "dedup": "g", "expect": {"status": "TRIP_OK"}}]}"#,
        "`g` is no dedup",
    ),
    (
        "object-of-before-the-restart",
        r#"{"do": "repeat", "times": 1, "steps": [
            {"do": "gate", "config": {}, "as": "g", "expect": {"status": "TRIP_OK"}},
            {"do": "restart", "expect": {"status": "TRIP_OK"}},
            {"do": "end", "object": "g", "expect": {"status": "TRIP_OK"}}]}"#,
        "no object is named",
    ),
    (
        "config-of-an-object-with-an-unknown-field",
        r#"{"do": "retry", "config": {"attempts": 3}, "as": "r", "expect": {"status": "TRIP_OK"}}"#,
        "`attempts`: there is no such field",
    ),
    (
        "config-of-an-object-with-a-selector-of-another-field",
        r#"{"do": "gate", "config": {"adapt": "TRIP_ORDER_LISTED"}, "as": "g", "expect": {"status": "TRIP_OK"}}"#,
        "there is no TRIP_ORDER_LISTED",
    ),
    (
        "another-field-of-an-object-refused",
        r#"{"do": "retry", "config": {"max_attempts": 0}, "as": "r",
            "expect": {"status": "TRIP_E_CONFIG", "field": "jitter"}}"#,
        "`field` is expected",
    ),
    ("object-without-a-name", r#"{"do": "dedup", "config": {}, "expect": {"status": "TRIP_OK"}}"#, "`as` is missing"),
    ("unknown-ticket", r#"{"do": "fail", "ticket": "t", "expect": {"status": "TRIP_OK"}}"#, "no ticket is named"),
    ("unknown-token", r#"{"do": "release", "token": "t", "expect": {"status": "TRIP_OK"}}"#, "no token is named"),
    (
        "token-without-a-name",
        r#"{"do": "repeat", "times": 1, "steps": [
            {"do": "gate", "config": {}, "as": "g", "expect": {"status": "TRIP_OK"}},
            {"do": "acquire", "gate": "g", "expect": {"status": "TRIP_OK"}}]}"#,
        "`as` is missing",
    ),
    (
        "provider-with-an-unknown-key",
        r#"{"do": "route", "tenant": "t", "config": {}, "providers": [{"provider": "p", "share": 2}], "as": "r",
            "expect": {"status": "TRIP_OK"}}"#,
        "unknown key `share`",
    ),
    (
        "stage-that-does-nothing-known",
        r#"{"do": "pipeline", "stages": [{"name": "s", "does": "lower"}], "as": "p", "expect": {"status": "TRIP_OK"}}"#,
        "no stage does `lower`",
    ),
    (
        "stage-that-fails-with-nothing",
        r#"{"do": "pipeline", "stages": [{"name": "s", "does": {"fail": 0}}], "as": "p",
            "expect": {"status": "TRIP_OK"}}"#,
        "no code of a failure",
    ),
    (
        "wrong-output",
        r#"{"do": "repeat", "times": 1, "steps": [
            {"do": "pipeline", "stages": [{"name": "s", "does": "upper"}], "as": "p", "expect": {"status": "TRIP_OK"}},
            {"do": "run", "pipeline": "p", "input": "abc", "expect": {"status": "TRIP_OK", "output": "abc"}}]}"#,
        "`output` is expected",
    ),
    (
        "unknown-function",
        r#"{"do": "guard", "circuit": "c", "function": "labs", "signature": "int64 (int64)", "as": "g",
            "expect": {"status": "TRIP_OK"}}"#,
        "none of the functions",
    ),
    (
        "failure-within-a-repetition",
        r#"{"do": "repeat", "times": 2, "steps": [{"do": "advance", "ns": 1, "expect": {"status": "TRIP_STALE"}}]}"#,
        "TRIP_OK came back",
    ),
];

/// Name, the members of a vector beside its name and source, and what the refusal says.
const VECTORS: &[(&str, &str, &str)] = &[
    ("unknown-key", r#""config": {}, "stepz": []"#, "unknown key `stepz`"),
    ("no-config", r#""steps": []"#, "`config` is missing"),
    ("no-steps", r#""config": {}"#, "`steps` are missing"),
    ("empty-steps", r#""config": {}, "steps": []"#, "one or more"),
    ("unknown-config-field", r#""config": {"threshold": 1}"#, "there is no such field"),
    ("unknown-selector", r#""config": {"backoff": "TRIP_BACKOFF_LAST"}"#, "there is no TRIP_BACKOFF_LAST"),
    ("config-refused", r#""config": {"failure_threshold": 0}"#, "TRIP_E_CONFIG"),
    ("config-not-refused", r#""config": {}, "create": {"status": "TRIP_E_CONFIG"}"#, "TRIP_OK came back"),
    (
        "another-field-refused",
        r#""config": {"jitter": "NaN"}, "create": {"status": "TRIP_E_CONFIG", "field": "clock"}"#,
        "`field` is expected",
    ),
    (
        "steps-without-a-tracker",
        r#""config": {"jitter": 2}, "create": {"status": "TRIP_E_CONFIG"},
           "steps": [{"do": "destroy", "expect": {"status": "TRIP_OK"}}]"#,
        "without a tracker",
    ),
];

pub fn trials() -> Vec<Trial> {
    let steps = STEPS
        .iter()
        .map(|(name, step, why)| refusal(name, format!(r#""config": {{}}, "steps": [{CIRCUIT}, {step}]"#), why));
    let vectors = VECTORS.iter().map(|(name, members, why)| refusal(name, (*members).to_owned(), why));
    steps.chain(vectors).collect()
}

fn refusal(name: &str, members: String, why: &'static str) -> Trial {
    Trial::test(format!("the runner refuses {name}"), move || {
        let source = r#""name": "refused", "source": {"design": "section 7"}"#;
        let text = format!(r#"{{"format": 1, "about": "", "vectors": [{{{source}, {members}}}]}}"#);
        let played = vector::read(&text).and_then(|vectors| vectors.into_iter().try_for_each(vector::Vector::play));
        match played {
            Ok(()) => Err(Failed::from("it was let pass")),
            Err(error) if error.contains(why) => Ok(()),
            Err(error) => Err(Failed::from(format!("refused for another reason: {error}"))),
        }
    })
}
