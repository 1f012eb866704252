// These tests own the promises of the express lane: it admits nothing that the library would refuse, its counts are
// exact, and nobody can tell it from an ordinary permit.

package trip_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libtrip.example/trip"
)

// onLane is a circuit whose next call takes the lane.
func onLane(t testing.TB, config trip.Config) (*trip.Tracker, *trip.Circuit) {
	t.Helper()
	tracker := newTracker(t, config)
	circuit := newCircuit(t, tracker, "tenant", "provider")
	wantLane(t, circuit)
	return tracker, circuit
}

func wantLane(t testing.TB, circuit *trip.Circuit) {
	t.Helper()
	if !circuit.OnLane() {
		t.Fatal("the circuit has no lane")
	}
}

func answered(context.Context) (int, error) { return 1, nil }
func failing(context.Context) (int, error)  { return 0, errProvider }

// noCallBeginsAfter has two goroutines make calls when stop has the circuit refuse them: none may begin from then on. It
// tells how many calls they made, and how many were refused.
func noCallBeginsAfter(t *testing.T, circuit *trip.Circuit, stop func()) (made, refusals uint64) {
	t.Helper()
	var isStopped, isOver atomic.Bool
	var madeByAll, refusedByAll atomic.Uint64
	var calls, loops sync.WaitGroup
	calls.Add(2)
	for range 2 {
		loops.Add(1)
		go func() {
			defer loops.Done()
			for begun := sync.OnceFunc(calls.Done); !isOver.Load(); begun() {
				wasStopped := isStopped.Load()
				_, err := trip.Execute(context.Background(), circuit, func(context.Context) (int, error) {
					if wasStopped {
						t.Error("a call began after a refusal")
					}
					madeByAll.Add(1)
					return 1, nil
				})
				if err != nil {
					refusedByAll.Add(1)
				}
			}
		}()
	}
	calls.Wait()
	stop()
	isStopped.Store(true)
	for range 100 {
		refused(t, circuit)
	}
	isOver.Store(true)
	loops.Wait()
	return madeByAll.Load(), refusedByAll.Load() + 100
}

func TestNoCallBeginsAfterARefusalElsewhere(t *testing.T) {
	tracker, circuit := onLane(t, trip.Config{FailureThreshold: 1})
	elsewhere := newCircuit(t, tracker, "tenant", "provider")
	for round := range 100 {
		noCallBeginsAfter(t, circuit, func() {
			fail(t, elsewhere)
			refused(t, elsewhere)
		})
		must(t, tracker.Advance(300*time.Second))
		must(t, grant(t, circuit).RecordSuccess())
		if !circuit.OnLane() {
			t.Fatalf("round %d: closed again, the circuit has no lane", round)
		}
	}
}

func TestNoCallBeginsAfterACircuitWasForcedOpen(t *testing.T) {
	const rounds = 100
	_, circuit := onLane(t, trip.Config{})
	var made, refusals uint64
	for round := range rounds {
		calls, refused := noCallBeginsAfter(t, circuit, func() {
			must(t, circuit.SetMode(trip.ModeForcedOpen, 0, ""))
		})
		made, refusals = made+calls, refusals+refused
		must(t, circuit.SetMode(trip.ModeAuto, 0, ""))
		must(t, grant(t, circuit).RecordSuccess())
		if !circuit.OnLane() {
			t.Fatalf("round %d: nobody forces it any more, and the circuit has no lane", round)
		}
	}
	info := inspect(t, circuit)
	if info.Permits != made+rounds || info.Successes != info.Permits || info.Rejections != refusals || info.Stale != 0 {
		t.Errorf("%d calls, %d permits and %d refusals are %+v", made, rounds, refusals, info)
	}
}

func TestTenMillionCallsOfTwoGoroutinesAreCountedExactly(t *testing.T) {
	const each = 10_000_000
	_, circuit := onLane(t, trip.Config{})
	together(2, func(int) {
		for range each {
			trip.Execute(context.Background(), circuit, answered)
		}
	})
	wantLane(t, circuit)
	if info := inspect(t, circuit); info.Permits != 2*each || info.Successes != 2*each {
		t.Errorf("%d calls are %d permits, %d successes", 2*each, info.Permits, info.Successes)
	}
}

