//! Times as the library has them: nanoseconds in 64 bits. What does not fit is as good as their largest value: the library
//! allows a year at most, and no clock is 584 years off.

use std::time::{Duration, SystemTime};

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Since 1970; before, it is 1970.
pub(crate) fn unix_nanoseconds(time: SystemTime) -> u64 {
    nanoseconds(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}
