//! How the circuits of a tracker behave: `trip_config`, with durations and enums.

use crate::ffi;
use crate::fields::config;
use crate::selector::{Backoff, Clock, Effect, OnDrop};
use std::time::Duration;

config! {
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
    /// Values out of range are refused by [`Tracker::new`](crate::Tracker::new) and
    /// [`Tracker::configure`](crate::Tracker::configure), so that nothing can fail later.
    Config: trip_config = ffi::default_config {
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
        /// What [`Class::ServerError`](crate::classify::Class) counts as: [`Effect::Failure`] by default.
        on_server_error: Effect = on_server_error,
        /// What [`Class::RateLimited`](crate::classify::Class) counts as: [`Effect::Failure`] by default.
        on_rate_limited: Effect = on_rate_limited,
        /// What [`Class::Overloaded`](crate::classify::Class) counts as: [`Effect::Failure`] by default.
        on_overloaded: Effect = on_overloaded,
        /// What [`Class::Network`](crate::classify::Class) counts as: [`Effect::Failure`] by default.
        on_network: Effect = on_network,
        /// What [`Class::Timeout`](crate::classify::Class) counts as: [`Effect::Failure`] by default.
        on_timeout: Effect = on_timeout,
        /// What [`Class::Quota`](crate::classify::Class) counts as: [`Effect::Failure`] by default.
        on_quota: Effect = on_quota,
        /// What [`Class::Auth`](crate::classify::Class) counts as: [`Effect::Success`] by default.
        on_auth: Effect = on_auth,
        /// What [`Class::InvalidRequest`](crate::classify::Class) counts as: [`Effect::Success`] by default.
        on_invalid_request: Effect = on_invalid_request,
        /// What [`Class::ContextOverflow`](crate::classify::Class) counts as: [`Effect::Success`] by default.
        on_context_overflow: Effect = on_context_overflow,
        /// What [`Class::NotFound`](crate::classify::Class) counts as: [`Effect::Success`] by default.
        on_not_found: Effect = on_not_found,
        /// What [`Class::ContentFiltered`](crate::classify::Class) counts as: [`Effect::Success`] by default.
        on_content_filtered: Effect = on_content_filtered,
        /// What [`Class::Cancelled`](crate::classify::Class) counts as: [`Effect::Nothing`] by default.
        on_cancelled: Effect = on_cancelled,
        /// What [`Class::Unknown`](crate::classify::Class) counts as: [`Effect::Nothing`] by default.
        on_unknown: Effect = on_unknown,
        /// Of so many probes `half_open_successes` must succeed: more than that, at most 15. 0, the default: as many,
        /// so that the first that fails opens again.
        half_open_probes: u32 = half_open_probes,
        /// How long a used-up quota keeps its circuit open where the provider does not say: above 0, at most one year,
        /// 600 s by default.
        quota_open: Duration = quota_open_ns,
        /// The cap on what a provider may ask for: at most one year, 1 h by default. Zero: it is not heeded.
        max_retry_after: Duration = max_retry_after_ns,
        /// A call that takes longer is slow: at most one year. Zero, the default: none is.
        slow_call: Duration = slow_call_ns,
        /// Judges the last so many calls: at most 2047. 0, the default: it does not.
        count_window: u32 = count_window,
        /// Not before there are so many: at most `count_window`, 10 by default.
        count_minimum: u32 = count_minimum,
        /// Opens when such a share of them failed: 0 to 1, 0.5 by default. 0: never.
        count_failure_ratio: f64 = count_failure_ratio,
        /// Opens when such a share of them was slow: 0 to 1. 0, the default: never.
        count_slow_ratio: f64 = count_slow_ratio,
        /// Judges the calls of so long: at most one year. Zero, the default: it does not.
        time_window: Duration = time_window_ns,
        /// In so many steps, each at least 10 ms: 1 to 64, 10 by default.
        time_buckets: u32 = time_buckets,
        /// Not before there are so many calls: above 0, 10 by default.
        time_minimum: u32 = time_minimum,
        /// As `count_failure_ratio`: 0.5 by default.
        time_failure_ratio: f64 = time_failure_ratio,
        /// As `count_slow_ratio`: 0 by default.
        time_slow_ratio: f64 = time_slow_ratio,
        /// A call that has not ended after this hangs: at most one year, zero by default.
        hang: Duration = hang_ns,
        /// Opens when so many calls hang: at most 1048576. 0, the default: never.
        hang_calls: u32 = hang_calls,
        /// Steps in which the share of admitted calls grows: 1 to 100, 4 by default.
        ramp_steps: u32 = ramp_steps,
        /// How long it grows after a circuit has closed again: at most one year. Zero, the default: all calls are
        /// admitted at once.
        ramp: Duration = ramp_ns,
        /// A stream without progress for so long has failed: at most one year. Zero, the default: it may take its time.
        stall: Duration = stall_ns,
    }
}
