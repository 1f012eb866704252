//! Where the steps of a vector are played: one tracker, and the circuits and permits that the vector has named, all of
//! them through the public API. They are kept as handles, because a vector may use a permit that was settled, and must
//! see that an evicted circuit is gone where a `Circuit` with a tracker would look itself up again.

use crate::expectation::{self, Seen};
use crate::fields::Fields;
use crate::operating::{self, Snapshots};
use crate::policies::Objects;
use crate::said;
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use trip::{Circuit, CircuitInfo, Config, Error, Permit, PermitError, Reason, Rejected, Settled, State, Tracker};

pub struct Stage {
    config: Box<Config>,
    tracker: Tracker,
    snapshots: Snapshots,
    objects: Objects,
    circuits: HashMap<String, Circuit>,
    permits: HashMap<String, u64>,
    /// By the circuit's handle: the epoch of its last `inspect`.
    epochs: HashMap<u64, u64>,
}

/// What `create` shows.
pub fn refused_config(error: &Error) -> Seen {
    let seen = Seen::status(error_name(error));
    match error {
        Error::Config(fault) => match fault.field {
            Some(field) => seen.with("field", c_name(field)),
            None => seen,
        },
        _ => seen,
    }
}

impl Stage {
    pub fn new(config: Box<Config>, tracker: Tracker) -> Self {
        Stage {
            config,
            tracker,
            snapshots: Snapshots::default(),
            objects: Objects::default(),
            circuits: HashMap::new(),
            permits: HashMap::new(),
            epochs: HashMap::new(),
        }
    }

    pub fn play(&mut self, steps: Vec<Value>) -> Result<(), String> {
        for (index, step) in steps.into_iter().enumerate() {
            let text = step.to_string();
            self.step(step).map_err(|error| format!("step {} {text}: {error}", index + 1))?;
        }
        Ok(())
    }

    fn step(&mut self, step: Value) -> Result<(), String> {
        let mut fields = Fields::of(step)?;
        let what = fields.text("do")?;
        if what == "repeat" {
            return self.repeat(fields);
        }
        let mut expected = fields.object("expect")?;
        let seen = match what.as_str() {
            "circuit" => self.circuit(&mut fields, &mut expected)?,
            "permit" => self.permit(&mut fields)?,
            "ask" => ask(self.named_circuit(&mut fields)?, fields.number("times")?)?,
            "peek" => permission(self.named_circuit(&mut fields)?.peek()).0,
            "inspect" => self.inspect(&mut fields)?,
            "key" => key(self.named_circuit(&mut fields)?),
            "success" => self.settle(&mut fields, Permit::record_success)?,
            "failure" => self.settle(&mut fields, Permit::record_failure)?,
            "drop" => self.settle(&mut fields, Permit::abandon)?,
            "cancel" => self.settle(&mut fields, Permit::cancel)?,
            "renew" => with_permit(self.named_permit(&mut fields)?, |permit| outcome(permit.renew())),
            "progress" => with_permit(self.named_permit(&mut fields)?, |permit| outcome(permit.progress())),
            "record" => self.record(&mut fields)?,
            "inspect_permit" => with_permit(self.named_permit(&mut fields)?, inspect_permit),
            "advance" => outcome(self.tracker.advance(Duration::from_nanos(fields.number("ns")?))),
            "destroy" => outcome(self.tracker.destroy()),
            "classify_http" | "classify_text" | "classify_errno" => said::classify(&what, &mut fields)?,
            "retry_hint" => said::retry_hint(&mut fields)?,
            _ => self.operate(&what, &mut fields, &mut expected)?,
        };
        fields.finish()?;
        expectation::compare(expected, &seen)
    }

    /// The steps of ABI 1.3.
    fn operate(&mut self, what: &str, fields: &mut Fields, expected: &mut Fields) -> Result<Seen, String> {
        Ok(match what {
            "set_mode" => operating::set_mode(self.named_circuit(fields)?, fields)?,
            "trip" => outcome(self.named_circuit(fields)?.trip()),
            "reset" => outcome(self.named_circuit(fields)?.reset()),
            "remove" => outcome(self.named_circuit(fields)?.remove()),
            "configure" => operating::configure(&self.tracker, fields)?,
            "circuits" => operating::circuits(&self.tracker, fields)?,
            "explain" => operating::explain(self.named_circuit(fields)?, expected)?,
            "event" => operating::event(&self.tracker),
            "metric" => operating::metric(&self.tracker, fields)?,
            "snapshot" => self.snapshots.take(&self.tracker, fields)?,
            "restore" => self.snapshots.restore(&self.tracker, fields)?,
            "restart" => self.restart(),
            _ => self.surround(what, fields, expected)?,
        })
    }

