/*
 * libtrip: circuit breakers shared by every language in a process.
 *
 * Before a program calls a remote provider it asks that provider's circuit for a permit; afterwards it records on the
 * permit how the call went. After enough failures in a row the circuit opens and refuses permits at once, so that
 * nobody waits for a provider that is down; later it lets a few probes through and closes again when they succeed.
 * Circuits are kept per (tenant, provider): one tenant's failures never stop another tenant's calls.
 *
 *     trip_permit permit;
 *     trip_rejection refused = {.struct_size = sizeof refused};
 *     if (trip_circuit_permit(circuit, &permit, &refused) > 0)
 *         return try_again_in(refused.retry_after_ns);
 *     int answer = call_the_provider();
 *     answer == 0 ? trip_permit_record_success(permit) : trip_permit_record_failure(permit);
 *
 * Conventions, which hold for every declaration below and are explained in ABI.md:
 *
 *   - Functions return a trip_status: 0 is success, a positive value is an answer, a negative value is an error. On any
 *     negative status let the call through unguarded and report it: the breaker must never be the outage.
 *   - Inputs come first; outputs come last, are named out_..., and are untouched unless the text says otherwise.
 *   - Trackers, circuits, permits and all else that is made here are 64-bit handles. Any value is a legal argument; a wrong
 *     one gets TRIP_E_HANDLE.
 *   - Texts are a pointer and a length in bytes, at most 255, of any content. NULL with length 0 is the empty text; the
 *     length SIZE_MAX means that the text ends with a NUL. What a provider said (a body, the text of an error, the value
 *     of a header) may have any length; of it the first 65536 bytes are read.
 *   - Times are nanoseconds of the tracker's own monotonic clock and end in _ns; those that end in _unix_ns are times of
 *     day, since 1970 UTC. A year is 365 days.
 *   - Structs begin with struct_size. The caller sets it to sizeof(the struct) before each call. Of an array of structs the
 *     call has the size, and the library writes it into each.
 *   - errno is preserved.
 *
 * Each comment ends with the tags that hold for the function, always in these words:
 *
 *   [since X.Y]      the first version of the ABI that has it
 *   [thread-safe]    may be called by any number of threads at once, with the same arguments too
 *   [fork-safe]      may be called in the child of a fork(), whatever other threads were doing at the fork
 *   [non-blocking]   waits for no lock and for nobody, and calls nobody back; the first call of a thread, event of a
 *                    tracker, failure and refusal of a circuit may allocate
 *   [signal-safe]    may be called in a signal handler
 *
 * A word in brackets after a parameter or member is its unit.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TRIP_H
#define TRIP_H

#include <stddef.h>
#include <stdint.h>

#if defined(TRIP_API) /* who compiles a copy of the library into something else may have it keep quiet: -DTRIP_API= */
#elif defined(__GNUC__)
#define TRIP_API __attribute__((visibility("default")))
#else
#define TRIP_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Statuses ---------------------------------------------------------------------------------------------------- */

/** What a call came to: one of the TRIP_* values below. An unknown positive value is an answer other than yes; an
    unknown negative value is a failure. */
typedef int32_t trip_status;

enum {
    TRIP_OK = 0,                /**< Done; for a permit: go ahead. */
    TRIP_REJECTED_OPEN = 1,     /**< Refused: the circuit is open. Come back after retry_after_ns. */
    TRIP_REJECTED_PROBING = 2,  /**< Refused: the circuit is half-open and all its probes are out. */
    TRIP_REJECTED_FORCED = 3,   /**< Refused: an operator has forced the circuit open. */
    TRIP_STALE = 4,             /**< The circuit has moved on since this permit was granted; no state has changed. */
    TRIP_NO_HINT = 5,           /**< What was read says nothing about when to come back; nothing is wrong with it. */
    TRIP_REJECTED_RAMP = 6,     /**< Refused: the circuit has just closed and admits a growing share of the calls. */
    TRIP_NO_RETRY_ATTEMPTS = 7, /**< Do not try again: all attempts have been made. */
    TRIP_NO_RETRY_CLASS = 8,    /**< Do not try again: it would go wrong again, or went right. */
    TRIP_NO_RETRY_LATE = 9,     /**< Do not try again: the deadline would be over, or the provider asks for too long. */
    TRIP_NO_RETRY_BUDGET = 10,  /**< Do not try again: too many of the calls to this provider are retries. */
    TRIP_IN_PROGRESS = 11,      /**< Somebody else is making this very call. */
    TRIP_CACHED = 12,           /**< This very call has been made, and its value is known. */
    TRIP_SHED = 13,             /**< Turned away: as many calls as are allowed at once are in progress. */
    TRIP_STAGE_FAILED = 14,     /**< A stage of the pipeline has failed, and those behind it did not run. */
    TRIP_E_INVALID = -1,        /**< An argument is wrong: NULL, a text too long, a struct_size out of range. */
    TRIP_E_HANDLE = -2,         /**< No such object: garbage, of the wrong kind, or destroyed. */
    TRIP_E_CONSUMED = -3,       /**< This permit, ticket or token has been settled before. */
    TRIP_E_NOMEM = -4,          /**< Out of memory. */
    TRIP_E_CAPACITY = -5,    /**< A bound is reached: of objects, of permits out, of lease extensions, of a buffer. */
    TRIP_E_CONFIG = -6,      /**< A config field is out of range; trip_error says which and why. */
    TRIP_E_TOO_NEW = -7,     /**< A struct has members that this library does not know, and they are not zero. */
    TRIP_E_UNSUPPORTED = -8, /**< This object cannot do that. */
    TRIP_E_SYSTEM = -9       /**< The operating system refused something: random numbers, a thread key, a clock. */
};

/* ---- Handles ----------------------------------------------------------------------------------------------------- */

/** A set of circuits with one config and one clock. It belongs to whoever created it; all threads may share it. */
typedef uint64_t trip_tracker;

/** The circuit of one (tenant, provider). It belongs to its tracker: nobody frees it. */
typedef uint64_t trip_circuit;

/** The right to make one call. It belongs to whoever was granted it, and is settled once, on any thread. That of an
    express lane is the exception: it serves any number of calls, and settling it settles one of them. */
typedef uint64_t trip_permit;

/** A rule for when to try again, with the budgets of its providers. It belongs to whoever created it. */
typedef uint64_t trip_retry;

/** A memory of which calls are being made and what the last ones brought. It belongs to whoever created it. */
typedef uint64_t trip_dedup;

/** The duty to make a call that others wait for. It belongs to whoever got it, and is settled once, on any thread. */
typedef uint64_t trip_ticket;

/** A bound on the calls that are in progress at once. It belongs to whoever created it. */
typedef uint64_t trip_gate;

/** One of the places of a gate. It belongs to whoever acquired it, and is released once, on any thread. */
typedef uint64_t trip_token;

/** The providers that a tenant's calls may go to. It belongs to whoever created it. */
typedef uint64_t trip_route;

/** Named stages through which bytes pass. It belongs to whoever created it. */
typedef uint64_t trip_pipeline;

/** Bytes that a stage writes, and that are read when the pipeline has run. It belongs to whoever ran the pipeline. */
typedef uint64_t trip_output;

/** A function of the caller's, with a circuit before it. It belongs to whoever created it. */
typedef uint64_t trip_guard;

/* ---- Callers' functions ------------------------------------------------------------------------------------------ */

/** Any function. It is called as what its signature says, never as this. */
typedef void (*trip_function)(void);

/** A stage of a pipeline: reads the input, which is its own only during the call, and writes its output with
    trip_output_write. Returns 0, or any other number to say that it failed. May call everything in this file. */
typedef int32_t (*trip_stage)(void *user_data, const char *input, size_t input_len, trip_output output);

/** Judges what a guarded function returned: result points to it, as wide as its type; NULL where it returns nothing.
    error_number is errno after the call. Returns one of TRIP_CLASS_*; anything else counts as TRIP_CLASS_UNKNOWN. */
typedef uint32_t (*trip_classifier)(void *user_data, const void *result, int32_t error_number);

/** Told once, when nobody will use this user_data again: free it. May be called on any thread. */
typedef void (*trip_finalizer)(void *user_data);

/* ---- Constants --------------------------------------------------------------------------------------------------- */

enum {
    TRIP_STATE_CLOSED = 0,   /**< Calls pass; failures in a row are counted. */
    TRIP_STATE_OPEN = 1,     /**< Calls are refused until the open period is over. */
    TRIP_STATE_HALF_OPEN = 2 /**< A few calls pass as probes; their outcome decides. */
};

enum {
    TRIP_MODE_AUTO = 0,          /**< The circuit decides for itself. */
    TRIP_MODE_FORCED_OPEN = 1,   /**< Every permit is refused. */
    TRIP_MODE_FORCED_CLOSED = 2, /**< Every permit is granted. */
    TRIP_MODE_OBSERVE = 3        /**< Every permit is granted; the circuit decides and counts as if it had a say. */
};

enum {
    TRIP_SCOPE_TRACKER = 0,  /**< All circuits of a tracker. */
    TRIP_SCOPE_PROVIDER = 1, /**< Those of a provider. */
    TRIP_SCOPE_TENANT = 2,   /**< Those of a tenant. */
    TRIP_SCOPE_CIRCUIT = 3   /**< That of a tenant and a provider. */
};

enum {
    TRIP_BACKOFF_FIRST = 0,   /**< After a failed probe: min(initial * multiplier, max), each time. */
    TRIP_BACKOFF_COMPOUND = 1 /**< After the n-th failed probe in a row: min(initial * multiplier^n, max). */
};

enum {
    TRIP_DROP_FAILURE = 0, /**< A permit that nobody recorded counts as a failure. */
    TRIP_DROP_CANCEL = 1   /**< A permit that nobody recorded counts as nothing and frees its probe. */
};

enum {
    TRIP_EFFECT_FAILURE = 0, /**< Counts as a failure. */
    TRIP_EFFECT_SUCCESS = 1, /**< Counts as a success: the provider is up, whatever it thought of the request. */
    TRIP_EFFECT_NOTHING = 2  /**< Counts as nothing, and frees a probe. */
};

enum {
    TRIP_CLOCK_MONOTONIC = 0, /**< The machine's CLOCK_MONOTONIC; it stands still while the machine is suspended. */
    TRIP_CLOCK_MANUAL = 1     /**< Starts at 0 and moves by trip_tracker_advance alone: for tests and simulations. */
};

enum {
    TRIP_FEATURE_CIRCUITS = 1,  /**< Trackers, circuits and permits: always there. */
    TRIP_FEATURE_EXPRESS = 2,   /**< trip_circuit_express and trip_circuit_count. */
    TRIP_FEATURE_OUTCOMES = 3,  /**< trip_outcome: trip_permit_record, the classifications, trip_parse_retry_hint. */
    TRIP_FEATURE_WINDOWS = 4,   /**< Windows, slow and hung calls, ramps and streams: trip_permit_progress. */
    TRIP_FEATURE_STEERING = 5,  /**< Modes, trip_circuit_trip, _reset and _remove, trip_tracker_configure. */
    TRIP_FEATURE_SEEING = 6,    /**< trip_tracker_circuits, trip_circuit_explain, events, metrics. */
    TRIP_FEATURE_SNAPSHOTS = 7, /**< trip_tracker_snapshot and trip_tracker_restore. */
    TRIP_FEATURE_POLICIES = 8,  /**< trip_retry, trip_dedup, trip_gate, trip_route, trip_pipeline. */
    TRIP_FEATURE_GUARDS = 9     /**< trip_guard. A library that was built without libffi lacks it. */
};

enum {
    TRIP_EVENT_OPENED = 1,        /**< A circuit has opened, or opened again. */
    TRIP_EVENT_HALF_OPENED = 2,   /**< An open circuit has let its first probe through. */
    TRIP_EVENT_CLOSED = 3,        /**< A circuit has closed. */
    TRIP_EVENT_REFUSED_FIRST = 4, /**< An open circuit has refused a permit for the first time since it opened. */
    TRIP_EVENT_PROBE_LOST = 5,    /**< The lease of a probe ran out before anybody settled it. */
    TRIP_EVENT_FORCED = 6,        /**< A mode was set, or its time ran out: then mode is TRIP_MODE_AUTO. */
    TRIP_EVENT_EVICTED = 7,       /**< A circuit is gone: removed, or evicted from a full tracker. */
    TRIP_EVENT_DROPPED_LATE = 8,  /**< A permit was settled too late to change anything: that was TRIP_STALE. */
    TRIP_EVENT_LOCK_WAITED = 9,   /**< A call has waited for a lock of the tracker for more than 5 ms. */
    TRIP_EVENT_CONFIGURED = 10,   /**< The policy of the tracker, a provider, a tenant or a circuit was replaced. */
    TRIP_EVENT_GATE_SOFT = 11, /**< A gate has passed its soft limit, for the first time since it was at most that. */
    TRIP_EVENT_GATE_FULL = 12  /**< A gate has turned a caller away, for the first time since it had room. */
};

