//! Backpressure: a bound on the calls that are in progress at once.

use crate::error::Error;
use crate::ffi;
use crate::fields::config;
use crate::part::{part, Part};
use crate::permit::Settled;
use crate::selector::{Adapt, Effect};
use crate::tracker::Tracker;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use trip_sys as sys;

config! {
    /// How many calls may be in progress. Begins with the library's defaults; change what you want changed.
    ///
    /// ```
    /// let config = trip::GateConfig::default().capacity(10).soft_limit(8);
    /// assert_eq!(config.adapt, trip::Adapt::None);
    /// ```
    GateConfig: trip_gate_config = ffi::default_gate_config {
        /// Tokens out at once: 1 to 1048576, 100 by default.
        capacity: u32 = capacity,
        /// More than so many are an event: below `capacity`. 0, the default: none is.
        soft_limit: u32 = soft_limit,
        /// Whether the limit follows the calls, up to `capacity`: by default it does not.
        adapt: Adapt = adapt,
        /// Below this the limit never falls: 1 to `capacity`, 1 by default.
        min_limit: u32 = min_limit,
        /// Where the limit begins: `min_limit` to `capacity`. 0, the default: 20, or as near as may be.
        initial_limit: u32 = initial_limit,
        /// AIMD: a call that took longer has not succeeded in time: at most one year. Zero, the default: how long it
        /// took does not matter.
        latency: Duration = latency_ns,
        /// AIMD: what is left of the limit: 0.5 to below 1, 0.9 by default.
        decrease: f64 = decrease,
        /// Gradient: calls may take so many times what they did: 1 to 10, 1.5 by default.
        tolerance: f64 = tolerance,
        /// Gradient: the weight of the newest limit: above 0, at most 1, 0.2 by default.
        smoothing: f64 = smoothing,
    }
}

/// A bound on the calls that are in progress at once.
///
/// Clones are the same gate. It is destroyed with the last of them; tokens do not keep it alive.
///
/// ```
/// let gate = trip::Gate::new("llm", &trip::GateConfig::default().capacity(1))?;
/// let Ok(token) = gate.acquire() else { panic!("nobody is there yet") };
/// match gate.acquire() {
///     Err(trip::AcquireError::Shed(shed)) => assert_eq!((shed.depth, shed.capacity), (1, 1)),
///     other => panic!("{other:?}"),
/// }
/// token.record_success();
/// assert_eq!(gate.inspect()?.depth, 0);
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone)]
pub struct Gate {
    part: Arc<Part>,
}

part!(Gate, "gate", ffi::gate_destroy);

/// One of the places of a gate, until the call is over. Dropped, it is given back and tells nothing of the call.
#[must_use = "a token that is dropped gives its place back"]
pub struct Token(u64);

/// The gate turned a caller away: as many calls as may be are in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shed {
    /// Tokens out.
    pub depth: u32,
    /// How many may be, now.
    pub limit: u32,
    /// How many may ever be.
    pub capacity: u32,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcquireError {
    /// The gate is full: do not call.
    Shed(Shed),
    /// The library could not say: make the call without a token, and report the error.
    Failed(Error),
}

/// A gate seen from outside. When no call is in progress, `acquired = released + depth`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GateInfo {
    /// Tokens out.
    pub depth: u32,
    /// How many may be, now.
    pub limit: u32,
    /// How many may ever be.
    pub capacity: u32,
    /// More than so many are an event; 0: none is.
    pub soft_limit: u32,
    /// Depth to `soft_limit`; above 1 it is passed; 0 without a soft limit.
    pub soft_depth_ratio: f64,
    /// Tokens given.
    pub acquired: u64,
    /// Tokens released.
    pub released: u64,
    /// Callers turned away.
    pub shed: u64,
    /// Gradient: how long calls take in the long run; else zero.
    pub latency: Duration,
}

impl Tracker {
    /// A gate that goes by the clock of this tracker, tells its events there by its name, and keeps it alive.
    ///
    /// # Errors
    /// As [`Gate::new`]; [`Error::Handle`]: the tracker is destroyed.
    pub fn gate(&self, name: impl AsRef<[u8]>, config: &GateConfig) -> Result<Gate, Error> {
        Gate::create(Some(self), name.as_ref(), config)
    }
}

