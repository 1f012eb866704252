//! The steps of the parts around the permit. What a vector has made it keeps to its end, under its last name; tickets
//! and tokens are kept as handles, because a vector may use one that was settled.

use crate::configs;
use crate::expectation::Seen;
use crate::fields::Fields;
use crate::stage::{error_name, in_nanoseconds, outcome, refused_config, rejection, settled};
use crate::{functions, said};
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use trip::{
    AcquireError, Attempt, Checked, Circuit, Dedup, Effect, Error, FunctionGuard, Gate, NoRetry, Permit, PermitError,
    Pipeline, Retry, Route, RunError, StageError, Ticket, Token, Tracker,
};

const EFFECTS: [(&str, Effect); 3] = [
    ("TRIP_EFFECT_FAILURE", Effect::Failure),
    ("TRIP_EFFECT_SUCCESS", Effect::Success),
    ("TRIP_EFFECT_NOTHING", Effect::Nothing),
];

enum Object {
    Retry(Retry),
    Dedup(Dedup),
    Gate(Gate),
    Route(Route),
    Pipeline(Pipeline),
    /// With its signature.
    Guard(FunctionGuard, String),
}

#[derive(Default)]
pub struct Objects {
    /// The last with a name has it; those without one have lost theirs in a restart.
    made: Vec<(Option<String>, Object)>,
    tickets: HashMap<String, u64>,
    tokens: HashMap<String, u64>,
}

/// The object that an argument names, which must be of the kind that the argument wants.
macro_rules! object {
    ($objects:expr, $fields:expr, $kind:ident, $key:literal) => {{
        let name = $fields.text($key)?;
        match $objects.named(&name)? {
            Object::$kind(object) => object,
            _ => return Err(format!("`{name}` is no {}", $key)),
        }
    }};
}

impl Objects {
    pub fn forget_names(&mut self) {
        self.made.iter_mut().for_each(|(name, _)| *name = None);
        self.tickets.clear();
        self.tokens.clear();
    }

    fn named(&self, name: &str) -> Result<&Object, String> {
        let found = self.made.iter().rev().find(|(its, _)| its.as_deref() == Some(name));
        found.map(|(_, object)| object).ok_or_else(|| format!("no object is named `{name}`"))
    }

    fn keep<T>(
        &mut self,
        fields: &mut Fields,
        made: Result<T, Error>,
        kind: impl FnOnce(T) -> Object,
    ) -> Result<Seen, String> {
        let name = fields.text("as")?;
        Ok(match made {
            Ok(object) => {
                self.made.push((Some(name), kind(object)));
                Seen::status("TRIP_OK")
            }
            Err(error) => refused_config(&error),
        })
    }

    pub fn end(&self, fields: &mut Fields) -> Result<Seen, String> {
        Ok(outcome(match self.named(&fields.text("object")?)? {
            Object::Retry(retry) => retry.destroy(),
            Object::Dedup(dedup) => dedup.destroy(),
            Object::Gate(gate) => gate.destroy(),
            Object::Route(route) => route.destroy(),
            Object::Pipeline(pipeline) => pipeline.destroy(),
            Object::Guard(guard, _) => guard.destroy(),
        }))
    }

    // ---- Retries --------------------------------------------------------------------------------------------------

    pub fn retry(&mut self, tracker: &Tracker, fields: &mut Fields) -> Result<Seen, String> {
        let config = configs::retry(fields.object("config")?)?;
        self.keep(fields, tracker.retry(&config), Object::Retry)
    }

    pub fn delay_for(&self, fields: &mut Fields) -> Result<Seen, String> {
        let retry = object!(self, fields, Retry, "retry");
        let delay = retry.delay_for(fields.count("attempt")?);
        Ok(told(delay, |delay| Seen::status("TRIP_OK").with("delay_ns", in_nanoseconds(*delay))))
    }

    pub fn retry_begin(&self, fields: &mut Fields) -> Result<Seen, String> {
        let retry = object!(self, fields, Retry, "retry");
        let first = retry.begin(fields.long_text("provider")?);
        Ok(told(first, |first| Seen::status("TRIP_OK").with("began_ns", in_nanoseconds(first.began))))
    }

