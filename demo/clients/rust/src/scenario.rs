//! What this client reads of scenario.json.

use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
pub struct Scenario {
    pub timeout_us: u64,
    pub circuit: Policy,
    pub lanes: Vec<Lane>,
}

#[derive(Deserialize)]
pub struct Policy {
    pub failure_threshold: u32,
    pub initial_open_us: u64,
    pub max_open_us: u64,
    pub backoff_multiplier: f64,
}

/// One caller: what it sends, and when.
#[derive(Deserialize)]
pub struct Lane {
    pub language: String,
    pub tenant: String,
    pub provider: String,
    pub path: String,
    pub requests: Vec<Request>,
    pub at_us: Vec<i64>,
}

/// What a lane sends from some time on.
#[derive(Deserialize)]
pub struct Request {
    pub from_us: i64,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Lane {
    pub fn request_at(&self, us: i64) -> &Request {
        self.requests.iter().rfind(|request| request.from_us <= us).expect("the first is sent from 0 on")
    }
}
