// This file owns the way from a status of the library to a Go error: answer, refusal and reasoned are the only
// places that go it.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"fmt"
	"time"
)

// Status is an answer or error of the library, and a Go error to be compared with [errors.Is].
type Status int32

const (
	// ErrOpen: the circuit refuses the call. Every refusal, an [*OpenError], is ErrOpen.
	ErrOpen Status = C.TRIP_REJECTED_OPEN
	// ErrProbing: the refusal of a half-open circuit whose probes are all out.
	ErrProbing Status = C.TRIP_REJECTED_PROBING
	// ErrForced: the refusal of a circuit that an operator has forced open.
	ErrForced Status = C.TRIP_REJECTED_FORCED
	// ErrRamp: the refusal of a circuit that has just closed and admits a growing share of the calls.
	ErrRamp Status = C.TRIP_REJECTED_RAMP
	// ErrStale: the circuit has moved on since the permit was granted. The settlement is counted and has changed no
	// state; callers may ignore it.
	ErrStale Status = C.TRIP_STALE
	// ErrNoHint: a header or a text says nothing about when to come back. Nothing is wrong with it.
	ErrNoHint Status = C.TRIP_NO_HINT

	// ErrInvalid: an argument is wrong, such as a tenant longer than 255 bytes.
	ErrInvalid Status = C.TRIP_E_INVALID
	// ErrHandle: the tracker is closed, or there never was such a tracker, circuit or permit.
	ErrHandle Status = C.TRIP_E_HANDLE
	// ErrConsumed: the permit has been settled before.
	ErrConsumed Status = C.TRIP_E_CONSUMED
	// ErrNoMemory: out of memory.
	ErrNoMemory Status = C.TRIP_E_NOMEM
	// ErrCapacity: a bound is reached: of circuits, trackers, policies, permits out, or lease extensions.
	ErrCapacity Status = C.TRIP_E_CAPACITY
	// ErrConfig: a field of the Config is out of range; the [*ConfigError] says which and why.
	ErrConfig Status = C.TRIP_E_CONFIG
	// ErrTooNew: this package is newer than the library that was loaded, and asked for something it does not know.
	ErrTooNew Status = C.TRIP_E_TOO_NEW
	// ErrUnsupported: this object cannot do that, such as advancing a clock that is not manual.
	ErrUnsupported Status = C.TRIP_E_UNSUPPORTED
	// ErrSystem: the operating system refused something.
	ErrSystem Status = C.TRIP_E_SYSTEM
)

var statusTexts = map[Status]string{
	ErrOpen:        "circuit open",
	ErrProbing:     "circuit half-open, all probes out",
	ErrForced:      "circuit forced open",
	ErrRamp:        "circuit has just closed, a part of the calls is admitted",
	ErrStale:       "circuit has moved on since the permit was granted",
	ErrNoHint:      "no hint when to come back",
	ErrInvalid:     "invalid argument",
	ErrHandle:      "no such tracker, circuit or permit",
	ErrConsumed:    "permit settled before",
	ErrNoMemory:    "out of memory",
	ErrCapacity:    "capacity reached",
	ErrConfig:      "config out of range",
	ErrTooNew:      "library too old for this request",
	ErrUnsupported: "not supported by this object",
	ErrSystem:      "refused by the operating system",
}

// Error is one line for a human.
func (s Status) Error() string {
	if text, known := statusTexts[s]; known {
		return "trip: " + text
	}
	return fmt.Sprintf("trip: %s (%d)", s.Name(), int32(s))
}

// Name is the library's name of the status, such as "TRIP_E_CONSUMED".
func (s Status) Name() string {
	return C.GoString(C.trip_status_name(C.trip_status(s)))
}

// OpenError is a refused call: an answer, not a failure of the provider. Several callers may get the same one: nobody
// changes it.
type OpenError struct {
	Reason       Status        // ErrOpen, ErrProbing, ErrForced or ErrRamp
	RetryAfter   time.Duration // ask again after this; never too short
	OpenDuration time.Duration // this open period, or the last one, before jitter
	State        State
	Failures     uint32 // the threshold plus the probes that failed since
	Tenant       string
	Provider     string
}

// Error is one line for a human.
func (e *OpenError) Error() string {
	return fmt.Sprintf("%v for tenant %q, provider %q: retry after %v", e.Reason, e.Tenant, e.Provider, e.RetryAfter)
}

// Is makes every refusal ErrOpen, whatever its reason.
func (e *OpenError) Is(target error) bool { return target == ErrOpen }

// Unwrap is the reason.
func (e *OpenError) Unwrap() error { return e.Reason }

// ConfigError is a Config that was refused; it is also [ErrConfig].
type ConfigError struct {
	Field   string // of Config; empty when no single one is at fault
	Message string // why, in one line
}

// Error is one line for a human.
func (e *ConfigError) Error() string {
	if e.Field == "" {
		return "trip: config refused: " + e.Message
	}
	return "trip: config refused: " + e.Field + ": " + e.Message
}

// Unwrap is ErrConfig.
func (e *ConfigError) Unwrap() error { return ErrConfig }

func answer(status C.trip_status) error {
	if status == C.TRIP_OK {
		return nil
	}
	return Status(status)
}

// refusal is answer for what may be a rejection of the circuit, whose reasons are in rejection then. The library reads
// a coarse clock for most refusals, so that all within one of its ticks are the same and one error serves them.
func (c *Circuit) refusal(status C.trip_status, rejection *C.trip_rejection) error {
	switch status {
	case C.TRIP_REJECTED_OPEN, C.TRIP_REJECTED_PROBING, C.TRIP_REJECTED_FORCED, C.TRIP_REJECTED_RAMP:
	default:
		return answer(status)
	}
	if last := c.refused.Load(); last != nil && last.tells(status, rejection) {
		return last
	}
	refused := &OpenError{
		Reason:       Status(status),
		RetryAfter:   time.Duration(rejection.retry_after_ns),
		OpenDuration: time.Duration(rejection.open_duration_ns),
		State:        State(rejection.state),
		Failures:     uint32(rejection.failures),
		Tenant:       c.tenant,
		Provider:     c.provider,
	}
	c.refused.Store(refused)
	return refused
}

func (e *OpenError) tells(status C.trip_status, rejection *C.trip_rejection) bool {
	return e.RetryAfter == time.Duration(rejection.retry_after_ns) && e.Reason == Status(status) &&
		e.OpenDuration == time.Duration(rejection.open_duration_ns) && e.State == State(rejection.state) &&
		e.Failures == uint32(rejection.failures)
}

// reasoned is answer for a function that writes its reasons into a trip_error when it fails.
func reasoned(status C.trip_status, reason *C.trip_error) error {
	switch status {
	case C.TRIP_OK:
		return nil
	case C.TRIP_E_CONFIG:
		return &ConfigError{Field: fieldAt(reason.field_offset), Message: C.GoString(&reason.message[0])}
	}
	return fmt.Errorf("%w: %s", answer(status), C.GoString(&reason.message[0]))
}