enum {
    TRIP_CAUSE_NONE = 0,         /**< The event says all there is to say. */
    TRIP_CAUSE_FAILURES = 1,     /**< Failures in a row. */
    TRIP_CAUSE_COUNT_WINDOW = 2, /**< What became of the last calls. */
    TRIP_CAUSE_TIME_WINDOW = 3,  /**< What became of the calls of a time. */
    TRIP_CAUSE_HANGING = 4,      /**< Calls that hang. */
    TRIP_CAUSE_PROBE = 5,        /**< What became of a probe. */
    TRIP_CAUSE_LEASE = 6,        /**< The lease of a probe ran out. */
    TRIP_CAUSE_TIME = 7,         /**< A time is over: an open period, that of a mode. */
    TRIP_CAUSE_OPERATOR = 8,     /**< Somebody called a function that does this. */
    TRIP_CAUSE_RESTORED = 9,     /**< trip_tracker_restore. */
    TRIP_CAUSE_CAPACITY = 10     /**< Another circuit needed the place. */
};

enum {
    TRIP_JITTER_NONE = 0,        /**< The delay as it is. */
    TRIP_JITTER_FULL = 1,        /**< Anything from 0 to the delay. */
    TRIP_JITTER_EQUAL = 2,       /**< Anything from half of the delay to all of it. */
    TRIP_JITTER_DECORRELATED = 3 /**< Anything from the base delay to three times the last one, at most the cap. */
};

enum {
    TRIP_ADAPT_NONE = 0,    /**< The limit of a gate is its capacity. */
    TRIP_ADAPT_AIMD = 1,    /**< It grows by one while calls succeed in time, and falls by a share when one does not. */
    TRIP_ADAPT_GRADIENT = 2 /**< It falls as calls take longer than in the long run, and grows as they do not. */
};

enum {
    TRIP_ORDER_LISTED = 0,  /**< The first provider of a route, and when that refuses the second. */
    TRIP_ORDER_WEIGHTED = 1 /**< Drawn for each call, in proportion to the weights. */
};

enum {
    TRIP_FALLBACK_REFUSE = 0, /**< When all circuits of a route refuse, the call is refused. */
    TRIP_FALLBACK_ONE = 1     /**< It is let through to the one that would admit it soonest, unless such a call is out:
                               its circuit counts it, and changes no state for it. It counts as out until it is settled,
                               but no longer than a probe may be. Never to one that an operator has forced open. */
};

enum {
    TRIP_RULE_NEGATIVE_FAILS = 0, /**< A result below 0 is a failure: for signed integers and floating point. */
    TRIP_RULE_ZERO_SUCCEEDS = 1,  /**< Any result but 0 is a failure. */
    TRIP_RULE_ZERO_FAILS = 2,     /**< 0, or NULL, is a failure. */
    TRIP_RULE_ERRNO = 3,          /**< A result below 0, or NULL, is what trip_classify_errno says of errno. */
    TRIP_RULE_CLASSIFIER = 4      /**< The caller's trip_classifier says what it is. */
};

enum {
    TRIP_LABELS_PROVIDER = 0, /**< Metrics are told per provider. */
    TRIP_LABELS_TENANT = 1    /**< Metrics are told per tenant and provider. */
};

enum {
    TRIP_EXPRESS_LAYOUT_NONE = 0, /**< The circuit's policy gives it no lane: ask again seldom, if ever. */
    TRIP_EXPRESS_LAYOUT_WORD = 1  /**< One word of 64 bits, aligned to 8, which only atomic loads read. */
};

enum {
    TRIP_CLASS_SUCCESS = 0,          /**< The provider did what it was asked to do. */
    TRIP_CLASS_SERVER_ERROR = 1,     /**< The provider failed and says so. */
    TRIP_CLASS_RATE_LIMITED = 2,     /**< Too many requests or tokens for now; it passes by itself, and soon. */
    TRIP_CLASS_OVERLOADED = 3,       /**< The provider has more to do than it can, for everybody. */
    TRIP_CLASS_NETWORK = 4,          /**< No answer: name resolution, connection or TLS failed. */
    TRIP_CLASS_TIMEOUT = 5,          /**< No answer in time. */
    TRIP_CLASS_QUOTA = 6,            /**< What was paid for is used up: credit, budget, the quota of a day or longer. */
    TRIP_CLASS_AUTH = 7,             /**< The key is wrong, or may not do this. */
    TRIP_CLASS_INVALID_REQUEST = 8,  /**< The request is wrong: the caller's mistake. */
    TRIP_CLASS_CONTEXT_OVERFLOW = 9, /**< The request is longer than the model, or the provider, takes. */
    TRIP_CLASS_NOT_FOUND = 10,       /**< There is no such model or resource. */
    TRIP_CLASS_CONTENT_FILTERED = 11, /**< The provider will not answer this, for what it says. */
    TRIP_CLASS_CANCELLED = 12,        /**< The caller gave up. */
    TRIP_CLASS_UNKNOWN = 13           /**< None of these can be told; nothing is guessed. */
};

/* ---- Structs ----------------------------------------------------------------------------------------------------- */

/**
 * How the circuits of a tracker behave. Fill it with trip_config_init, then change what you want changed.
 * Values out of range are refused when the tracker is created, so that nothing can fail later.
 */
typedef struct trip_config {
    uint32_t struct_size;          /**< [bytes] sizeof(trip_config) */
    uint32_t failure_threshold;    /**< [count] failures in a row that open a circuit; 1 to 8388607, default 5 */
    uint64_t initial_open_ns;      /**< [ns] the first open period; above 0, at most max_open_ns, default 30 s */
    uint64_t max_open_ns;          /**< [ns] the cap on every open period; at most one year, default 300 s */
    double backoff_multiplier;     /**< [ratio] how open periods grow; finite, at least 1, default 2 */
    uint32_t backoff;              /**< [TRIP_BACKOFF_*] how often they grow; default TRIP_BACKOFF_FIRST */
    uint32_t half_open_max_probes; /**< [count] probes out at once; 1 to 63, default 1 */
    uint32_t half_open_successes;  /**< [count] probes that must succeed to close; 1 to 63, default 1 */
    uint32_t on_drop;              /**< [TRIP_DROP_*] what a dropped permit counts as; default TRIP_DROP_FAILURE */
    uint64_t probe_lease_ns;       /**< [ns] after this a probe counts as dropped; 4 ms to one year, default 600 s */
    uint64_t probe_retry_ns;       /**< [ns] what TRIP_REJECTED_PROBING says; at most one year, default 50 ms */
    double jitter;                 /**< [ratio] open periods are stretched by up to this share; 0 to 1, default 0 */
    uint32_t clock;                /**< [TRIP_CLOCK_*] what measures time; default TRIP_CLOCK_MONOTONIC */
    uint32_t max_circuits;         /**< [count] circuits kept at most; 1 to 16777216, default 65536 */
    uint32_t on_server_error;      /**< [TRIP_EFFECT_*] what trip_permit_record makes of this class; default failure */
    uint32_t on_rate_limited;      /**< [TRIP_EFFECT_*] default failure */
    uint32_t on_overloaded;        /**< [TRIP_EFFECT_*] default failure */
    uint32_t on_network;           /**< [TRIP_EFFECT_*] default failure */
    uint32_t on_timeout;           /**< [TRIP_EFFECT_*] default failure */
    uint32_t on_quota;             /**< [TRIP_EFFECT_*] default failure; opens for quota_open_ns */
    uint32_t on_auth;              /**< [TRIP_EFFECT_*] default success, as all mistakes of the caller */
    uint32_t on_invalid_request;   /**< [TRIP_EFFECT_*] default success */
    uint32_t on_context_overflow;  /**< [TRIP_EFFECT_*] default success */
    uint32_t on_not_found;         /**< [TRIP_EFFECT_*] default success */
    uint32_t on_content_filtered;  /**< [TRIP_EFFECT_*] default success */
    uint32_t on_cancelled;         /**< [TRIP_EFFECT_*] default nothing */
    uint32_t on_unknown;           /**< [TRIP_EFFECT_*] default nothing */
    uint32_t half_open_probes;     /**< [count] of so many probes half_open_successes must succeed: more than that, at
                                        most 15; 0, the default: as many, so that the first that fails opens again */
    uint64_t quota_open_ns;        /**< [ns] how long a used-up quota keeps its circuit open where the provider does not
                                        say; above 0, at most one year, default 600 s */
    uint64_t max_retry_after_ns; /**< [ns] the cap on what a provider may ask for; at most one year, default 1 h; 0: it
                                        is not heeded */
    uint64_t slow_call_ns;      /**< [ns] a call that takes longer is slow; at most one year; 0, the default: none is */
    uint32_t count_window;      /**< [count] judge the last so many calls; at most 2047; 0, the default: do not */
    uint32_t count_minimum;     /**< [count] not before there are so many; at most count_window, default 10 */
    double count_failure_ratio; /**< [ratio] open when such a share of them failed; 0 to 1, default 0.5; 0: never */
    double count_slow_ratio;    /**< [ratio] open when such a share of them was slow; 0 to 1; 0, the default: never */
    uint64_t time_window_ns;    /**< [ns] judge the calls of so long; at most one year; 0, the default: do not */
    uint32_t time_buckets;      /**< [count] in so many steps, each at least 10 ms; 1 to 64, default 10 */
    uint32_t time_minimum;      /**< [count] not before there are so many calls; above 0, default 10 */
    double time_failure_ratio;  /**< [ratio] as count_failure_ratio; default 0.5 */
    double time_slow_ratio;     /**< [ratio] as count_slow_ratio; default 0 */
    uint64_t hang_ns;           /**< [ns] a call that has not ended after this hangs; at most one year, default 0 */
    uint32_t hang_calls;        /**< [count] open when so many calls hang; at most 1048576; 0, the default: never */
    uint32_t ramp_steps;        /**< [count] steps in which the share of admitted calls grows; 1 to 100, default 4 */
    uint64_t ramp_ns;           /**< [ns] how long it grows after a circuit has closed again; at most one year; 0, the
                                        default: all calls are admitted at once */
    uint64_t stall_ns;          /**< [ns] a stream without progress for so long has failed; at most one year; 0, the
                                        default: it may take its time */
} trip_config;

/** Why a function that takes a config, or trip_tracker_restore, failed. Written on failure, and only then. */
typedef struct trip_error {
    uint32_t struct_size;  /**< [bytes] sizeof(trip_error) */
    trip_status status;    /**< [TRIP_*] what the function returned */
    uint32_t field_offset; /**< [bytes] offset in the config of the field at fault; UINT32_MAX: none */
    uint32_t reserved;     /**< [none] always 0 */
    char message[240];     /**< [text] one line for a human, NUL-terminated; its wording may change */
} trip_error;

/** Why a permit was refused and when to come back. Written on a rejection, untouched on TRIP_OK and on errors. */
typedef struct trip_rejection {
    uint32_t struct_size;      /**< [bytes] sizeof(trip_rejection) */
    trip_status status;        /**< [TRIP_*] what the function returned */
    uint32_t state;            /**< [TRIP_STATE_*] state of the circuit */
    uint32_t failures;         /**< [count] the threshold plus the probes that failed since, at most 31 of these */
    uint64_t retry_after_ns;   /**< [ns] ask again after this; never too short, at most one kernel tick too long */
    uint64_t open_duration_ns; /**< [ns] the open period of its level by the present policy, before jitter */
} trip_rejection;

/**
 * A circuit seen from outside. The counters begin when the circuit is made. When no call is in progress they are exact,
 * and permits = successes + failures_total + drops + cancels + permits not yet settled.
 */
