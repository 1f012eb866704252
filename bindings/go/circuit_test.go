// These tests own the promises of circuits: what a refusal says, what is seen from outside, and that a Circuit outlives
// its eviction.

package trip_test

import (
	"errors"
	"testing"
	"time"

	"libtrip.example/trip"
)

func grant(t testing.TB, circuit *trip.Circuit) trip.Permit {
	t.Helper()
	permit, err := circuit.Permit()
	if err != nil {
		t.Fatal(err)
	}
	return permit
}

func fail(t testing.TB, circuit *trip.Circuit) {
	t.Helper()
	must(t, grant(t, circuit).RecordFailure())
}

func refused(t testing.TB, circuit *trip.Circuit) *trip.OpenError {
	t.Helper()
	permit, err := circuit.Permit()
	var open *trip.OpenError
	if permit != (trip.Permit{}) || !errors.As(err, &open) {
		t.Fatalf("not refused: %v", err)
	}
	return open
}

func TestARefusalSaysWhyAndWhenToComeBack(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 2})
	circuit := newCircuit(t, tracker, "acme", "openai")
	fail(t, circuit)
	must(t, circuit.Peek())
	fail(t, circuit)
	must(t, tracker.Advance(10*time.Second))
	want := trip.OpenError{
		Reason: trip.ErrOpen, RetryAfter: 20 * time.Second, OpenDuration: 30 * time.Second, State: trip.StateOpen,
		Failures: 2, Tenant: "acme", Provider: "openai",
	}
	if open := refused(t, circuit); *open != want {
		t.Errorf("refused with %+v", open)
	}
	var peeked *trip.OpenError
	if err := circuit.Peek(); !errors.As(err, &peeked) || *peeked != want {
		t.Errorf("peek told %v", err)
	}
}

func TestEveryRefusalIsErrOpenAndItsOwnReason(t *testing.T) {
	for _, reason := range []trip.Status{trip.ErrOpen, trip.ErrProbing, trip.ErrForced} {
		var err error = &trip.OpenError{Reason: reason}
		wantError(t, "a refusal", err, trip.ErrOpen)
		wantError(t, "a refusal", err, reason)
		if errors.Is(err, trip.ErrStale) || errors.Is(err, trip.ErrHandle) {
			t.Errorf("%v is something else too", err)
		}
	}
}

func TestInspectSeesStateAndCounters(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 1, HalfOpenMaxProbes: 2, HalfOpenSuccesses: 2})
	circuit := newCircuit(t, tracker, "acme", "openai")
	before := inspect(t, circuit)
	must(t, grant(t, circuit).RecordSuccess())
	must(t, grant(t, circuit).Cancel())
	late := grant(t, circuit)
	fail(t, circuit)
	wantError(t, "late", late.RecordSuccess(), trip.ErrStale)
	refused(t, circuit)
	must(t, tracker.Advance(30*time.Second))
	probe := grant(t, circuit)
	after := inspect(t, circuit)
	if before.Epoch == after.Epoch {
		t.Error("the epoch has not changed")
	}
	after.Epoch = 0
	want := trip.CircuitInfo{
		State: trip.StateHalfOpen, Failures: 1, ProbesOut: 1, OpenDuration: 30 * time.Second,
		Permits: 5, Successes: 2, FailuresTotal: 1, Cancels: 1, Rejections: 1, Stale: 1, Opens: 1,
	}
	if after != want {
		t.Errorf("inspected\n%+v, expected\n%+v", after, want)
	}
	must(t, probe.Drop())
	if info := inspect(t, circuit); info.State != trip.StateOpen || info.Drops != 1 || info.Level != 1 {
		t.Errorf("after a dropped probe: %+v", info)
	}
}

func TestAnEvictedCircuitFindsItsSuccessor(t *testing.T) {
	tracker := newTracker(t, trip.Config{MaxCircuits: 1})
	circuit := newCircuit(t, tracker, "acme", "openai")
	evicted := circuit.Handle()
	byHandle, err := trip.CircuitFromHandle(evicted)
	must(t, err)
	newCircuit(t, tracker, "other", "openai")

	_, err = byHandle.Permit()
	wantError(t, "by its old handle alone", err, trip.ErrHandle)
	must(t, grant(t, circuit).RecordSuccess())
	if circuit.Handle() == evicted {
		t.Error("the handle of an evicted circuit is still in use")
	}
	if tenant, provider, err := circuit.Key(); tenant != "acme" || provider != "openai" || err != nil {
		t.Errorf("the successor is %q, %q, %v", tenant, provider, err)
	}
}

func TestAnEvictedCircuitWithoutRoomForASuccessorSaysSo(t *testing.T) {
	tracker := newTracker(t, trip.Config{MaxCircuits: 1, FailureThreshold: 1})
	circuit := newCircuit(t, tracker, "acme", "openai")
	fail(t, newCircuit(t, tracker, "other", "openai"))
	_, err := circuit.Permit()
	wantError(t, "beside an open circuit", err, trip.ErrCapacity)
	_, err = tracker.Circuit("third", "openai")
	wantError(t, "beside an open circuit", err, trip.ErrCapacity)
}

func TestHandlesAreSharedWithOtherLanguages(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 1})
	circuit := newCircuit(t, tracker, "acme", "openai")
	sharedTracker := trip.TrackerFromHandle(tracker.Handle())
	if newCircuit(t, sharedTracker, "acme", "openai").Handle() != circuit.Handle() {
		t.Error("the tracker of a handle is another")
	}
	shared, err := trip.CircuitFromHandle(circuit.Handle())
	must(t, err)
	fail(t, circuit)
	if open := refused(t, shared); open.Tenant != "acme" || open.Provider != "openai" {
		t.Errorf("refused with %+v", open)
	}
}

func TestGarbageHandlesAreRefused(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	permit := grant(t, newCircuit(t, tracker, "acme", "openai")).Detach()
	for _, handle := range []uint64{0, 1, 1 << 63, ^uint64(0), 0xdeadbeef, permit} {
		_, err := trip.TrackerFromHandle(handle).Circuit("", "")
		wantError(t, "TrackerFromHandle", err, trip.ErrHandle)
		circuit, err := trip.CircuitFromHandle(handle)
		wantError(t, "CircuitFromHandle", err, trip.ErrHandle)
		if circuit != nil {
			t.Errorf("%#x is a circuit", handle)
		}
	}
	for _, handle := range []uint64{0, 1 << 62, ^uint64(0), newCircuit(t, tracker, "acme", "openai").Handle()} {
		wantError(t, "PermitFromHandle", trip.PermitFromHandle(handle).RecordFailure(), trip.ErrHandle)
	}
	must(t, trip.PermitFromHandle(permit).RecordSuccess())
}
