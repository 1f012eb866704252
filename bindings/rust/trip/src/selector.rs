//! The constants of the ABI as Rust enums. A later library may know more values than this crate has names for: each
//! enum can hold those too, so that none is lost or mistaken for another.

use trip_sys as sys;

macro_rules! selector {
    (
        $(#[$doc:meta])*
        $name:ident: $raw:ty { $($(#[$variant_doc:meta])* $variant:ident = $constant:path,)+ }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A value that this version of the crate has no name for.
            Other($raw),
        }

        impl From<$raw> for $name {
            fn from(raw: $raw) -> Self {
                match raw {
                    $($constant => Self::$variant,)+
                    other => Self::Other(other),
                }
            }
        }

        impl From<$name> for $raw {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => $constant,)+
                    $name::Other(other) => other,
                }
            }
        }
    };
}

selector! {
    /// How open periods grow while probes keep failing.
    Backoff: u32 {
        /// After a failed probe the period is `min(initial * multiplier, max)`, each time.
        First = sys::TRIP_BACKOFF_FIRST,
        /// After the n-th failed probe in a row it is `min(initial * multiplier^n, max)`.
        Compound = sys::TRIP_BACKOFF_COMPOUND,
    }
}

selector! {
    /// What a permit counts as that nobody recorded.
    OnDrop: u32 {
        /// A failure of the provider.
        Failure = sys::TRIP_DROP_FAILURE,
        /// Nothing; a probe becomes free.
        Cancel = sys::TRIP_DROP_CANCEL,
    }
}

selector! {
    /// What an outcome counts as.
    Effect: u32 {
        /// A failure of the provider.
        Failure = sys::TRIP_EFFECT_FAILURE,
        /// A success: the provider is up, whatever it thought of the request.
        Success = sys::TRIP_EFFECT_SUCCESS,
        /// Nothing; a probe becomes free.
        Nothing = sys::TRIP_EFFECT_NOTHING,
    }
}

selector! {
    /// What measures a tracker's time.
    Clock: u32 {
        /// The machine's monotonic clock; it stands still while the machine is suspended.
        Monotonic = sys::TRIP_CLOCK_MONOTONIC,
        /// Starts at 0 and moves by [`Tracker::advance`](crate::Tracker::advance) alone: for tests and simulations.
        Manual = sys::TRIP_CLOCK_MANUAL,
    }
}

selector! {
    /// Where a circuit stands.
    State: u32 {
        /// Calls pass; failures in a row are counted.
        Closed = sys::TRIP_STATE_CLOSED,
        /// Calls are refused until the open period is over.
        Open = sys::TRIP_STATE_OPEN,
        /// A few calls pass as probes; their outcome decides.
        HalfOpen = sys::TRIP_STATE_HALF_OPEN,
    }
}

selector! {
    /// Who decides about a circuit.
    Mode: u32 {
        /// The circuit itself.
        Auto = sys::TRIP_MODE_AUTO,
        /// An operator: every permit is refused.
        ForcedOpen = sys::TRIP_MODE_FORCED_OPEN,
        /// An operator: every permit is granted.
        ForcedClosed = sys::TRIP_MODE_FORCED_CLOSED,
        /// Nobody: every permit is granted, and the circuit decides and counts as if it had a say.
        Observe = sys::TRIP_MODE_OBSERVE,
    }
}

selector! {
    /// What an [`Event`](crate::Event) is about, and which circuits a policy is for.
    Scope: u32 {
        /// All circuits of a tracker.
        Tracker = sys::TRIP_SCOPE_TRACKER,
        /// Those of a provider.
        Provider = sys::TRIP_SCOPE_PROVIDER,
        /// Those of a tenant.
        Tenant = sys::TRIP_SCOPE_TENANT,
        /// That of a tenant and a provider.
        Circuit = sys::TRIP_SCOPE_CIRCUIT,
    }
}