typedef struct trip_circuit_info {
    uint32_t struct_size;      /**< [bytes] sizeof(trip_circuit_info) */
    uint32_t state;            /**< [TRIP_STATE_*] an open circuit past its deadline stays open until a permit asks */
    uint32_t mode;             /**< [TRIP_MODE_*] who decides */
    uint32_t failures;         /**< [count] closed: failures in a row; else the threshold plus level */
    uint32_t level;            /**< [count] failed probes since it last closed, at most 31; 0 when closed */
    uint32_t probes_out;       /**< [count] probes granted and not settled, when half-open */
    uint64_t epoch;            /**< [epoch] changes with each state change and never comes back */
    uint64_t retry_after_ns;   /**< [ns] what a refusal would say now; 0 where a permit would be granted */
    uint64_t open_duration_ns; /**< [ns] as in trip_rejection; 0 when closed */
    uint64_t permits;          /**< [count] permits granted */
    uint64_t successes;        /**< [count] permits settled as success, stale ones too */
    uint64_t failures_total;   /**< [count] permits settled as failure, stale ones too */
    uint64_t drops;            /**< [count] permits settled as dropped, stale ones too */
    uint64_t cancels;          /**< [count] permits settled as cancelled, stale ones too */
    uint64_t rejections;       /**< [count] permits refused */
    uint64_t stale;            /**< [count] settlements that came too late to change anything */
    uint64_t opens;            /**< [count] times the circuit opened or opened again */
    uint64_t mode_left_ns;     /**< [ns] until the mode ends by itself; 0: it does not */
} trip_circuit_info;

/** A permit seen from outside. */
typedef struct trip_permit_info {
    uint32_t struct_size;   /**< [bytes] sizeof(trip_permit_info) */
    uint32_t is_probe;      /**< [flag] 1: this call decides whether the circuit closes; 0: it is one of many */
    uint64_t lease_left_ns; /**< [ns] a probe must be settled or renewed within this; 0 for a permit that is no probe */
} trip_permit_info;

/**
 * The express lane of a circuit: how a program admits calls to it without calling the library. ABI.md has the rules.
 *
 *     uint64_t seen = __atomic_load_n(lane.word, __ATOMIC_ACQUIRE);
 *     if ((seen & lane.admit_mask) == lane.value) ...                lane.permit admits a call: make it
 *
 * The call has succeeded: load again; if (seen & lane.mask) == lane.value there is nothing to do, else
 * trip_permit_record_success of lane.permit. Any other end: the ordinary call with lane.permit. Who admits calls this way
 * settles each of them once himself: lane.permit admits any number of calls and is never TRIP_E_CONSUMED.
 */
typedef struct trip_express {
    uint32_t struct_size; /**< [bytes] sizeof(trip_express) */
    uint32_t layout;      /**< [TRIP_EXPRESS_*] what word is; who does not know it uses permits */
    uint64_t mask;        /**< [bits] the bits that tell a circuit without failures: a success changes nothing then */
    uint64_t value;       /**< [bits] what they must be; no word ever matches where the masks are 0 and this is 1 */
    trip_permit permit;   /**< [handle] admits calls while the word matches; 0 where there is no lane */
    const uint64_t *word; /**< [bits] the library's; readable as long as the library is loaded */
    uint64_t admit_mask;  /**< [bits] of mask, those that tell a closed circuit: failures or not, it admits calls */
} trip_express;

/**
 * How a call went: what trip_classify_http, _errno and _text tell, and what a program may fill in by itself. Members of
 * which a classification knows nothing are 0.
 */
typedef struct trip_outcome {
    uint32_t struct_size;    /**< [bytes] sizeof(trip_outcome) */
    uint32_t status_class;   /**< [TRIP_CLASS_*] what kind of success or failure it was */
    uint32_t http_status;    /**< [http] the status of the response, or the one that a text names */
    int32_t sys_errno;       /**< [errno] the error of the system or, negative, of the resolver */
    uint64_t retry_after_ns; /**< [ns] what the provider asks to wait, where the body or the text says so */
    uint64_t duration_ns;    /**< [ns] how long the call took; no classification knows that */
} trip_outcome;

/**
 * Something that happened to a circuit, or to its tracker. Texts are in the text that comes with the events: so many bytes
 * from such an offset, without a NUL.
 */
typedef struct trip_event {
    uint32_t struct_size;   /**< [bytes] written by the library: the size that the caller said */
    uint32_t kind;          /**< [TRIP_EVENT_*] what happened; who does not know it passes over it */
    uint64_t number;        /**< [count] the tracker's events are numbered from 1, without gaps: lost ones have none */
    uint64_t at_ns;         /**< [ns] when, by the tracker's clock */
    uint64_t at_unix_ns;    /**< [ns] when, as a time of day */
    trip_circuit circuit;   /**< [handle] to which circuit; 0: to the tracker */
    uint64_t epoch;         /**< [epoch] its epoch after the event */
    uint64_t duration_ns;   /**< [ns] opened: how long it will be open; forced: how long, 0 without end; the wait */
    uint32_t state;         /**< [TRIP_STATE_*] its state after the event */
    uint32_t mode;          /**< [TRIP_MODE_*] its mode after the event */
    uint32_t cause;         /**< [TRIP_CAUSE_*] why */
    uint32_t scope;         /**< [TRIP_SCOPE_*] configured: of what; else TRIP_SCOPE_CIRCUIT, or _TRACKER without one */
    uint32_t failures;      /**< [count] as in trip_circuit_info, after the event */
    uint32_t reserved;      /**< [none] always 0 */
    uint32_t tenant_offset; /**< [bytes] where the tenant begins in the text */
    uint32_t tenant_len;    /**< [bytes] its length */
    uint32_t provider_offset; /**< [bytes] where the provider begins */
    uint32_t provider_len;    /**< [bytes] its length */
    uint32_t reason_offset;   /**< [bytes] where the operator's reason begins, or the name of the gate */
    uint32_t reason_len;      /**< [bytes] its length */
    uint32_t depth;           /**< [count] of a gate: tokens out */
    uint32_t limit;           /**< [count] of a gate: how many may be, now */
} trip_event;

/** When to try a failed call again. Fill it with trip_retry_config_init, then change what you want changed. */
typedef struct trip_retry_config {
    uint32_t struct_size;   /**< [bytes] sizeof(trip_retry_config) */
    uint32_t max_attempts;  /**< [count] of a call, the first included; 1 to 1000, default 3 */
    uint64_t base_delay_ns; /**< [ns] before the second attempt; at most one year, default 500 ms */
    uint64_t max_delay_ns;  /**< [ns] the cap on every delay; at most one year, default 60 s */
    double multiplier;      /**< [ratio] how delays grow; finite, at least 1, default 2 */
    uint32_t jitter;        /**< [TRIP_JITTER_*] how delays are spread; default full */
    uint32_t max_providers; /**< [count] with a budget of their own, the rest share one; 1 to 65536, default 1024 */
    uint64_t seed;          /**< [bits] of what is drawn for the jitter; 0, the default: another in each process */
    uint64_t max_retry_after_ns; /**< [ns] a call is not tried again when its provider asks to wait longer; at most one
                                      year, default 60 s; 0: what providers ask for is not heeded */
    uint64_t deadline_ns;  /**< [ns] no attempt begins later than so long after trip_retry_begin; at most one year;
                                      0, the default: it may */
    uint64_t classes;      /**< [bits] which classes are worth a retry, 1 << TRIP_CLASS_*, success none of them;
                                      default server error, rate limited, overloaded, network, timeout */
    double budget_ratio;   /**< [ratio] retries that each call earns its provider; 0 to 1000, default 0.1 */
    uint32_t budget_burst; /**< [count] retries that may be saved up, and are there at first; 1 to 1000000,
                                      default 10 */
    uint32_t reserved;     /**< [none] must be 0 */
} trip_retry_config;

/** The retries of a provider seen from outside. */
typedef struct trip_retry_info {
    uint32_t struct_size; /**< [bytes] sizeof(trip_retry_info) */
    uint32_t budget;      /**< [count] retries that are left now, whole ones */
    uint64_t calls;       /**< [count] trip_retry_begin */
    uint64_t retries;     /**< [count] trip_retry_next that said TRIP_OK */
    uint64_t refused;     /**< [count] that said TRIP_NO_RETRY_BUDGET */
} trip_retry_info;

/** How long calls are remembered. Fill it with trip_dedup_config_init, then change what you want changed. */
typedef struct trip_dedup_config {
    uint32_t struct_size; /**< [bytes] sizeof(trip_dedup_config) */
    uint32_t max_entries; /**< [count] calls in progress and values that are kept; 1 to 16777216, default 65536 */
    uint64_t max_bytes;   /**< [count] bytes of keys and values that are kept; at least 1, default 64 MiB */
    uint64_t lease_ns; /**< [ns] a call is in progress for so long at most, then its key is free; above 0, at most one
                               year, default 600 s */
    uint64_t ttl_ns;   /**< [ns] a value is kept for so long; at most one year, default 300 s; 0: never */
} trip_dedup_config;

/**
 * A deduplicator seen from outside. started = completed + failed + expired + in_progress. What has ended by itself may count
 * as before until somebody comes by; each call sees to a few.
 */
typedef struct trip_dedup_info {
    uint32_t struct_size; /**< [bytes] sizeof(trip_dedup_info) */
    uint32_t in_progress; /**< [count] tickets out */
    uint32_t cached;      /**< [count] values kept */
    uint32_t waiting;     /**< [count] callers in trip_dedup_wait */
    uint64_t bytes;       /**< [count] bytes of keys, those of calls in progress too, and of values */
    uint64_t started;     /**< [count] tickets given */
    uint64_t hits;        /**< [count] answers TRIP_CACHED */
    uint64_t joined;      /**< [count] answers TRIP_IN_PROGRESS */
    uint64_t completed;   /**< [count] tickets settled with a value */
    uint64_t failed;      /**< [count] tickets settled without one, or lost by a fork or with the tracker */
    uint64_t expired;     /**< [count] tickets whose lease ran out */
    uint64_t evicted;     /**< [count] values that went before their time, to make room */
} trip_dedup_info;

/** How many calls may be in progress. Fill it with trip_gate_config_init, then change what you want changed. */
typedef struct trip_gate_config {
    uint32_t struct_size;   /**< [bytes] sizeof(trip_gate_config) */
    uint32_t capacity;      /**< [count] tokens out at once; 1 to 1048576, default 100 */
    uint32_t soft_limit;    /**< [count] more than so many are an event; below capacity; 0, the default: none is */
    uint32_t adapt;         /**< [TRIP_ADAPT_*] whether the limit follows the calls, up to capacity; default not */
    uint32_t min_limit;     /**< [count] below which it never falls; 1 to capacity, default 1 */
    uint32_t initial_limit; /**< [count] where it begins; min_limit to capacity; 0, the default: 20, or as near as
                                    may be */
    uint64_t latency_ns;    /**< [ns] AIMD: a call that took longer has not succeeded in time; at most one year; 0, the
                                 default: how long it took does not matter */
    double decrease;        /**< [ratio] AIMD: what is left of the limit; 0.5 to below 1, default 0.9 */
    double tolerance;       /**< [ratio] gradient: calls may take so many times what they did; 1 to 10, default 1.5 */
    double smoothing;       /**< [ratio] gradient: weight of the newest limit; above 0, at most 1, default 0.2 */
} trip_gate_config;

/** How full a gate was that turned a caller away. Written on TRIP_SHED, and only then. */
typedef struct trip_shed {
    uint32_t struct_size; /**< [bytes] sizeof(trip_shed) */
    trip_status status;   /**< [TRIP_*] TRIP_SHED */
    uint32_t depth;       /**< [count] tokens out */
    uint32_t limit;       /**< [count] how many may be, now */
    uint32_t capacity;    /**< [count] how many may ever be */
    uint32_t reserved;    /**< [none] always 0 */
} trip_shed;

/** A gate seen from outside. acquired = released + depth, when no call is in progress. */
typedef struct trip_gate_info {
    uint32_t struct_size;    /**< [bytes] sizeof(trip_gate_info) */
    uint32_t depth;          /**< [count] tokens out */
    uint32_t limit;          /**< [count] how many may be, now */
    uint32_t capacity;       /**< [count] how many may ever be */
    uint32_t soft_limit;     /**< [count] more than so many are an event; 0: none is */
    uint32_t reserved;       /**< [none] always 0 */
    double soft_depth_ratio; /**< [ratio] depth to soft_limit; above 1 it is passed; 0 without a soft limit */
    uint64_t acquired;       /**< [count] tokens given */
    uint64_t released;       /**< [count] tokens released */
    uint64_t shed;           /**< [count] callers turned away */
    uint64_t latency_ns;     /**< [ns] gradient: how long calls take in the long run; else 0 */
} trip_gate_info;