    /// The steps of ABI 1.4.
    fn surround(&mut self, what: &str, fields: &mut Fields, expected: &mut Fields) -> Result<Seen, String> {
        match what {
            "retry" => self.objects.retry(&self.tracker, fields),
            "delay_for" => self.objects.delay_for(fields),
            "retry_begin" => self.objects.retry_begin(fields),
            "retry_next" => self.objects.retry_next(fields),
            "inspect_retry" => self.objects.inspect_retry(fields),
            "dedup" => self.objects.dedup(&self.tracker, fields),
            "check" => self.objects.check(fields),
            "wait" => self.objects.wait(fields),
            "complete" => self.objects.complete(fields),
            "fail" | "drop_ticket" | "renew_ticket" => self.objects.settle_ticket(what, fields),
            "forget" => self.objects.forget(fields),
            "inspect_dedup" => self.objects.inspect_dedup(fields),
            "gate" => self.objects.gate(&self.tracker, fields),
            "acquire" => self.objects.acquire(fields),
            "release" => self.objects.release(fields),
            "inspect_gate" => self.objects.inspect_gate(fields),
            "route" => self.objects.route(&self.tracker, fields),
            "route_add" => self.objects.route_add(fields),
            "route_permit" => self.route_permit(fields),
            "route_circuit" => {
                let found = self.objects.route_circuit(fields)?;
                self.found(found, fields, expected)
            }
            "pipeline" => self.objects.pipeline(fields),
            "run" => self.objects.run(fields),
            "stage_count" => self.objects.stage_count(fields),
            "guard" => self.guard(fields),
            "guard_call" => self.objects.guard_call(fields),
            "end" => self.objects.end(fields),
            _ => Err(format!("unknown step `{what}`")),
        }
    }

    /// What has names loses them, but for snapshots.
    fn restart(&mut self) -> Seen {
        self.circuits.clear();
        self.permits.clear();
        self.epochs.clear();
        self.objects.forget_names();
        let started = self.tracker.destroy().and_then(|()| Tracker::new(&self.config));
        outcome(started.map(|tracker| self.tracker = tracker))
    }

    fn repeat(&mut self, mut fields: Fields) -> Result<(), String> {
        let times = fields.number("times")?;
        let steps = steps(fields.need("steps")?)?;
        fields.finish()?;
        (0..times).try_for_each(|_| self.play(steps.clone()))
    }

    fn circuit(&mut self, fields: &mut Fields, expected: &mut Fields) -> Result<Seen, String> {
        let (tenant, provider) = (fields.long_text("tenant")?, fields.long_text("provider")?);
        let found = self.tracker.circuit(tenant, provider);
        self.found(found, fields, expected)
    }

    fn found(
        &mut self,
        found: Result<Circuit, Error>,
        fields: &mut Fields,
        expected: &mut Fields,
    ) -> Result<Seen, String> {
        let name = fields.optional_text("as")?;
        let (same, other) = (expected.optional_text("same_as")?, expected.optional_text("not_same_as")?);
        let circuit = match found.and_then(|found| Circuit::from_handle(found.handle())) {
            Ok(circuit) => circuit,
            Err(_) if same.is_some() || other.is_some() => return Err("a failure gives no circuit to compare".into()),
            Err(error) => return Ok(Seen::status(error_name(&error))),
        };
        if same.is_some_and(|same| self.handle_of(&same) != Some(circuit.handle())) {
            return Err("the same circuit is expected, and another came back".into());
        }
        if let Some(other) = other {
            let handle = self.handle_of(&other).ok_or_else(|| format!("no circuit is named `{other}`"))?;
            if handle == circuit.handle() {
                return Err("another circuit is expected, and the same came back".into());
            }
        }
        self.circuits.insert(name.ok_or("`as` is missing")?, circuit);
        Ok(Seen::status("TRIP_OK"))
    }

    fn handle_of(&self, name: &str) -> Option<u64> {
        self.circuits.get(name).map(Circuit::handle)
    }

