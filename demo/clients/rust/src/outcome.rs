//! What became of a call: as both sides count it, and as the circuit is told.

use reqwest::header::HeaderMap;
use std::time::{Duration, SystemTime};
use trip::classify::{self, Class, Outcome};

/// A response that was read to its end.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// What both sides are counted by; libtrip has no part in it.
pub fn outcome(answer: &reqwest::Result<Answer>) -> &'static str {
    match answer {
        Err(error) if error.is_timeout() => "timeout",
        Err(error) if error.is_connect() => "unreachable",
        Err(_) => "broken",
        Ok(Answer { status: 429 | 500.., .. }) => "failed",
        Ok(Answer { status: 400.., .. }) => "mistaken",
        Ok(_) => "answered",
    }
}

/// The same for the circuit, in the library's classes.
pub fn classified(answer: &reqwest::Result<Answer>) -> Outcome {
    match answer {
        Err(error) if error.is_timeout() => Class::Timeout.into(),
        Err(_) => Class::Network.into(),
        Ok(answer) => {
            let learned = classify::http(answer.status, &answer.body);
            asked_wait(&answer.headers).map_or(learned, |wait| learned.retry_after(wait))
        }
    }
}

/// How long the provider asks to stay away. The finer header first: the other knows nothing below a second.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let (name, value) = ["retry-after-ms", "retry-after"].iter().find_map(|name| Some((name, headers.get(*name)?)))?;
    // A program would go without a wait that is none; a demo had better be seen to fail.
    trip::parse_retry_hint(name, value, SystemTime::now()).expect("the stand-ins ask for times to wait")
}
