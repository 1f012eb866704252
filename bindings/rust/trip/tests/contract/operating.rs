//! The steps of operators: steering, seeing, snapshots.

use crate::expectation::Seen;
use crate::fields::Fields;
use crate::stage::{self, error_name, in_nanoseconds, outcome, state_name};
use crate::vector;
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};
use trip::{Cause, Circuit, Event, EventKind, Labels, Mode, Policy, Scope, State, Tracker};

const MODES: [(&str, Mode); 4] = [
    ("TRIP_MODE_AUTO", Mode::Auto),
    ("TRIP_MODE_FORCED_OPEN", Mode::ForcedOpen),
    ("TRIP_MODE_FORCED_CLOSED", Mode::ForcedClosed),
    ("TRIP_MODE_OBSERVE", Mode::Observe),
];

const SCOPES: [(&str, Scope); 4] = [
    ("TRIP_SCOPE_TRACKER", Scope::Tracker),
    ("TRIP_SCOPE_PROVIDER", Scope::Provider),
    ("TRIP_SCOPE_TENANT", Scope::Tenant),
    ("TRIP_SCOPE_CIRCUIT", Scope::Circuit),
];

const LABELS: [(&str, Labels); 2] =
    [("TRIP_LABELS_PROVIDER", Labels::Provider), ("TRIP_LABELS_TENANT", Labels::Tenant)];

const KINDS: [(&str, EventKind); 12] = [
    ("TRIP_EVENT_OPENED", EventKind::Opened),
    ("TRIP_EVENT_HALF_OPENED", EventKind::HalfOpened),
    ("TRIP_EVENT_CLOSED", EventKind::Closed),
    ("TRIP_EVENT_REFUSED_FIRST", EventKind::RefusedFirst),
    ("TRIP_EVENT_PROBE_LOST", EventKind::ProbeLost),
    ("TRIP_EVENT_FORCED", EventKind::Forced),
    ("TRIP_EVENT_EVICTED", EventKind::Evicted),
    ("TRIP_EVENT_DROPPED_LATE", EventKind::DroppedLate),
    ("TRIP_EVENT_LOCK_WAITED", EventKind::LockWaited),
    ("TRIP_EVENT_CONFIGURED", EventKind::Configured),
    ("TRIP_EVENT_GATE_SOFT", EventKind::GateSoft),
    ("TRIP_EVENT_GATE_FULL", EventKind::GateFull),
];

const CAUSES: [(&str, Cause); 11] = [
    ("TRIP_CAUSE_NONE", Cause::None),
    ("TRIP_CAUSE_FAILURES", Cause::Failures),
    ("TRIP_CAUSE_COUNT_WINDOW", Cause::CountWindow),
    ("TRIP_CAUSE_TIME_WINDOW", Cause::TimeWindow),
    ("TRIP_CAUSE_HANGING", Cause::Hanging),
    ("TRIP_CAUSE_PROBE", Cause::Probe),
    ("TRIP_CAUSE_LEASE", Cause::Lease),
    ("TRIP_CAUSE_TIME", Cause::Time),
    ("TRIP_CAUSE_OPERATOR", Cause::Operator),
    ("TRIP_CAUSE_RESTORED", Cause::Restored),
    ("TRIP_CAUSE_CAPACITY", Cause::Capacity),
];

fn name_in<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
    names.iter().find(|(_, named)| named == value).map_or("of no name", |(name, _)| name)
}

fn named<T: Copy>(fields: &mut Fields, key: &str, names: &[(&str, T)]) -> Result<T, String> {
    let text = fields.text(key)?;
    let found = names.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| format!("there is no {text}"))
}

pub fn mode_name(mode: Mode) -> &'static str {
    name_in(&MODES, &mode)
}

pub fn set_mode(circuit: &Circuit, fields: &mut Fields) -> Result<Seen, String> {
    let mode = named(fields, "mode", &MODES)?;
    let ttl_ns = fields.optional_number("ttl_ns")?.unwrap_or(0);
    let ttl = (ttl_ns != 0).then(|| Duration::from_nanos(ttl_ns));
    Ok(outcome(circuit.set_mode(mode, ttl, fields.optional_long_text("reason")?)))
}

pub fn configure(tracker: &Tracker, fields: &mut Fields) -> Result<Seen, String> {
    let scope = named(fields, "scope", &SCOPES)?;
    let (tenant, provider) = (fields.optional_long_text("tenant")?, fields.optional_long_text("provider")?);
    let policy = Policy::of(scope, &tenant, &provider);
    let answer = match fields.need("config")? {
        Value::Null => tracker.withdraw(policy),
        config => tracker.configure(policy, &vector::configure(Fields::of(config)?)?),
    };
    Ok(answer.map_or_else(|error| stage::refused_config(&error), |()| Seen::status("TRIP_OK")))
}

