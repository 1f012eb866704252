// This file owns the policy of a tracker: the Go form of trip_config, its defaults, and the way between the two.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"cmp"
	"time"
	"unsafe"
)

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

	// Exact takes zero fields as zero, not as their defaults.
	Exact bool
	// OnError is told when [Execute] makes a call unguarded, or cannot record its outcome, because the library failed.
	// It may be called by several goroutines at once. Nil: such errors go to the default logger of log/slog.
	OnError func(error)
}

// DefaultConfig returns the library's defaults, with Exact set.
func DefaultConfig() Config {
	config := defaults()
	return Config{
		FailureThreshold:  uint32(config.failure_threshold),
		InitialOpen:       time.Duration(config.initial_open_ns),
		MaxOpen:           time.Duration(config.max_open_ns),
		BackoffMultiplier: float64(config.backoff_multiplier),
		Backoff:           Backoff(config.backoff),
		HalfOpenMaxProbes: uint32(config.half_open_max_probes),
		HalfOpenSuccesses: uint32(config.half_open_successes),
		OnDrop:            Drop(config.on_drop),
		ProbeLease:        time.Duration(config.probe_lease_ns),
		ProbeRetry:        time.Duration(config.probe_retry_ns),
		Jitter:            float64(config.jitter),
		Clock:             Clock(config.clock),
		MaxCircuits:       uint32(config.max_circuits),
		Exact:             true,
	}
}

func defaults() (config C.trip_config) {
	C.trip_config_init(&config, C.sizeof_trip_config) // cannot fail: both arguments are right
	return config
}

// abi is the config as the library reads it. A negative duration becomes more than a year and is refused there.
func (c Config) abi() C.trip_config {
	config := defaults()
	assign(&config.failure_threshold, c.FailureThreshold, c.Exact)
	assign(&config.initial_open_ns, c.InitialOpen, c.Exact)
	assign(&config.max_open_ns, c.MaxOpen, c.Exact)
	assign(&config.backoff_multiplier, c.BackoffMultiplier, c.Exact)
	assign(&config.backoff, c.Backoff, c.Exact)
	assign(&config.half_open_max_probes, c.HalfOpenMaxProbes, c.Exact)
	assign(&config.half_open_successes, c.HalfOpenSuccesses, c.Exact)
	assign(&config.on_drop, c.OnDrop, c.Exact)
	assign(&config.probe_lease_ns, c.ProbeLease, c.Exact)
	assign(&config.probe_retry_ns, c.ProbeRetry, c.Exact)
	assign(&config.jitter, c.Jitter, c.Exact)
	assign(&config.clock, c.Clock, c.Exact)
	assign(&config.max_circuits, c.MaxCircuits, c.Exact)
	return config
}

type number interface {
	~uint32 | ~uint64 | ~int64 | ~float64
}

func assign[T, V number](field *T, value V, exact bool) {
	if exact {
		*field = T(value)
	} else {
		*field = cmp.Or(T(value), *field)
	}
}

// fieldAt names the Config field at fault by its place in trip_config; none for UINT32_MAX and for fields unknown here.
func fieldAt(offset C.uint32_t) string {
	var config C.trip_config
	switch uintptr(offset) {
	case unsafe.Offsetof(config.failure_threshold):
		return "FailureThreshold"
	case unsafe.Offsetof(config.initial_open_ns):
		return "InitialOpen"
	case unsafe.Offsetof(config.max_open_ns):
		return "MaxOpen"
	case unsafe.Offsetof(config.backoff_multiplier):
		return "BackoffMultiplier"
	case unsafe.Offsetof(config.backoff):
		return "Backoff"
	case unsafe.Offsetof(config.half_open_max_probes):
		return "HalfOpenMaxProbes"
	case unsafe.Offsetof(config.half_open_successes):
		return "HalfOpenSuccesses"
	case unsafe.Offsetof(config.on_drop):
		return "OnDrop"
	case unsafe.Offsetof(config.probe_lease_ns):
		return "ProbeLease"
	case unsafe.Offsetof(config.probe_retry_ns):
		return "ProbeRetry"
	case unsafe.Offsetof(config.jitter):
		return "Jitter"
	case unsafe.Offsetof(config.clock):
		return "Clock"
	case unsafe.Offsetof(config.max_circuits):
		return "MaxCircuits"
	}
	return ""
}
