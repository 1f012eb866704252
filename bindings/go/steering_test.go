// These tests own steering as Go sees it: what operators order holds at once, for the express lane too, and what is
// wrong changes nothing. What the orders do is the contract's.

package trip_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libtrip.example/trip"
)

func TestAForcedRefusalSaysThatItWasForced(t *testing.T) {
	tracker, circuit := onLane(t, trip.Config{})
	must(t, circuit.SetMode(trip.ModeForcedOpen, 10*time.Second, "maintenance"))
	must(t, tracker.Advance(4*time.Second))
	want := trip.OpenError{
		Reason: trip.ErrForced, RetryAfter: 6 * time.Second, State: trip.StateClosed, Tenant: "tenant", Provider: "provider",
	}
	if open := refused(t, circuit); *open != want {
		t.Errorf("refused with %+v", open)
	}
	_, err := trip.Execute(context.Background(), circuit, answered)
	wantError(t, "Execute", err, trip.ErrOpen)
	wantError(t, "Execute", err, trip.ErrForced)
	wantError(t, "Peek", circuit.Peek(), trip.ErrForced)
	if info := inspect(t, circuit); info.Mode != trip.ModeForcedOpen || info.ModeLeft != 6*time.Second {
		t.Errorf("inspected %+v", info)
	}
}

func TestTheLaneEndsWithTheFirstModeAndComesBackWithTheLast(t *testing.T) {
	tracker, circuit := onLane(t, trip.Config{})
	modes := []trip.Mode{trip.ModeForcedOpen, trip.ModeForcedClosed, trip.ModeObserve}
	for _, mode := range modes {
		trip.Execute(context.Background(), circuit, answered)
		early := grant(t, circuit)
		must(t, circuit.SetMode(mode, 0, ""))
		if circuit.OnLane() {
			t.Errorf("%v: the lane admits", mode)
		}
		if mode == trip.ModeForcedOpen {
			refused(t, circuit)
		} else {
			must(t, grant(t, circuit).RecordSuccess())
		}
		must(t, early.RecordSuccess())
		must(t, circuit.SetMode(trip.ModeAuto, 0, ""))
		must(t, grant(t, circuit).RecordSuccess())
		wantLane(t, circuit)
	}
	must(t, circuit.SetMode(trip.ModeForcedOpen, time.Second, ""))
	must(t, tracker.Advance(time.Second))
	must(t, grant(t, circuit).RecordSuccess())
	wantLane(t, circuit)
	if info := inspect(t, circuit); info.Permits != 12 || info.Successes != 12 || info.Rejections != 1 || info.Stale != 0 {
		t.Errorf("inspected %+v", info)
	}
}

func TestTripAndResetEndTheLaneAndWhatIsOut(t *testing.T) {
	_, circuit := onLane(t, trip.Config{InitialOpen: 7 * time.Second})
	for _, order := range []func() error{circuit.Trip, circuit.Reset} {
		early := grant(t, circuit)
		must(t, order())
		wantError(t, "granted before", early.RecordFailure(), trip.ErrStale)
		if circuit.OnLane() {
			t.Error("the lane of before admits")
		}
		must(t, circuit.Reset())
		must(t, grant(t, circuit).RecordSuccess())
		wantLane(t, circuit)
	}
	must(t, circuit.Trip())
	if open := refused(t, circuit); open.RetryAfter != 7*time.Second || open.Reason != trip.ErrOpen {
		t.Errorf("refused with %+v", open)
	}
}

func TestARemovedCircuitIsMadeAnewByWhoeverUsesIt(t *testing.T) {
	tracker, circuit := onLane(t, trip.Config{FailureThreshold: 1})
	late, handle := grant(t, circuit), circuit.Handle()
	byHandle, err := trip.CircuitFromHandle(handle)
	must(t, err)
	must(t, circuit.Remove())
	if circuit.OnLane() {
		t.Error("the lane of a removed circuit admits")
	}
	wantError(t, "granted before", late.RecordFailure(), trip.ErrStale)
	for what, err := range map[string]error{
		"Remove": byHandle.Remove(), "Trip": byHandle.Trip(), "Reset": byHandle.Reset(),
		"SetMode": byHandle.SetMode(trip.ModeObserve, 0, ""),
	} {
		wantError(t, what, err, trip.ErrHandle)
	}
	must(t, circuit.Remove())
	if count := len(circuitsOf(t, tracker)); count != 0 {
		t.Errorf("removed twice, there are %d circuits", count)
	}
	must(t, circuit.Trip())
	if circuit.Handle() == handle || inspect(t, circuit).State != trip.StateOpen {
		t.Errorf("the successor is %+v", inspect(t, circuit))
	}
}