/** How a route chooses. Fill it with trip_route_config_init, then change what you want changed. */
typedef struct trip_route_config {
    uint32_t struct_size; /**< [bytes] sizeof(trip_route_config) */
    uint32_t order;       /**< [TRIP_ORDER_*] which provider comes first; default as listed */
    uint32_t fallback;    /**< [TRIP_FALLBACK_*] what becomes of a call that all refuse; default it is refused */
    uint32_t reserved;    /**< [none] must be 0 */
    uint64_t seed;        /**< [bits] of what is drawn; 0, the default: another in each process */
} trip_route_config;

/** Which stage of a pipeline failed. Written on TRIP_STAGE_FAILED, and only then. */
typedef struct trip_stage_failure {
    uint32_t struct_size; /**< [bytes] sizeof(trip_stage_failure) */
    int32_t code;         /**< [code] what the stage returned */
    uint32_t stage;       /**< [count] how many ran before it */
    uint32_t name_len;    /**< [bytes] length of name */
    char name[256];       /**< [text] its name, NUL-terminated */
} trip_stage_failure;

/** What a guard makes of results, and what its caller gets when it does not call. trip_guard_config_init fills it. */
typedef struct trip_guard_config {
    uint32_t struct_size;   /**< [bytes] sizeof(trip_guard_config) */
    uint32_t rule;          /**< [TRIP_RULE_*] what a failure is; default a negative result */
    int64_t refused_result; /**< [code] what trip_guard_pointer's function returns when the circuit refuses: cut to its
                                 type, as a pointer too; default -1 */
    double refused_double;  /**< [ratio] the same where it returns floating point; any; default -1 */
    int32_t refused_errno;  /**< [errno] errno then; default EAGAIN; 0: it is left alone */
    uint32_t reserved;      /**< [none] must be 0 */
} trip_guard_config;

/* ---- The library ------------------------------------------------------------------------------------------------- */

/**
 * The version of the ABI that this library has: major << 16 | minor. A library with the same major and a minor at least
 * as high as your header's is compatible.
 *
 * @return [version] a constant
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API uint32_t trip_abi_version(void);

/**
 * The version of this library, such as "1.0.0".
 *
 * @return [text] a constant, NUL-terminated, never freed
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API const char *trip_version(void);

/**
 * The name of a status, such as "TRIP_E_CONSUMED".
 *
 * @param status [TRIP_*] any value
 * @return [text] a constant, NUL-terminated, never freed; "TRIP_UNKNOWN" for a value that this library does not know
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API const char *trip_status_name(trip_status status);

/**
 * Whether this library has a feature.
 *
 * @param feature [TRIP_FEATURE_*] any value
 * @return [flag] 1 present, 0 not
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API uint32_t trip_has_feature(uint32_t feature);

/* ---- Trackers ---------------------------------------------------------------------------------------------------- */

/**
 * Fill a config with the defaults.
 *
 * @param out_config [trip_config] written whole, its struct_size too; members that this library does not know become 0
 * @param struct_size [bytes] sizeof(trip_config)
 * @return TRIP_OK; TRIP_E_INVALID: out_config is NULL, or struct_size below the first released size or above 4096
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API trip_status trip_config_init(trip_config *out_config, size_t struct_size);

/**
 * Create a tracker. The caller owns it and destroys it with trip_tracker_destroy.
 *
 * @param config [trip_config] read during the call only; NULL: the defaults
 * @param out_tracker [handle] the new tracker
 * @param out_error [trip_error] may be NULL; written on failure: which field, and why
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_tracker is NULL, or a struct_size is out of range;
 *         TRIP_E_TOO_NEW: config has members that this library does not know, and they are not zero;
 *         TRIP_E_CONFIG: a field is out of range;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: 65535 trackers exist;
 *         TRIP_E_SYSTEM: the system gave no random numbers, or no thread key
 * [since 1.0] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_tracker_create(const trip_config *config, trip_tracker *out_tracker, trip_error *out_error);

/**
 * Destroy a tracker with its circuits and permits: their handles get TRIP_E_HANDLE from then on, a permit that has been
 * settled TRIP_E_CONSUMED. Safe while other threads use them: each of their calls happens before the destruction or
 * after it. Who waits in trip_dedup_wait for a deduplicator of the tracker is woken and gets TRIP_E_HANDLE, and the
 * descriptors of trip_dedup_watch become readable.
 *
 * @param tracker [handle] the tracker
 * @return TRIP_OK; TRIP_E_HANDLE: no such tracker
 * [since 1.0] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_tracker_destroy(trip_tracker tracker);

/**
 * The circuit of (tenant, provider), made when it does not exist: the same key gives the same handle. A full tracker
 * evicts the circuit it can best do without; the evicted handle gets TRIP_E_HANDLE from then on (ask again by name) and
 * its permits settle as TRIP_STALE.
 *
 * @param tracker [handle] the tracker
 * @param tenant [text] whose calls these are
 * @param tenant_len [bytes] length of tenant
 * @param provider [text] who is called
 * @param provider_len [bytes] length of provider
 * @param out_circuit [handle] the circuit, which the tracker owns
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_circuit is NULL, a text is longer than 255 bytes, or NULL with a length;
 *         TRIP_E_HANDLE: no such tracker;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: max_circuits exist and none may be evicted: all are open or probing
 * [since 1.0] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_tracker_circuit(trip_tracker tracker, const char *tenant, size_t tenant_len,
                                          const char *provider, size_t provider_len, trip_circuit *out_circuit);

/**
 * Move a manual clock forward. It stops at five years.
 *
 * @param tracker [handle] a tracker with TRIP_CLOCK_MANUAL
 * @param ns [ns] how far
 * @return TRIP_OK; TRIP_E_HANDLE: no such tracker; TRIP_E_UNSUPPORTED: its clock is not manual
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_tracker_advance(trip_tracker tracker, uint64_t ns);

/* ---- Circuits ---------------------------------------------------------------------------------------------------- */

/**
 * Ask for a permit to make one call. A granted permit must be settled, once, by one of trip_permit_record,
 * _record_success, _record_failure, _drop and _cancel; until then it occupies one of 1048576 places.
 *
 * @param circuit [handle] the circuit
 * @param out_permit [handle] the permit; written on TRIP_OK only
 * @param out_rejection [trip_rejection] may be NULL; written on a rejection only
 * @return TRIP_OK;
 *         TRIP_REJECTED_OPEN: the provider is down, come back after retry_after_ns;
 *         TRIP_REJECTED_PROBING: others are finding out whether it is back;
 *         TRIP_REJECTED_RAMP: it is back, and this call is not of the share that is admitted yet;
 *         TRIP_REJECTED_FORCED: an operator has forced the circuit open, ask again after retry_after_ns;
 *         TRIP_E_INVALID: out_permit is NULL, or the struct_size of out_rejection is out of range;
 *         TRIP_E_HANDLE: no such circuit, its tracker is destroyed, or it was evicted;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: 1048576 permits are out
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_circuit_permit(trip_circuit circuit, trip_permit *out_permit, trip_rejection *out_rejection);

/**
 * What trip_circuit_permit would answer now. Changes nothing, counts nothing. It does not look for calls that hang and
 * streams that stall: a circuit that such a look would open is closed until a permit is asked for.
 *
 * @param circuit [handle] the circuit
 * @param out_rejection [trip_rejection] may be NULL; written on a rejection only
 * @return TRIP_OK: a permit would be granted; TRIP_REJECTED_OPEN; TRIP_REJECTED_PROBING; TRIP_REJECTED_RAMP;
 *         TRIP_REJECTED_FORCED;
 *         TRIP_E_INVALID: the struct_size of out_rejection is out of range;
 *         TRIP_E_HANDLE: no such circuit
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_circuit_peek(trip_circuit circuit, trip_rejection *out_rejection);

/**
 * State, times and counters of a circuit. Changes nothing. Takes time in proportion to the permits ever out at once.
 *
 * @param circuit [handle] the circuit
 * @param out_info [trip_circuit_info] written on TRIP_OK
 * @return TRIP_OK; TRIP_E_INVALID: out_info is NULL or its struct_size out of range; TRIP_E_HANDLE: no such circuit
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_circuit_inspect(trip_circuit circuit, trip_circuit_info *out_info);

/**
 * The key of a circuit: the bytes of the tenant, then at once the bytes of the provider, without a NUL.
 *
 * @param circuit [handle] the circuit
 * @param out_text [text] where the bytes go; may be NULL when capacity is 0
 * @param capacity [bytes] room in out_text; 510 always suffice
 * @param out_tenant_len [bytes] length of the tenant
 * @param out_provider_len [bytes] length of the provider
 * @return TRIP_OK;
 *         TRIP_E_INVALID: an output is NULL;
 *         TRIP_E_HANDLE: no such circuit;
 *         TRIP_E_CAPACITY: the key is longer than capacity; nothing was written
 * [since 1.0] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_circuit_key(trip_circuit circuit, char *out_text, size_t capacity, size_t *out_tenant_len,
                                      size_t *out_provider_len);

/**
 * The express lane of a circuit, with which calls are admitted and recorded as successes without calling the library.
 * There is a lane while the circuit is closed, and what was told is dead for ever once it has opened, was steered, evicted
 * or destroyed. Then use permits, and ask again when a closed circuit has granted one. Where there is no lane the masks
 * are 0 and the value 1.
 *
 * @param circuit [handle] the circuit
 * @param out_express [trip_express] written on TRIP_OK
 * @return TRIP_OK; TRIP_E_INVALID: out_express is NULL or its struct_size out of range; TRIP_E_HANDLE: no such circuit
 * [since 1.1] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_circuit_express(trip_circuit circuit, trip_express *out_express);

/**
 * Count calls that were admitted by an express lane and ended as successes without the library's knowledge: in batches,
 * as often as the caller likes. Whatever is settled by a call counts itself, admission and outcome, and is not counted
 * here. The two counts may come at different times; what is admitted and not yet ended is told as a permit that is out.
 * Counters are kept modulo 2^48: the complement of a number takes it back.
 *
 * @param circuit [handle] the circuit
 * @param permits [count] calls admitted
 * @param successes [count] calls that ended well
 * @return TRIP_OK;
 *         TRIP_E_HANDLE: no such circuit
 * [since 1.1] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_circuit_count(trip_circuit circuit, uint64_t permits, uint64_t successes);

/* ---- Permits ----------------------------------------------------------------------------------------------------- */

