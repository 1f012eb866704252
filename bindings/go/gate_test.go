// These tests own gates as Go has them: places that are never more than may be, and never lost.

package trip_test

import (
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"libtrip.example/trip"
)

func acquire(t testing.TB, gate *trip.Gate) *trip.Token {
	t.Helper()
	token, err := gate.Acquire()
	must(t, err)
	return token
}

func inspectGate(t testing.TB, gate *trip.Gate) trip.GateInfo {
	t.Helper()
	info, err := gate.Inspect()
	must(t, err)
	return info
}

func TestWhoIsTurnedAwayIsToldHowFullItIs(t *testing.T) {
	gate := newGate(t, trip.GateConfig{Capacity: 2})
	first, last := acquire(t, gate), acquire(t, gate)
	token, err := gate.Acquire()
	var shed *trip.ShedError
	if token != nil || !errors.As(err, &shed) || *shed != (trip.ShedError{Depth: 2, Limit: 2, Capacity: 2}) {
		t.Errorf("acquired %v, %+v", token, err)
	}
	wantError(t, "shed", err, trip.ErrShed)
	if text := err.Error(); text != "trip: too many calls in progress: 2 of 2, at most 2" {
		t.Error(text)
	}
	must(t, first.Release(trip.EffectSuccess))
	must(t, last.Release(trip.EffectNothing))
	must(t, acquire(t, gate).Release(trip.EffectFailure))
	info := inspectGate(t, gate)
	if info.Depth != 0 || info.Acquired != 3 || info.Released != 3 || info.Shed != 1 || info.Capacity != 2 {
		t.Errorf("inspected %+v", info)
	}
}

func TestATokenIsReleasedOnce(t *testing.T) {
	gate := newGate(t, trip.GateConfig{})
	token, other := acquire(t, gate), acquire(t, gate)
	for _, none := range []trip.Effect{trip.EffectDefault, -1, trip.EffectNothing + 1, math.MaxInt, math.MinInt} {
		wantError(t, "no effect", token.Release(none), trip.ErrInvalid)
	}
	if info := inspectGate(t, gate); info.Depth != 2 {
		t.Errorf("inspected %+v", info)
	}
	must(t, token.Release(trip.EffectSuccess))
	for range 3 {
		wantError(t, "again", token.Release(trip.EffectSuccess), trip.ErrConsumed)
	}
	if info := inspectGate(t, gate); info.Depth != 1 || info.Released != 1 {
		t.Errorf("inspected %+v", info)
	}
	must(t, other.Release(trip.EffectSuccess))
}

func TestOneReleaseOfManyAtOnceCounts(t *testing.T) {
	gate := newGate(t, trip.GateConfig{})
	held := acquire(t, gate)
	for range 100 {
		token := acquire(t, gate)
		var released atomic.Int32
		together(8, func(int) {
			if err := token.Release(trip.EffectSuccess); err == nil {
				released.Add(1)
			} else {
				wantError(t, "again", err, trip.ErrConsumed)
			}
		})
		if info := inspectGate(t, gate); released.Load() != 1 || info.Depth != 1 {
			t.Fatalf("released %d times, %+v", released.Load(), info)
		}
	}
	must(t, held.Release(trip.EffectSuccess))
}

func TestAForgottenTokenIsReleased(t *testing.T) {
	gate := newGate(t, trip.GateConfig{Capacity: 1})
	acquire(t, gate)
	collectGarbage(t, func() bool { return inspectGate(t, gate).Depth == 0 })
	must(t, acquire(t, gate).Release(trip.EffectSuccess))
	acquire(t, gate).Release(trip.EffectDefault) // which is refused, and leaves the token out
	collectGarbage(t, func() bool { return inspectGate(t, gate).Depth == 0 })
}

func TestATokenKeepsItsGate(t *testing.T) {
	forget := func() (token *trip.Token, handle uint64) {
		gate, err := trip.NewGate(trip.GateConfig{})
		must(t, err)
		return acquire(t, gate), gate.Handle()
	}
	token, _ := forget()
	_, handle := forget() // closed: then the collector has passed the other as well
	collectGarbage(t, func() bool { return errors.Is(second(trip.GateFromHandle(handle).Inspect()), trip.ErrHandle) })
	must(t, token.Release(trip.EffectSuccess))
}

func TestFiftyGoroutinesNeverExceedTheCapacity(t *testing.T) {
	const goroutines, each, capacity = 50, 200, 7
	gate := newGate(t, trip.GateConfig{Capacity: capacity})
	var in, most, shed atomic.Int64
	together(goroutines, func(int) {
		for range each {
			token, err := gate.Acquire()
			if err != nil {
				wantError(t, "Acquire", err, trip.ErrShed)
				shed.Add(1)
				continue
			}
			now := in.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			in.Add(-1)
			must(t, token.Release(trip.EffectSuccess))
		}
	})
	if most.Load() > capacity {
		t.Errorf("%d at once", most.Load())
	}
	info := inspectGate(t, gate)
	if info.Depth != 0 || info.Acquired+uint64(shed.Load()) != goroutines*each || info.Shed != uint64(shed.Load()) ||
		info.Released != info.Acquired {
		t.Errorf("inspected %+v, %d shed", info, shed.Load())
	}
}

func TestALimitFollowsHowCallsEnd(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	gate := newGate(t, trip.GateConfig{
		Tracker: tracker, Capacity: 100, Adapt: trip.AdaptAIMD, InitialLimit: 10, Decrease: 0.5,
	})
	for effect, isLess := range map[trip.Effect]bool{trip.EffectNothing: false, trip.EffectFailure: true} {
		before := inspectGate(t, gate).Limit
		token := acquire(t, gate)
		must(t, tracker.Advance(time.Second))
		must(t, token.Release(effect))
		if after := inspectGate(t, gate).Limit; after < before != isLess {
			t.Errorf("effect %d: from %d to %d", effect, before, after)
		}
	}
}

func TestAGateTellsItsTrackerHowFullItIs(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	gate := newGate(t, trip.GateConfig{Tracker: tracker, Name: "ga\xffte", Capacity: 3, SoftLimit: 1})
	for range 3 {
		acquire(t, gate)
	}
	wantError(t, "full", second(gate.Acquire()), trip.ErrShed)
	if info := inspectGate(t, gate); info.SoftDepthRatio != 3 || info.SoftLimit != 1 {
		t.Errorf("inspected %+v", info)
	}
	events := takeEvents(t, tracker, 10)
	if len(events) != 2 {
		t.Fatalf("told %+v", events)
	}
	soft, full := events[0], events[1]
	if soft.Kind != trip.EventGateSoft || soft.Depth != 2 || soft.Limit != 3 || soft.Reason != "ga\xffte" {
		t.Errorf("told %+v", soft)
	}
	if full.Kind != trip.EventGateFull || full.Depth != 3 || full.Kind.String() != "gate full" {
		t.Errorf("told %+v", full)
	}
}
