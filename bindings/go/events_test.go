// These tests own events as Go sees them: taken without waiting, each once, with keys of any bytes; what was lost is
// told. What happens when is the contract's.

package trip_test

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libtrip.example/trip"
)

func takeEvents(t testing.TB, tracker *trip.Tracker, limit int) []trip.Event {
	t.Helper()
	events, _, err := tracker.TakeEvents(limit)
	must(t, err)
	return events
}

func TestAnEventTellsWhatHappenedToWhomAndWhen(t *testing.T) {
	began := time.Now().Add(-time.Second) // a coarse clock may be a tick behind
	tracker := newTracker(t, trip.Config{})
	circuit := newCircuit(t, tracker, "ac\xffme\x00", "")
	must(t, tracker.Advance(3*time.Second))
	must(t, circuit.SetMode(trip.ModeForcedOpen, time.Minute, "key \xfe rotation"))
	must(t, tracker.Configure(trip.Scope{Kind: trip.ScopeTenant, Tenant: "acme"}, trip.Config{}))
	events := takeEvents(t, tracker, 10)
	for i := range events {
		if events[i].Time.Before(began) || events[i].Time.After(time.Now()) {
			t.Errorf("it happened at %v", events[i].Time)
		}
		events[i].Time = time.Time{}
	}
	want := []trip.Event{
		{
			Kind: trip.EventForced, Number: 1, At: 3 * time.Second, Circuit: circuit.Handle(), Duration: time.Minute,
			Epoch: inspect(t, circuit).Epoch, Mode: trip.ModeForcedOpen, Cause: trip.CauseOperator,
			Scope: trip.ScopeCircuit, Tenant: "ac\xffme\x00", Reason: "key \xfe rotation",
		},
		{
			Kind: trip.EventConfigured, Number: 2, At: 3 * time.Second, Cause: trip.CauseOperator,
			Scope: trip.ScopeTenant, Tenant: "acme",
		},
	}
	if fmt.Sprint(events) != fmt.Sprint(want) {
		t.Errorf("told\n%+v, expected\n%+v", events, want)
	}
}

func TestNoMoreEventsAreTakenThanAskedFor(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	const count = 1000
	for range count / 2 {
		must(t, circuit.Trip())
		must(t, circuit.Reset())
	}
	next := uint64(1)
	for _, limit := range []int{1, 63, 64, 65, 128, 200, math.MaxInt, 1, math.MaxInt} {
		events := takeEvents(t, tracker, limit)
		for _, event := range events {
			if event.Number != next {
				t.Errorf("number %d, expected %d", event.Number, next)
			}
			next++
		}
		if want := min(limit, count-int(next)+1+len(events)); len(events) != want {
			t.Errorf("of at most %d events %d were taken, expected %d", limit, len(events), want)
		}
	}
	if next != count+1 {
		t.Errorf("%d events", next-1)
	}
	for _, limit := range []int{0, -1, math.MinInt} {
		_, _, err := tracker.TakeEvents(limit)
		wantError(t, "limit", err, trip.ErrInvalid)
	}
}

func TestEventsThatWereLostAreCounted(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	const kept, orders = 4096, 5000
	for range orders {
		must(t, circuit.Trip())
	}
	events, lost, err := tracker.TakeEvents(math.MaxInt)
	must(t, err)
	if len(events) != kept || lost != orders-kept || events[0].Lost != lost {
		t.Errorf("of %d events %d are there, %d lost", orders, len(events), lost)
	}
	must(t, circuit.Reset())
	events, lost, err = tracker.TakeEvents(1)
	must(t, err)
	if len(events) != 1 || events[0].Number != kept+1 || lost != orders-kept {
		t.Errorf("then %+v, %d lost", events, lost)
	}
}

func TestNoEventIsLostOrTakenTwiceByManyGoroutines(t *testing.T) {
	const makers, takers, each = 4, 4, 5000
	tracker := newTracker(t, trip.Config{})
	var taken [takers][]uint64
	var isOver atomic.Bool
	var lost atomic.Uint64
	var takings sync.WaitGroup
	for i := range takers {
		takings.Add(1)
		go func() {
			defer takings.Done()
			for wasOver := false; ; wasOver = isOver.Load() {
				events, told, err := tracker.TakeEvents(100)
				must(t, err)
				for _, event := range events {
					taken[i] = append(taken[i], event.Number)
				}
				lost.Store(max(lost.Load(), told))
				if wasOver && len(events) == 0 {
					return
				}
			}
		}()
	}
	together(makers, func(maker int) {
		circuit := newCircuit(t, tracker, fmt.Sprint(maker), "provider")
		for range each {
			must(t, circuit.Trip())
		}
	})
	isOver.Store(true)
	takings.Wait()
	seen := make(map[uint64]bool)
	for _, numbers := range taken {
		for _, number := range numbers {
			if seen[number] {
				t.Errorf("event %d was taken twice", number)
			}
			seen[number] = true
		}
	}
	_, told, err := tracker.TakeEvents(1)
	must(t, err)
	if uint64(len(seen))+told != makers*each || len(seen) > 0 && !seen[uint64(len(seen))] {
		t.Errorf("%d events were taken and %d lost of %d", len(seen), told, makers*each)
	}
}