    fn permit(&mut self, fields: &mut Fields) -> Result<Seen, String> {
        let name = fields.optional_text("as")?;
        let (seen, permit) = permission(self.named_circuit(fields)?.permit());
        if let Some(permit) = permit {
            self.permits.insert(name.ok_or("a permit is granted, and `as` is missing")?, permit.into_handle());
        }
        Ok(seen)
    }

    fn route_permit(&mut self, fields: &mut Fields) -> Result<Seen, String> {
        let name = fields.optional_text("as")?;
        let (seen, permit) = self.objects.route_permit(fields)?;
        if let Some(permit) = permit {
            self.permits.insert(name.ok_or("a permit is granted, and `as` is missing")?, permit.into_handle());
        }
        Ok(seen)
    }

    fn guard(&mut self, fields: &mut Fields) -> Result<Seen, String> {
        let circuit = self.named_circuit(fields)?.clone();
        self.objects.guard(&circuit, fields)
    }

    fn inspect(&mut self, fields: &mut Fields) -> Result<Seen, String> {
        let circuit = self.named_circuit(fields)?;
        let handle = circuit.handle();
        let info = match circuit.inspect() {
            Ok(info) => info,
            Err(error) => return Ok(Seen::status(error_name(&error))),
        };
        let seen = circuit_info(&info);
        Ok(match self.epochs.insert(handle, info.epoch) {
            None => seen,
            Some(before) => seen.with("epoch", if before == info.epoch { "same" } else { "new" }),
        })
    }

    fn record(&mut self, fields: &mut Fields) -> Result<Seen, String> {
        let outcome = said::outcome(fields)?;
        self.settle(fields, |permit| permit.record(outcome))
    }

    fn settle(&mut self, fields: &mut Fields, settle: impl FnOnce(Permit) -> Settled) -> Result<Seen, String> {
        let permit = Permit::from_handle(self.named_permit(fields)?);
        Ok(settled(settle(permit)))
    }

    fn named_circuit(&self, fields: &mut Fields) -> Result<&Circuit, String> {
        let name = fields.text("circuit")?;
        self.circuits.get(&name).ok_or_else(|| format!("no circuit is named `{name}`"))
    }

    fn named_permit(&self, fields: &mut Fields) -> Result<u64, String> {
        let name = fields.text("permit")?;
        self.permits.get(&name).copied().ok_or_else(|| format!("no permit is named `{name}`"))
    }
}

/// The steps of a vector or a repetition.
pub fn steps(value: Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(steps) if !steps.is_empty() => Ok(steps),
        other => Err(format!("`steps` must be a list of one or more: {other}")),
    }
}

pub fn nanoseconds(value: &Value) -> Result<Duration, String> {
    value.as_u64().map(Duration::from_nanos).ok_or_else(|| format!("{value} is no number of nanoseconds"))
}

/// Lends a permit out, and keeps it from being dropped, which would settle it.
fn with_permit(handle: u64, look: impl FnOnce(&Permit) -> Seen) -> Seen {
    let permit = Permit::from_handle(handle);
    let seen = look(&permit);
    assert_eq!(permit.into_handle(), handle);
    seen
}

fn inspect_permit(permit: &Permit) -> Seen {
    match permit.inspect() {
        Ok(info) => Seen::status("TRIP_OK")
            .with("is_probe", u32::from(info.is_probe))
            .with("lease_left_ns", in_nanoseconds(info.lease_left)),
        Err(error) => Seen::status(error_name(&error)),
    }
}

pub fn settled(settled: Settled) -> Seen {
    Seen::status(match settled {
        Settled::Counted => "TRIP_OK".into(),
        Settled::Stale => "TRIP_STALE".into(),
        Settled::Failed(error) => error_name(&error),
    })
}

pub fn outcome(result: Result<(), Error>) -> Seen {
    Seen::status(result.map_or_else(|error| error_name(&error), |()| "TRIP_OK".into()))
}

fn permission<T>(answer: Result<T, PermitError>) -> (Seen, Option<T>) {
    match answer {
        Ok(granted) => (Seen::status("TRIP_OK"), Some(granted)),
        Err(PermitError::Rejected(rejected)) => (rejection(&rejected), None),
        Err(PermitError::Failed(error)) => (Seen::status(error_name(&error)), None),
    }
}