func TestEveryEndOfManyGoroutinesIsCountedExactly(t *testing.T) {
	const racers, rounds = 8, 3000
	tracker, circuit := onLane(t, trip.Config{FailureThreshold: 8388607})
	other := newCircuit(t, tracker, "tenant", "provider")
	var watching atomic.Bool
	watching.Store(true)
	var watched sync.WaitGroup
	watched.Add(1)
	go func() {
		defer watched.Done()
		for watching.Load() {
			info := inspect(t, other)
			if ended := info.Successes + info.FailuresTotal + info.Drops + info.Cancels; ended > racers*rounds*6 {
				t.Errorf("inspected %+v", info)
			}
		}
	}()
	together(racers, func(racer int) {
		circuit := map[bool]*trip.Circuit{false: circuit, true: other}[racer%2 == 0]
		for range rounds {
			for _, settle := range settlements {
				must(t, settle(grant(t, circuit)))
			}
			trip.Execute(context.Background(), circuit, answered)
			trip.Execute(context.Background(), circuit, func(context.Context) (int, error) { return 0, errProvider })
		}
	})
	watching.Store(false)
	watched.Wait()
	const n = racers * rounds
	info := inspect(t, circuit)
	if info.Permits != 6*n || info.Successes != 2*n || info.FailuresTotal != 2*n || info.Cancels != n || info.Drops != n {
		t.Errorf("%d of each are\n%+v", n, info)
	}
}

func TestCountsStayExactWhenProcessorsAreAdded(t *testing.T) {
	const each = 100_000
	procs := runtime.GOMAXPROCS(2)
	defer runtime.GOMAXPROCS(procs)
	_, circuit := onLane(t, trip.Config{})
	runtime.GOMAXPROCS(8)
	together(16, func(int) {
		for range each {
			trip.Execute(context.Background(), circuit, answered)
		}
	})
	if info := inspect(t, circuit); info.Permits != 16*each || info.Successes != 16*each {
		t.Errorf("%d calls are %d permits, %d successes", 16*each, info.Permits, info.Successes)
	}
}

func TestAPermitThatIsOutIsInspectedAsOut(t *testing.T) {
	_, circuit := onLane(t, trip.Config{})
	permit := grant(t, circuit)
	if info := inspect(t, circuit); info.Permits != 1 || info.Successes != 0 {
		t.Errorf("while it is out: %+v", info)
	}
	must(t, permit.RecordSuccess())
	if info := inspect(t, circuit); info.Permits != 1 || info.Successes != 1 {
		t.Errorf("settled: %+v", info)
	}
}

func TestWhatOneCircuitCountsEveryOtherOfItsKeyInspects(t *testing.T) {
	tracker, circuit := onLane(t, trip.Config{})
	byHandle, err := trip.CircuitFromHandle(circuit.Handle())
	must(t, err)
	for range 3 {
		trip.Execute(context.Background(), circuit, answered)
	}
	out := grant(t, circuit)
	byKey, err := tracker.Circuit("tenant", "provider")
	must(t, err)
	for _, other := range []*trip.Circuit{byHandle, byKey} {
		if info := inspect(t, other); info.Permits != 4 || info.Successes != 3 {
			t.Errorf("inspected %+v", info)
		}
	}
	must(t, out.Cancel())
}

func TestTheCountsOfAForgottenCircuitAreNotLost(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	handle := func() uint64 {
		circuit := newCircuit(t, tracker, "tenant", "provider")
		wantLane(t, circuit)
		trip.Execute(context.Background(), circuit, answered)
		return circuit.Handle()
	}()
	collectGarbage(t, func() bool { return !trip.HasLedger(handle) })
	if info := inspect(t, newCircuit(t, tracker, "tenant", "provider")); info.Permits != 1 || info.Successes != 1 {
		t.Errorf("inspected %+v", info)
	}
}

func TestTheLibraryIsToldInBatches(t *testing.T) {
	_, circuit := onLane(t, trip.Config{})
	const calls = 100_000
	for range calls {
		trip.Execute(context.Background(), circuit, answered)
	}
	if told := trip.Told(circuit.Handle()); told < calls/2 || told > calls {
		t.Errorf("of %d calls the library has been told of %d", calls, told)
	}
}

func TestACircuitGetsItsLaneWhenItIsWorthOne(t *testing.T) {
	circuit, err := newTracker(t, trip.Config{}).Circuit("tenant", "provider")
	must(t, err)
	must(t, grant(t, circuit).RecordSuccess())
	if circuit.OnLane() {
		t.Error("a circuit that is used once has a lane")
	}
	for range 10 {
		trip.Execute(context.Background(), circuit, answered)
	}
	wantLane(t, circuit)
	if info := inspect(t, circuit); info.Permits != 11 || info.Successes != 11 {
		t.Errorf("inspected %+v", info)
	}
}