/**
 * Whether a permit is a probe, and how much of its lease is left, so that a program need not probe with its longest
 * call.
 *
 * @param permit [handle] a permit that is not settled
 * @param out_info [trip_permit_info] written on TRIP_OK
 * @return TRIP_OK;
 *         TRIP_STALE: the circuit has moved on;
 *         TRIP_E_INVALID: out_info is NULL or its struct_size out of range;
 *         TRIP_E_HANDLE: no such permit, or its tracker is destroyed;
 *         TRIP_E_CONSUMED: it is settled
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_permit_inspect(trip_permit permit, trip_permit_info *out_info);

/**
 * Settle a permit: the provider answered as it should.
 *
 * @param permit [handle] the permit, gone after this call
 * @return TRIP_OK;
 *         TRIP_STALE: settled and counted, but the circuit has moved on and no state has changed;
 *         TRIP_E_HANDLE: no such permit, or its tracker is destroyed;
 *         TRIP_E_CONSUMED: it was settled before
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_permit_record_success(trip_permit permit);

/**
 * Settle a permit: the provider failed.
 *
 * @param permit [handle] the permit, gone after this call
 * @return TRIP_OK;
 *         TRIP_STALE: settled and counted, but the circuit has moved on and no state has changed;
 *         TRIP_E_HANDLE: no such permit, or its tracker is destroyed;
 *         TRIP_E_CONSUMED: it was settled before
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_permit_record_failure(trip_permit permit);

/**
 * Settle a permit with how its call went. The config says what its class counts as: on_server_error and so on;
 * TRIP_CLASS_SUCCESS is a success. What the provider asked to wait, with a class that counts as a failure, keeps the
 * circuit open at least as long if it is open or opens before that time: such a wait may lengthen an open period, that
 * of a stale permit too, and never shortens one. max_retry_after_ns caps it. TRIP_CLASS_QUOTA without one asks for
 * quota_open_ns. A circuit's first failure may allocate.
 *
 * @param permit [handle] the permit, gone after this call
 * @param outcome [trip_outcome] how it went; with a duration_ns of 0 the library takes the time since the permit
 * @return TRIP_OK;
 *         TRIP_STALE: settled and counted, but the circuit has moved on and no state has changed;
 *         TRIP_E_INVALID: outcome is NULL, its struct_size out of range, or its class none; the permit is still out;
 *         TRIP_E_TOO_NEW: outcome has members that this library does not know, and they are not zero; as before;
 *         TRIP_E_HANDLE: no such permit, or its tracker is destroyed;
 *         TRIP_E_CONSUMED: it was settled before
 * [since 1.2] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_permit_record(trip_permit permit, const trip_outcome *outcome);

/**
 * Tell that a long response goes on: at its first token, and as often after it as the caller likes. A probe whose
 * response has begun counts as a success at once and frees its place: the provider is back, however long the rest takes.
 * Where the config has a stall_ns, a permit that has told of progress and then is silent for that long counts as
 * TRIP_CLASS_TIMEOUT, be it that nobody ever settles it; when it is settled after all, that is TRIP_STALE. Whether a stream
 * stalls is looked at when a permit of its circuit is asked for. The counters count it as they do others: when it is
 * settled.
 *
 * @param permit [handle] the permit, which stays unsettled
 * @return TRIP_OK;
 *         TRIP_STALE: the circuit has moved on, or the stream has stalled before;
 *         TRIP_E_HANDLE: no such permit, or its tracker is destroyed;
 *         TRIP_E_CONSUMED: it was settled before
 * [since 1.2] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_permit_progress(trip_permit permit);

/**
 * Settle a permit that nobody recorded: what a destructor calls. Counts as the config's on_drop says.
 *
 * @param permit [handle] the permit, gone after this call
 * @return TRIP_OK;
 *         TRIP_STALE: settled and counted, but the circuit has moved on and no state has changed;
 *         TRIP_E_HANDLE: no such permit, or its tracker is destroyed;
 *         TRIP_E_CONSUMED: it was settled before
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_permit_drop(trip_permit permit);

/**
 * Settle a permit whose call never told us anything about the provider: it was not made, or its caller gave up. Changes
 * no failure count; frees a probe.
 *
 * @param permit [handle] the permit, gone after this call
 * @return TRIP_OK;
 *         TRIP_STALE: settled and counted, but the circuit has moved on and no state has changed;
 *         TRIP_E_HANDLE: no such permit, or its tracker is destroyed;
 *         TRIP_E_CONSUMED: it was settled before
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_permit_cancel(trip_permit permit);

/**
 * Start the lease of a probe again, for a call that takes long. Does nothing for a permit that is no probe. One lease
 * covers all probes of a half-open circuit; the newest grant or renewal counts. It can be extended to 16 leases and
 * three quarters from the first of an unbroken row of probes, and no further.
 *
 * @param permit [handle] the permit, which stays unsettled
 * @return TRIP_OK;
 *         TRIP_STALE: the circuit has moved on;
 *         TRIP_E_HANDLE: no such permit, or its tracker is destroyed;
 *         TRIP_E_CONSUMED: it was settled before;
 *         TRIP_E_CAPACITY: the lease cannot be extended any further and stays as it is
 * [since 1.0] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_permit_renew(trip_permit permit);

/* ---- Outcomes ---------------------------------------------------------------------------------------------------- */

/**
 * The class of an HTTP response, by its status and, where the status leaves it open, by the codes and types in its JSON
 * error object; only where these say nothing, by the words of its message. docs/classification.md has the tables. A
 * body may be cut off, be an array around the object, or an event stream with an error in it.
 *
 * A status of 200 to 299 is a success unless the body is an error object or a stream with one. Where the status is 0,
 * nobody knows it, and the body alone decides: that is how the error of a single event is classified. Takes 16 KiB
 * of stack at most, as trip_classify_text does, which a signal handler's stack must have.
 *
 * @param http_status [http] the status; one that HTTP does not have is TRIP_CLASS_UNKNOWN
 * @param body [text] the body, or as much of it as there is; any bytes, any length, the first 65536 are read
 * @param body_len [bytes] length of body
 * @param out_outcome [trip_outcome] class, status, and the wait that the body asks for
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_outcome is NULL or its struct_size out of range, or body is NULL with a length
 * [since 1.2] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API trip_status trip_classify_http(uint32_t http_status, const char *body, size_t body_len,
                                        trip_outcome *out_outcome);

/**
 * The class of a call that ended with an error of the system or the resolver. 0 is TRIP_CLASS_UNKNOWN: libraries that
 * report a failure with errno 0 exist, and a success needs no classification. So are errors of the caller's own
 * machine, such as EMFILE: the provider was not asked.
 *
 * @param sys_errno [errno] a value of errno or, negative as they are, one of getaddrinfo's EAI_* values
 * @param out_outcome [trip_outcome] class and error
 * @return TRIP_OK; TRIP_E_INVALID: out_outcome is NULL or its struct_size out of range
 * [since 1.2] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API trip_status trip_classify_errno(int32_t sys_errno, trip_outcome *out_outcome);

/**
 * The class of a call of which nothing is left but the text of its error: the last resort. Whole words are compared,
 * and a number counts as an HTTP status only where the words around it say that it is one. Then it decides as the
 * status of a response does, and what the text says beside it as the body.
 *
 * @param text [text] the error as a program would log it; any bytes, any length, the first 65536 are read
 * @param text_len [bytes] length of text
 * @param out_outcome [trip_outcome] class, the HTTP status that the text names, and the wait that it asks for
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_outcome is NULL or its struct_size out of range, or text is NULL with a length
 * [since 1.2] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API trip_status trip_classify_text(const char *text, size_t text_len, trip_outcome *out_outcome);

/**
 * How long a provider asks to wait, by a header of its response, or by a text: Retry-After, retry-after-ms,
 * x-ratelimit-reset and x-ratelimit-reset-..., anthropic-ratelimit-...-reset, "try again in 6m0s".
 * docs/classification.md lists them. What is wrong or absurd is refused and never guessed at: a time that is past, more
 * than a year, no number, a number with something behind it. Fractions of a nanosecond are rounded up.
 *
 * @param name [text] the name of the header, in any case; empty: value is a text for people
 * @param name_len [bytes] length of name
 * @param value [text] the value of the header, or the text; any bytes, any length, the first 65536 are read
 * @param value_len [bytes] length of value
 * @param now_unix_ns [ns] the time of day since 1970 UTC, from which dates are counted
 * @param out_retry_after_ns [ns] what to wait from now on
 * @return TRIP_OK;
 *         TRIP_NO_HINT: a header of this name, or this text, says nothing about when to come back;
 *         TRIP_E_INVALID: it should, and its value is refused; or out_retry_after_ns is NULL, a text is NULL with a
 *         length, or name is longer than 255 bytes
 * [since 1.2] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API trip_status trip_parse_retry_hint(const char *name, size_t name_len, const char *value, size_t value_len,
                                           uint64_t now_unix_ns, uint64_t *out_retry_after_ns);

/* ---- Steering ---------------------------------------------------------------------------------------------------- */

/**
 * Set who decides about a circuit's permits. While it is forced a circuit keeps its state, and calls that were admitted
 * before still count in it; what is granted by force is counted by the counters alone. TRIP_MODE_OBSERVE lets the circuit
 * decide and counts its refusals, but grants what it refuses, as by force. Another mode, or TRIP_MODE_AUTO, ends this one.
 * The express lane ends with TRIP_MODE_AUTO and comes back with it. A circuit in another mode is not evicted.
 *
 * @param circuit [handle] the circuit
 * @param mode [TRIP_MODE_*] who decides from now on
 * @param ttl_ns [ns] after this the mode is TRIP_MODE_AUTO again; at most one year; 0: until it is set again
 * @param reason [text] for people: told by trip_circuit_explain and in the event
 * @param reason_len [bytes] length of reason
 * @return TRIP_OK;
 *         TRIP_E_INVALID: no such mode, a ttl_ns of more than a year, reason longer than 255 bytes, or NULL with a length;
 *         TRIP_E_HANDLE: no such circuit;
 *         TRIP_E_NOMEM: out of memory
 * [since 1.3] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_circuit_set_mode(trip_circuit circuit, uint32_t mode, uint64_t ttl_ns, const char *reason,
                                           size_t reason_len);

/**
 * Open a circuit now, for the period of its level: the first one if it is closed, else that of the one that goes on or
 * went before. One that goes on is not shortened. The mode stays as it is. Permits that are out become TRIP_STALE.
 *
 * @param circuit [handle] the circuit
 * @return TRIP_OK; TRIP_E_HANDLE: no such circuit
 * [since 1.3] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_circuit_trip(trip_circuit circuit);

/**
 * Close a circuit and let it forget its failures: in a row, in its windows, its level, and what its provider asked to
 * wait. The counters go on, its mode stays as it is. Permits that are out become TRIP_STALE.
 *
 * @param circuit [handle] the circuit
 * @return TRIP_OK; TRIP_E_HANDLE: no such circuit
 * [since 1.3] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_circuit_reset(trip_circuit circuit);

/**
 * Remove a circuit, such as that of a tenant who is gone. Its handle gets TRIP_E_HANDLE from then on, its permits settle
 * as TRIP_STALE; who asks for its name makes it anew. A policy that was set for it stays.
 *
 * @param circuit [handle] the circuit
 * @return TRIP_OK; TRIP_E_HANDLE: no such circuit
 * [since 1.3] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_circuit_remove(trip_circuit circuit);

/**
 * Replace a policy while calls run. A circuit goes by the most specific policy that was set, whole: its own, else its
 * tenant's, else its provider's, else the tracker's; nothing is merged. The policy also holds for circuits that are made
 * later. What circuits have counted stays, so do levels and deadlines: a lower threshold acts at the next failure, a new
 * lease on probes that are out too, a new open period at the next opening. A window of another size begins empty. Takes
 * time in proportion to the circuits of the tracker.
 *
 * @param tracker [handle] the tracker
 * @param scope [TRIP_SCOPE_*] whose policy
 * @param tenant [text] for TRIP_SCOPE_TENANT and _CIRCUIT; else empty
 * @param tenant_len [bytes] length of tenant
 * @param provider [text] for TRIP_SCOPE_PROVIDER and _CIRCUIT; else empty
 * @param provider_len [bytes] length of provider
 * @param config [trip_config] read during the call only. NULL: the policy is withdrawn; the tracker's becomes what it was
 *        created with
 * @param out_error [trip_error] may be NULL; written on failure: which field, and why
 * @return TRIP_OK;
 *         TRIP_E_INVALID: no such scope, a text that does not belong to it, is longer than 255 bytes, or NULL with a
 *         length, or a struct_size is out of range;
 *         TRIP_E_HANDLE: no such tracker;
 *         TRIP_E_TOO_NEW: config has members that this library does not know, and they are not zero;
 *         TRIP_E_CONFIG: a field is out of range; or clock or max_circuits is not the tracker's; or half_open_max_probes
 *         or half_open_successes is above 15 and the tracker was not created so, or half_open_probes asks for probes that
 *         may fail and the tracker was. The policy stays as it was;
 *         TRIP_E_NOMEM: out of memory; the policy stays as it was;
 *         TRIP_E_CAPACITY: max_circuits policies exist beside the tracker's
 * [since 1.3] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_tracker_configure(trip_tracker tracker, uint32_t scope, const char *tenant, size_t tenant_len,
                                            const char *provider, size_t provider_len, const trip_config *config,
                                            trip_error *out_error);

/* ---- Seeing ------------------------------------------------------------------------------------------------------ */

