//! One call: with a permit or without, and the line that is told about it.

use crate::outcome::{classified, outcome, Answer};
use crate::scenario::{Lane, Request};
use crate::LANGUAGE;
use serde::Serialize;
use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use trip::{Circuit, PermitError};

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
    state: Option<String>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_wait_us: Option<u128>,
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
        let request = self.lane.request_at(intended_us);
        let course = match &self.circuit {
            Some(circuit) => self.guarded(circuit, request, &call).await,
            None => self.unguarded(request, &call).await.1,
        };
        let end_us = self.clock.now_us();
        let state = self.circuit.as_ref().map(|circuit| kebab(circuit.inspect().expect("its tracker lives").state));
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

    async fn guarded(&self, circuit: &Circuit, request: &Request, call: &str) -> Course {
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
        let (answer, course) = self.unguarded(request, call).await;
        let learned = classified(&answer);
        permit.record(learned);
        let class = Some(kebab(learned.class));
        let asked_wait_us = learned.retry_after.map(|wait| wait.as_micros());
        Course { probe, class, asked_wait_us, ..course }
    }

    async fn unguarded(&self, request: &Request, call: &str) -> (reqwest::Result<Answer>, Course) {
        let sent_us = Some(self.clock.now_us());
        let answer = self.send(request, call).await;
        let status = answer.as_ref().ok().map(|answer| answer.status);
        let course = Course { sent_us, outcome: outcome(&answer), status, ..Course::default() };
        (answer, course)
    }

    /// One call to the provider, its answer read to the end.
    async fn send(&self, request: &Request, call: &str) -> reqwest::Result<Answer> {
        let mut sending = self.http.post(&self.url).header("x-client-request-id", call);
        for (name, value) in &request.headers {
            sending = sending.header(name, value);
        }
        let response = sending.body(request.body.clone()).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
    }
}

/// `HalfOpen` as the other clients call it: half-open.
fn kebab(variant: impl Debug) -> String {
    let mut name = String::new();
    for letter in format!("{variant:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}