    pub fn retry_next(&self, fields: &mut Fields) -> Result<Seen, String> {
        let retry = object!(self, fields, Retry, "retry");
        let provider = fields.long_text("provider")?;
        let attempt = Attempt {
            number: fields.count("attempt")?,
            began: Duration::from_nanos(fields.number("began_ns")?),
            delay: Duration::from_nanos(fields.optional_number("last_delay_ns")?.unwrap_or(0)),
        };
        Ok(match retry.next(provider, &attempt, said::outcome(fields)?) {
            Ok(next) => Seen::status("TRIP_OK").with("delay_ns", in_nanoseconds(next.delay)),
            Err(why) => Seen::status(match why {
                NoRetry::Attempts => "TRIP_NO_RETRY_ATTEMPTS".into(),
                NoRetry::Class => "TRIP_NO_RETRY_CLASS".into(),
                NoRetry::Late => "TRIP_NO_RETRY_LATE".into(),
                NoRetry::Budget => "TRIP_NO_RETRY_BUDGET".into(),
                NoRetry::Failed(error) => error_name(&error),
                other => format!("{other:?}"),
            }),
        })
    }

    pub fn inspect_retry(&self, fields: &mut Fields) -> Result<Seen, String> {
        let retry = object!(self, fields, Retry, "retry");
        Ok(told(retry.inspect(fields.long_text("provider")?), |info| {
            Seen::status("TRIP_OK")
                .with("budget", info.budget)
                .with("calls", info.calls)
                .with("retries", info.retries)
                .with("refused", info.refused)
        }))
    }

    // ---- Deduplication --------------------------------------------------------------------------------------------

    pub fn dedup(&mut self, tracker: &Tracker, fields: &mut Fields) -> Result<Seen, String> {
        let config = configs::dedup(fields.object("config")?)?;
        self.keep(fields, tracker.dedup(&config), Object::Dedup)
    }

    pub fn check(&mut self, fields: &mut Fields) -> Result<Seen, String> {
        let checked = object!(self, fields, Dedup, "dedup").check(fields.long_text("key")?);
        self.checked(fields, checked)
    }

    pub fn wait(&mut self, fields: &mut Fields) -> Result<Seen, String> {
        let dedup = object!(self, fields, Dedup, "dedup");
        let (key, timeout) = (fields.long_text("key")?, Duration::from_nanos(fields.number("timeout_ns")?));
        let checked = dedup.wait(key, Some(timeout));
        self.checked(fields, checked)
    }

    fn checked(&mut self, fields: &mut Fields, checked: Result<Checked, Error>) -> Result<Seen, String> {
        let name = fields.optional_text("as")?;
        Ok(match checked {
            Ok(Checked::New(ticket)) => {
                self.tickets.insert(name.ok_or("a ticket is given, and `as` is missing")?, ticket.into_handle());
                Seen::status("TRIP_OK")
            }
            Ok(Checked::InProgress) => Seen::status("TRIP_IN_PROGRESS"),
            Ok(Checked::Cached(value)) => Seen::status("TRIP_CACHED").with("value", text(&value)),
            Err(error) => Seen::status(error_name(&error)),
        })
    }

    pub fn complete(&self, fields: &mut Fields) -> Result<Seen, String> {
        let ticket = self.ticket(fields)?;
        Ok(settled(ticket.complete(fields.long_text("value")?)))
    }

    pub fn settle_ticket(&self, what: &str, fields: &mut Fields) -> Result<Seen, String> {
        let ticket = self.ticket(fields)?;
        Ok(match what {
            "fail" => settled(ticket.fail()),
            "drop_ticket" => settled(ticket.abandon()),
            _ => {
                let renewed = ticket.renew();
                let _ = ticket.into_handle(); // dropped, it would be settled
                outcome(renewed)
            }
        })
    }

    fn ticket(&self, fields: &mut Fields) -> Result<Ticket, String> {
        handle_named(&self.tickets, fields, "ticket").map(Ticket::from_handle)
    }

    pub fn forget(&self, fields: &mut Fields) -> Result<Seen, String> {
        let dedup = object!(self, fields, Dedup, "dedup");
        Ok(outcome(dedup.forget(fields.long_text("key")?)))
    }

    pub fn inspect_dedup(&self, fields: &mut Fields) -> Result<Seen, String> {
        Ok(told(object!(self, fields, Dedup, "dedup").inspect(), |info| {
            Seen::status("TRIP_OK")
                .with("in_progress", info.in_progress)
                .with("cached", info.cached)
                .with("bytes", info.bytes)
                .with("started", info.started)
                .with("hits", info.hits)
                .with("joined", info.joined)
                .with("completed", info.completed)
                .with("failed", info.failed)
                .with("expired", info.expired)
                .with("evicted", info.evicted)
        }))
    }