/**
 * The circuits of a tracker, and what trip_circuit_inspect says of each: a page of them, in an order in which each comes
 * once. Ask again with the last one of a page until a page is not full; it may be gone by then. Circuits that come or go
 * meanwhile may be there or not.
 *
 * @param tracker [handle] the tracker
 * @param after [handle] where the page begins: behind this circuit; 0: with the first
 * @param out_circuits [handle] room for capacity handles
 * @param out_infos [trip_circuit_info] room for as many; may be NULL
 * @param info_size [bytes] sizeof(trip_circuit_info); written into each
 * @param capacity [count] how many at most; above 0
 * @param out_count [count] how many there were
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_circuits or out_count is NULL, capacity is 0, info_size is out of range, or after is not 0
 *         and never was a circuit;
 *         TRIP_E_HANDLE: no such tracker
 * [since 1.3] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_tracker_circuits(trip_tracker tracker, trip_circuit after, trip_circuit *out_circuits,
                                           trip_circuit_info *out_infos, size_t info_size, size_t capacity,
                                           size_t *out_count);

/**
 * One paragraph for people: what the circuit does and why, who or what opened it, when, after which calls, and what comes
 * next and when. Its wording may change.
 *
 * @param circuit [handle] the circuit
 * @param out_text [text] where the bytes go, without a NUL; may be NULL when capacity is 0
 * @param capacity [bytes] room in out_text; 4096 always suffice
 * @param out_len [bytes] how many there are; written with TRIP_E_CAPACITY too
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_len is NULL, or out_text is NULL and capacity is not 0;
 *         TRIP_E_HANDLE: no such circuit;
 *         TRIP_E_CAPACITY: the text is longer than capacity; nothing else was written
 * [since 1.3] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_circuit_explain(trip_circuit circuit, char *out_text, size_t capacity, size_t *out_len);

/**
 * Take the events that have happened since they were taken last, the oldest first. The tracker keeps 4096; when it has so
 * many, what happens is lost and counted. No event is told twice, be it that several threads take them; two of one
 * circuit that happen at once, on two threads, may come in either order. The child of a fork begins with none.
 *
 * @param tracker [handle] the tracker
 * @param out_events [trip_event] room for capacity events; those behind out_count are untouched
 * @param event_size [bytes] sizeof(trip_event); written into each
 * @param capacity [count] how many to take at most; above 0
 * @param out_text [text] where keys and reasons go
 * @param text_capacity [bytes] room in out_text; what does not fit stays for the next call; 765 suffice for one event
 * @param out_count [count] how many were taken; fewer than capacity: there were no more, or out_text is full
 * @param out_lost [count] how many were lost ever
 * @return TRIP_OK: out_count may be 0;
 *         TRIP_E_INVALID: out_events, out_text, out_count or out_lost is NULL, capacity is 0, or event_size is out of
 *         range;
 *         TRIP_E_HANDLE: no such tracker;
 *         TRIP_E_CAPACITY: the texts of the next event are longer than text_capacity; it stays
 * [since 1.3] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_tracker_events(trip_tracker tracker, trip_event *out_events, size_t event_size,
                                         size_t capacity, char *out_text, size_t text_capacity, size_t *out_count,
                                         uint64_t *out_lost);

/**
 * A descriptor that is readable while events wait, for poll, epoll and what is built on them. It belongs to the tracker,
 * which closes it when it is destroyed: do not read it, do not close it, take the events. The same for every caller. A
 * duplicate is readable from then on, so that who waits for events is not left waiting.
 *
 * @param tracker [handle] the tracker
 * @param out_fd [fd] the descriptor: an eventfd, non-blocking, closed on exec
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_fd is NULL;
 *         TRIP_E_HANDLE: no such tracker;
 *         TRIP_E_SYSTEM: the system gave no descriptor
 * [since 1.3] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_tracker_event_fd(trip_tracker tracker, int32_t *out_fd);

/**
 * The metrics of a tracker as OpenMetrics text, for a scrape: docs/operating.md has their names. Counters never go back,
 * whatever is evicted. With TRIP_LABELS_TENANT the circuits beyond max_series are told in one series of their provider,
 * labelled overflow="true"; so are providers beyond it, without their names. Who has a series keeps it.
 *
 * @param tracker [handle] the tracker
 * @param labels [TRIP_LABELS_*] what is told apart
 * @param max_series [count] at most so many label sets of a metric, beside those with overflow; 0: 1000
 * @param out_text [text] where the bytes go, without a NUL; may be NULL when capacity is 0
 * @param capacity [bytes] room in out_text
 * @param out_len [bytes] how many there are; written with TRIP_E_CAPACITY too
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_len is NULL, out_text is NULL and capacity is not 0, or no such labels;
 *         TRIP_E_HANDLE: no such tracker;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: the text is longer than capacity; nothing else was written. It may have grown when you ask again
 * [since 1.3] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_tracker_metrics(trip_tracker tracker, uint32_t labels, uint64_t max_series, char *out_text,
                                          size_t capacity, size_t *out_len);

/* ---- Snapshots --------------------------------------------------------------------------------------------------- */

/**
 * Everything that the circuits of a tracker know and that outlives their process, as bytes: states, failures in a row,
 * levels, how long they stay open, counters, modes with their reasons. Not their policies, windows, and permits. The
 * bytes begin with the version of their layout, are the same on every machine, and end with a checksum.
 *
 * @param tracker [handle] the tracker
 * @param now_unix_ns [ns] the time of day, which the bytes keep; 0: the system's
 * @param out_bytes [text] where they go; may be NULL when capacity is 0
 * @param capacity [bytes] room in out_bytes
 * @param out_len [bytes] how many there are; written with TRIP_E_CAPACITY too
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_len is NULL, or out_bytes is NULL and capacity is not 0;
 *         TRIP_E_HANDLE: no such tracker;
 *         TRIP_E_CAPACITY: there are more than capacity; out_bytes means nothing. They may have grown when you ask again
 * [since 1.3] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_tracker_snapshot(trip_tracker tracker, uint64_t now_unix_ns, char *out_bytes, size_t capacity,
                                           size_t *out_len);

/**
 * Bring the circuits of a snapshot into a tracker, as if they had been there all the time: open ones stay open for what is
 * left of their period by the time of day, half-open ones may be probed at once, modes end when they would have. A
 * circuit that is there already becomes what the snapshot says, in a new epoch, and its counters grow by what it had counted;
 * others stay as they are. Where the time of day is before that of the snapshot no time has passed. Either all of it
 * happens, or nothing.
 *
 * @param tracker [handle] the tracker
 * @param now_unix_ns [ns] the time of day; 0: the system's
 * @param bytes [text] what trip_tracker_snapshot of this or an earlier library wrote
 * @param bytes_len [bytes] how many
 * @param out_error [trip_error] may be NULL; written on failure: why
 * @return TRIP_OK;
 *         TRIP_E_INVALID: bytes is NULL, they are damaged or cut off, or the struct_size of out_error is out of range;
 *         TRIP_E_HANDLE: no such tracker;
 *         TRIP_E_TOO_NEW: a later library has written them;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: with them there would be more than max_circuits circuits
 * [since 1.3] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_tracker_restore(trip_tracker tracker, uint64_t now_unix_ns, const char *bytes,
                                          size_t bytes_len, trip_error *out_error);

/* ---- Retry ------------------------------------------------------------------------------------------------------- */

/**
 * Fill a config with the defaults.
 *
 * @param out_config [trip_retry_config] written whole; members that this library does not know become 0
 * @param struct_size [bytes] sizeof(trip_retry_config)
 * @return TRIP_OK; TRIP_E_INVALID: out_config is NULL, or struct_size below the first released size or above 4096
 * [since 1.4] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API trip_status trip_retry_config_init(trip_retry_config *out_config, size_t struct_size);

/**
 * Create a rule for retries. The caller owns it and destroys it with trip_retry_destroy.
 *
 * @param tracker [handle] whose clock it goes by; when that is destroyed, no call can begin or be tried again. 0: the
 *        machine's
 * @param config [trip_retry_config] read during the call only; NULL: the defaults
 * @param out_retry [handle] the new rule
 * @param out_error [trip_error] may be NULL; written on failure: which field, and why
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_retry is NULL, or a struct_size is out of range;
 *         TRIP_E_HANDLE: no such tracker;
 *         TRIP_E_TOO_NEW: config has members that this library does not know, and they are not zero;
 *         TRIP_E_CONFIG: a field is out of range;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: 65535 of them exist;
 *         TRIP_E_SYSTEM: the system gave no random numbers
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_retry_create(trip_tracker tracker, const trip_retry_config *config, trip_retry *out_retry,
                                       trip_error *out_error);

/**
 * Destroy a rule for retries with its budgets. Safe while other threads use it.
 *
 * @param retry [handle] the rule
 * @return TRIP_OK; TRIP_E_HANDLE: no such rule
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_retry_destroy(trip_retry retry);

/**
 * How long to wait after an attempt, before jitter: min(base_delay_ns * multiplier^(attempt - 1), max_delay_ns). Depends
 * on nothing else and changes nothing.
 *
 * @param retry [handle] the rule
 * @param attempt [count] which attempt failed: 1 for the first; 0 is taken as 1
 * @param out_delay_ns [ns] the delay
 * @return TRIP_OK; TRIP_E_INVALID: out_delay_ns is NULL; TRIP_E_HANDLE: no such rule
 * [since 1.4] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_retry_delay_for(trip_retry retry, uint32_t attempt, uint64_t *out_delay_ns);

/**
 * Begin a call: it earns its provider budget_ratio retries, and its deadline begins.
 *
 * @param retry [handle] the rule
 * @param provider [text] who is called; the empty text is a provider too
 * @param provider_len [bytes] length of provider
 * @param out_began_ns [ns] when the call began; trip_retry_next wants it
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_began_ns is NULL, provider is longer than 255 bytes, or NULL with a length;
 *         TRIP_E_HANDLE: no such rule, or its tracker is destroyed
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_retry_begin(trip_retry retry, const char *provider, size_t provider_len,
                                      uint64_t *out_began_ns);

/**
 * Whether, and when, to try again after an attempt that failed. TRIP_OK takes one retry from the budget of the provider.
 * A refused permit is no failed attempt: nobody was called, and to ask this would take retries from those who were.
 *
 * @param retry [handle] the rule
 * @param provider [text] who was called in this attempt
 * @param provider_len [bytes] length of provider
 * @param attempt [count] which attempt failed: 1 for the first; 0 is taken as 1
 * @param began_ns [ns] what trip_retry_begin said
 * @param last_delay_ns [ns] the delay before this attempt; 0 before the first. TRIP_JITTER_DECORRELATED goes by it
 * @param outcome [trip_outcome] how the attempt went: its status_class, and its retry_after_ns, below which no delay is,
 *        be it above max_delay_ns
 * @param out_delay_ns [ns] how long to wait before the next attempt; written on TRIP_OK only
 * @return TRIP_OK: try again after out_delay_ns;
 *         TRIP_NO_RETRY_CLASS: its class is not worth a retry;
 *         TRIP_NO_RETRY_ATTEMPTS: max_attempts have been made;
 *         TRIP_NO_RETRY_LATE: the next attempt would begin after the deadline, or the provider asks for more than
 *         max_retry_after_ns;
 *         TRIP_NO_RETRY_BUDGET: the budget of the provider is used up;
 *         TRIP_E_INVALID: outcome or out_delay_ns is NULL, the struct_size of outcome is out of range, its class is none,
 *         or provider is longer than 255 bytes, or NULL with a length;
 *         TRIP_E_HANDLE: no such rule, or its tracker is destroyed;
 *         TRIP_E_TOO_NEW: outcome has members that this library does not know, and they are not zero
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_retry_next(trip_retry retry, const char *provider, size_t provider_len, uint32_t attempt,
                                     uint64_t began_ns, uint64_t last_delay_ns, const trip_outcome *outcome,
                                     uint64_t *out_delay_ns);

/**
 * The budget and the counters of a provider. One that has no budget of its own is told the shared one.
 *
 * @param retry [handle] the rule
 * @param provider [text] whose
 * @param provider_len [bytes] length of provider
 * @param out_info [trip_retry_info] the answer
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_info is NULL, its struct_size is out of range, provider is longer than 255 bytes, or NULL
 *         with a length;
 *         TRIP_E_HANDLE: no such rule
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_retry_inspect(trip_retry retry, const char *provider, size_t provider_len,
                                        trip_retry_info *out_info);

/* ---- Deduplication ----------------------------------------------------------------------------------------------- */

