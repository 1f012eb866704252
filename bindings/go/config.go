// This file owns the policy of a tracker: the Go form of trip_config, its defaults, and the way between the two.
// Between others of the library's configs and their Go forms it is the same way, pairing.go's.

package trip

/*
#include <trip.h>
*/
import "C"

import "time"

// Config says how the circuits of a tracker behave. A zero field means the default, so that a literal names only what
// differs; values out of range are refused by [NewTracker] with a [*ConfigError].
//
// Where zero itself is meant, as for a ProbeRetry of nothing, start from [DefaultConfig], which returns every default
// spelled out and sets Exact: then each field counts as it stands.
type Config struct {
	// FailureThreshold is the number of failures in a row that open a circuit; default 5.
	FailureThreshold uint32
	// InitialOpen is the first open period; above 0, at most MaxOpen, default 30 s.
	InitialOpen time.Duration
	// MaxOpen is the cap on every open period; at most one year, default 300 s.
	MaxOpen time.Duration
	// BackoffMultiplier is how open periods grow; finite, at least 1, default 2.
	BackoffMultiplier float64
	// Backoff is how often they grow; default BackoffFirst.
	Backoff Backoff
	// HalfOpenMaxProbes is the number of probes out at once; 1 to 63, default 1.
	HalfOpenMaxProbes uint32
	// HalfOpenSuccesses is the number of probes that must succeed to close the circuit; 1 to 63, default 1.
	HalfOpenSuccesses uint32
	// OnDrop is what a dropped permit counts as; default DropFailure.
	OnDrop Drop
	// ProbeLease is the time after which an unsettled probe counts as dropped; 4 ms to one year, default 600 s.
	ProbeLease time.Duration
	// ProbeRetry is what a circuit whose probes are all out tells callers to wait; at most one year, default 50 ms.
	ProbeRetry time.Duration
	// Jitter is the share by which open periods are stretched at most; 0 to 1, default 0.
	Jitter float64
	// Clock is what measures time; default ClockMonotonic.
	Clock Clock
	// MaxCircuits is the number of circuits kept at most; 1 to 16777216, default 65536.
	MaxCircuits uint32

	// OnServerError and so on are what [Permit.Record] makes of each class; EffectDefault is what stands beside it.
	OnServerError     Effect // a failure
	OnRateLimited     Effect // a failure
	OnOverloaded      Effect // a failure
	OnNetwork         Effect // a failure
	OnTimeout         Effect // a failure
	OnQuota           Effect // a failure, which opens for QuotaOpen
	OnAuth            Effect // a success, as all mistakes of the caller
	OnInvalidRequest  Effect // a success
	OnContextOverflow Effect // a success
	OnNotFound        Effect // a success
	OnContentFiltered Effect // a success
	OnCancelled       Effect // nothing
	OnUnknown         Effect // nothing

	// HalfOpenProbes is the number of probes of which HalfOpenSuccesses must succeed: more than that, at most 15. Default
	// 0: as many, so that the first that fails opens again.
	HalfOpenProbes uint32
	// QuotaOpen is how long a used-up quota keeps its circuit open where the provider does not say; above 0, at most one
	// year, default 600 s.
	QuotaOpen time.Duration
	// MaxRetryAfter is the cap on what a provider may ask for; at most one year, default 1 h. Zero, with Exact: it is not
	// heeded.
	MaxRetryAfter time.Duration
	// SlowCall is the time after which a call is slow; at most one year. Default 0: none is.
	SlowCall time.Duration
	// CountWindow judges the last so many calls; at most 2047. Default 0: they are not judged.
	CountWindow uint32
	// CountMinimum is the number of calls before which they are not judged; at most CountWindow, default 10.
	CountMinimum uint32
	// CountFailureRatio opens when such a share of them failed; 0 to 1, default 0.5. Zero, with Exact: never.
	CountFailureRatio float64
	// CountSlowRatio opens when such a share of them was slow; 0 to 1. Default 0: never.
	CountSlowRatio float64
	// TimeWindow judges the calls of so long; at most one year. Default 0: they are not judged.
	TimeWindow time.Duration
	// TimeBuckets is the number of its steps, each at least 10 ms; 1 to 64, default 10.
	TimeBuckets uint32
	// TimeMinimum is the number of calls before which they are not judged; above 0, default 10.
	TimeMinimum uint32
	// TimeFailureRatio is as CountFailureRatio; default 0.5.
	TimeFailureRatio float64
	// TimeSlowRatio is as CountSlowRatio; default 0.
	TimeSlowRatio float64
	// Hang is the time after which a call that has not ended hangs; at most one year, default 0.
	Hang time.Duration
	// HangCalls opens when so many calls hang; at most 1048576. Default 0: never.
	HangCalls uint32
	// RampSteps is the number of steps in which the share of admitted calls grows; 1 to 100, default 4.
	RampSteps uint32
	// Ramp is how long it grows after a circuit has closed again; at most one year. Default 0: all are admitted at once.
	Ramp time.Duration
	// Stall is the time without progress after which a stream has failed; at most one year. Default 0: it may take its
	// time.
	Stall time.Duration

	// Exact takes zero fields as zero, not as their defaults.
	Exact bool
	// OnError is told when [Execute] makes a call unguarded, or cannot record its outcome, because the library failed.
	// It may be called by several goroutines at once. Nil: such errors go to the default logger of log/slog.
	OnError func(error)
}