    // ---- Gates ----------------------------------------------------------------------------------------------------

    pub fn gate(&mut self, tracker: &Tracker, fields: &mut Fields) -> Result<Seen, String> {
        let config = configs::gate(fields.object("config")?)?;
        let name = fields.optional_long_text("name")?;
        self.keep(fields, tracker.gate(name, &config), Object::Gate)
    }

    pub fn acquire(&mut self, fields: &mut Fields) -> Result<Seen, String> {
        let token = object!(self, fields, Gate, "gate").acquire();
        let name = fields.optional_text("as")?;
        Ok(match token {
            Ok(token) => {
                self.tokens.insert(name.ok_or("a token is given, and `as` is missing")?, token.into_handle());
                Seen::status("TRIP_OK")
            }
            Err(AcquireError::Shed(shed)) => Seen::status("TRIP_SHED")
                .with("depth", shed.depth)
                .with("limit", shed.limit)
                .with("capacity", shed.capacity),
            Err(AcquireError::Failed(error)) => Seen::status(error_name(&error)),
        })
    }

    pub fn release(&self, fields: &mut Fields) -> Result<Seen, String> {
        let token = handle_named(&self.tokens, fields, "token").map(Token::from_handle)?;
        let effect = match fields.optional_text("effect")? {
            None => Effect::Success,
            Some(name) => {
                let found = EFFECTS.iter().find(|(its, _)| *its == name);
                found.map(|(_, effect)| *effect).ok_or_else(|| format!("there is no {name}"))?
            }
        };
        Ok(settled(token.release(effect)))
    }

    pub fn inspect_gate(&self, fields: &mut Fields) -> Result<Seen, String> {
        Ok(told(object!(self, fields, Gate, "gate").inspect(), |info| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of at most 2^20, from 0 on
            let percent = (info.soft_depth_ratio * 100.0).round() as u64;
            Seen::status("TRIP_OK")
                .with("depth", info.depth)
                .with("limit", info.limit)
                .with("capacity", info.capacity)
                .with("soft_limit", info.soft_limit)
                .with("soft_depth_percent", percent)
                .with("acquired", info.acquired)
                .with("released", info.released)
                .with("shed", info.shed)
                .with("latency_ns", in_nanoseconds(info.latency))
        }))
    }

    // ---- Routes ---------------------------------------------------------------------------------------------------

    pub fn route(&mut self, tracker: &Tracker, fields: &mut Fields) -> Result<Seen, String> {
        let config = configs::route(fields.object("config")?)?;
        let tenant = fields.long_text("tenant")?;
        let mut providers = Vec::new();
        for provider in fields.list("providers")? {
            let mut provider = Fields::of(provider)?;
            let weight = if provider.has("weight") { provider.count("weight")? } else { 1 };
            providers.push((provider.long_text("provider")?, weight));
            provider.finish()?;
        }
        let made = tracker.route(tenant, &config).and_then(|route| {
            providers.iter().try_for_each(|(provider, weight)| route.add(provider, *weight)).map(|()| route)
        });
        self.keep(fields, made, Object::Route)
    }

    pub fn route_add(&self, fields: &mut Fields) -> Result<Seen, String> {
        let route = object!(self, fields, Route, "route");
        Ok(outcome(route.add(fields.long_text("provider")?, fields.count("weight")?)))
    }

    /// The permit too, when there is one.
    pub fn route_permit(&self, fields: &mut Fields) -> Result<(Seen, Option<Permit>), String> {
        let route = object!(self, fields, Route, "route");
        let session = fields.optional_long_text("session")?;
        let avoid = fields.optional_number("avoid")?.unwrap_or(0);
        Ok(match route.permit(session, avoid) {
            Ok(routed) => (Seen::status("TRIP_OK").with("index", routed.index), Some(routed.permit)),
            Err(PermitError::Rejected(rejected)) => (rejection(&rejected), None),
            Err(PermitError::Failed(error)) => (Seen::status(error_name(&error)), None),
        })
    }

    pub fn route_circuit(&self, fields: &mut Fields) -> Result<Result<Circuit, Error>, String> {
        let route = object!(self, fields, Route, "route");
        Ok(route.circuit(fields.count("index")?))
    }

    // ---- Pipelines ------------------------------------------------------------------------------------------------

    pub fn pipeline(&mut self, fields: &mut Fields) -> Result<Seen, String> {
        let stages: Result<Vec<_>, _> = fields.list("stages")?.into_iter().map(stage_of).collect();
        let stages = stages?;
        let made = Pipeline::new().and_then(|pipeline| {
            for (name, does) in stages {
                pipeline.add(name, move |input| does.to(input))?;
            }
            Ok(pipeline)
        });
        self.keep(fields, made, Object::Pipeline)
    }

    pub fn run(&self, fields: &mut Fields) -> Result<Seen, String> {
        let pipeline = object!(self, fields, Pipeline, "pipeline");
        Ok(match pipeline.run(fields.long_text("input")?) {
            Ok(output) => Seen::status("TRIP_OK").with("output", text(&output)),
            Err(RunError::Stage(failure)) => Seen::status("TRIP_STAGE_FAILED")
                .with("stage", failure.stage)
                .with("stage_name", text(failure.name()))
                .with("code", failure.code),
            Err(RunError::Failed(error)) => Seen::status(error_name(&error)),
        })
    }

    pub fn stage_count(&self, fields: &mut Fields) -> Result<Seen, String> {
        let count = object!(self, fields, Pipeline, "pipeline").stage_count();
        Ok(told(count, |count| Seen::status("TRIP_OK").with("stages", *count)))
    }

    // ---- Guards ---------------------------------------------------------------------------------------------------

    pub fn guard(&mut self, circuit: &Circuit, fields: &mut Fields) -> Result<Seen, String> {
        let config = if fields.has("config") { fields.object("config")? } else { Fields::none() };
        let (config, signature) = (configs::guard(config)?, fields.long_text("signature")?);
        let made = functions::guard(circuit, &fields.text("function")?, &signature, &config)?;
        self.keep(fields, made, |guard| Object::Guard(guard, signature))
    }

    pub fn guard_call(&self, fields: &mut Fields) -> Result<Seen, String> {
        let name = fields.text("guard")?;
        let Object::Guard(guard, signature) = self.named(&name)? else { return Err(format!("`{name}` is no guard")) };
        Ok(match functions::call(guard, signature, &fields.list("arguments")?)? {
            Ok(result) => Seen::status("TRIP_OK").with("result", result),
            Err(PermitError::Rejected(rejected)) => rejection(&rejected),
            Err(PermitError::Failed(error)) => Seen::status(error_name(&error)),
        })
    }
}