/**
 * Fill a config with the defaults.
 *
 * @param out_config [trip_dedup_config] written whole; members that this library does not know become 0
 * @param struct_size [bytes] sizeof(trip_dedup_config)
 * @return TRIP_OK; TRIP_E_INVALID: out_config is NULL, or struct_size below the first released size or above 4096
 * [since 1.4] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API trip_status trip_dedup_config_init(trip_dedup_config *out_config, size_t struct_size);

/**
 * Create a deduplicator. The caller owns it and destroys it with trip_dedup_destroy. In the child of a fork its values are
 * there, but calls in progress are the parent's: their keys are free, and their tickets TRIP_STALE.
 *
 * @param tracker [handle] whose clock it goes by; when that is destroyed, it can only be destroyed too. 0: the machine's
 * @param config [trip_dedup_config] read during the call only; NULL: the defaults
 * @param out_dedup [handle] the new deduplicator
 * @param out_error [trip_error] may be NULL; written on failure: which field, and why
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_dedup is NULL, or a struct_size is out of range;
 *         TRIP_E_HANDLE: no such tracker;
 *         TRIP_E_TOO_NEW: config has members that this library does not know, and they are not zero;
 *         TRIP_E_CONFIG: a field is out of range;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: 65535 of them exist;
 *         TRIP_E_SYSTEM: the system gave no random numbers
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_dedup_create(trip_tracker tracker, const trip_dedup_config *config, trip_dedup *out_dedup,
                                       trip_error *out_error);

/**
 * Destroy a deduplicator with its values and tickets: a ticket that is out gets TRIP_E_HANDLE from then on, and who waits
 * is woken and gets it too. Safe while other threads use it.
 *
 * @param dedup [handle] the deduplicator
 * @return TRIP_OK; TRIP_E_HANDLE: no such deduplicator
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_dedup_destroy(trip_dedup dedup);

/**
 * Ask whether a call must be made. Of all who ask for a key at once, one gets the ticket, and has to settle it by
 * trip_ticket_complete, _fail or _drop within lease_ns.
 *
 * @param dedup [handle] the deduplicator
 * @param key [text] which call this is: at most 65536 bytes
 * @param key_len [bytes] length of key
 * @param out_ticket [handle] the duty to make the call; written on TRIP_OK only
 * @param out_value [text] where the value goes, without a NUL; may be NULL when capacity is 0; written on TRIP_CACHED only
 * @param capacity [bytes] room in out_value
 * @param out_len [bytes] length of the value; written on TRIP_CACHED only. More than capacity: nothing was written into
 *        out_value, ask again with more room
 * @return TRIP_OK: nobody has made the call: make it;
 *         TRIP_IN_PROGRESS: somebody is making it;
 *         TRIP_CACHED: it has been made;
 *         TRIP_E_INVALID: an output is NULL, key is longer than 65536 bytes, or NULL with a length;
 *         TRIP_E_HANDLE: no such deduplicator, or its tracker is destroyed;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: max_entries calls are in progress, or their keys with this one are more than max_bytes; or
 *         1048576 tickets are out in the process
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_dedup_check(trip_dedup dedup, const char *key, size_t key_len, trip_ticket *out_ticket,
                                      char *out_value, size_t capacity, size_t *out_len);

/**
 * As trip_dedup_check, but while somebody else is making the call wait for its end. When that brings nothing, who has
 * waited longest gets the next ticket, and the others go on waiting. That a lease on a manual clock is over is noticed when
 * somebody next works with the deduplicator, or when the timeout is over.
 *
 * @param dedup [handle] the deduplicator
 * @param key [text] which call this is: at most 65536 bytes
 * @param key_len [bytes] length of key
 * @param timeout_ns [ns] how long at most, by the machine's clock; UINT64_MAX: as long as it takes
 * @param out_ticket [handle] as in trip_dedup_check
 * @param out_value [text] as in trip_dedup_check
 * @param capacity [bytes] room in out_value
 * @param out_len [bytes] as in trip_dedup_check
 * @return TRIP_OK: nobody has made the call, or whoever did it failed: make it;
 *         TRIP_IN_PROGRESS: the time is over and somebody is still making it;
 *         TRIP_CACHED: it has been made;
 *         TRIP_E_INVALID: as in trip_dedup_check;
 *         TRIP_E_HANDLE: no such deduplicator, or its tracker is destroyed, be it meanwhile;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: as in trip_dedup_check
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_dedup_wait(trip_dedup dedup, const char *key, size_t key_len, uint64_t timeout_ns,
                                     trip_ticket *out_ticket, char *out_value, size_t capacity, size_t *out_len);

/**
 * A descriptor that becomes readable when trip_dedup_check has something else to say of a key than TRIP_IN_PROGRESS, for
 * poll, epoll and what is built on them. It belongs to the caller, who closes it: that is all that giving up takes. Do
 * not read it; ask trip_dedup_check when it is readable. A lease on a manual clock does not make it readable. In the child
 * of a fork it goes on telling of the parent's call.
 *
 * @param dedup [handle] the deduplicator
 * @param key [text] which call: at most 65536 bytes
 * @param key_len [bytes] length of key
 * @param out_fd [fd] the descriptor: non-blocking, closed on exec
 * @return TRIP_OK: it may be readable already;
 *         TRIP_E_INVALID: out_fd is NULL, key is longer than 65536 bytes, or NULL with a length;
 *         TRIP_E_HANDLE: no such deduplicator, or its tracker is destroyed;
 *         TRIP_E_SYSTEM: the system gave no descriptor
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_dedup_watch(trip_dedup dedup, const char *key, size_t key_len, int32_t *out_fd);

/**
 * Forget the value of a key. A call in progress goes on.
 *
 * @param dedup [handle] the deduplicator
 * @param key [text] which call: at most 65536 bytes
 * @param key_len [bytes] length of key
 * @return TRIP_OK: be it that there was none;
 *         TRIP_E_INVALID: key is longer than 65536 bytes, or NULL with a length;
 *         TRIP_E_HANDLE: no such deduplicator
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_dedup_forget(trip_dedup dedup, const char *key, size_t key_len);

/**
 * What a deduplicator holds, and its counters.
 *
 * @param dedup [handle] the deduplicator
 * @param out_info [trip_dedup_info] the answer
 * @return TRIP_OK; TRIP_E_INVALID: out_info is NULL, or its struct_size is out of range; TRIP_E_HANDLE: no such
 *         deduplicator
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_dedup_inspect(trip_dedup dedup, trip_dedup_info *out_info);

/**
 * The call has brought a value: whoever waits for it gets it, and so does who asks within ttl_ns. With a ttl_ns of 0, or
 * when max_bytes has no room for it beside its key and those of the calls in progress, nobody gets it, and those who wait
 * get the next ticket.
 *
 * @param ticket [handle] the ticket
 * @param value [text] any bytes, which are copied
 * @param value_len [bytes] length of value
 * @return TRIP_OK;
 *         TRIP_STALE: the lease is over, and nothing has changed;
 *         TRIP_E_INVALID: value is NULL with a length;
 *         TRIP_E_HANDLE: no such ticket, or its deduplicator or the tracker of that is destroyed;
 *         TRIP_E_CONSUMED: it was settled before;
 *         TRIP_E_NOMEM: out of memory; the ticket is settled as by trip_ticket_fail
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_ticket_complete(trip_ticket ticket, const char *value, size_t value_len);

/**
 * The call has failed: its key is free at once, and one of those who wait gets the next ticket.
 *
 * @param ticket [handle] the ticket
 * @return TRIP_OK; TRIP_STALE: the lease is over, and nothing has changed; TRIP_E_HANDLE: no such ticket, or its
 *         deduplicator or the tracker of that is destroyed; TRIP_E_CONSUMED: it was settled before
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_ticket_fail(trip_ticket ticket);

/**
 * Nobody has settled the ticket, or the call was given up: what a destructor calls. Acts as trip_ticket_fail.
 *
 * @param ticket [handle] the ticket
 * @return TRIP_OK; TRIP_STALE: the lease is over, and nothing has changed; TRIP_E_HANDLE: no such ticket, or its
 *         deduplicator or the tracker of that is destroyed; TRIP_E_CONSUMED: it was settled before
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_ticket_drop(trip_ticket ticket);

/**
 * The call takes longer: its lease begins again.
 *
 * @param ticket [handle] the ticket
 * @return TRIP_OK; TRIP_STALE: the lease is over, and nothing has changed; TRIP_E_HANDLE: no such ticket, or its
 *         deduplicator or the tracker of that is destroyed; TRIP_E_CONSUMED: it was settled before
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_ticket_renew(trip_ticket ticket);

/* ---- Backpressure ------------------------------------------------------------------------------------------------ */

/**
 * Fill a config with the defaults.
 *
 * @param out_config [trip_gate_config] written whole; members that this library does not know become 0
 * @param struct_size [bytes] sizeof(trip_gate_config)
 * @return TRIP_OK; TRIP_E_INVALID: out_config is NULL, or struct_size below the first released size or above 4096
 * [since 1.4] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API trip_status trip_gate_config_init(trip_gate_config *out_config, size_t struct_size);

/**
 * Create a gate. The caller owns it and destroys it with trip_gate_destroy.
 *
 * @param tracker [handle] whose clock it goes by and where its events are told; when that is destroyed, the gate gives no
 *        more tokens. 0: the machine's clock, and no events
 * @param name [text] what its events call it
 * @param name_len [bytes] length of name
 * @param config [trip_gate_config] read during the call only; NULL: the defaults
 * @param out_gate [handle] the new gate
 * @param out_error [trip_error] may be NULL; written on failure: which field, and why
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_gate is NULL, name is longer than 255 bytes, or NULL with a length, or a struct_size is out
 *         of range;
 *         TRIP_E_HANDLE: no such tracker;
 *         TRIP_E_TOO_NEW: config has members that this library does not know, and they are not zero;
 *         TRIP_E_CONFIG: a field is out of range;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: 65535 of them exist;
 *         TRIP_E_SYSTEM: the system gave no random numbers
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_gate_create(trip_tracker tracker, const char *name, size_t name_len,
                                      const trip_gate_config *config, trip_gate *out_gate, trip_error *out_error);

/**
 * Destroy a gate: its tokens get TRIP_E_HANDLE from then on. Safe while other threads use it.
 *
 * @param gate [handle] the gate
 * @return TRIP_OK; TRIP_E_HANDLE: no such gate
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_gate_destroy(trip_gate gate);

/**
 * Ask for one of the places. Whoever gets a token releases it with trip_token_release when the call is over.
 *
 * @param gate [handle] the gate
 * @param out_token [handle] the token; written on TRIP_OK only
 * @param out_shed [trip_shed] may be NULL; written on TRIP_SHED only
 * @return TRIP_OK;
 *         TRIP_SHED: as many tokens are out as may be;
 *         TRIP_E_INVALID: out_token is NULL, or the struct_size of out_shed is out of range;
 *         TRIP_E_HANDLE: no such gate, or its tracker is destroyed;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: 1048576 tokens of all gates are out
 * [since 1.4] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_gate_acquire(trip_gate gate, trip_token *out_token, trip_shed *out_shed);

/**
 * The call is over: give its place back. How it went is for gates that adapt.
 *
 * @param token [handle] the token
 * @param effect [TRIP_EFFECT_*] success: it tells how long calls take; failure: so it does, and that there are too many;
 *        nothing: it tells nothing, as one that was given up
 * @return TRIP_OK;
 *         TRIP_STALE: the token was acquired before a fork, by the parent;
 *         TRIP_E_INVALID: no such effect; the token is still out;
 *         TRIP_E_HANDLE: no such token, or its gate is destroyed;
 *         TRIP_E_CONSUMED: it was released before, and nothing has changed
 * [since 1.4] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_token_release(trip_token token, uint32_t effect);

/**
 * How full a gate is, and its counters.
 *
 * @param gate [handle] the gate
 * @param out_info [trip_gate_info] the answer
 * @return TRIP_OK; TRIP_E_INVALID: out_info is NULL, or its struct_size is out of range; TRIP_E_HANDLE: no such gate
 * [since 1.4] [thread-safe] [fork-safe] [non-blocking]
 */
TRIP_API trip_status trip_gate_inspect(trip_gate gate, trip_gate_info *out_info);

/* ---- Routes ------------------------------------------------------------------------------------------------------ */