impl Gate {
    /// A gate that goes by the machine's clock and tells no events.
    ///
    /// # Errors
    /// [`Error::Config`] names the field that is out of range. [`Error::Invalid`]: the name is longer than 255 bytes.
    /// [`Error::Capacity`], [`Error::NoMemory`] and [`Error::System`] are the machine's.
    pub fn new(name: impl AsRef<[u8]>, config: &GateConfig) -> Result<Self, Error> {
        Self::create(None, name.as_ref(), config)
    }

    fn create(tracker: Option<&Tracker>, name: &[u8], config: &GateConfig) -> Result<Self, Error> {
        let clock = tracker.map_or(0, Tracker::handle);
        let handle = ffi::gate_create(clock, name, &config.to_raw(), GateConfig::field_at)?;
        Ok(Gate { part: Arc::new(Part::own(handle, ffi::gate_destroy, tracker)) })
    }

    /// Asks for one of the places.
    ///
    /// # Errors
    /// [`AcquireError::Shed`]: the gate is full; do not call. [`AcquireError::Failed`]: [`Error::Handle`], the gate or
    /// its tracker is destroyed; [`Error::Capacity`], 1048576 tokens of all gates are out; [`Error::NoMemory`].
    pub fn acquire(&self) -> Result<Token, AcquireError> {
        match ffi::gate_acquire(self.handle()) {
            Ok(Ok(token)) => Ok(Token(token)),
            Ok(Err(shed)) => Err(AcquireError::Shed(Shed::new(&shed))),
            Err(error) => Err(AcquireError::Failed(error)),
        }
    }

    /// How full the gate is, and its counters.
    ///
    /// # Errors
    /// [`Error::Handle`]: the gate is destroyed.
    pub fn inspect(&self) -> Result<GateInfo, Error> {
        let raw = ffi::gate_inspect(self.handle())?;
        Ok(GateInfo {
            depth: raw.depth,
            limit: raw.limit,
            capacity: raw.capacity,
            soft_limit: raw.soft_limit,
            soft_depth_ratio: raw.soft_depth_ratio,
            acquired: raw.acquired,
            released: raw.released,
            shed: raw.shed,
            latency: Duration::from_nanos(raw.latency_ns),
        })
    }
}

impl Token {
    /// The call went well: it tells a gate that adapts how long calls take.
    pub fn record_success(self) -> Settled {
        self.release(Effect::Success)
    }

    /// The call failed: that tells a gate that adapts that there are too many.
    pub fn record_failure(self) -> Settled {
        self.release(Effect::Failure)
    }

    /// The call is over. [`Effect::Nothing`], as of one that was given up, is what dropping the token says.
    pub fn release(self, effect: Effect) -> Settled {
        let handle = self.into_handle();
        let settled = Settled::of(ffi::token_release(handle, effect.into()));
        if settled == Settled::Failed(Error::Invalid) {
            ffi::token_release(handle, sys::TRIP_EFFECT_NOTHING); // the place is still taken
        }
        settled
    }

    /// Gives the token away, to others in this process: whoever has the handle releases it.
    #[must_use = "nobody else can release this token"]
    pub fn into_handle(self) -> u64 {
        let Token(handle) = self;
        mem::forget(self);
        handle
    }

    /// Takes over a token. Any value is legal; a wrong one gets [`Error::Handle`] or [`Error::Consumed`] when it is
    /// released.
    pub fn from_handle(handle: u64) -> Self {
        Token(handle)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // A destructor has nobody to tell, and a token that cannot be released any more holds nothing.
        ffi::token_release(self.0, sys::TRIP_EFFECT_NOTHING);
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&format_args!("{:#x}", self.0)).finish()
    }
}

impl Shed {
    fn new(raw: &sys::trip_shed) -> Self {
        Shed { depth: raw.depth, limit: raw.limit, capacity: raw.capacity }
    }
}

impl fmt::Display for Shed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shed { depth, limit, capacity } = self;
        write!(f, "{depth} calls are in progress, of {limit} that may be now and {capacity} that may ever be")
    }
}

impl std::error::Error for Shed {}

impl From<Error> for AcquireError {
    fn from(error: Error) -> Self {
        AcquireError::Failed(error)
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AcquireError::Shed(shed) => shed.fmt(f),
            AcquireError::Failed(error) => error.fmt(f),
        }
    }
}

/// Transparent: the message and the source are those of what it holds.
impl std::error::Error for AcquireError {}