// DefaultConfig returns the library's defaults, with Exact set.
func DefaultConfig() Config {
	config, abi := Config{Exact: true}, defaults()
	config.fields(&abi, &walk{does: read})
	return config
}

func defaults() (config C.trip_config) {
	C.trip_config_init(&config, C.sizeof_trip_config) // cannot fail: both arguments are right
	return config
}

// abi is the config as the library reads it. A negative duration becomes more than a year and is refused there.
func (c Config) abi() C.trip_config {
	abi := defaults()
	c.fields(&abi, &walk{does: write, isExact: c.Exact})
	return abi
}

func (c *Config) fields(abi *C.trip_config, w *walk) {
	pair(w, "FailureThreshold", &abi.failure_threshold, &c.FailureThreshold)
	pair(w, "InitialOpen", &abi.initial_open_ns, &c.InitialOpen)
	pair(w, "MaxOpen", &abi.max_open_ns, &c.MaxOpen)
	pair(w, "BackoffMultiplier", &abi.backoff_multiplier, &c.BackoffMultiplier)
	pair(w, "Backoff", &abi.backoff, &c.Backoff)
	pair(w, "HalfOpenMaxProbes", &abi.half_open_max_probes, &c.HalfOpenMaxProbes)
	pair(w, "HalfOpenSuccesses", &abi.half_open_successes, &c.HalfOpenSuccesses)
	pair(w, "OnDrop", &abi.on_drop, &c.OnDrop)
	pair(w, "ProbeLease", &abi.probe_lease_ns, &c.ProbeLease)
	pair(w, "ProbeRetry", &abi.probe_retry_ns, &c.ProbeRetry)
	pair(w, "Jitter", &abi.jitter, &c.Jitter)
	pair(w, "Clock", &abi.clock, &c.Clock)
	pair(w, "MaxCircuits", &abi.max_circuits, &c.MaxCircuits)
	c.effects(abi, w)
	pair(w, "HalfOpenProbes", &abi.half_open_probes, &c.HalfOpenProbes)
	pair(w, "QuotaOpen", &abi.quota_open_ns, &c.QuotaOpen)
	pair(w, "MaxRetryAfter", &abi.max_retry_after_ns, &c.MaxRetryAfter)
	pair(w, "SlowCall", &abi.slow_call_ns, &c.SlowCall)
	pair(w, "CountWindow", &abi.count_window, &c.CountWindow)
	pair(w, "CountMinimum", &abi.count_minimum, &c.CountMinimum)
	pair(w, "CountFailureRatio", &abi.count_failure_ratio, &c.CountFailureRatio)
	pair(w, "CountSlowRatio", &abi.count_slow_ratio, &c.CountSlowRatio)
	pair(w, "TimeWindow", &abi.time_window_ns, &c.TimeWindow)
	pair(w, "TimeBuckets", &abi.time_buckets, &c.TimeBuckets)
	pair(w, "TimeMinimum", &abi.time_minimum, &c.TimeMinimum)
	pair(w, "TimeFailureRatio", &abi.time_failure_ratio, &c.TimeFailureRatio)
	pair(w, "TimeSlowRatio", &abi.time_slow_ratio, &c.TimeSlowRatio)
	pair(w, "Hang", &abi.hang_ns, &c.Hang)
	pair(w, "HangCalls", &abi.hang_calls, &c.HangCalls)
	pair(w, "RampSteps", &abi.ramp_steps, &c.RampSteps)
	pair(w, "Ramp", &abi.ramp_ns, &c.Ramp)
	pair(w, "Stall", &abi.stall_ns, &c.Stall)
}

func (c *Config) effects(abi *C.trip_config, w *walk) {
	pairChoice(w, "OnServerError", &abi.on_server_error, &c.OnServerError)
	pairChoice(w, "OnRateLimited", &abi.on_rate_limited, &c.OnRateLimited)
	pairChoice(w, "OnOverloaded", &abi.on_overloaded, &c.OnOverloaded)
	pairChoice(w, "OnNetwork", &abi.on_network, &c.OnNetwork)
	pairChoice(w, "OnTimeout", &abi.on_timeout, &c.OnTimeout)
	pairChoice(w, "OnQuota", &abi.on_quota, &c.OnQuota)
	pairChoice(w, "OnAuth", &abi.on_auth, &c.OnAuth)
	pairChoice(w, "OnInvalidRequest", &abi.on_invalid_request, &c.OnInvalidRequest)
	pairChoice(w, "OnContextOverflow", &abi.on_context_overflow, &c.OnContextOverflow)
	pairChoice(w, "OnNotFound", &abi.on_not_found, &c.OnNotFound)
	pairChoice(w, "OnContentFiltered", &abi.on_content_filtered, &c.OnContentFiltered)
	pairChoice(w, "OnCancelled", &abi.on_cancelled, &c.OnCancelled)
	pairChoice(w, "OnUnknown", &abi.on_unknown, &c.OnUnknown)
}
