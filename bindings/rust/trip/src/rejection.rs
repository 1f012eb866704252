//! Why there is no permit: the circuit said no, which is an answer, or the library could not say, which is an error.

use crate::error::Error;
use crate::key::Key;
use crate::selector::{Reason, State};
use std::fmt;
use std::time::Duration;
use trip_sys as sys;

/// The circuit refused a permit, or all circuits of a route: do not call; come back after `retry_after`.
///
/// ```
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// # let circuit = tracker.circuit("acme", "llm")?;
/// circuit.trip()?;
/// let Err(rejected) = circuit.admit() else { panic!("it is open") };
/// assert_eq!((rejected.reason, rejected.provider()), (trip::Reason::Open, &b"llm"[..]));
/// assert!(rejected.retry_after > std::time::Duration::ZERO);
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rejected {
    key: Key,
    is_of_route: bool,
    /// Why.
    pub reason: Reason,
    /// State of the circuit.
    pub state: State,
    /// The threshold plus the probes that failed since, at most 31 of these.
    pub failures: u32,
    /// When to ask again. Never too short.
    pub retry_after: Duration,
    /// The open period of its level by the present policy.
    pub open_duration: Duration,
}

/// Why there is no permit.
///
/// ```
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// # let circuit = tracker.circuit("acme", "llm")?;
/// tracker.destroy()?;
/// assert!(matches!(circuit.permit(), Err(trip::PermitError::Failed(trip::Error::Handle))));
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum PermitError {
    /// The circuit said no: do not call.
    Rejected(Rejected),
    /// The library could not say: make the call without a permit, and report the error.
    Failed(Error),
}

impl Rejected {
    pub(crate) fn new(key: &Key, raw: &sys::trip_rejection) -> Self {
        Rejected {
            key: key.clone(),
            is_of_route: false,
            reason: raw.status.into(),
            state: raw.state.into(),
            failures: raw.failures,
            retry_after: Duration::from_nanos(raw.retry_after_ns),
            open_duration: Duration::from_nanos(raw.open_duration_ns),
        }
    }

    /// All circuits of a route refuse, and nobody says which of them spoke: the key has no provider.
    pub(crate) fn of_route(key: &Key, raw: &sys::trip_rejection) -> Self {
        Rejected { is_of_route: true, ..Rejected::new(key, raw) }
    }

    /// Whose call was refused.
    #[must_use]
    pub fn tenant(&self) -> &[u8] {
        self.key.tenant()
    }

    /// Who is not to be called; empty where all providers of a route are not.
    #[must_use]
    pub fn provider(&self) -> &[u8] {
        self.key.provider()
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.reason {
            Reason::Open => "is open",
            Reason::Probing => "is being probed",
            Reason::Forced => "is forced open",
            Reason::Ramp => "has just closed and admits a part of the calls",
            Reason::Other(_) => "grants no permit",
        };
        let (tenant, provider) = (self.tenant().escape_ascii(), self.provider().escape_ascii());
        if self.is_of_route {
            let wait = self.retry_after;
            return write!(
                f,
                "no circuit of the route of tenant \"{tenant}\" admits the call, the best {why}; retry in {wait:?}"
            );
        }
        write!(
            f,
            "the circuit of tenant \"{tenant}\" to provider \"{provider}\" {why}; retry in {:?}",
            self.retry_after
        )
    }
}

impl std::error::Error for Rejected {}

impl From<Error> for PermitError {
    fn from(error: Error) -> Self {
        PermitError::Failed(error)
    }
}

impl fmt::Display for PermitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PermitError::Rejected(rejected) => rejected.fmt(f),
            PermitError::Failed(error) => error.fmt(f),
        }
    }
}

/// Transparent: the message and the source are those of what it holds.
impl std::error::Error for PermitError {}