func TestWhatALaneCountedBeforeARemovalIsInTheMetrics(t *testing.T) {
	tracker, circuit := onLane(t, trip.Config{})
	wantMetric(t, tracker, `trip_permits_total{provider="provider"}`, 0) // counted since the first scrape
	for range 10 {
		trip.Execute(context.Background(), circuit, answered)
	}
	must(t, circuit.Remove())
	wantMetric(t, tracker, `trip_permits_total{provider="provider"}`, 10)
}

func TestOrdersThatAreWrongChangeNothing(t *testing.T) {
	_, circuit := onLane(t, trip.Config{})
	must(t, circuit.SetMode(trip.ModeObserve, time.Hour, "reason"))
	before := inspect(t, circuit)
	for what, order := range map[string]func() error{
		"unknown mode":     func() error { return circuit.SetMode(4, 0, "") },
		"huge mode":        func() error { return circuit.SetMode(math.MaxUint32, 0, "") },
		"negative ttl":     func() error { return circuit.SetMode(trip.ModeForcedOpen, -1, "") },
		"least ttl":        func() error { return circuit.SetMode(trip.ModeForcedOpen, math.MinInt64, "") },
		"ttl over a year":  func() error { return circuit.SetMode(trip.ModeForcedOpen, 8760*time.Hour+1, "") },
		"greatest ttl":     func() error { return circuit.SetMode(trip.ModeForcedOpen, math.MaxInt64, "") },
		"256 bytes of why": func() error { return circuit.SetMode(trip.ModeForcedOpen, 0, strings.Repeat("x", 256)) },
	} {
		wantError(t, what, order(), trip.ErrInvalid)
		if after := inspect(t, circuit); after != before {
			t.Errorf("%s: inspected\n%+v, before\n%+v", what, after, before)
		}
	}
	must(t, circuit.SetMode(trip.ModeForcedClosed, 8760*time.Hour, strings.Repeat("\x00", 255)))
}

func TestThePolicyOfEachScopeIsFoundAndWithdrawn(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 9, MaxCircuits: 7})
	circuit := newCircuit(t, tracker, "acme", "openai")
	threshold := func() (failures uint32) {
		t.Helper()
		must(t, circuit.Reset())
		for circuit.Peek() == nil {
			fail(t, circuit)
			failures++
		}
		return failures
	}
	scopes := []trip.Scope{
		{},
		{Kind: trip.ScopeProvider, Provider: "openai"},
		{Kind: trip.ScopeTenant, Tenant: "acme"},
		{Kind: trip.ScopeCircuit, Tenant: "acme", Provider: "openai"},
	}
	for i, scope := range scopes {
		must(t, tracker.Configure(scope, trip.Config{FailureThreshold: uint32(i + 1)}))
		if got := threshold(); got != uint32(i+1) {
			t.Errorf("%+v: opened by %d failures", scope, got)
		}
	}
	for i := range scopes {
		scope := scopes[len(scopes)-1-i]
		must(t, tracker.Withdraw(scope))
		must(t, tracker.Withdraw(scope))
		if got, want := threshold(), []uint32{3, 2, 1, 9}[i]; got != want {
			t.Errorf("without that of %+v opened by %d failures", scope, got)
		}
	}
}