pub fn circuits(tracker: &Tracker, fields: &mut Fields) -> Result<Seen, String> {
    let page = usize::try_from(fields.number("page")?).map_err(|error| error.to_string())?;
    let (mut count, mut open) = (0, 0);
    for listed in tracker.circuits().in_pages_of(page) {
        match listed {
            Ok((_, info)) => {
                count += 1;
                open += u32::from(info.state == State::Open);
            }
            Err(error) => return Ok(Seen::status(error_name(&error))),
        }
    }
    Ok(Seen::status("TRIP_OK").with("count", count).with("open", open))
}

/// What is said agrees with the expectation where the text has it, and is the whole text where not.
pub fn explain(circuit: &Circuit, expected: &Fields) -> Result<Seen, String> {
    let text = match circuit.explain() {
        Ok(text) => text,
        Err(error) => return Ok(Seen::status(error_name(&error))),
    };
    let seen = Seen::status("TRIP_OK");
    match expected.peek_text("says") {
        Some("") => Err("to say nothing shows nothing".into()),
        Some(part) if text.contains(part) => Ok(seen.with("says", part)),
        _ => Ok(seen.with("says", text)),
    }
}

pub fn event(tracker: &Tracker) -> Seen {
    match tracker.take_events(1) {
        Ok(batch) => {
            let seen = Seen::status("TRIP_OK").with("lost", batch.lost);
            match batch.events.first() {
                Some(event) => told(seen, event),
                None => seen.with("kind", "none"),
            }
        }
        Err(error) => Seen::status(error_name(&error)),
    }
}

fn told(seen: Seen, event: &Event) -> Seen {
    seen.with("kind", name_in(&KINDS, &event.kind))
        .with("number", event.number)
        .with("at_ns", in_nanoseconds(event.at))
        .with("state", state_name(event.state))
        .with("mode", mode_name(event.mode))
        .with("cause", name_in(&CAUSES, &event.cause))
        .with("scope", name_in(&SCOPES, &event.scope))
        .with("failures", event.failures)
        .with("depth", event.depth)
        .with("limit", event.limit)
        .with("duration_ns", in_nanoseconds(event.duration))
        .with("tenant", String::from_utf8_lossy(event.tenant()))
        .with("provider", String::from_utf8_lossy(event.provider()))
        .with("reason", String::from_utf8_lossy(event.reason()))
}

pub fn metric(tracker: &Tracker, fields: &mut Fields) -> Result<Seen, String> {
    let labels = named(fields, "labels", &LABELS)?;
    let series = fields.text("series")?;
    let max_series = fields.optional_number("max_series")?.unwrap_or(0);
    let text = match tracker.metrics(labels, max_series) {
        Ok(text) => text,
        Err(error) => return Ok(Seen::status(error_name(&error))),
    };
    let value = text.lines().find_map(|line| line.strip_prefix(&series)?.strip_prefix(' ')?.parse::<u64>().ok());
    let seen = Seen::status("TRIP_OK");
    Ok(match value {
        Some(value) => seen.with("value", value),
        None => seen,
    })
}

/// The snapshots that a vector has taken, by name.
#[derive(Default)]
pub struct Snapshots(HashMap<String, Vec<u8>>);

impl Snapshots {
    pub fn take(&mut self, tracker: &Tracker, fields: &mut Fields) -> Result<Seen, String> {
        let name = fields.text("as")?;
        let taken = tracker.snapshot_at(time_of_day(fields)?);
        Ok(outcome(taken.map(|bytes| drop(self.0.insert(name, bytes)))))
    }

    pub fn restore(&self, tracker: &Tracker, fields: &mut Fields) -> Result<Seen, String> {
        let name = fields.text("snapshot")?;
        let mut bytes = self.0.get(&name).cloned().ok_or_else(|| format!("no snapshot is named `{name}`"))?;
        if let Some(flip) = fields.optional_number("flip")? {
            let length = bytes.len();
            let byte = usize::try_from(flip).ok().and_then(|flip| bytes.get_mut(flip));
            *byte.ok_or_else(|| format!("the snapshot has {length} bytes"))? ^= 1;
        }
        Ok(outcome(tracker.restore_at(&bytes, time_of_day(fields)?)))
    }
}

fn time_of_day(fields: &mut Fields) -> Result<SystemTime, String> {
    Ok(SystemTime::UNIX_EPOCH + Duration::from_nanos(fields.number("now_unix_ns")?))
}
