//! Retries: whether and when to make a call again that has failed, and how many such calls a provider has to bear.

use crate::classify::{Class, Outcome};
use crate::error::Error;
use crate::ffi;
use crate::fields::{config, Field};
use crate::part::{part, Part};
use crate::selector::Jitter;
use crate::time::nanoseconds;
use crate::tracker::Tracker;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use trip_sys as sys;

config! {
    /// When to try a failed call again. Begins with the library's defaults; change what you want changed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = trip::RetryConfig::default().max_attempts(5).jitter(trip::Jitter::Equal);
    /// assert_eq!(config.base_delay, Duration::from_millis(500));
    /// let retry = trip::Retry::new(&config)?;
    /// assert_eq!(retry.delay_for(3)?, Duration::from_secs(2));
    /// # Ok::<_, trip::Error>(())
    /// ```
    RetryConfig: trip_retry_config = ffi::default_retry_config {
        /// Attempts of a call, the first included: 1 to 1000, 3 by default.
        max_attempts: u32 = max_attempts,
        /// Before the second attempt: at most one year, 500 ms by default.
        base_delay: Duration = base_delay_ns,
        /// The cap on every delay: at most one year, 60 s by default.
        max_delay: Duration = max_delay_ns,
        /// How delays grow: finite, at least 1, 2 by default.
        multiplier: f64 = multiplier,
        /// How delays are spread: [`Jitter::Full`] by default.
        jitter: Jitter = jitter,
        /// Providers with a budget of their own, the rest share one: 1 to 65536, 1024 by default.
        max_providers: u32 = max_providers,
        /// Of what is drawn for the jitter. 0, the default: another in each process.
        seed: u64 = seed,
        /// A call is not tried again when its provider asks to wait longer: at most one year, 60 s by default. Zero:
        /// what providers ask for is not heeded.
        max_retry_after: Duration = max_retry_after_ns,
        /// No attempt begins later than so long after [`Retry::begin`]: at most one year. Zero, the default: it may.
        deadline: Duration = deadline_ns,
        /// Which classes are worth a retry, success none of them: by default server errors, rate limits, overload,
        /// network and timeouts.
        classes: Classes = classes,
        /// Retries that each call earns its provider: 0 to 1000, 0.1 by default.
        budget_ratio: f64 = budget_ratio,
        /// Retries that may be saved up, and are there at first: 1 to 1000000, 10 by default.
        budget_burst: u32 = budget_burst,
    }
}

/// A set of classes.
///
/// ```
/// use trip::classify::Class;
///
/// let classes = trip::RetryConfig::default().classes.with(Class::Unknown).without(Class::RateLimited);
/// assert!(classes.has(Class::Unknown) && classes.has(Class::Timeout) && !classes.has(Class::RateLimited));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Classes(u64);

impl Classes {
    /// No class at all.
    pub const NONE: Classes = Classes(0);

    /// The classes of a list.
    pub fn of(classes: impl IntoIterator<Item = Class>) -> Self {
        classes.into_iter().fold(Classes::NONE, Classes::with)
    }

    /// These, and another one.
    #[must_use]
    pub fn with(self, class: Class) -> Self {
        Classes(self.0 | Classes::bit(class))
    }

    /// These, but for one.
    #[must_use]
    pub fn without(self, class: Class) -> Self {
        Classes(self.0 & !Classes::bit(class))
    }

    /// Whether a class is among them.
    pub fn has(self, class: Class) -> bool {
        self.0 & Classes::bit(class) != 0
    }

    /// What no library can have a class for counts as the last one, which none has, and is refused.
    fn bit(class: Class) -> u64 {
        1 << u32::from(class).min(u64::BITS - 1)
    }
}

impl Field for Classes {
    type Raw = u64;

    fn to_raw(self) -> u64 {
        self.0
    }

    fn from_raw(raw: u64) -> Self {
        Classes(raw)
    }
}

/// As C has it: a bit for each class.
impl From<u64> for Classes {
    fn from(bits: u64) -> Self {
        Classes(bits)
    }
}

impl fmt::Debug for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries((0..u64::BITS).map(Class::from).filter(|&class| self.has(class))).finish()
    }
}

/// A rule for retries, with the budgets of its providers: each call earns its provider a share of a retry, so that
/// retries cannot multiply an outage.
///
/// Clones are the same rule. It is destroyed with the last of them.
///
/// ```
/// # use trip::classify::Class;
/// let retry = trip::Retry::new(&trip::RetryConfig::default())?;
/// let mut attempt = retry.begin("llm")?;
/// # let mut asked = 0;
/// # let mut ask = || { asked += 1; if asked < 2 { Err(Class::Overloaded) } else { Ok(()) } };
/// while let Err(class) = ask() {
///     match retry.next("llm", &attempt, class) {
///         Ok(next) => attempt = next,
///         Err(why) => panic!("{why}"),
///     }
///     std::thread::sleep(attempt.delay);
/// }
/// assert_eq!(attempt.number, 2);
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone)]
pub struct Retry {
    part: Arc<Part>,
}

part!(Retry, "rule", ffi::retry_destroy);

/// Which attempt of a call this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// 1 for the first; 0 is taken as 1.
    pub number: u32,
    /// When the call began, by the clock of the rule.
    pub began: Duration,
    /// How long to wait before this attempt; zero before the first.
    pub delay: Duration,
}

