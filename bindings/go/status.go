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
	// ErrNoRetryAttempts: do not try again, all attempts have been made.
	ErrNoRetryAttempts Status = C.TRIP_NO_RETRY_ATTEMPTS
	// ErrNoRetryClass: do not try again, it would go wrong again, or went right.
	ErrNoRetryClass Status = C.TRIP_NO_RETRY_CLASS
	// ErrNoRetryLate: do not try again, the deadline would be over, or the provider asks for too long.
	ErrNoRetryLate Status = C.TRIP_NO_RETRY_LATE
	// ErrNoRetryBudget: do not try again, too many of the calls to this provider are retries.
	ErrNoRetryBudget Status = C.TRIP_NO_RETRY_BUDGET
	// ErrInProgress: somebody else is making this very call.
	ErrInProgress Status = C.TRIP_IN_PROGRESS
	// ErrShed: as many calls as are allowed at once are in progress. Each, a [*ShedError], is ErrShed.
	ErrShed Status = C.TRIP_SHED
	// ErrStageFailed: a stage of a pipeline has failed. Each, a [*StageError], is ErrStageFailed.
	ErrStageFailed Status = C.TRIP_STAGE_FAILED

	// ErrInvalid: an argument is wrong, such as a tenant longer than 255 bytes.
	ErrInvalid Status = C.TRIP_E_INVALID
	// ErrHandle: the tracker, or whatever else it is, is closed, or there never was such a one.
	ErrHandle Status = C.TRIP_E_HANDLE
	// ErrConsumed: the permit, ticket or token has been settled before.
	ErrConsumed Status = C.TRIP_E_CONSUMED
	// ErrNoMemory: out of memory.
	ErrNoMemory Status = C.TRIP_E_NOMEM
	// ErrCapacity: a bound is reached: of objects, policies, permits out, or lease extensions.
	ErrCapacity Status = C.TRIP_E_CAPACITY
	// ErrConfig: a field of a config is out of range; the [*ConfigError] says which and why.
	ErrConfig Status = C.TRIP_E_CONFIG
	// ErrTooNew: this package is newer than the library that was loaded, and asked for something it does not know.
	ErrTooNew Status = C.TRIP_E_TOO_NEW
	// ErrUnsupported: this object cannot do that, such as advancing a clock that is not manual.
	ErrUnsupported Status = C.TRIP_E_UNSUPPORTED
	// ErrSystem: the operating system refused something.
	ErrSystem Status = C.TRIP_E_SYSTEM
)

var statusTexts = map[Status]string{
	ErrOpen:    "circuit open",
	ErrProbing: "circuit half-open, all probes out",
	ErrForced:  "circuit forced open",
	ErrRamp:    "circuit has just closed, a part of the calls is admitted",
	ErrStale:   "circuit has moved on since the permit was granted",
	ErrNoHint:  "no hint when to come back",

	ErrNoRetryAttempts: "no retry: all attempts have been made",
	ErrNoRetryClass:    "no retry: it would not help",
	ErrNoRetryLate:     "no retry: it would be too late",
	ErrNoRetryBudget:   "no retry: the provider's budget is used up",
	ErrInProgress:      "somebody is making this call",
	ErrShed:            "too many calls in progress",
	ErrStageFailed:     "a stage has failed",

	ErrInvalid:     "invalid argument",
	ErrHandle:      "no such object, or closed",
	ErrConsumed:    "settled before",
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
	Provider     string // empty: all those of a Route have refused, and this is the one to come back to first
}

// Error is one line for a human.
func (e *OpenError) Error() string {
	provider := ""
	if e.Provider != "" {
		provider = fmt.Sprintf(", provider %q", e.Provider)
	}
	return fmt.Sprintf("%v for tenant %q%s: retry after %v", e.Reason, e.Tenant, provider, e.RetryAfter)
}

// Is makes every refusal ErrOpen, whatever its reason.
func (e *OpenError) Is(target error) bool { return target == ErrOpen }

// Unwrap is the reason.
func (e *OpenError) Unwrap() error { return e.Reason }

// ConfigError is a config that was refused; it is also [ErrConfig].
type ConfigError struct {
	Field   string // of the config; empty when no single one is at fault
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
	if !isRejection(status) {
		return answer(status)
	}
	if last := c.refused.Load(); last != nil && last.tells(status, rejection) {
		return last
	}
	refused := openError(status, rejection, c.tenant, c.provider)
	c.refused.Store(refused)
	return refused
}

func isRejection(status C.trip_status) bool {
	switch status {
	case C.TRIP_REJECTED_OPEN, C.TRIP_REJECTED_PROBING, C.TRIP_REJECTED_FORCED, C.TRIP_REJECTED_RAMP:
		return true
	}
	return false
}

func openError(status C.trip_status, rejection *C.trip_rejection, tenant, provider string) *OpenError {
	return &OpenError{
		Reason:       Status(status),
		RetryAfter:   time.Duration(rejection.retry_after_ns),
		OpenDuration: time.Duration(rejection.open_duration_ns),
		State:        State(rejection.state),
		Failures:     uint32(rejection.failures),
		Tenant:       tenant,
		Provider:     provider,
	}
}

func (e *OpenError) tells(status C.trip_status, rejection *C.trip_rejection) bool {
	return e.RetryAfter == time.Duration(rejection.retry_after_ns) && e.Reason == Status(status) &&
		e.OpenDuration == time.Duration(rejection.open_duration_ns) && e.State == State(rejection.state) &&
		e.Failures == uint32(rejection.failures)
}

// reasoned is answer for a function that writes its reasons into a trip_error when it fails. The field at fault is one
// of fields.
func reasoned[ABI any](status C.trip_status, reason *C.trip_error, fields func(*ABI, *walk)) error {
	switch status {
	case C.TRIP_OK:
		return nil
	case C.TRIP_E_CONFIG:
		return &ConfigError{Field: fieldAt(fields, reason.field_offset), Message: C.GoString(&reason.message[0])}
	}
	return fmt.Errorf("%w: %s", answer(status), C.GoString(&reason.message[0]))
}
