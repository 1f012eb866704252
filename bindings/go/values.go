// This file owns the named values of the contract.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"math"
	"strconv"
)

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

// Effect is what an outcome counts as.
type Effect int

// The library's values are one less: a Config that says nothing of a class leaves it its default.
const (
	EffectDefault Effect = iota
	EffectFailure        // a failure
	EffectSuccess        // a success: the provider is up, whatever it thought of the request
	EffectNothing        // nothing; it frees a probe
)

// abi makes of an effect that does not exist one that the library does not have either.
func (e Effect) abi() C.uint32_t {
	if effect := e - EffectFailure + C.TRIP_EFFECT_FAILURE; effect >= 0 && uint64(effect) <= math.MaxUint32 {
		return C.uint32_t(effect)
	}
	return math.MaxUint32
}

// Clock is what measures the time of a tracker.
type Clock uint32

const (
	ClockMonotonic Clock = C.TRIP_CLOCK_MONOTONIC // the machine's CLOCK_MONOTONIC
	ClockManual    Clock = C.TRIP_CLOCK_MANUAL    // starts at 0 and moves by Tracker.Advance alone, for tests
)

// Class is what kind of success or failure a call was.
type Class uint32

const (
	ClassSuccess         Class = C.TRIP_CLASS_SUCCESS          // the provider did what it was asked to do
	ClassServerError     Class = C.TRIP_CLASS_SERVER_ERROR     // the provider failed and says so
	ClassRateLimited     Class = C.TRIP_CLASS_RATE_LIMITED     // too many requests or tokens for now; it passes soon
	ClassOverloaded      Class = C.TRIP_CLASS_OVERLOADED       // the provider has more to do than it can, for everybody
	ClassNetwork         Class = C.TRIP_CLASS_NETWORK          // no answer: name resolution, connection or TLS failed
	ClassTimeout         Class = C.TRIP_CLASS_TIMEOUT          // no answer in time
	ClassQuota           Class = C.TRIP_CLASS_QUOTA            // what was paid for is used up
	ClassAuth            Class = C.TRIP_CLASS_AUTH             // the key is wrong, or may not do this
	ClassInvalidRequest  Class = C.TRIP_CLASS_INVALID_REQUEST  // the request is wrong: the caller's mistake
	ClassContextOverflow Class = C.TRIP_CLASS_CONTEXT_OVERFLOW // the request is longer than the model takes
	ClassNotFound        Class = C.TRIP_CLASS_NOT_FOUND        // there is no such model or resource
	ClassContentFiltered Class = C.TRIP_CLASS_CONTENT_FILTERED // the provider will not answer this, for what it says
	ClassCancelled       Class = C.TRIP_CLASS_CANCELLED        // the caller gave up
	ClassUnknown         Class = C.TRIP_CLASS_UNKNOWN          // none of these can be told; nothing is guessed
)

var classTexts = [...]string{
	ClassSuccess:         "success",
	ClassServerError:     "server error",
	ClassRateLimited:     "rate limited",
	ClassOverloaded:      "overloaded",
	ClassNetwork:         "network",
	ClassTimeout:         "timeout",
	ClassQuota:           "quota",
	ClassAuth:            "auth",
	ClassInvalidRequest:  "invalid request",
	ClassContextOverflow: "context overflow",
	ClassNotFound:        "not found",
	ClassContentFiltered: "content filtered",
	ClassCancelled:       "cancelled",
	ClassUnknown:         "unknown",
}

// String is such as "rate limited".
func (c Class) String() string {
	if int(c) < len(classTexts) {
		return classTexts[c]
	}
	return "class " + strconv.FormatUint(uint64(c), 10)
}

// Feature is something that a library may have.
type Feature uint32

const (
	FeatureCircuits Feature = C.TRIP_FEATURE_CIRCUITS // trackers, circuits and permits: always there
	FeatureOutcomes Feature = C.TRIP_FEATURE_OUTCOMES // classification of outcomes, and hints when to come back
	FeatureExpress  Feature = C.TRIP_FEATURE_EXPRESS  // calls to a healthy circuit without a call into the library
	FeatureWindows  Feature = C.TRIP_FEATURE_WINDOWS  // windows, slow and hung calls, ramps and streams
)