/**
 * Fill a config with the defaults.
 *
 * @param out_config [trip_route_config] written whole; members that this library does not know become 0
 * @param struct_size [bytes] sizeof(trip_route_config)
 * @return TRIP_OK; TRIP_E_INVALID: out_config is NULL, or struct_size below the first released size or above 4096
 * [since 1.4] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API trip_status trip_route_config_init(trip_route_config *out_config, size_t struct_size);

/**
 * Create a route, which has no providers yet. The caller owns it and destroys it with trip_route_destroy.
 *
 * @param tracker [handle] whose circuits it asks
 * @param tenant [text] whose calls these are
 * @param tenant_len [bytes] length of tenant
 * @param config [trip_route_config] read during the call only; NULL: the defaults
 * @param out_route [handle] the new route
 * @param out_error [trip_error] may be NULL; written on failure: which field, and why
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_route is NULL, tenant is longer than 255 bytes, or NULL with a length, or a struct_size is
 *         out of range;
 *         TRIP_E_HANDLE: no such tracker;
 *         TRIP_E_TOO_NEW: config has members that this library does not know, and they are not zero;
 *         TRIP_E_CONFIG: a field is out of range;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: 65535 of them exist;
 *         TRIP_E_SYSTEM: the system gave no random numbers
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_route_create(trip_tracker tracker, const char *tenant, size_t tenant_len,
                                       const trip_route_config *config, trip_route *out_route, trip_error *out_error);

/**
 * Destroy a route. Its circuits and the permits that it gave stay. Safe while other threads use it.
 *
 * @param route [handle] the route
 * @return TRIP_OK; TRIP_E_HANDLE: no such route
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_route_destroy(trip_route route);

/**
 * Add a provider, behind those that are there.
 *
 * @param route [handle] the route
 * @param provider [text] who may be called
 * @param provider_len [bytes] length of provider
 * @param weight [count] its share of the calls, to those of the others; 1 to 1000000. It counts where providers are drawn
 *        or sessions are spread over them
 * @return TRIP_OK;
 *         TRIP_E_INVALID: weight is out of range, provider is longer than 255 bytes, or NULL with a length, or is on the
 *         route already;
 *         TRIP_E_HANDLE: no such route;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: 64 providers are on the route
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_route_add(trip_route route, const char *provider, size_t provider_len, uint32_t weight);

/**
 * A permit of the first provider whose circuit admits the call. Calls of a session go to the same provider as long as it
 * admits them, in every process and on every machine (rendezvous hashing; ABI.md says how), whatever the order is.
 *
 * @param route [handle] the route
 * @param session [text] what keeps calls together; empty: nothing does
 * @param session_len [bytes] length of session
 * @param avoid [bits] providers that are asked last, as those that have just failed: 1 << their index
 * @param out_permit [handle] the permit; written on TRIP_OK only
 * @param out_index [count] whose it is: 0 for the provider that was added first; written on TRIP_OK only
 * @param out_rejection [trip_rejection] may be NULL; written on a rejection only: that of the circuit that says the
 *        soonest retry_after_ns
 * @return TRIP_OK;
 *         TRIP_REJECTED_OPEN; TRIP_REJECTED_PROBING; TRIP_REJECTED_RAMP; TRIP_REJECTED_FORCED: all refuse, and that circuit
 *         for this reason;
 *         TRIP_E_INVALID: an output is NULL, session is longer than 255 bytes, or NULL with a length, the struct_size of
 *         out_rejection is out of range, or the route has no providers;
 *         TRIP_E_HANDLE: no such route, or its tracker is destroyed;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: 1048576 permits are out, or no circuit could be made
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_route_permit(trip_route route, const char *session, size_t session_len, uint64_t avoid,
                                       trip_permit *out_permit, uint32_t *out_index, trip_rejection *out_rejection);

/**
 * The circuit of a provider on a route.
 *
 * @param route [handle] the route
 * @param index [count] 0 for the provider that was added first
 * @param out_circuit [handle] the circuit, which the tracker owns
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_circuit is NULL, or so many providers are not on the route;
 *         TRIP_E_HANDLE: no such route, or its tracker is destroyed;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: no circuit could be made
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_route_circuit(trip_route route, uint32_t index, trip_circuit *out_circuit);

/* ---- Pipelines --------------------------------------------------------------------------------------------------- */

/**
 * Create a pipeline, which has no stages yet. The caller owns it and destroys it with trip_pipeline_destroy.
 *
 * @param out_pipeline [handle] the new pipeline
 * @return TRIP_OK; TRIP_E_INVALID: out_pipeline is NULL; TRIP_E_NOMEM: out of memory; TRIP_E_CAPACITY: 65535 of them
 *         exist; TRIP_E_SYSTEM: the system gave no random numbers
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_pipeline_create(trip_pipeline *out_pipeline);

/**
 * Destroy a pipeline. Runs that are in it go on to their end, then their stages are released.
 *
 * @param pipeline [handle] the pipeline
 * @return TRIP_OK; TRIP_E_HANDLE: no such pipeline
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_pipeline_destroy(trip_pipeline pipeline);

/**
 * Add a stage, behind those that are there. Runs that are in the pipeline go on without it.
 *
 * @param pipeline [handle] the pipeline
 * @param name [text] what a failure calls it
 * @param name_len [bytes] length of name
 * @param stage [callback] what it does; called with no lock held, by any number of threads at once
 * @param user_data [pointer] its first argument; any, NULL too
 * @param finalizer [callback] told when the stage is over for good; may be NULL. On an error it is not: user_data stays the
 *        caller's
 * @return TRIP_OK;
 *         TRIP_E_INVALID: stage is NULL, name is longer than 255 bytes, or NULL with a length;
 *         TRIP_E_HANDLE: no such pipeline;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: it has 1024 stages
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_pipeline_add(trip_pipeline pipeline, const char *name, size_t name_len, trip_stage stage,
                                       void *user_data, trip_finalizer finalizer);

/**
 * How many stages a pipeline has.
 *
 * @param pipeline [handle] the pipeline
 * @param out_stages [count] how many
 * @return TRIP_OK; TRIP_E_INVALID: out_stages is NULL; TRIP_E_HANDLE: no such pipeline
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_pipeline_count(trip_pipeline pipeline, uint32_t *out_stages);

/**
 * Pass bytes through the stages, in order: the output of one is the input of the next. Without stages the output is the
 * input. The first that fails is the last that runs. A stage may run this or another pipeline.
 *
 * @param pipeline [handle] the pipeline
 * @param input [text] any bytes, of any length, which are only read
 * @param input_len [bytes] length of input
 * @param out_output [handle] what the last stage wrote; the caller frees it with trip_output_free. Written on TRIP_OK only
 * @param out_failure [trip_stage_failure] may be NULL; written on TRIP_STAGE_FAILED only
 * @return TRIP_OK;
 *         TRIP_STAGE_FAILED: out_failure says which, and how;
 *         TRIP_E_INVALID: out_output is NULL, input is NULL with a length, or the struct_size of out_failure is out of
 *         range;
 *         TRIP_E_HANDLE: no such pipeline;
 *         TRIP_E_NOMEM: out of memory, a stage's output included, whatever the stage made of that;
 *         TRIP_E_CAPACITY: 65535 outputs exist
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_pipeline_run(trip_pipeline pipeline, const char *input, size_t input_len,
                                       trip_output *out_output, trip_stage_failure *out_failure);

/**
 * Append bytes to an output: for a stage, while it runs, on any thread.
 *
 * @param output [handle] what the stage was given
 * @param bytes [text] any bytes, of any length, which are copied
 * @param bytes_len [bytes] how many
 * @return TRIP_OK;
 *         TRIP_E_INVALID: bytes is NULL with a length;
 *         TRIP_E_HANDLE: no such output;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_UNSUPPORTED: the stage is over, the output can only be read
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_output_write(trip_output output, const char *bytes, size_t bytes_len);

/**
 * Read an output. It may be read any number of times.
 *
 * @param output [handle] the output
 * @param out_bytes [text] where the bytes go, without a NUL; may be NULL when capacity is 0
 * @param capacity [bytes] room in out_bytes
 * @param out_len [bytes] how many there are; written with TRIP_E_CAPACITY too
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_len is NULL, or out_bytes is NULL and capacity is not 0;
 *         TRIP_E_HANDLE: no such output;
 *         TRIP_E_CAPACITY: there are more than capacity; nothing else was written
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_output_read(trip_output output, char *out_bytes, size_t capacity, size_t *out_len);

/**
 * Free an output that trip_pipeline_run gave.
 *
 * @param output [handle] the output
 * @return TRIP_OK; TRIP_E_HANDLE: no such output; TRIP_E_UNSUPPORTED: its stage runs, and it is not the caller's
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_output_free(trip_output output);

/* ---- Guards ------------------------------------------------------------------------------------------------------ */

/**
 * Fill a config with the defaults.
 *
 * @param out_config [trip_guard_config] written whole; members that this library does not know become 0
 * @param struct_size [bytes] sizeof(trip_guard_config)
 * @return TRIP_OK; TRIP_E_INVALID: out_config is NULL, or struct_size below the first released size or above 4096
 * [since 1.4] [thread-safe] [fork-safe] [non-blocking] [signal-safe]
 */
TRIP_API trip_status trip_guard_config_init(trip_guard_config *out_config, size_t struct_size);

/**
 * Put a circuit before a function. The signature is the type of its result and, in parentheses, those of its parameters:
 * void, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float, double, pointer. "int32 (pointer, uint64)" is
 * int f(void *, size_t) where these have 32 and 64 bits. The guard remembers whose circuit it is: when that is evicted or
 * removed it is made anew. The caller owns the guard and destroys it with trip_guard_destroy.
 *
 * @param circuit [handle] who is asked before each call
 * @param function [callback] the function; must stay loaded while the guard, or what trip_guard_pointer gave, is used
 * @param signature [text] its types; at most 64 parameters, and 1024 bytes
 * @param signature_len [bytes] length of signature
 * @param config [trip_guard_config] read during the call only; NULL: the defaults
 * @param classifier [callback] judges results where the rule is TRIP_RULE_CLASSIFIER, else NULL; called with no lock held,
 *        by any number of threads at once
 * @param user_data [pointer] its first argument; any, NULL too
 * @param finalizer [callback] told when the classifier will not be called again; may be NULL. On an error it is not:
 *        user_data stays the caller's
 * @param out_guard [handle] the new guard
 * @param out_error [trip_error] may be NULL; written on failure: which field, or what of the signature, and why
 * @return TRIP_OK;
 *         TRIP_E_INVALID: function or out_guard is NULL, signature is none, or is longer than 1024 bytes, or a struct_size
 *         is out of range;
 *         TRIP_E_HANDLE: no such circuit;
 *         TRIP_E_TOO_NEW: config has members that this library does not know, and they are not zero;
 *         TRIP_E_CONFIG: a field is out of range, the rule does not fit the type of the result, or there is a classifier
 *         without TRIP_RULE_CLASSIFIER, or the other way round;
 *         TRIP_E_UNSUPPORTED: the function is variadic, has structs by value, or the library was built without libffi;
 *         TRIP_E_NOMEM: out of memory;
 *         TRIP_E_CAPACITY: 65535 of them exist
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_guard_create(trip_circuit circuit, trip_function function, const char *signature,
                                       size_t signature_len, const trip_guard_config *config,
                                       trip_classifier classifier, void *user_data, trip_finalizer finalizer,
                                       trip_guard *out_guard, trip_error *out_error);

/**
 * Destroy a guard. Calls that are in it go on to their end. What trip_guard_pointer gave may be called as before: it
 * calls the function without asking anybody.
 *
 * @param guard [handle] the guard
 * @return TRIP_OK; TRIP_E_HANDLE: no such guard
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_guard_destroy(trip_guard guard);

/**
 * Call the function, if its circuit admits the call, and record how it went. The permit is asked for and settled here;
 * where there is none for want of memory or places, the function is called all the same. errno is the function's. A
 * function that never comes back, as by longjmp or an exception, leaves the permit out and the guard in use.
 *
 * @param guard [handle] the guard
 * @param arguments [pointer] the arguments: each points to one, of the type in the signature; NULL where there are none
 * @param argument_count [count] how many
 * @param out_result [pointer] room for the result, as wide as its type; NULL: it is not wanted
 * @param out_rejection [trip_rejection] may be NULL; written on a rejection only
 * @return TRIP_OK: the function was called, whatever it returned;
 *         TRIP_REJECTED_OPEN; TRIP_REJECTED_PROBING; TRIP_REJECTED_RAMP; TRIP_REJECTED_FORCED: it was not;
 *         TRIP_E_INVALID: arguments or one of them is NULL, argument_count is not that of the signature, or the struct_size
 *         of out_rejection is out of range;
 *         TRIP_E_HANDLE: no such guard
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_guard_call(trip_guard guard, const void *const *arguments, size_t argument_count,
                                     void *out_result, trip_rejection *out_rejection);

/**
 * A function of the same signature that does what trip_guard_call does, and returns refused_result when the circuit
 * refuses: to be put where a program keeps a pointer to the function itself. It is never freed, so that no call can come
 * too late: each guard has one, and each takes some 200 bytes for as long as the process lives.
 *
 * @param guard [handle] the guard
 * @param out_function [callback] the function; the same for every caller
 * @return TRIP_OK;
 *         TRIP_E_INVALID: out_function is NULL;
 *         TRIP_E_HANDLE: no such guard;
 *         TRIP_E_UNSUPPORTED: the system allows no functions that are made at run time, or no more of them in the child of
 *         a fork, as where memory is never both written and executed;
 *         TRIP_E_NOMEM: out of memory
 * [since 1.4] [thread-safe] [fork-safe]
 */
TRIP_API trip_status trip_guard_pointer(trip_guard guard, trip_function *out_function);

#ifdef __cplusplus
}
#endif

#endif