selector! {
    /// What has happened.
    EventKind: u32 {
        /// A circuit has opened, or opened again.
        Opened = sys::TRIP_EVENT_OPENED,
        /// An open circuit has let its first probe through.
        HalfOpened = sys::TRIP_EVENT_HALF_OPENED,
        /// A circuit has closed.
        Closed = sys::TRIP_EVENT_CLOSED,
        /// An open circuit has refused a permit for the first time since it opened.
        RefusedFirst = sys::TRIP_EVENT_REFUSED_FIRST,
        /// The lease of a probe ran out before anybody settled it.
        ProbeLost = sys::TRIP_EVENT_PROBE_LOST,
        /// A mode was set, or its time ran out: then the mode is [`Mode::Auto`].
        Forced = sys::TRIP_EVENT_FORCED,
        /// A circuit is gone: removed, or evicted from a full tracker.
        Evicted = sys::TRIP_EVENT_EVICTED,
        /// A permit was settled too late to change anything.
        DroppedLate = sys::TRIP_EVENT_DROPPED_LATE,
        /// A call has waited for a lock of the tracker for more than 5 ms.
        LockWaited = sys::TRIP_EVENT_LOCK_WAITED,
        /// The policy of the tracker, a provider, a tenant or a circuit was replaced.
        Configured = sys::TRIP_EVENT_CONFIGURED,
        /// A gate has passed its soft limit, for the first time since it was at most that.
        GateSoft = sys::TRIP_EVENT_GATE_SOFT,
        /// A gate has turned a caller away, for the first time since it had room.
        GateFull = sys::TRIP_EVENT_GATE_FULL,
    }
}

selector! {
    /// Why something has happened.
    Cause: u32 {
        /// The event says all there is to say.
        None = sys::TRIP_CAUSE_NONE,
        /// Failures in a row.
        Failures = sys::TRIP_CAUSE_FAILURES,
        /// What became of the last calls.
        CountWindow = sys::TRIP_CAUSE_COUNT_WINDOW,
        /// What became of the calls of a time.
        TimeWindow = sys::TRIP_CAUSE_TIME_WINDOW,
        /// Calls that hang.
        Hanging = sys::TRIP_CAUSE_HANGING,
        /// What became of a probe.
        Probe = sys::TRIP_CAUSE_PROBE,
        /// The lease of a probe ran out.
        Lease = sys::TRIP_CAUSE_LEASE,
        /// A time is over: an open period, that of a mode.
        Time = sys::TRIP_CAUSE_TIME,
        /// Somebody called a function that does this.
        Operator = sys::TRIP_CAUSE_OPERATOR,
        /// [`Tracker::restore`](crate::Tracker::restore).
        Restored = sys::TRIP_CAUSE_RESTORED,
        /// Another circuit needed the place.
        Capacity = sys::TRIP_CAUSE_CAPACITY,
    }
}

selector! {
    /// What a library may have or lack.
    Feature: u32 {
        /// Trackers, circuits and permits: always there.
        Circuits = sys::TRIP_FEATURE_CIRCUITS,
        /// Express lanes.
        Express = sys::TRIP_FEATURE_EXPRESS,
        /// Outcomes and their classification.
        Outcomes = sys::TRIP_FEATURE_OUTCOMES,
        /// Windows, slow and hung calls, ramps and streams.
        Windows = sys::TRIP_FEATURE_WINDOWS,
        /// Modes and policies.
        Steering = sys::TRIP_FEATURE_STEERING,
        /// Lists, explanations, events, metrics.
        Seeing = sys::TRIP_FEATURE_SEEING,
        /// Snapshots.
        Snapshots = sys::TRIP_FEATURE_SNAPSHOTS,
        /// Retries, deduplicators, gates, routes, pipelines.
        Policies = sys::TRIP_FEATURE_POLICIES,
        /// Guards of functions.
        Guards = sys::TRIP_FEATURE_GUARDS,
    }
}

selector! {
    /// How the delays before retries are spread.
    Jitter: u32 {
        /// The delay as it is.
        None = sys::TRIP_JITTER_NONE,
        /// Anything from 0 to the delay.
        Full = sys::TRIP_JITTER_FULL,
        /// Anything from half of the delay to all of it.
        Equal = sys::TRIP_JITTER_EQUAL,
        /// Anything from the base delay to three times the last one, at most the cap.
        Decorrelated = sys::TRIP_JITTER_DECORRELATED,
    }
}

selector! {
    /// Whether the limit of a gate follows its calls.
    Adapt: u32 {
        /// It is the capacity.
        None = sys::TRIP_ADAPT_NONE,
        /// It grows by one while calls succeed in time, and falls by a share when one does not.
        Aimd = sys::TRIP_ADAPT_AIMD,
        /// It falls as calls take longer than in the long run, and grows as they do not.
        Gradient = sys::TRIP_ADAPT_GRADIENT,
    }
}

