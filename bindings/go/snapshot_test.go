// These tests own snapshots as Go sees them: bytes that are whole or refused, and times of day.

package trip_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"libtrip.example/trip"
)

func snapshot(t testing.TB, tracker *trip.Tracker, now time.Time) []byte {
	t.Helper()
	bytes, err := tracker.Snapshot(now)
	must(t, err)
	return bytes
}

func TestARestartedProgramKeepsItsOpenCircuits(t *testing.T) {
	before := newTracker(t, trip.Config{FailureThreshold: 1})
	fail(t, newCircuit(t, before, "ac\xffme", "openai"))
	must(t, newCircuit(t, before, "acme", "other").SetMode(trip.ModeForcedOpen, time.Hour, "maintenance"))
	saved := snapshot(t, before, readOn)
	after := newTracker(t, trip.Config{})
	must(t, after.Restore(readOn.Add(10*time.Second), saved))
	if open := refused(t, newCircuit(t, after, "ac\xffme", "openai")); open.RetryAfter != 20*time.Second {
		t.Errorf("refused with %+v", open)
	}
	forced := newCircuit(t, after, "acme", "other")
	if open := refused(t, forced); open.Reason != trip.ErrForced || open.RetryAfter != time.Hour-10*time.Second {
		t.Errorf("refused with %+v", open)
	}
	if text, err := forced.Explain(); err != nil || !strings.Contains(text, "maintenance") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestWithoutATimeOfDayItIsTheSystems(t *testing.T) {
	before := newTracker(t, trip.Config{FailureThreshold: 1, InitialOpen: 300 * time.Second})
	fail(t, newCircuit(t, before, "acme", "openai"))
	saved := snapshot(t, before, time.Time{})
	after := newTracker(t, trip.Config{})
	must(t, after.Restore(time.Now().Add(100*time.Second), saved))
	open := refused(t, newCircuit(t, after, "acme", "openai"))
	if open.RetryAfter > 200*time.Second || open.RetryAfter < 100*time.Second {
		t.Errorf("refused with %+v", open)
	}
}

func TestADamagedSnapshotIsRefusedWhole(t *testing.T) {
	before := newTracker(t, trip.Config{FailureThreshold: 1})
	fail(t, newCircuit(t, before, "acme", "openai"))
	whole := snapshot(t, before, readOn)
	tracker := newTracker(t, trip.Config{})
	damaged := map[string][]byte{
		"nil": nil, "empty": {}, "garbage": []byte("garbage"), "zeros": make([]byte, 1<<20),
		"cut off": whole[:len(whole)-1], "too long": append(bytes.Clone(whole), 0),
	}
	for i := range whole {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 0x10
		damaged["flipped at "+time.Duration(i).String()] = flipped
	}
	for what, bytes := range damaged {
		err := tracker.Restore(readOn, bytes)
		if !errors.Is(err, trip.ErrInvalid) && !errors.Is(err, trip.ErrTooNew) {
			t.Errorf("%s: %v", what, err)
		}
		if _, why, _ := strings.Cut(err.Error(), ": "); !strings.Contains(why, ": ") {
			t.Errorf("%s: %q does not say why", what, err)
		}
	}
	if count := len(circuitsOf(t, tracker)); count != 0 {
		t.Errorf("%d circuits came of it", count)
	}
	must(t, tracker.Restore(readOn, whole))
}

func TestASnapshotThatDoesNotFitIsRefusedWhole(t *testing.T) {
	before := newTracker(t, trip.Config{FailureThreshold: 1})
	for _, tenant := range []string{"a", "b", "c"} {
		fail(t, newCircuit(t, before, tenant, "openai"))
	}
	small := newTracker(t, trip.Config{MaxCircuits: 2})
	wantError(t, "three into two", small.Restore(readOn, snapshot(t, before, readOn)), trip.ErrCapacity)
	if count := len(circuitsOf(t, small)); count != 0 {
		t.Errorf("%d circuits came of it", count)
	}
}

func TestTimesOfDayOutOfRangeAreRefused(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	whole := snapshot(t, tracker, readOn)
	for _, now := range []time.Time{
		time.Unix(0, 0), time.Unix(-1, 0), time.Unix(math.MaxInt64/2, 0), readOn.AddDate(1000, 0, 0),
	} {
		_, err := tracker.Snapshot(now)
		wantError(t, now.String(), err, trip.ErrInvalid)
		wantError(t, now.String(), tracker.Restore(now, whole), trip.ErrInvalid)
	}
	must(t, tracker.Restore(time.Unix(0, 1), whole))
}

func TestASnapshotMayBeLargerThanExpected(t *testing.T) {
	before := newTracker(t, trip.Config{FailureThreshold: 1})
	const count = 500
	for i := range count {
		fail(t, newCircuit(t, before, strings.Repeat("x", 250)+time.Duration(i).String(), "openai"))
	}
	after := newTracker(t, trip.Config{})
	must(t, after.Restore(readOn, snapshot(t, before, readOn)))
	for _, circuit := range circuitsOf(t, after) {
		if circuit.Info.State != trip.StateOpen {
			t.Errorf("%q is %v", circuit.Tenant(), circuit.Info.State)
		}
	}
	if got := len(circuitsOf(t, after)); got != count {
		t.Errorf("%d of %d circuits", got, count)
	}
}