fn handle_named(handles: &HashMap<String, u64>, fields: &mut Fields, kind: &str) -> Result<u64, String> {
    let name = fields.text(kind)?;
    handles.get(&name).copied().ok_or_else(|| format!("no {kind} is named `{name}`"))
}

fn told<T>(answer: Result<T, Error>, tell: impl FnOnce(&T) -> Seen) -> Seen {
    match answer {
        Ok(answer) => tell(&answer),
        Err(error) => Seen::status(error_name(&error)),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a stage does.
enum Does {
    Upper,
    Reverse,
    Append(String),
    Fail(i32),
}

impl Does {
    fn to(&self, input: &[u8]) -> Result<Vec<u8>, StageError> {
        match self {
            Does::Upper => Ok(input.to_ascii_uppercase()),
            Does::Reverse => Ok(input.iter().rev().copied().collect()),
            Does::Append(text) => Ok([input, text.as_bytes()].concat()),
            Does::Fail(code) => Err(StageError::from_code(*code)),
        }
    }
}

fn stage_of(stage: Value) -> Result<(String, Does), String> {
    let mut stage = Fields::of(stage)?;
    let (name, does) = (stage.long_text("name")?, stage.need("does")?);
    stage.finish()?;
    Ok((name, does_of(does)?))
}

fn does_of(does: Value) -> Result<Does, String> {
    match does.as_str() {
        Some("upper") => return Ok(Does::Upper),
        Some("reverse") => return Ok(Does::Reverse),
        Some(other) => return Err(format!("no stage does `{other}`")),
        None => {}
    }
    let mut fields = Fields::of(does)?;
    let does = if let Some(text) = fields.optional_text("append")? {
        Does::Append(text)
    } else {
        let code = fields.need("fail")?;
        let code = code.as_i64().and_then(|code| i32::try_from(code).ok()).filter(|code| *code != 0);
        Does::Fail(code.ok_or("`fail` is no code of a failure")?)
    };
    fields.finish()?;
    Ok(does)
}
