//! What can go wrong in the library itself. A refused permit is not here: that is an answer,
//! [`Rejected`](crate::Rejected).

use crate::ffi;
use std::fmt;
use trip_sys as sys;

/// The library could not do what was asked.
///
/// A caller that meets one before a call should make the call without a permit, and report it: the breaker must never
/// be the outage. [`Circuit::call`](crate::Circuit::call) does so.
///
/// ```
/// use trip::{Config, Error, Tracker};
///
/// let Err(Error::Config(fault)) = Tracker::new(&Config::default().failure_threshold(0)) else { panic!() };
/// assert_eq!(fault.field, Some("failure_threshold"));
/// assert_eq!(Error::Handle.name(), "TRIP_E_HANDLE");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The circuit has moved on since this permit was granted, or the lease of this ticket is over. The call may go on;
    /// its outcome will change nothing.
    Stale,
    /// An argument is out of range: a text is longer than 255 bytes, or a key than 65536; a mode is none or holds for
    /// no time or more than a year; an outcome is of no class; a route has no providers, or one twice; or nothing was
    /// asked for.
    Invalid,
    /// There is no such thing: the handle is garbage, or what it was the handle of is destroyed, or its tracker is, or
    /// the circuit evicted.
    Handle,
    /// This permit, ticket or token has been settled before.
    Consumed,
    /// Out of memory.
    NoMemory,
    /// A bound is reached: of objects, permits or tokens out, keys in progress, stages, providers of a route, or
    /// extensions of a lease.
    Capacity,
    /// A field of the config is out of range.
    Config(ConfigError),
    /// The bytes are no snapshot that any library has written: damaged, cut off, or something else. One line for a
    /// human says what is wrong; its wording may change.
    Snapshot(Box<str>),
    /// No guard can be put before this function.
    Signature(SignatureError),
    /// The config has members that the installed library does not know, or a later one has written the snapshot.
    TooNew,
    /// The object cannot do that: only a manual clock can be advanced, and not every system makes functions at run
    /// time.
    Unsupported,
    /// The operating system refused something: random numbers, a thread key, a clock, a descriptor.
    System,
    /// A status that this version of the crate has no name for.
    Unknown(i32),
}

/// Which field of a [`Config`](crate::Config) was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    /// The field of [`Config`](crate::Config) at fault, unless several are.
    pub field: Option<&'static str>,
    /// One line for a human; its wording may change.
    pub message: Box<str>,
}

/// Why a function cannot be guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignatureError {
    pub(crate) status: i32,
    /// One line for a human: what of the signature is wrong, or cannot be called; its wording may change.
    pub message: Box<str>,
}

impl Error {
    /// The one place that turns a status into an error. The refusals of a config and of a snapshot say more than their
    /// status, and are made where they are read.
    #[inline]
    pub(crate) fn check(status: i32) -> Result<(), Error> {
        Err(match status {
            sys::TRIP_OK => return Ok(()),
            sys::TRIP_STALE => Error::Stale,
            sys::TRIP_E_INVALID => Error::Invalid,
            sys::TRIP_E_HANDLE => Error::Handle,
            sys::TRIP_E_CONSUMED => Error::Consumed,
            sys::TRIP_E_NOMEM => Error::NoMemory,
            sys::TRIP_E_CAPACITY => Error::Capacity,
            sys::TRIP_E_TOO_NEW => Error::TooNew,
            sys::TRIP_E_UNSUPPORTED => Error::Unsupported,
            sys::TRIP_E_SYSTEM => Error::System,
            other => Error::Unknown(other),
        })
    }

    /// The number that the C ABI has for it, the same in every language.
    #[must_use]
    pub fn status(&self) -> i32 {
        match self {
            Error::Stale => sys::TRIP_STALE,
            Error::Invalid | Error::Snapshot(_) => sys::TRIP_E_INVALID,
            Error::Handle => sys::TRIP_E_HANDLE,
            Error::Consumed => sys::TRIP_E_CONSUMED,
            Error::NoMemory => sys::TRIP_E_NOMEM,
            Error::Capacity => sys::TRIP_E_CAPACITY,
            Error::Config(_) => sys::TRIP_E_CONFIG,
            Error::TooNew => sys::TRIP_E_TOO_NEW,
            Error::Unsupported => sys::TRIP_E_UNSUPPORTED,
            Error::System => sys::TRIP_E_SYSTEM,
            Error::Signature(fault) => fault.status,
            Error::Unknown(status) => *status,
        }
    }

    /// The name that the C ABI has for it, such as `"TRIP_E_CONSUMED"`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        ffi::status_name(self.status())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Error::Stale => "the circuit has moved on since the permit was granted, or the lease of the ticket is over",
            Error::Invalid => "a text is too long, or an argument is out of range",
            Error::Handle => "there is no such thing, or not any more",
            Error::Consumed => "the permit, ticket or token has been settled before",
            Error::NoMemory => "out of memory",
            Error::Capacity => "no room for another of these",
            Error::Config(fault) => return fault.fmt(f),
            Error::Snapshot(why) => why,
            Error::Signature(fault) => return fault.fmt(f),
            Error::TooNew => "the config or the snapshot is of a later libtrip than the one installed",
            Error::Unsupported => "this object cannot do that",
            Error::System => "the operating system refused something that libtrip needs",
            Error::Unknown(status) => return write!(f, "libtrip answered {status}"),
        };
        f.write_str(text)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SignatureError {}
