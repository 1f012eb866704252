//! How the circuits of a tracker behave: `trip_config`, with durations and enums.

use crate::ffi;
use crate::selector::{Backoff, Clock, OnDrop};
use std::mem::offset_of;
use std::time::Duration;
use trip_sys as sys;

/// A field's type here and in C.
trait Field: Copy {
    type Raw;
    fn to_raw(self) -> Self::Raw;
    fn from_raw(raw: Self::Raw) -> Self;
}

macro_rules! field {
    ($type:ty: $raw:ty, $to_raw:expr, $from_raw:expr) => {
        impl Field for $type {
            type Raw = $raw;
            fn to_raw(self) -> $raw {
                $to_raw(self)
            }
            fn from_raw(raw: $raw) -> Self {
                $from_raw(raw)
            }
        }
    };
}

field!(u32: u32, std::convert::identity, std::convert::identity);
field!(f64: f64, std::convert::identity, std::convert::identity);
field!(Duration: u64, nanoseconds, Duration::from_nanos);
field!(Backoff: u32, u32::from, Backoff::from);
field!(OnDrop: u32, u32::from, OnDrop::from);
field!(Clock: u32, u32::from, Clock::from);

/// What does not fit into 64 bits, 584 years, is as good as their largest value: the library allows a year at most.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

macro_rules! config {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $c_field:ident,)+) => {
        /// How the circuits of a tracker behave. Begins with the library's defaults; change what you want changed.
        ///
        /// ```
        /// # use std::time::Duration;
        /// let config = trip::Config::default()
        ///     .failure_threshold(3)
        ///     .initial_open(Duration::from_secs(10))
        ///     .backoff(trip::Backoff::Compound);
        /// assert_eq!(config.max_open, Duration::from_secs(300));
        /// ```
        ///
        /// Values out of range are refused by [`Tracker::new`](crate::Tracker::new), so that nothing can fail later.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct Config {
            $($(#[$doc])* pub $field: $type,)+
        }

        impl Config {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](#structfield.", stringify!($field), ").")]
                #[must_use]
                pub const fn $field(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )+

            pub(crate) fn to_raw(self) -> sys::trip_config {
                let mut raw = ffi::default_config();
                $(raw.$c_field = self.$field.to_raw();)+
                raw
            }

            /// The field that C has at `offset`.
            pub(crate) fn field_at(offset: u32) -> Option<&'static str> {
                match usize::try_from(offset).ok()? {
                    $(at if at == offset_of!(sys::trip_config, $c_field) => Some(stringify!($field)),)+
                    _ => None,
                }
            }
        }

        impl Default for Config {
            fn default() -> Self {
                let raw = ffi::default_config();
                Config { $($field: Field::from_raw(raw.$c_field),)+ }
            }
        }
    };
}

config! {
    /// Failures in a row that open a circuit: 1 to 8388607, 5 by default.
    failure_threshold: u32 = failure_threshold,
    /// The first open period: above 0, at most `max_open`, 30 s by default.
    initial_open: Duration = initial_open_ns,
    /// The cap on every open period: at most one year, 300 s by default.
    max_open: Duration = max_open_ns,
    /// How open periods grow: finite, at least 1, 2 by default.
    backoff_multiplier: f64 = backoff_multiplier,
    /// How often they grow: [`Backoff::First`] by default.
    backoff: Backoff = backoff,
    /// Probes out at once: 1 to 63, 1 by default.
    half_open_max_probes: u32 = half_open_max_probes,
    /// Probes that must succeed to close: 1 to 63, 1 by default.
    half_open_successes: u32 = half_open_successes,
    /// What a permit counts as that nobody recorded: [`OnDrop::Failure`] by default.
    on_drop: OnDrop = on_drop,
    /// After this an unsettled probe counts as dropped: 4 ms to one year, 600 s by default.
    probe_lease: Duration = probe_lease_ns,
    /// What a refusal says to wait for while probes are out: at most one year, 50 ms by default.
    probe_retry: Duration = probe_retry_ns,
    /// Open periods are stretched by up to this share, past the cap: 0 to 1, 0 by default.
    jitter: f64 = jitter,
    /// What measures time: [`Clock::Monotonic`] by default.
    clock: Clock = clock,
    /// Circuits kept at most: 1 to 16777216, 65536 by default.
    max_circuits: u32 = max_circuits,
}