selector! {
    /// Which provider of a route comes first.
    Order: u32 {
        /// The first, and when that refuses the second.
        Listed = sys::TRIP_ORDER_LISTED,
        /// One that is drawn for each call, in proportion to the weights.
        Weighted = sys::TRIP_ORDER_WEIGHTED,
    }
}

selector! {
    /// What becomes of a call that all circuits of a route refuse.
    Fallback: u32 {
        /// It is refused.
        Refuse = sys::TRIP_FALLBACK_REFUSE,
        /// It is let through to the one that would admit it soonest, unless such a call is out: its circuit counts it,
        /// and changes no state for it. Never to one that an operator has forced open.
        One = sys::TRIP_FALLBACK_ONE,
    }
}

selector! {
    /// What the result of a guarded function says of its call.
    Rule: u32 {
        /// A result below 0 is a failure: for signed integers and floating point.
        NegativeFails = sys::TRIP_RULE_NEGATIVE_FAILS,
        /// Any result but 0 is a failure.
        ZeroSucceeds = sys::TRIP_RULE_ZERO_SUCCEEDS,
        /// 0, or a null pointer, is a failure.
        ZeroFails = sys::TRIP_RULE_ZERO_FAILS,
        /// A result below 0, or a null pointer, is what [`classify::errno`](crate::classify::errno) says of `errno`.
        Errno = sys::TRIP_RULE_ERRNO,
        /// A function of the caller's says what it is: see
        /// [`FunctionGuard::with_classifier`](crate::FunctionGuard::with_classifier).
        Classifier = sys::TRIP_RULE_CLASSIFIER,
    }
}

selector! {
    /// What metrics tell apart.
    Labels: u32 {
        /// Providers.
        Provider = sys::TRIP_LABELS_PROVIDER,
        /// Tenants and providers.
        Tenant = sys::TRIP_LABELS_TENANT,
    }
}

selector! {
    /// Why a permit was refused.
    Reason: i32 {
        /// The circuit is open: the provider is down.
        Open = sys::TRIP_REJECTED_OPEN,
        /// The circuit is half-open and all its probes are out: others are finding out whether the provider is back.
        Probing = sys::TRIP_REJECTED_PROBING,
        /// An operator has forced the circuit open.
        Forced = sys::TRIP_REJECTED_FORCED,
        /// The circuit has just closed and admits a growing share of the calls.
        Ramp = sys::TRIP_REJECTED_RAMP,
    }
}

selector! {
    /// What kind of success or failure a call was.
    Class: u32 {
        /// The provider did what it was asked to do.
        Success = sys::TRIP_CLASS_SUCCESS,
        /// The provider failed and says so.
        ServerError = sys::TRIP_CLASS_SERVER_ERROR,
        /// Too many requests or tokens for now; it passes by itself, and soon.
        RateLimited = sys::TRIP_CLASS_RATE_LIMITED,
        /// The provider has more to do than it can, for everybody.
        Overloaded = sys::TRIP_CLASS_OVERLOADED,
        /// No answer: name resolution, connection or TLS failed.
        Network = sys::TRIP_CLASS_NETWORK,
        /// No answer in time.
        Timeout = sys::TRIP_CLASS_TIMEOUT,
        /// What was paid for is used up: credit, budget, the quota of a day or longer.
        Quota = sys::TRIP_CLASS_QUOTA,
        /// The key is wrong, or may not do this.
        Auth = sys::TRIP_CLASS_AUTH,
        /// The request is wrong: the caller's mistake.
        InvalidRequest = sys::TRIP_CLASS_INVALID_REQUEST,
        /// The request is longer than the model, or the provider, takes.
        ContextOverflow = sys::TRIP_CLASS_CONTEXT_OVERFLOW,
        /// There is no such model or resource.
        NotFound = sys::TRIP_CLASS_NOT_FOUND,
        /// The provider will not answer this, for what it says.
        ContentFiltered = sys::TRIP_CLASS_CONTENT_FILTERED,
        /// The caller gave up.
        Cancelled = sys::TRIP_CLASS_CANCELLED,
        /// None of these can be told; nothing is guessed.
        Unknown = sys::TRIP_CLASS_UNKNOWN,
    }
}