func TestALaneAdmitsWhileFailuresCountAndASuccessResetsThem(t *testing.T) {
	_, circuit := onLane(t, trip.Config{FailureThreshold: 3})
	succeed := []func(){
		func() { trip.Execute(context.Background(), circuit, answered) },
		func() { must(t, grant(t, circuit).RecordSuccess()) },
	}
	for round, success := range succeed {
		for failures := range uint32(2) {
			wantLane(t, circuit)
			if failures == 0 {
				fail(t, circuit)
			} else {
				trip.Execute(context.Background(), circuit, failing)
			}
			if info := inspect(t, circuit); info.Failures != failures+1 {
				t.Errorf("inspected %+v", info)
			}
		}
		wantLane(t, circuit)
		success()
		info, calls := inspect(t, circuit), uint64(3*(round+1))
		if info.Failures != 0 || info.Permits != calls || info.Successes != uint64(round+1) || info.Stale != 0 {
			t.Errorf("inspected %+v", info)
		}
	}
	for range 3 {
		fail(t, circuit)
	}
	if circuit.OnLane() {
		t.Error("the lane of an open circuit admits")
	}
}

func TestASuccessThatOvertakesAFailureResetsTheCount(t *testing.T) {
	_, circuit := onLane(t, trip.Config{FailureThreshold: 2})
	for range 5 {
		early := grant(t, circuit)
		fail(t, circuit)
		must(t, early.RecordSuccess())
		trip.Execute(context.Background(), circuit, func(context.Context) (int, error) {
			fail(t, circuit)
			return 1, nil
		})
	}
	if info := inspect(t, circuit); info.State != trip.StateClosed || info.Failures != 0 || info.Permits != 20 {
		t.Errorf("inspected %+v", info)
	}
}

func TestPanicAndGoexitDropACallOfTheLane(t *testing.T) {
	_, circuit := onLane(t, trip.Config{FailureThreshold: 10})
	ends := []func(){func() { panic(errProvider) }, runtime.Goexit}
	judges := []func(error) trip.Outcome{func(error) trip.Outcome { panic(errProvider) }}
	drop := func(judge func(error) trip.Outcome, end func()) {
		together(1, func(int) {
			defer func() { recover() }()
			trip.ExecuteJudged(context.Background(), circuit, judge, func(context.Context) (int, error) {
				end()
				return 0, errProvider
			})
		})
	}
	for _, end := range ends {
		wantLane(t, circuit)
		drop(nil, end)
		must(t, grant(t, circuit).RecordSuccess())
	}
	for _, judge := range judges {
		wantLane(t, circuit)
		drop(judge, func() {})
	}
	if info := inspect(t, circuit); info.Drops != 3 || info.Permits != 5 || info.Failures != 1 {
		t.Errorf("inspected %+v", info)
	}
}

func TestForgottenPermitsOfTheLaneAreDroppedWhereverTheyWere(t *testing.T) {
	_, circuit := onLane(t, trip.Config{FailureThreshold: 1000})
	for round := range 5 {
		wantLane(t, circuit)
		var settled []trip.Permit // they stay, and keep nobody from being dropped who comes after them
		for range 10 {
			settled = append(settled, grant(t, circuit))
		}
		for _, permit := range settled {
			must(t, permit.RecordSuccess())
		}
		settled = nil
		grant(t, circuit)
		collectGarbage(t, func() bool { return inspect(t, circuit).Drops == uint64(round+1) })
		must(t, grant(t, circuit).RecordSuccess())
	}
	if info := inspect(t, circuit); info.Permits != 60 || info.Successes != 55 || info.Drops != 5 {
		t.Errorf("inspected %+v", info)
	}
}

func TestASettledPermitSettlesNothingForThePermitAfterIt(t *testing.T) {
	_, circuit := onLane(t, trip.Config{})
	var old []trip.Permit
	for range 100 {
		permit := grant(t, circuit)
		for _, earlier := range old {
			for name, settle := range settlements {
				wantError(t, name, settle(earlier), trip.ErrConsumed)
			}
		}
		if permit.Renew() != nil {
			t.Fatal("an earlier permit has settled a later one")
		}
		must(t, permit.RecordSuccess())
		old = append(old, permit)
	}
	if info := inspect(t, circuit); info.Permits != 100 || info.Successes != 100 {
		t.Errorf("inspected %+v", info)
	}
}

func TestAPermitOfTheLaneThatIsGivenAwayIsAnOrdinaryOne(t *testing.T) {
	_, circuit := onLane(t, trip.Config{})
	permit := grant(t, circuit)
	away := permit.Detach()
	if again := permit.Detach(); again != 0 {
		t.Errorf("given away twice, as %#x and %#x", away, again)
	}
	wantError(t, "given away", permit.RecordFailure(), trip.ErrConsumed)
	if info := inspect(t, circuit); info.Permits != 1 || info.Successes != 0 {
		t.Errorf("away: %+v", info)
	}
	must(t, trip.PermitFromHandle(away).RecordSuccess())
	wantError(t, "settled twice", trip.PermitFromHandle(away).RecordSuccess(), trip.ErrConsumed)
	if info := inspect(t, circuit); info.Permits != 1 || info.Successes != 1 {
		t.Errorf("settled: %+v", info)
	}
}