/// Why a call is not to be made again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoRetry {
    /// All attempts have been made.
    Attempts,
    /// Its class is not worth a retry: it would go wrong again, or went right.
    Class,
    /// The deadline would be over, or the provider asks for too long.
    Late,
    /// Too many of the calls to this provider are retries.
    Budget,
    /// An answer that this version of the crate has no name for.
    Other(i32),
    /// The library could not say: [`Error::Invalid`], the provider is longer than 255 bytes or the outcome of no class;
    /// [`Error::Handle`], the rule or its tracker is destroyed.
    Failed(Error),
}

/// The retries of a provider seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryInfo {
    /// Retries that are left now, whole ones.
    pub budget: u32,
    /// Calls that were begun.
    pub calls: u64,
    /// Retries that were granted.
    pub retries: u64,
    /// Retries that were refused for want of budget.
    pub refused: u64,
}

impl Tracker {
    /// A rule for retries that goes by the clock of this tracker, and keeps it alive.
    ///
    /// # Errors
    /// As [`Retry::new`]; [`Error::Handle`]: the tracker is destroyed.
    pub fn retry(&self, config: &RetryConfig) -> Result<Retry, Error> {
        Retry::create(Some(self), config)
    }
}

impl Retry {
    /// A rule for retries that goes by the machine's clock.
    ///
    /// # Errors
    /// [`Error::Config`] names the field that is out of range; [`Error::Capacity`], [`Error::NoMemory`] and
    /// [`Error::System`] are the machine's.
    pub fn new(config: &RetryConfig) -> Result<Self, Error> {
        Self::create(None, config)
    }

    fn create(tracker: Option<&Tracker>, config: &RetryConfig) -> Result<Self, Error> {
        let clock = tracker.map_or(0, Tracker::handle);
        let handle = ffi::retry_create(clock, &config.to_raw(), RetryConfig::field_at)?;
        Ok(Retry { part: Arc::new(Part::own(handle, ffi::retry_destroy, tracker)) })
    }

    /// How long to wait after an attempt, before jitter: `min(base_delay * multiplier^(attempt - 1), max_delay)`.
    /// Depends on nothing else and changes nothing. 0 is taken as 1.
    ///
    /// # Errors
    /// [`Error::Handle`]: the rule is destroyed.
    pub fn delay_for(&self, attempt: u32) -> Result<Duration, Error> {
        ffi::retry_delay_for(self.handle(), attempt).map(Duration::from_nanos)
    }

    /// Begins a call: it earns its provider [`budget_ratio`](RetryConfig::budget_ratio) retries, and its deadline
    /// begins.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the provider is longer than 255 bytes. [`Error::Handle`]: the rule or its tracker is
    /// destroyed.
    pub fn begin(&self, provider: impl AsRef<[u8]>) -> Result<Attempt, Error> {
        let began = ffi::retry_begin(self.handle(), provider.as_ref())?;
        Ok(Attempt { number: 1, began: Duration::from_nanos(began), delay: Duration::ZERO })
    }

    /// The attempt after one that failed, which takes a retry from the budget of the provider that failed. Wait for its
    /// [`delay`](Attempt::delay), which is never shorter than what the outcome says that the provider asks for.
    ///
    /// A refused permit is no failed attempt: nobody was called, and to ask this would take retries from those who
    /// were.
    ///
    /// # Errors
    /// Why there is to be none.
    pub fn next(
        &self,
        provider: impl AsRef<[u8]>,
        attempt: &Attempt,
        outcome: impl Into<Outcome>,
    ) -> Result<Attempt, NoRetry> {
        let Attempt { number, began, delay } = *attempt;
        let (began_ns, last_ns) = (nanoseconds(began), nanoseconds(delay));
        let outcome = outcome.into().to_raw();
        let delay = ffi::retry_next(self.handle(), provider.as_ref(), number, began_ns, last_ns, &outcome)
            .map_err(NoRetry::from_status)?;
        Ok(Attempt { number: number.max(1).saturating_add(1), began, delay: Duration::from_nanos(delay) })
    }

    /// The budget and the counters of a provider. One that has no budget of its own is told the shared one.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn inspect(&self, provider: impl AsRef<[u8]>) -> Result<RetryInfo, Error> {
        let raw = ffi::retry_inspect(self.handle(), provider.as_ref())?;
        Ok(RetryInfo { budget: raw.budget, calls: raw.calls, retries: raw.retries, refused: raw.refused })
    }
}

impl NoRetry {
    fn from_status(status: i32) -> Self {
        match status {
            sys::TRIP_NO_RETRY_ATTEMPTS => NoRetry::Attempts,
            sys::TRIP_NO_RETRY_CLASS => NoRetry::Class,
            sys::TRIP_NO_RETRY_LATE => NoRetry::Late,
            sys::TRIP_NO_RETRY_BUDGET => NoRetry::Budget,
            other => Error::check(other).err().filter(|_| other < 0).map_or(NoRetry::Other(other), NoRetry::Failed),
        }
    }
}

impl fmt::Display for NoRetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoRetry::Attempts => "all attempts have been made",
            NoRetry::Class => "it would go wrong again",
            NoRetry::Late => "the next attempt would come too late",
            NoRetry::Budget => "too many of the calls to this provider are retries",
            NoRetry::Other(status) => return write!(f, "libtrip answered {status}"),
            NoRetry::Failed(error) => return error.fmt(f),
        })
    }
}

impl std::error::Error for NoRetry {}
