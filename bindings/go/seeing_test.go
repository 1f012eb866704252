// These tests own what is seen of a tracker as Go sees it: lists that end where the loop does, texts of any bytes,
// counts that include those of lanes.

package trip_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libtrip.example/trip"
)

func circuitsOf(t testing.TB, tracker *trip.Tracker) (seen []trip.SeenCircuit) {
	t.Helper()
	for circuit, err := range tracker.Circuits() {
		must(t, err)
		seen = append(seen, circuit)
	}
	return seen
}

func wantMetric(t testing.TB, tracker *trip.Tracker, series string, want uint64) {
	t.Helper()
	text, err := tracker.Metrics(trip.LabelsProvider, 0)
	must(t, err)
	if !strings.Contains(text, "\n"+series+" "+strconv.FormatUint(want, 10)+"\n") {
		t.Errorf("%s is not %d in\n%s", series, want, text)
	}
}

func TestEachCircuitIsListedOnceWithItsKeyAndInfo(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 1})
	const count = 1000 // more than a page
	for i := range count {
		circuit := newCircuit(t, tracker, fmt.Sprint("\xff\x00", i), "provider")
		if i%2 == 0 {
			fail(t, circuit)
		}
	}
	tenants := make(map[string]bool)
	for _, circuit := range circuitsOf(t, tracker) {
		number, err := strconv.Atoi(strings.TrimPrefix(circuit.Tenant(), "\xff\x00"))
		must(t, err)
		isOpen := circuit.Info.State == trip.StateOpen
		if tenants[circuit.Tenant()] || circuit.Provider() != "provider" || isOpen != (number%2 == 0) {
			t.Errorf("%q, %q: %+v", circuit.Tenant(), circuit.Provider(), circuit.Info)
		}
		tenants[circuit.Tenant()] = true
		if circuit.Info != inspect(t, circuit.Circuit) {
			t.Errorf("listed %+v, inspected %+v", circuit.Info, inspect(t, circuit.Circuit))
		}
	}
	if len(tenants) != count {
		t.Errorf("%d circuits are %d", count, len(tenants))
	}
}

func TestWhatLanesCountIsSeenEverywhere(t *testing.T) {
	tracker, circuit := onLane(t, trip.Config{})
	for range 10 {
		trip.Execute(context.Background(), circuit, answered)
	}
	out := grant(t, circuit)
	if seen := circuitsOf(t, tracker); seen[0].Info.Permits != 11 || seen[0].Info.Successes != 10 {
		t.Errorf("listed %+v", seen[0].Info)
	}
	must(t, out.RecordSuccess())
	for range 10 {
		trip.Execute(context.Background(), circuit, answered)
	}
	wantMetric(t, tracker, `trip_calls_total{provider="provider",outcome="success"}`, 21)
	trip.Execute(context.Background(), circuit, answered)
	bytes, err := tracker.Snapshot(time.Time{})
	must(t, err)
	restored := newTracker(t, trip.Config{})
	must(t, restored.Restore(time.Time{}, bytes))
	if info := inspect(t, newCircuit(t, restored, "tenant", "provider")); info.Permits != 22 || info.Successes != 22 {
		t.Errorf("restored %+v", info)
	}
}

func TestAListMaySteerAndRemoveWhatItSees(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	const count = 600
	for i := range count {
		newCircuit(t, tracker, fmt.Sprint(i), []string{"good", "bad"}[i%2])
	}
	for circuit, err := range tracker.Circuits() {
		must(t, err)
		if circuit.Provider() == "bad" {
			must(t, circuit.Remove())
		} else {
			must(t, circuit.SetMode(trip.ModeForcedOpen, 0, ""))
		}
	}
	left := circuitsOf(t, tracker)
	for _, circuit := range left {
		if circuit.Provider() != "good" || circuit.Info.Mode != trip.ModeForcedOpen {
			t.Errorf("%s is left, %+v", circuit.Provider(), circuit.Info)
		}
	}
	if len(left) != count/2 {
		t.Errorf("%d are left", len(left))
	}
}

func TestAListThatIsLeftEarlyBeginsAnew(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	for i := range 5 {
		newCircuit(t, tracker, fmt.Sprint(i), "provider")
	}
	circuits := tracker.CircuitsByPage(2)
	for round := range 3 {
		seen := 0
		for _, err := range circuits {
			must(t, err)
			if seen++; seen == round+1 {
				break
			}
		}
	}
	if count := len(circuitsOf(t, tracker)); count != 5 {
		t.Errorf("%d circuits", count)
	}
}

func TestAListOfATrackerThatIsClosedMeanwhileSaysSo(t *testing.T) {
	for _, page := range []int{1, 2, 100} {
		tracker := newTracker(t, trip.Config{})
		for i := range 5 {
			newCircuit(t, tracker, fmt.Sprint(i), "provider")
		}
		var last error
		steps := 0
		for circuit, err := range tracker.CircuitsByPage(page) {
			if steps++; err == nil {
				tracker.Close()
			} else if circuit != (trip.SeenCircuit{}) {
				t.Errorf("a circuit and %v", err)
			}
			last = err
		}
		wantError(t, "closed meanwhile", last, trip.ErrHandle)
		if steps != 2 {
			t.Errorf("pages of %d: %d steps", page, steps)
		}
	}
}