func TestAPermitGivenAwayAfterTheCircuitWasSteeredIsCountedOnce(t *testing.T) {
	window := trip.Config{CountWindow: 100}
	for what, steer := range map[string]func(*trip.Tracker, *trip.Circuit) error{
		"observed": func(_ *trip.Tracker, c *trip.Circuit) error { return c.SetMode(trip.ModeObserve, 0, "") },
		"closed":   func(_ *trip.Tracker, c *trip.Circuit) error { return c.SetMode(trip.ModeForcedClosed, 0, "") },
		"open":     func(_ *trip.Tracker, c *trip.Circuit) error { return c.SetMode(trip.ModeForcedOpen, 0, "") },
		"policy":   func(t *trip.Tracker, _ *trip.Circuit) error { return t.Configure(trip.Scope{}, window) },
	} {
		tracker, circuit := onLane(t, trip.Config{})
		permit := grant(t, circuit)
		must(t, steer(tracker, circuit))
		away := permit.Detach()
		must(t, trip.PermitFromHandle(away).RecordSuccess())
		if info := inspect(t, circuit); info.Permits != 1 || info.Successes != 1 || info.Rejections != 0 {
			t.Errorf("%s: inspected %+v", what, info)
		}
		if what != "open" {
			wantError(t, what, trip.PermitFromHandle(away).RecordSuccess(), trip.ErrConsumed)
		}
	}
}

func TestAPermitGivenAwayAfterTheCircuitOpenedIsStaleAndNoProbe(t *testing.T) {
	tracker, circuit := onLane(t, trip.Config{FailureThreshold: 1})
	late, later := grant(t, circuit), grant(t, circuit)
	fail(t, circuit)
	wantError(t, "open", trip.PermitFromHandle(late.Detach()).RecordSuccess(), trip.ErrStale)
	must(t, tracker.Advance(60*time.Second))
	wantError(t, "due", trip.PermitFromHandle(later.Detach()).RecordFailure(), trip.ErrStale)
	if info := inspect(t, circuit); info.State != trip.StateOpen || info.Stale != 2 || info.ProbesOut != 0 {
		t.Errorf("inspected %+v", info)
	}
}

func TestALaneDiesWithItsCircuitAndItsTracker(t *testing.T) {
	tracker, circuit := onLane(t, trip.Config{MaxCircuits: 1})
	late := grant(t, circuit)
	newCircuit(t, tracker, "other", "provider")
	if circuit.OnLane() {
		t.Fatal("the lane of an evicted circuit matches")
	}
	wantError(t, "evicted", late.RecordSuccess(), trip.ErrStale)
	must(t, grant(t, circuit).RecordSuccess())
	circuit.FetchLane()
	wantLane(t, circuit)
	late = grant(t, circuit)
	must(t, tracker.Close())
	for range 2 {
		wantError(t, "closed", late.RecordSuccess(), trip.ErrHandle)
	}
}

func TestALaneOfACircuitKnownByHandleReportsToTheLog(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	circuit, err := trip.CircuitFromHandle(newCircuit(t, tracker, "tenant", "provider").Handle())
	must(t, err)
	circuit.FetchLane()
	wantLane(t, circuit)
	_, err = trip.Execute(context.Background(), circuit, func(context.Context) (int, error) { return 0, tracker.Close() })
	must(t, err)
}

func TestRefusalsAtOneTimeAreOneError(t *testing.T) {
	tracker, circuit := onLane(t, trip.Config{FailureThreshold: 1})
	fail(t, circuit)
	first, second := refused(t, circuit), refused(t, circuit)
	if first != second {
		t.Error("two refusals of the same moment")
	}
	must(t, tracker.Advance(time.Second))
	if third := refused(t, circuit); third.RetryAfter != first.RetryAfter-time.Second {
		t.Errorf("after %+v came %+v", first, third)
	}
}

func ExamplePermit() {
	tracker, _ := trip.NewTracker(trip.Config{})
	defer tracker.Close()
	circuit, _ := tracker.Circuit("acme", "openai")

	permit, err := circuit.Permit()
	if errors.Is(err, trip.ErrOpen) {
		return
	}
	defer permit.Drop() // in case nobody gets to settle it
	fmt.Println(permit.RecordSuccess(), permit.RecordSuccess())
	// Output: <nil> trip: settled before
}
