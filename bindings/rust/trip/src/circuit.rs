//! Circuits: who may call whom, now. A circuit keeps its key, so that it can be found again after an eviction.

use crate::error::Error;
use crate::ffi;
use crate::key::Key;
use crate::permit::Permit;
use crate::rejection::{PermitError, Rejected};
use crate::selector::{Mode, State};
use crate::tracker::Keeper;
use crate::{lane, tally};
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;
use trip_sys as sys;

/// The circuit of one (tenant, provider).
///
/// Clones are the same circuit, and so is every circuit that is got under the same key. It keeps its tracker alive.
/// A full tracker may evict it; the next use then finds it again under its key, closed and without history.
///
/// ```
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// let circuit = tracker.circuit("acme", "llm")?;
/// assert_eq!((circuit.tenant(), circuit.provider()), (&b"acme"[..], &b"llm"[..]));
/// let answer = circuit.call(|| "42".parse::<u32>());
/// assert!(matches!(answer, Ok(42)));
/// # Ok::<_, trip::Error>(())
/// ```
pub struct Circuit {
    /// Another once it was found again after an eviction. Nothing else hangs on it, and any value is legal: relaxed.
    handle: AtomicU64,
    /// Without one the circuit cannot be found again.
    keeper: Option<Arc<Keeper>>,
    key: Key,
}

/// A circuit seen from outside. When no call is in progress the counters are exact, and
/// `permits = successes + failures_total + drops + cancels + permits not yet settled`.
///
/// ```
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// # let circuit = tracker.circuit("acme", "llm")?;
/// circuit.trip()?;
/// let info = circuit.inspect()?;
/// assert_eq!((info.state, info.opens, info.permits), (trip::State::Open, 1, 0));
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CircuitInfo {
    /// An open circuit past its deadline stays open until a permit is asked for.
    pub state: State,
    /// Who decides about the circuit.
    pub mode: Mode,
    /// Closed: failures in a row; else the threshold plus `level`.
    pub failures: u32,
    /// Probes that failed since the circuit last closed, at most 31.
    pub level: u32,
    /// Probes granted and not settled.
    pub probes_out: u32,
    /// Changes with each state change and never comes back.
    pub epoch: u64,
    /// What a refusal would say now; zero where a permit would be granted.
    pub retry_after: Duration,
    /// The open period of its level by the present policy; zero when closed.
    pub open_duration: Duration,
    /// Permits granted.
    pub permits: u64,
    /// Permits settled as success, stale ones too.
    pub successes: u64,
    /// Permits settled as failure, stale ones too.
    pub failures_total: u64,
    /// Permits settled as dropped, stale ones too.
    pub drops: u64,
    /// Permits settled as cancelled, stale ones too.
    pub cancels: u64,
    /// Permits refused.
    pub rejections: u64,
    /// Settlements that came too late to change anything.
    pub stale: u64,
    /// Times the circuit opened or opened again.
    pub opens: u64,
    /// Until the mode ends by itself; `None`: it does not.
    pub mode_left: Option<Duration>,
}

impl Circuit {
    pub(crate) fn new(keeper: Option<Arc<Keeper>>, handle: u64, key: Key) -> Self {
        Circuit { handle: AtomicU64::new(handle), keeper, key }
    }

    /// The circuit that somebody else in this process got, in whatever language. It does not keep its tracker alive,
    /// and once it is evicted or its tracker destroyed it gets [`Error::Handle`]; one that is got from
    /// [`Tracker::from_handle`](crate::Tracker::from_handle) finds itself again.
    ///
    /// # Errors
    /// [`Error::Handle`]: no such circuit.
    pub fn from_handle(handle: u64) -> Result<Self, Error> {
        Ok(Self::new(None, handle, ffi::circuit_key(handle)?))
    }

    /// Asks for a permit to make one call.
    ///
    /// # Errors
    /// [`PermitError::Rejected`]: the circuit says no; do not call. [`PermitError::Failed`]: the library could not say;
    /// make the call without a permit and report the error.
    #[inline]
    pub fn permit(&self) -> Result<Permit, PermitError> {
        if let Some(permit) = lane::admit(self.handle()) {
            return Ok(permit);
        }
        let mut refusal = None;
        let permit = self.ask_for_permit(&mut refusal);
        match refusal {
            None => Ok(Permit::ordinary(permit, self.handle())),
            Some(refusal) => Err(refusal),
        }
    }