func TestListsWhileCircuitsComeAndGo(t *testing.T) {
	tracker := newTracker(t, trip.Config{MaxCircuits: 50})
	stays := newCircuit(t, tracker, "stays", "provider")
	must(t, stays.SetMode(trip.ModeObserve, 0, "")) // in a mode it is not evicted
	var isOver atomic.Bool
	var turnover sync.WaitGroup
	turnover.Add(1)
	go func() {
		defer turnover.Done()
		for i := 0; !isOver.Load(); i++ {
			circuit, err := tracker.Circuit(fmt.Sprint(i), "provider")
			must(t, err)
			if i%3 == 0 {
				must(t, circuit.Remove())
			}
		}
	}()
	for range 100 {
		found := 0
		for circuit, err := range tracker.CircuitsByPage(7) {
			must(t, err)
			if circuit.Tenant() == "stays" {
				found++
			}
		}
		if found != 1 {
			t.Errorf("the circuit that stays was seen %d times", found)
		}
	}
	isOver.Store(true)
	turnover.Wait()
}

func TestAnExplanationTellsWhoAndWhy(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 1})
	circuit := newCircuit(t, tracker, "acme", "openai")
	must(t, grant(t, circuit).Record(trip.CallOutcome{Class: trip.ClassTimeout}))
	must(t, circuit.SetMode(trip.ModeForcedOpen, time.Minute, "key rotation"))
	text, err := circuit.Explain()
	must(t, err)
	for _, part := range []string{"acme", "openai", "timeout", "key rotation"} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is missing in %s", part, text)
		}
	}
	long := strings.Repeat("\xff", 255)
	circuit = newCircuit(t, tracker, long, long)
	must(t, circuit.SetMode(trip.ModeForcedOpen, 0, long))
	_, err = circuit.Explain()
	must(t, err)
}

func TestAnExplanationKnowsTheCallsOfLanes(t *testing.T) {
	_, circuit := onLane(t, trip.Config{})
	for range 17 {
		trip.Execute(context.Background(), circuit, answered)
	}
	text, err := circuit.Explain()
	must(t, err)
	if !strings.Contains(text, "17") {
		t.Errorf("17 calls are not in %s", text)
	}
}

func TestMetricsOfManyTenantsStayWithinTheirSeries(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	const count = 3000
	for i := range count {
		must(t, grant(t, newCircuit(t, tracker, fmt.Sprint("tenant-", i), "openai")).RecordSuccess())
	}
	text, err := tracker.Metrics(trip.LabelsTenant, 10)
	must(t, err)
	if series := strings.Count(text, "\ntrip_permits_total{"); series != 11 {
		t.Errorf("%d series", series)
	}
	all, err := tracker.Metrics(trip.LabelsTenant, 10_000)
	must(t, err)
	if series := strings.Count(all, "\ntrip_permits_total{"); series < 10 || !strings.HasSuffix(all, "# EOF\n") {
		t.Errorf("%d series", series)
	}
	_, err = tracker.Metrics(trip.LabelsTenant, math.MaxUint64)
	must(t, err)
	_, err = tracker.Metrics(2, 0)
	wantError(t, "unknown labels", err, trip.ErrInvalid)
}

func TestMetricsOfManyThreads(t *testing.T) {
	_, circuit := onLane(t, trip.Config{})
	tracker := newTracker(t, trip.Config{})
	together(8, func(racer int) {
		for i := range 50 {
			newCircuit(t, tracker, fmt.Sprint(racer, i), "provider")
			trip.Execute(context.Background(), circuit, answered)
			text, err := tracker.Metrics(trip.LabelsTenant, 0)
			if err != nil || !strings.HasSuffix(text, "# EOF\n") {
				t.Errorf("%v: %.80q", err, text)
			}
		}
	})
}

func TestWhatOperatorsAskOfNothingIsErrHandle(t *testing.T) {
	closed := newTracker(t, trip.Config{})
	ofClosed := newCircuit(t, closed, "tenant", "provider")
	must(t, closed.Close())
	garbage := trip.TrackerFromHandle(0xdeadbeef)
	for _, tracker := range []*trip.Tracker{nil, closed, garbage} {
		_, metricsErr := tracker.Metrics(trip.LabelsProvider, 0)
		_, snapshotErr := tracker.Snapshot(time.Time{})
		_, _, eventsErr := tracker.TakeEvents(1)
		for what, err := range map[string]error{
			"Configure": tracker.Configure(trip.Scope{}, trip.Config{}), "Withdraw": tracker.Withdraw(trip.Scope{}),
			"Metrics": metricsErr, "Snapshot": snapshotErr, "Restore": tracker.Restore(time.Time{}, []byte{1}),
			"TakeEvents": eventsErr,
		} {
			wantError(t, what, err, trip.ErrHandle)
		}
		for _, err := range tracker.Circuits() {
			wantError(t, "Circuits", err, trip.ErrHandle)
		}
		for _, err := range tracker.Events(context.Background()) {
			wantError(t, "Events", err, trip.ErrHandle)
		}
	}
	for _, circuit := range []*trip.Circuit{nil, ofClosed} {
		text, explainErr := circuit.Explain()
		for what, err := range map[string]error{
			"SetMode": circuit.SetMode(trip.ModeAuto, 0, ""), "Trip": circuit.Trip(), "Reset": circuit.Reset(),
			"Remove": circuit.Remove(), "Explain": explainErr,
		} {
			wantError(t, what, err, trip.ErrHandle)
		}
		if text != "" {
			t.Errorf("%q and an error", text)
		}
	}
	if !errors.Is(closed.Close(), trip.ErrHandle) {
		t.Error("closed twice")
	}
}

func TestWhatOperatorsSeeReadsWell(t *testing.T) {
	got := fmt.Sprint(trip.ModeForcedOpen, trip.Mode(4), trip.ScopeTenant, trip.EventProbeLost, trip.EventKind(0),
		trip.EventKind(99), trip.CauseCountWindow, trip.Cause(math.MaxUint32))
	if got != "forced open mode 4 tenant probe lost event 0 event 99 count window cause 4294967295" {
		t.Error(got)
	}
}