func TestAPolicyThatIsRefusedSaysWhyAndChangesNothing(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 2, MaxCircuits: 7})
	circuit := newCircuit(t, tracker, "acme", "openai")
	exact := trip.DefaultConfig()
	for field, policy := range map[string]trip.Config{
		"Clock":             exact,
		"MaxCircuits":       {MaxCircuits: 8},
		"Jitter":            {Jitter: math.NaN()},
		"InitialOpen":       {InitialOpen: -1},
		"MaxOpen":           {MaxOpen: math.MaxInt64},
		"BackoffMultiplier": {BackoffMultiplier: math.Inf(1)},
		"FailureThreshold":  {FailureThreshold: math.MaxUint32},
		"HalfOpenMaxProbes": {HalfOpenMaxProbes: 16},
	} {
		err := tracker.Configure(trip.Scope{}, policy)
		var refused *trip.ConfigError
		if !errors.As(err, &refused) || refused.Field != field || refused.Message == "" {
			t.Errorf("%s: %v", field, err)
		}
		wantError(t, field, err, trip.ErrConfig)
	}
	long := strings.Repeat("x", 256)
	for _, scope := range []trip.Scope{
		{Kind: 4}, {Kind: math.MaxUint32}, {Tenant: "acme"}, {Provider: "openai"},
		{Kind: trip.ScopeTenant, Provider: "openai"}, {Kind: trip.ScopeProvider, Tenant: "acme", Provider: "openai"},
		{Kind: trip.ScopeTenant, Tenant: long}, {Kind: trip.ScopeCircuit, Provider: long},
	} {
		wantError(t, "Configure", tracker.Configure(scope, trip.Config{FailureThreshold: 1}), trip.ErrInvalid)
		wantError(t, "Withdraw", tracker.Withdraw(scope), trip.ErrInvalid)
	}
	fail(t, circuit)
	must(t, circuit.Peek())
	fail(t, circuit)
	wantError(t, "two failures", circuit.Peek(), trip.ErrOpen)
}

func TestATrackerKnownByItsHandleTakesPoliciesToo(t *testing.T) {
	tracker, err := trip.NewTracker(trip.Config{})
	must(t, err)
	defer tracker.Close()
	byHandle := trip.TrackerFromHandle(tracker.Handle())
	must(t, byHandle.Configure(trip.Scope{Kind: trip.ScopeTenant, Tenant: "acme"}, trip.Config{FailureThreshold: 1}))
	circuit := newCircuit(t, tracker, "acme", "openai")
	fail(t, circuit)
	wantError(t, "one failure", circuit.Peek(), trip.ErrOpen)
}

func TestALaneThatAPolicyTookComesBackWithoutIt(t *testing.T) {
	tracker, circuit := onLane(t, trip.Config{})
	must(t, tracker.Configure(trip.Scope{}, trip.Config{CountWindow: 100}))
	if circuit.OnLane() {
		t.Error("the lane passes the window by")
	}
	must(t, grant(t, circuit).RecordSuccess())
	if !circuit.NeverOnLane() {
		t.Error("the circuit asks for a lane again and again")
	}
	must(t, tracker.Withdraw(trip.Scope{}))
	must(t, grant(t, circuit).RecordSuccess())
	wantLane(t, circuit)
}

// Thresholds of 1 and 2, one in force at a time: the period tells of the policy by which a circuit opened.
func TestAPolicyThatIsReplacedWhileThreadsCallIsAppliedWhole(t *testing.T) {
	const rounds = 1000
	tracker := newTracker(t, trip.Config{FailureThreshold: 1, InitialOpen: time.Second})
	var isOver atomic.Bool
	var loops sync.WaitGroup
	for _, tenant := range []string{"a", "b"} {
		circuit := newCircuit(t, tracker, tenant, "provider")
		loops.Add(1)
		go func() {
			defer loops.Done()
			for !isOver.Load() {
				must(t, circuit.Reset())
				for circuit.Peek() == nil {
					if permit, err := circuit.Permit(); err == nil {
						permit.RecordFailure()
					}
				}
				info := inspect(t, circuit)
				if info.OpenDuration != time.Duration(info.Failures)*time.Second {
					t.Errorf("%d failures opened the circuit for %v", info.Failures, info.OpenDuration)
				}
			}
		}()
	}
	for round := range rounds {
		n := round%2 + 1
		policy := trip.Config{FailureThreshold: uint32(n), InitialOpen: time.Duration(n) * time.Second}
		must(t, tracker.Configure(trip.Scope{Kind: trip.ScopeProvider, Provider: "provider"}, policy))
	}
	isOver.Store(true)
	loops.Wait()
}
