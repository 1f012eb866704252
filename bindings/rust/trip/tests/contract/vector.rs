//! Vectors: read from their files, and strict about every key.

use crate::expectation::{self, Seen};
use crate::fields::Fields;
use crate::stage::{self, Stage};
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;
use trip::{Backoff, Clock, Config, Effect, OnDrop, Tracker};

pub struct Vector {
    pub name: String,
    config: Fields,
    create: Option<Fields>,
    steps: Option<Vec<Value>>,
}

/// The vectors of all files in the folder. None at all is an error.
pub fn load(folder: &Path) -> Result<Vec<Vector>, String> {
    let in_folder = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(in_folder)? {
        let path = entry.map_err(in_folder)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut vectors = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        vectors.extend(read(&text).map_err(|error| format!("{}: {error}", path.display()))?);
    }
    let mut names = HashSet::new();
    if let Some(vector) = vectors.iter().find(|vector| !names.insert(vector.name.as_str())) {
        return Err(format!("two vectors are named {}", vector.name));
    }
    if vectors.is_empty() {
        return Err(format!("{}: no vectors", folder.display()));
    }
    Ok(vectors)
}

/// The vectors of one file.
pub fn read(text: &str) -> Result<Vec<Vector>, String> {
    let mut file = Fields::of(serde_json::from_str(text).map_err(|error| error.to_string())?)?;
    if file.number("format")? != 1 {
        return Err("only format 1 is known".into());
    }
    file.text("about")?;
    let vectors = file.list("vectors")?;
    file.finish()?;
    vectors.into_iter().map(Vector::parse).collect()
}

impl Vector {
    fn parse(value: Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let name = fields.text("name")?;
        Self::parse_named(name.clone(), fields).map_err(|error| format!("{name}: {error}"))
    }

    fn parse_named(name: String, mut fields: Fields) -> Result<Self, String> {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
            return Err("a name is made of lower case, digits and `-`".into());
        }
        check_source(fields.object("source")?)?;
        fields.optional_text("differs")?;
        fields.optional_text("why")?;
        let config = fields.object("config")?;
        let create = fields.take("create").map(Fields::of).transpose()?;
        let mut vector = Vector { name, config, create, steps: None };
        if let Some(steps) = fields.take("steps") {
            vector.steps = Some(stage::steps(steps)?);
        }
        fields.finish()?;
        Ok(vector)
    }

    /// Plays the vector from the creation of its tracker to its last step.
    pub fn play(self) -> Result<(), String> {
        let config = Box::new(configure(self.config)?);
        let (tracker, seen) = match Tracker::new(&config) {
            Ok(tracker) => (Some(tracker), Seen::status("TRIP_OK")),
            Err(error) => (None, stage::refused_config(&error)),
        };
        match self.create {
            Some(expected) => expectation::compare(expected, &seen)?,
            None if tracker.is_none() => return Err(format!("creating the tracker: {}", seen.status)),
            None => {}
        }
        match (tracker, self.steps) {
            (Some(tracker), Some(steps)) if !steps.is_empty() => Stage::new(config, tracker).play(steps),
            (Some(_), _) => Err("`steps` are missing".into()),
            (None, Some(_)) => Err("`steps` without a tracker".into()),
            (None, None) => Ok(()),
        }
    }
}

fn check_source(mut source: Fields) -> Result<(), String> {
    if source.optional_text("library")?.is_some() {
        source.text("test")?;
    } else {
        source.text("design")?;
    }
    source.finish()
}

/// The config of a vector, or of a policy: fields by their C names, and a manual clock unless it says otherwise.
pub fn configure(fields: Fields) -> Result<Config, String> {
    let mut config = Config::default().clock(Clock::Manual);
    for (field, value) in fields {
        set(&mut config, &field, &value).map_err(|error| format!("config field `{field}`: {error}"))?;
    }
    Ok(config)
}

