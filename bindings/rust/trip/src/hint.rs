//! How long a provider asks to wait.

use crate::ffi;
use crate::time::unix_nanoseconds;
use std::fmt;
use std::time::{Duration, SystemTime};

/// What should say how long to wait is wrong or absurd, and is not guessed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHint;

impl fmt::Display for InvalidHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the hint is no time to wait")
    }
}

impl std::error::Error for InvalidHint {}

/// The wait that a header asks for, such as `Retry-After` or `x-ratelimit-reset-tokens`, or that a text does, when
/// `name` is empty.
///
/// `None` when a header of this name, or this text, says nothing about it. Dates are counted from `now`.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// let now = SystemTime::now();
/// assert_eq!(trip::parse_retry_hint("retry-after-ms", "1500", now), Ok(Some(Duration::from_millis(1500))));
/// assert_eq!(trip::parse_retry_hint("", "Please try again in 6m0s.", now), Ok(Some(Duration::from_secs(360))));
/// assert_eq!(trip::parse_retry_hint("Date", "1500", now), Ok(None));
/// assert_eq!(trip::parse_retry_hint("Retry-After", "Infinity", now), Err(trip::InvalidHint));
/// ```
///
/// # Errors
///
/// [`InvalidHint`] when there should be a wait and what is there is none: a time that is past, more than a year, no
/// number, a number with something behind it; or when `name` is longer than 255 bytes.
pub fn parse_retry_hint(
    name: impl AsRef<[u8]>,
    value: impl AsRef<[u8]>,
    now: SystemTime,
) -> Result<Option<Duration>, InvalidHint> {
    // A clock that is out of range finds every date absurd, which is refused.
    match ffi::parse_retry_hint(name.as_ref(), value.as_ref(), unix_nanoseconds(now)) {
        Ok(wait) => Ok(wait.map(Duration::from_nanos)),
        Err(_) => Err(InvalidHint),
    }
}