    /// The handle of a permit, unless a refusal was written. Apart from each other: where the whole answer was written
    /// through a pointer, a permit of the lane would have to lie there too, and not in registers.
    #[inline(never)]
    fn ask_for_permit(&self, out_refusal: &mut Option<PermitError>) -> u64 {
        let mut rejection = ffi::no_rejection();
        match self.ask(|circuit| ffi::circuit_permit(circuit, &mut rejection)) {
            Ok(Some(permit)) => return permit,
            Ok(None) => *out_refusal = Some(PermitError::Rejected(Rejected::new(&self.key, &rejection))),
            Err(error) => *out_refusal = Some(PermitError::Failed(error)),
        }
        0
    }

    /// What [`permit`](Self::permit) would answer now. Changes nothing, counts nothing.
    ///
    /// # Errors
    /// As [`permit`](Self::permit).
    pub fn peek(&self) -> Result<(), PermitError> {
        let mut rejection = ffi::no_rejection();
        match self.ask(|circuit| ffi::circuit_peek(circuit, &mut rejection))? {
            Some(()) => Ok(()),
            None => Err(PermitError::Rejected(Rejected::new(&self.key, &rejection))),
        }
    }

    /// State, times and counters. Takes time in proportion to the permits ever out at once.
    ///
    /// # Errors
    /// [`Error::Handle`]: the tracker is destroyed.
    pub fn inspect(&self) -> Result<CircuitInfo, Error> {
        self.ask(inspect)
    }

    /// Whose calls these are.
    #[must_use]
    pub fn tenant(&self) -> &[u8] {
        self.key.tenant()
    }

    /// Who is called.
    #[must_use]
    pub fn provider(&self) -> &[u8] {
        self.key.provider()
    }

    /// The handle, for others in this process. It is good until the circuit is evicted or its tracker destroyed.
    #[must_use]
    #[inline]
    pub fn handle(&self) -> u64 {
        self.handle.load(Ordering::Relaxed)
    }

    /// The circuit may have been evicted: then it is looked up again by its key, once.
    #[inline]
    pub(crate) fn ask<T>(&self, mut question: impl FnMut(u64) -> Result<T, Error>) -> Result<T, Error> {
        let answer = question(self.handle());
        if !matches!(answer, Err(Error::Handle)) {
            return answer;
        }
        mem::forget(answer); // it holds nothing, and to find that out would cost every permit time
        question(self.look_up_again()?)
    }

    #[cold]
    fn look_up_again(&self) -> Result<u64, Error> {
        let handle = self.keeper.as_ref().ok_or(Error::Handle)?.find(self.key.tenant(), self.key.provider())?;
        self.handle.store(handle, Ordering::Relaxed);
        Ok(handle)
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// Tells the tracker's reporter of a library error that the caller passes over, because it must not keep a call
    /// from being made: for those who build something of [`admit`](Self::admit). Does nothing where the tracker has no
    /// reporter, or the circuit is [somebody else's](Self::from_handle).
    pub fn report(&self, error: &Error) {
        if let Some(keeper) = &self.keeper {
            keeper.report(self, error);
        }
    }
}

/// What the library says of a circuit, and what threads have counted on its lane beside that.
pub(crate) fn inspect(circuit: u64) -> Result<CircuitInfo, Error> {
    let (answer, pending) = tally::beside(circuit, || ffi::circuit_inspect(circuit));
    let mut raw = answer?;
    raw.permits = raw.permits.wrapping_add(pending.permits);
    raw.successes = raw.successes.wrapping_add(pending.successes);
    Ok(CircuitInfo::from(&raw))
}

impl Clone for Circuit {
    fn clone(&self) -> Self {
        Circuit::new(self.keeper.clone(), self.handle(), self.key.clone())
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit")
            .field("tenant", &format_args!("\"{}\"", self.tenant().escape_ascii()))
            .field("provider", &format_args!("\"{}\"", self.provider().escape_ascii()))
            .field("handle", &format_args!("{:#x}", self.handle()))
            .finish_non_exhaustive()
    }
}

impl From<&sys::trip_circuit_info> for CircuitInfo {
    fn from(raw: &sys::trip_circuit_info) -> Self {
        CircuitInfo {
            state: raw.state.into(),
            mode: raw.mode.into(),
            failures: raw.failures,
            level: raw.level,
            probes_out: raw.probes_out,
            epoch: raw.epoch,
            retry_after: Duration::from_nanos(raw.retry_after_ns),
            open_duration: Duration::from_nanos(raw.open_duration_ns),
            permits: raw.permits,
            successes: raw.successes,
            failures_total: raw.failures_total,
            drops: raw.drops,
            cancels: raw.cancels,
            rejections: raw.rejections,
            stale: raw.stale,
            opens: raw.opens,
            mode_left: (raw.mode_left_ns != 0).then(|| Duration::from_nanos(raw.mode_left_ns)),
        }
    }
}