fn set(config: &mut Config, field: &str, value: &Value) -> Result<(), String> {
    match field {
        "failure_threshold" => config.failure_threshold = count(value)?,
        "initial_open_ns" => config.initial_open = stage::nanoseconds(value)?,
        "max_open_ns" => config.max_open = stage::nanoseconds(value)?,
        "backoff_multiplier" => config.backoff_multiplier = ratio(value)?,
        "backoff" => {
            config.backoff = selector(
                value,
                &[("TRIP_BACKOFF_FIRST", Backoff::First), ("TRIP_BACKOFF_COMPOUND", Backoff::Compound)],
            )?;
        }
        "half_open_max_probes" => config.half_open_max_probes = count(value)?,
        "half_open_successes" => config.half_open_successes = count(value)?,
        "on_drop" => {
            config.on_drop =
                selector(value, &[("TRIP_DROP_FAILURE", OnDrop::Failure), ("TRIP_DROP_CANCEL", OnDrop::Cancel)])?;
        }
        "probe_lease_ns" => config.probe_lease = stage::nanoseconds(value)?,
        "probe_retry_ns" => config.probe_retry = stage::nanoseconds(value)?,
        "jitter" => config.jitter = ratio(value)?,
        "clock" => {
            config.clock =
                selector(value, &[("TRIP_CLOCK_MONOTONIC", Clock::Monotonic), ("TRIP_CLOCK_MANUAL", Clock::Manual)])?;
        }
        "max_circuits" => config.max_circuits = count(value)?,
        _ => return set_later(config, field, value),
    }
    Ok(())
}

/// The fields of ABI 1.2.
fn set_later(config: &mut Config, field: &str, value: &Value) -> Result<(), String> {
    match field {
        "on_server_error" => config.on_server_error = effect(value)?,
        "on_rate_limited" => config.on_rate_limited = effect(value)?,
        "on_overloaded" => config.on_overloaded = effect(value)?,
        "on_network" => config.on_network = effect(value)?,
        "on_timeout" => config.on_timeout = effect(value)?,
        "on_quota" => config.on_quota = effect(value)?,
        "on_auth" => config.on_auth = effect(value)?,
        "on_invalid_request" => config.on_invalid_request = effect(value)?,
        "on_context_overflow" => config.on_context_overflow = effect(value)?,
        "on_not_found" => config.on_not_found = effect(value)?,
        "on_content_filtered" => config.on_content_filtered = effect(value)?,
        "on_cancelled" => config.on_cancelled = effect(value)?,
        "on_unknown" => config.on_unknown = effect(value)?,
        "half_open_probes" => config.half_open_probes = count(value)?,
        "quota_open_ns" => config.quota_open = stage::nanoseconds(value)?,
        "max_retry_after_ns" => config.max_retry_after = stage::nanoseconds(value)?,
        "slow_call_ns" => config.slow_call = stage::nanoseconds(value)?,
        "count_window" => config.count_window = count(value)?,
        "count_minimum" => config.count_minimum = count(value)?,
        "count_failure_ratio" => config.count_failure_ratio = ratio(value)?,
        "count_slow_ratio" => config.count_slow_ratio = ratio(value)?,
        "time_window_ns" => config.time_window = stage::nanoseconds(value)?,
        "time_buckets" => config.time_buckets = count(value)?,
        "time_minimum" => config.time_minimum = count(value)?,
        "time_failure_ratio" => config.time_failure_ratio = ratio(value)?,
        "time_slow_ratio" => config.time_slow_ratio = ratio(value)?,
        "hang_ns" => config.hang = stage::nanoseconds(value)?,
        "hang_calls" => config.hang_calls = count(value)?,
        "ramp_steps" => config.ramp_steps = count(value)?,
        "ramp_ns" => config.ramp = stage::nanoseconds(value)?,
        "stall_ns" => config.stall = stage::nanoseconds(value)?,
        _ => return Err("there is no such field".into()),
    }
    Ok(())
}

fn effect(value: &Value) -> Result<Effect, String> {
    let names = [
        ("TRIP_EFFECT_FAILURE", Effect::Failure),
        ("TRIP_EFFECT_SUCCESS", Effect::Success),
        ("TRIP_EFFECT_NOTHING", Effect::Nothing),
    ];
    selector(value, &names)
}

pub fn count(value: &Value) -> Result<u32, String> {
    value.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or_else(|| format!("{value} is no 32-bit number"))
}

pub fn ratio(value: &Value) -> Result<f64, String> {
    match value.as_str() {
        Some("NaN") => Ok(f64::NAN),
        Some("Infinity") => Ok(f64::INFINITY),
        Some("-Infinity") => Ok(f64::NEG_INFINITY),
        _ => value.as_f64().ok_or_else(|| format!("{value} is no number")),
    }
}

pub fn selector<T: Copy + From<u32>>(value: &Value, names: &[(&str, T)]) -> Result<T, String> {
    match value.as_str() {
        Some(text) => names
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, selector)| *selector)
            .ok_or_else(|| format!("there is no {text}")),
        None => count(value).map(T::from),
    }
}
