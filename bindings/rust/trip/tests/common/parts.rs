//! A caller with all its parts, and whether any of them still holds something of a call that is over.

use super::{config, permits_out};
use std::fmt;
use std::time::Duration;
use trip::classify::Class;
use trip::{
    Caller, Circuit, Dedup, DedupConfig, Gate, GateConfig, Jitter, Permits, Retry, RetryConfig, Route, RouteConfig,
    Tracker,
};

pub const PROVIDERS: [&str; 3] = ["a", "b", "c"];
pub const BOTH: [Permits; 2] = [Permits::PerAttempt, Permits::PerCall];

/// An error of a call, which says its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(pub Class);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed: {:?}", self.0)
    }
}

impl std::error::Error for Failed {}

pub fn class(failed: &Failed) -> Class {
    failed.0
}

pub const OUTAGE: Failed = Failed(Class::ServerError);

pub struct Parts {
    pub tracker: Tracker,
    pub circuit: Circuit,
    pub route: Route,
    pub retry: Retry,
    pub dedup: Dedup,
    pub gate: Gate,
}

impl Parts {
    /// Nothing opens a circuit; three attempts, at once.
    pub fn new() -> Self {
        Parts::with(&config().failure_threshold(100), Duration::ZERO)
    }

    pub fn with(config: &trip::Config, delay: Duration) -> Self {
        let tracker = Tracker::new(config).unwrap();
        let route = tracker.route("acme", &RouteConfig::default()).unwrap();
        for provider in PROVIDERS {
            route.add(provider, 1).unwrap();
        }
        let retry = RetryConfig::default().jitter(Jitter::None).base_delay(delay).max_delay(delay.max(MAX_DELAY));
        Parts {
            circuit: tracker.circuit("acme", "a").unwrap(),
            route,
            retry: tracker.retry(&retry).unwrap(),
            dedup: tracker.dedup(&DedupConfig::default()).unwrap(),
            gate: tracker.gate("llm", &GateConfig::default().capacity(4)).unwrap(),
            tracker,
        }
    }

    /// To the circuit, by all parts.
    pub fn caller(&self) -> Caller {
        self.around(Caller::of(&self.circuit))
    }

    /// Along the route, by all parts.
    pub fn routed(&self) -> Caller {
        self.around(Caller::along(&self.route))
    }

    fn around(&self, caller: Caller) -> Caller {
        caller.retry(&self.retry).dedup(&self.dedup).gate(&self.gate)
    }

    pub fn circuits(&self) -> [Circuit; 3] {
        PROVIDERS.map(|provider| self.tracker.circuit("acme", provider).unwrap())
    }

    /// Permits out, tokens out, tickets out.
    pub fn held(&self) -> (u64, u32, u32) {
        let permits = self.circuits().iter().map(permits_out).sum();
        (permits, self.gate.inspect().unwrap().depth, self.dedup.inspect().unwrap().in_progress)
    }

    #[track_caller]
    pub fn assert_nothing_is_held(&self) {
        assert_eq!(self.held(), (0, 0, 0), "permits, tokens, tickets");
    }
}

const MAX_DELAY: Duration = Duration::from_secs(60);
