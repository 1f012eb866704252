// This file owns the named values of the contract.

package trip

/*
#include <trip.h>
*/
import "C"

import "strconv"

// State is the state of a circuit.
type State uint32

const (
	StateClosed   State = C.TRIP_STATE_CLOSED    // calls pass; failures in a row are counted
	StateOpen     State = C.TRIP_STATE_OPEN      // calls are refused until the open period is over
	StateHalfOpen State = C.TRIP_STATE_HALF_OPEN // a few calls pass as probes; their outcome decides
)

// String is "closed", "open" or "half-open".
func (s State) String() string {
	switch s {
	case StateClosed:
		return "closed"
	case StateOpen:
		return "open"
	case StateHalfOpen:
		return "half-open"
	}
	return "state " + strconv.FormatUint(uint64(s), 10)
}

// Mode is who decides about a circuit.
type Mode uint32

const (
	ModeAuto Mode = C.TRIP_MODE_AUTO // the circuit decides for itself
)

// Backoff is how often open periods grow.
type Backoff uint32

const (
	BackoffFirst    Backoff = C.TRIP_BACKOFF_FIRST    // after a failed probe: min(initial * multiplier, max), each time
	BackoffCompound Backoff = C.TRIP_BACKOFF_COMPOUND // after the n-th in a row: min(initial * multiplier^n, max)
)

// Drop is what a permit that nobody recorded counts as.
type Drop uint32

const (
	DropFailure Drop = C.TRIP_DROP_FAILURE // a failure
	DropCancel  Drop = C.TRIP_DROP_CANCEL  // nothing; it frees its probe
)

// Clock is what measures the time of a tracker.
type Clock uint32

const (
	ClockMonotonic Clock = C.TRIP_CLOCK_MONOTONIC // the machine's CLOCK_MONOTONIC
	ClockManual    Clock = C.TRIP_CLOCK_MANUAL    // starts at 0 and moves by Tracker.Advance alone, for tests
)

// Feature is something that a library may have.
type Feature uint32

const (
	FeatureCircuits Feature = C.TRIP_FEATURE_CIRCUITS // trackers, circuits and permits: always there
	FeatureExpress  Feature = C.TRIP_FEATURE_EXPRESS  // calls to a healthy circuit without a call into the library
)