/// So many permits, one after the other, each settled at once.
fn ask(circuit: &Circuit, times: u64) -> Result<Seen, String> {
    let (mut seen, mut granted) = (None::<Seen>, 0_u32);
    for _ in 0..times {
        match permission(circuit.permit()) {
            (_, Some(permit)) => match permit.record_success() {
                Settled::Counted => granted += 1,
                other => return Err(format!("a success came to {other:?}")),
            },
            (refusal, None) => {
                if let Some(before) = seen.filter(|before| before.status != refusal.status) {
                    return Err(format!("{} came after {}", refusal.status, before.status));
                }
                seen = Some(refusal);
            }
        }
    }
    if times == 0 {
        return Err("to ask no times shows nothing".into());
    }
    Ok(seen.unwrap_or_else(|| Seen::status("TRIP_OK")).with("granted", granted))
}

pub fn rejection(rejected: &Rejected) -> Seen {
    Seen::status(match rejected.reason {
        Reason::Open => "TRIP_REJECTED_OPEN",
        Reason::Probing => "TRIP_REJECTED_PROBING",
        Reason::Forced => "TRIP_REJECTED_FORCED",
        Reason::Ramp => "TRIP_REJECTED_RAMP",
        _ => "a rejection of another kind",
    })
    .with("state", state_name(rejected.state))
    .with("failures", rejected.failures)
    .with("retry_after_ns", in_nanoseconds(rejected.retry_after))
    .with("open_duration_ns", in_nanoseconds(rejected.open_duration))
}

fn key(circuit: &Circuit) -> Seen {
    match Circuit::from_handle(circuit.handle()) {
        Ok(found) => Seen::status("TRIP_OK")
            .with("tenant", String::from_utf8_lossy(found.tenant()))
            .with("provider", String::from_utf8_lossy(found.provider())),
        Err(error) => Seen::status(error_name(&error)),
    }
}

fn circuit_info(info: &CircuitInfo) -> Seen {
    Seen::status("TRIP_OK")
        .with("state", state_name(info.state))
        .with("mode", operating::mode_name(info.mode))
        .with("failures", info.failures)
        .with("level", info.level)
        .with("probes_out", info.probes_out)
        .with("retry_after_ns", in_nanoseconds(info.retry_after))
        .with("open_duration_ns", in_nanoseconds(info.open_duration))
        .with("permits", info.permits)
        .with("successes", info.successes)
        .with("failures_total", info.failures_total)
        .with("drops", info.drops)
        .with("cancels", info.cancels)
        .with("rejections", info.rejections)
        .with("stale", info.stale)
        .with("opens", info.opens)
        .with("mode_left_ns", info.mode_left.map_or(0, in_nanoseconds))
}

pub fn state_name(state: State) -> &'static str {
    match state {
        State::Closed => "TRIP_STATE_CLOSED",
        State::Open => "TRIP_STATE_OPEN",
        State::HalfOpen => "TRIP_STATE_HALF_OPEN",
        _ => "another state",
    }
}

/// Spelled out here, so that the library's own names are under test too.
pub fn error_name(error: &Error) -> String {
    let name = match error {
        Error::Stale => "TRIP_STALE",
        Error::Invalid | Error::Snapshot(_) => "TRIP_E_INVALID",
        Error::Handle => "TRIP_E_HANDLE",
        Error::Consumed => "TRIP_E_CONSUMED",
        Error::NoMemory => "TRIP_E_NOMEM",
        Error::Capacity => "TRIP_E_CAPACITY",
        Error::Config(_) => "TRIP_E_CONFIG",
        Error::TooNew => "TRIP_E_TOO_NEW",
        Error::Unsupported => "TRIP_E_UNSUPPORTED",
        Error::System => "TRIP_E_SYSTEM",
        Error::Signature(_) => error.name(), // one of two, which the error itself tells apart
        other => return format!("{other:?}"),
    };
    assert_eq!(error.name(), name);
    name.into()
}

/// C's name of a config field: durations tell their unit.
fn c_name(field: &str) -> String {
    match field {
        "initial_open" | "max_open" | "probe_lease" | "probe_retry" | "quota_open" | "max_retry_after"
        | "slow_call" | "time_window" | "hang" | "ramp" | "stall" | "base_delay" | "max_delay" | "deadline"
        | "lease" | "ttl" | "latency" => format!("{field}_ns"),
        _ => field.into(),
    }
}

pub fn in_nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("it came as nanoseconds in 64 bits")
}
