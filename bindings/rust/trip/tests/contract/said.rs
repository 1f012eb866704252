//! What a provider said: the steps that need no tracker, and the outcome that a step records.

use crate::expectation::Seen;
use crate::fields::Fields;
use crate::stage::in_nanoseconds;
use std::time::{Duration, SystemTime};
use trip::classify::{self, Class, Outcome};

pub fn classify(what: &str, fields: &mut Fields) -> Result<Seen, String> {
    Ok(seen(&match what {
        "classify_http" => {
            let status = u32::try_from(fields.number("http_status")?).map_err(|error| error.to_string())?;
            classify::http(status, fields.long_text("body")?)
        }
        "classify_text" => classify::text(fields.long_text("text")?),
        _ => errno(fields)?,
    }))
}

fn errno(fields: &mut Fields) -> Result<Outcome, String> {
    let number = fields.need("errno")?;
    let number = number.as_i64().and_then(|number| i32::try_from(number).ok()).ok_or("`errno` is no errno")?;
    let outcome = classify::errno(number);
    if outcome.sys_errno.unwrap_or(0) != number {
        return Err(format!("the outcome's errno is {:?}", outcome.sys_errno));
    }
    Ok(outcome)
}

pub fn retry_hint(fields: &mut Fields) -> Result<Seen, String> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_nanos(fields.number("now_unix_ns")?);
    Ok(match trip::parse_retry_hint(fields.text("name")?, fields.long_text("value")?, now) {
        Ok(Some(wait)) => Seen::status("TRIP_OK").with("retry_after_ns", in_nanoseconds(wait)),
        Ok(None) => Seen::status("TRIP_NO_HINT"),
        Err(trip::InvalidHint) => Seen::status("TRIP_E_INVALID"),
    })
}

/// The outcome of a step that records.
pub fn outcome(fields: &mut Fields) -> Result<Outcome, String> {
    let name = fields.text("class")?;
    let class = (0..=u32::from(Class::Unknown)).map(Class::from).find(|&class| class_name(class) == name);
    let mut outcome = Outcome::new(class.ok_or_else(|| format!("there is no class {name}"))?);
    if let Some(status) = fields.optional_number("http_status")? {
        outcome.http_status = Some(u32::try_from(status).map_err(|error| error.to_string())?);
    }
    outcome.retry_after = fields.optional_number("retry_after_ns")?.map(Duration::from_nanos);
    outcome.duration = fields.optional_number("duration_ns")?.map(Duration::from_nanos);
    Ok(outcome)
}

fn seen(outcome: &Outcome) -> Seen {
    Seen::status("TRIP_OK")
        .with("class", class_name(outcome.class))
        .with("http_status", outcome.http_status.unwrap_or(0))
        .with("retry_after_ns", outcome.retry_after.map_or(0, in_nanoseconds))
}

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Success => "TRIP_CLASS_SUCCESS",
        Class::ServerError => "TRIP_CLASS_SERVER_ERROR",
        Class::RateLimited => "TRIP_CLASS_RATE_LIMITED",
        Class::Overloaded => "TRIP_CLASS_OVERLOADED",
        Class::Network => "TRIP_CLASS_NETWORK",
        Class::Timeout => "TRIP_CLASS_TIMEOUT",
        Class::Quota => "TRIP_CLASS_QUOTA",
        Class::Auth => "TRIP_CLASS_AUTH",
        Class::InvalidRequest => "TRIP_CLASS_INVALID_REQUEST",
        Class::ContextOverflow => "TRIP_CLASS_CONTEXT_OVERFLOW",
        Class::NotFound => "TRIP_CLASS_NOT_FOUND",
        Class::ContentFiltered => "TRIP_CLASS_CONTENT_FILTERED",
        Class::Cancelled => "TRIP_CLASS_CANCELLED",
        Class::Unknown => "TRIP_CLASS_UNKNOWN",
        _ => "another class",
    }
}
