// These tests own the errors: each is itself, and reads well.

package trip_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"libtrip.example/trip"
)

func TestEachStatusIsItself(t *testing.T) {
	statuses := map[trip.Status]string{
		trip.ErrOpen: "TRIP_REJECTED_OPEN", trip.ErrProbing: "TRIP_REJECTED_PROBING",
		trip.ErrForced: "TRIP_REJECTED_FORCED", trip.ErrRamp: "TRIP_REJECTED_RAMP", trip.ErrStale: "TRIP_STALE",
		trip.ErrNoHint: "TRIP_NO_HINT", trip.ErrInvalid: "TRIP_E_INVALID",
		trip.ErrHandle: "TRIP_E_HANDLE", trip.ErrConsumed: "TRIP_E_CONSUMED", trip.ErrNoMemory: "TRIP_E_NOMEM",
		trip.ErrCapacity: "TRIP_E_CAPACITY", trip.ErrConfig: "TRIP_E_CONFIG", trip.ErrTooNew: "TRIP_E_TOO_NEW",
		trip.ErrUnsupported: "TRIP_E_UNSUPPORTED", trip.ErrSystem: "TRIP_E_SYSTEM",
	}
	texts := make(map[string]bool)
	for status, name := range statuses {
		if status.Name() != name {
			t.Errorf("%d is named %s, expected %s", int32(status), status.Name(), name)
		}
		texts[status.Error()] = true
		wrapped := fmt.Errorf("wrapped: %w", status)
		for other := range statuses {
			if errors.Is(wrapped, other) != (other == status) {
				t.Errorf("%v and %v", status, other)
			}
		}
	}
	if len(texts) != len(statuses) {
		t.Errorf("two statuses read alike: %v", texts)
	}
}

func TestAStatusOfALaterLibraryIsStillAnError(t *testing.T) {
	if text := trip.Status(-99).Error(); !strings.Contains(text, "TRIP_UNKNOWN") || !strings.Contains(text, "-99") {
		t.Errorf("it reads %q", text)
	}
}

func TestErrorsReadWell(t *testing.T) {
	for want, err := range map[string]error{
		`trip: circuit open for tenant "acme", provider "openai": retry after 20s`: &trip.OpenError{
			Reason: trip.ErrOpen, RetryAfter: 20 * time.Second, Tenant: "acme", Provider: "openai",
		},
		"trip: config refused: Jitter: too much": &trip.ConfigError{Field: "Jitter", Message: "too much"},
		"trip: config refused: too much":         &trip.ConfigError{Message: "too much"},
	} {
		if err.Error() != want {
			t.Errorf("%q, expected %q", err, want)
		}
	}
}

func TestStatesReadWell(t *testing.T) {
	got := fmt.Sprint(trip.StateClosed, trip.StateOpen, trip.StateHalfOpen, trip.State(9))
	if got != "closed open half-open state 9" {
		t.Error(got)
	}
}
