//! One call: with a permit or without, and the line that is told about it.

use crate::scenario::Lane;
use crate::LANGUAGE;
use serde::Serialize;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use trip::{Circuit, PermitError, State};

/// Everything the calls of one lane share.
pub struct Caller {
    pub side: String,
    pub lane: Lane,
    pub url: String,
    pub circuit: Option<Circuit>,
    pub http: reqwest::Client,
    pub clock: Clock,
}

/// Microseconds of the replay.
#[derive(Clone, Copy)]
pub struct Clock {
    start: Instant,
}

/// What is told about a call. Times are microseconds of the replay.
#[derive(Serialize)]
struct Record<'a> {
    side: &'a str,
    language: &'a str,
    tenant: &'a str,
    provider: &'a str,
    call: &'a str,
    intended_us: i64,
    asked_us: i64,
    end_us: i64,
    state: Option<&'static str>,
    #[serde(flatten)]
    course: Course,
}

/// How a call went.
#[derive(Default, Serialize)]
struct Course {
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_us: Option<i64>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    probe: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_us: Option<u128>,
}

impl Clock {
    pub fn starting_at_unix_ns(start: u64) -> Self {
        let ahead = (UNIX_EPOCH + Duration::from_nanos(start)).duration_since(SystemTime::now());
        Clock { start: Instant::now() + ahead.unwrap_or_default() }
    }

    fn now_us(&self) -> i64 {
        let now = Instant::now();
        let since = now.saturating_duration_since(self.start).as_micros();
        i64::try_from(since).expect("a replay is over long before")
    }

    pub fn sleep_until(&self, at_us: i64) {
        let at = self.start + Duration::from_micros(at_us.unsigned_abs());
        thread::sleep(at.saturating_duration_since(Instant::now()));
    }
}

impl Caller {
    pub async fn make_one(&self, place: usize, intended_us: i64) {
        let Lane { tenant, provider, .. } = &self.lane;
        let call = format!("{LANGUAGE}/{tenant}/{provider}/{place}");
        let asked_us = self.clock.now_us();
        let course = match &self.circuit {
            Some(circuit) => self.guarded(circuit, &call).await,
            None => self.unguarded(&call).await,
        };
        let end_us = self.clock.now_us();
        let state = self.circuit.as_ref().map(|circuit| name(circuit.inspect().expect("its tracker lives").state));
        let side = &self.side;
        let record = Record {
            side,
            language: LANGUAGE,
            tenant,
            provider,
            call: &call,
            intended_us,
            asked_us,
            end_us,
            state,
            course,
        };
        println!("{}", serde_json::to_string(&record).expect("a record is plain"));
    }

    async fn guarded(&self, circuit: &Circuit, call: &str) -> Course {
        let permit = match circuit.permit() {
            Ok(permit) => permit,
            Err(PermitError::Rejected(rejected)) => {
                let retry_after_us = Some(rejected.retry_after.as_micros());
                return Course { outcome: "refused", retry_after_us, ..Course::default() };
            }
            // A program would make the call unguarded; a demo had better be seen to fail.
            Err(PermitError::Failed(error)) => panic!("{error}"),
        };
        // Stale when the circuit has moved on already, which it does not with a probe out.
        let probe = permit.inspect().is_ok_and(|permit| permit.is_probe);
        let course = self.unguarded(call).await;
        match course.outcome {
            "answered" => permit.record_success(),
            _ => permit.record_failure(),
        };
        Course { probe, ..course }
    }

    async fn unguarded(&self, call: &str) -> Course {
        let sent_us = Some(self.clock.now_us());
        let (outcome, status) = match self.send(call).await {
            Ok(status) if status >= 500 || status == 429 => ("failed", Some(status)),
            Ok(status) => ("answered", Some(status)),
            Err(error) if error.is_timeout() => ("timeout", None),
            Err(error) if error.is_connect() => ("unreachable", None),
            Err(_) => ("broken", None),
        };
        Course { sent_us, outcome, status, ..Course::default() }
    }

    /// One call to the provider, its answer read to the end.
    async fn send(&self, call: &str) -> reqwest::Result<u16> {
        let mut request = self.http.post(&self.url).header("x-client-request-id", call);
        for (name, value) in &self.lane.headers {
            request = request.header(name, value);
        }
        let response = request.body(self.lane.body.clone()).send().await?;
        let status = response.status().as_u16();
        response.bytes().await?;
        Ok(status)
    }
}

fn name(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half-open",
        _ => "unknown",
    }
}
