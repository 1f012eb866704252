//! The configs of the parts around the permit: fields by their C names, as a vector has them.

use crate::fields::Fields;
use crate::stage::nanoseconds;
use crate::vector::{count, ratio, selector};
use serde_json::Value;
use trip::{
    Adapt, Classes, DedupConfig, Fallback, GateConfig, GuardConfig, Jitter, Order, RetryConfig, RouteConfig, Rule,
};

/// A config: what it is read by, and of each field C's name, its own, and how its value is read.
macro_rules! config {
    ($reads:ident: $config:ident { $($c_name:literal => $field:ident: $read:path,)+ }) => {
        pub fn $reads(fields: Fields) -> Result<$config, String> {
            let mut config = $config::default();
            for (name, value) in fields {
                match name.as_str() {
                    $($c_name => config.$field = $read(&value).map_err(|error| format!("`{name}`: {error}"))?,)+
                    _ => return Err(format!("`{name}`: there is no such field")),
                }
            }
            Ok(config)
        }
    };
}

config! {
    retry: RetryConfig {
        "max_attempts" => max_attempts: count,
        "base_delay_ns" => base_delay: nanoseconds,
        "max_delay_ns" => max_delay: nanoseconds,
        "multiplier" => multiplier: ratio,
        "jitter" => jitter: jitter,
        "max_providers" => max_providers: count,
        "seed" => seed: number,
        "max_retry_after_ns" => max_retry_after: nanoseconds,
        "deadline_ns" => deadline: nanoseconds,
        "classes" => classes: classes,
        "budget_ratio" => budget_ratio: ratio,
        "budget_burst" => budget_burst: count,
    }
}

config! {
    dedup: DedupConfig {
        "max_entries" => max_entries: count,
        "max_bytes" => max_bytes: number,
        "lease_ns" => lease: nanoseconds,
        "ttl_ns" => ttl: nanoseconds,
    }
}

config! {
    gate: GateConfig {
        "capacity" => capacity: count,
        "soft_limit" => soft_limit: count,
        "adapt" => adapt: adapt,
        "min_limit" => min_limit: count,
        "initial_limit" => initial_limit: count,
        "latency_ns" => latency: nanoseconds,
        "decrease" => decrease: ratio,
        "tolerance" => tolerance: ratio,
        "smoothing" => smoothing: ratio,
    }
}

config! {
    route: RouteConfig {
        "order" => order: order,
        "fallback" => fallback: fallback,
        "seed" => seed: number,
    }
}

config! {
    guard: GuardConfig {
        "rule" => rule: rule,
        "refused_result" => refused_result: signed,
        "refused_double" => refused_double: ratio,
        "refused_errno" => refused_errno: errno,
    }
}

fn number(value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("{value} is no number from 0 on"))
}

fn signed(value: &Value) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| format!("{value} is no number"))
}

fn errno(value: &Value) -> Result<i32, String> {
    i32::try_from(signed(value)?).map_err(|error| error.to_string())
}

fn classes(value: &Value) -> Result<Classes, String> {
    number(value).map(Classes::from)
}

fn jitter(value: &Value) -> Result<Jitter, String> {
    let names = [
        ("TRIP_JITTER_NONE", Jitter::None),
        ("TRIP_JITTER_FULL", Jitter::Full),
        ("TRIP_JITTER_EQUAL", Jitter::Equal),
        ("TRIP_JITTER_DECORRELATED", Jitter::Decorrelated),
    ];
    selector(value, &names)
}

fn adapt(value: &Value) -> Result<Adapt, String> {
    let names =
        [("TRIP_ADAPT_NONE", Adapt::None), ("TRIP_ADAPT_AIMD", Adapt::Aimd), ("TRIP_ADAPT_GRADIENT", Adapt::Gradient)];
    selector(value, &names)
}

fn order(value: &Value) -> Result<Order, String> {
    selector(value, &[("TRIP_ORDER_LISTED", Order::Listed), ("TRIP_ORDER_WEIGHTED", Order::Weighted)])
}

fn fallback(value: &Value) -> Result<Fallback, String> {
    selector(value, &[("TRIP_FALLBACK_REFUSE", Fallback::Refuse), ("TRIP_FALLBACK_ONE", Fallback::One)])
}

fn rule(value: &Value) -> Result<Rule, String> {
    let names = [
        ("TRIP_RULE_NEGATIVE_FAILS", Rule::NegativeFails),
        ("TRIP_RULE_ZERO_SUCCEEDS", Rule::ZeroSucceeds),
        ("TRIP_RULE_ZERO_FAILS", Rule::ZeroFails),
        ("TRIP_RULE_ERRNO", Rule::Errno),
        ("TRIP_RULE_CLASSIFIER", Rule::Classifier),
    ];
    selector(value, &names)
}
