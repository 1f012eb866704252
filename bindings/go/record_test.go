// These tests own what Go takes and refuses of outcomes, streams and classifiers. What each class does to a circuit is
// the contract's.

package trip_test

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libtrip.example/trip"
)

// everyWay runs a test on a circuit that opens at the second failure: on its lane, without one yet, and one that never
// has any.
func everyWay(t *testing.T, test func(*testing.T, *trip.Tracker, *trip.Circuit)) {
	t.Run("lane", func(t *testing.T) {
		tracker, circuit := onLane(t, trip.Config{FailureThreshold: 2})
		test(t, tracker, circuit)
	})
	for name, window := range map[string]uint32{"library": 0, "windows": 2047} {
		t.Run(name, func(t *testing.T) {
			tracker := newTracker(t, trip.Config{FailureThreshold: 2, CountWindow: window})
			circuit, err := tracker.Circuit("tenant", "provider")
			must(t, err)
			test(t, tracker, circuit)
		})
	}
}

func TestAnOutcomeCountsAsItsClassSays(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *trip.Tracker, circuit *trip.Circuit) {
		must(t, grant(t, circuit).Record(trip.CallOutcome{Class: trip.ClassOverloaded}))
		must(t, grant(t, circuit).Record(trip.CallOutcome{Class: trip.ClassCancelled}))
		if info := inspect(t, circuit); info.Failures != 1 {
			t.Errorf("%+v", info)
		}
		must(t, grant(t, circuit).Record(trip.ClassifyHTTP(401, nil)))
		must(t, grant(t, circuit).Record(trip.CallOutcome{Duration: time.Second}))
		info := inspect(t, circuit)
		if info.Failures != 0 || info.FailuresTotal != 1 || info.Cancels != 1 || info.Successes != 2 || info.Permits != 4 {
			t.Errorf("%+v", info)
		}
	})
}

func TestAWaitKeepsTheCircuitOpen(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *trip.Tracker, circuit *trip.Circuit) {
		for range 2 {
			must(t, grant(t, circuit).Record(trip.CallOutcome{Class: trip.ClassRateLimited, RetryAfter: 20 * time.Minute}))
		}
		if info := inspect(t, circuit); info.RetryAfter != 20*time.Minute {
			t.Errorf("%+v", info)
		}
	})
}

func TestAnOutcomeSettlesOnce(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *trip.Tracker, circuit *trip.Circuit) {
		permit := grant(t, circuit)
		must(t, permit.Record(trip.CallOutcome{}))
		wantError(t, "again", permit.Record(trip.CallOutcome{Class: trip.ClassAuth}), trip.ErrConsumed)
		wantError(t, "as a success", permit.RecordSuccess(), trip.ErrConsumed)
		wantError(t, "progress", permit.Progress(), trip.ErrConsumed)
		late := grant(t, circuit)
		for range 2 {
			must(t, grant(t, circuit).RecordFailure())
		}
		wantError(t, "progress of a stale one", late.Progress(), trip.ErrStale)
		wantError(t, "a stale one", late.Record(trip.CallOutcome{Class: trip.ClassTimeout}), trip.ErrStale)
		wantError(t, "none", trip.Permit{}.Record(trip.CallOutcome{}), trip.ErrHandle)
		wantError(t, "progress of none", trip.Permit{}.Progress(), trip.ErrHandle)
	})
}

var badOutcomes = []trip.CallOutcome{
	{Class: trip.ClassUnknown + 1},
	{Class: math.MaxUint32},
	{RetryAfter: -1},
	{Class: trip.ClassTimeout, Duration: math.MinInt64},
	{HTTPStatus: -1},
	{HTTPStatus: math.MaxInt},
	{Errno: math.MinInt},
	{Errno: math.MaxInt32 + 1},
}

func TestABadOutcomeSettlesNothing(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *trip.Tracker, circuit *trip.Circuit) {
		permit := grant(t, circuit)
		before := inspect(t, circuit)
		for _, bad := range badOutcomes {
			if err := permit.Record(bad); err != trip.ErrInvalid {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		if after := inspect(t, circuit); after != before {
			t.Errorf("%+v became %+v", before, after)
		}
		const longest = time.Duration(math.MaxInt64)
		must(t, permit.Record(trip.CallOutcome{Class: trip.ClassServerError, RetryAfter: longest, Duration: longest}))
	})
}

func TestGoroutinesSettleAPermitOnce(t *testing.T) {
	const rounds = 500
	everyWay(t, func(t *testing.T, _ *trip.Tracker, circuit *trip.Circuit) {
		for range rounds {
			permit := grant(t, circuit)
			var settled atomic.Int32
			var all sync.WaitGroup
			for _, class := range []trip.Class{trip.ClassSuccess, trip.ClassAuth, trip.ClassCancelled, trip.ClassNotFound} {
				all.Add(1)
				go func() {
					defer all.Done()
					if permit.Record(trip.CallOutcome{Class: class}) == nil {
						settled.Add(1)
					}
				}()
			}
			all.Wait()
			if settled.Load() != 1 {
				t.Fatalf("settled %d times", settled.Load())
			}
		}
		if info := inspect(t, circuit); info.Permits != rounds || info.Successes+info.Cancels != rounds {
			t.Errorf("%+v", info)
		}
	})
}

func TestAProbeIsOverWithItsFirstToken(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 1, InitialOpen: time.Second, Stall: 5 * time.Second})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	fail(t, circuit)
	must(t, tracker.Advance(time.Second))
	probe := grant(t, circuit)
	must(t, probe.Progress())
	must(t, grant(t, circuit).RecordSuccess())
	must(t, tracker.Advance(5*time.Second))
	refused(t, circuit)
	wantError(t, "a stalled stream", probe.Progress(), trip.ErrStale)
	wantError(t, "its end", probe.RecordSuccess(), trip.ErrStale)
	if info := inspect(t, circuit); info.FailuresTotal != 2 || info.Opens != 2 || info.Stale != 1 {
		t.Errorf("%+v", info)
	}
}

func TestARampSaysSo(t *testing.T) {
	config := trip.Config{FailureThreshold: 1, InitialOpen: time.Second, Ramp: 100 * time.Second, RampSteps: 100}
	tracker := newTracker(t, config)
	circuit := newCircuit(t, tracker, "tenant", "provider")
	fail(t, circuit)
	must(t, tracker.Advance(time.Second))
	must(t, grant(t, circuit).RecordSuccess())
	must(t, grant(t, circuit).RecordSuccess())
	peeked := circuit.Peek()
	_, err := circuit.Permit()
	for _, err := range []error{peeked, err} {
		var open *trip.OpenError
		if !errors.Is(err, trip.ErrOpen) || !errors.Is(err, trip.ErrRamp) || !errors.As(err, &open) ||
			open.State != trip.StateClosed || open.RetryAfter != 50*time.Millisecond {
			t.Errorf("refused with %v", err)
		}
	}
}

func TestACircuitWithoutLanesIsKnownAsSuch(t *testing.T) {
	for name, config := range map[string]trip.Config{
		"count": {CountWindow: 100},
		"time":  {TimeWindow: time.Second},
		"hang":  {Hang: time.Second, HangCalls: 100},
		"ramp":  {Ramp: time.Second},
		"stall": {Stall: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			circuit, err := newTracker(t, config).Circuit("tenant", "provider")
			must(t, err)
			const calls = 100
			for range calls {
				_, err := trip.Execute(context.Background(), circuit, answered)
				must(t, err)
			}
			if circuit.OnLane() || !circuit.NeverOnLane() {
				t.Error("it does not know that there is no lane")
			}
			if info := inspect(t, circuit); info.Successes != calls {
				t.Errorf("%+v", info)
			}
		})
	}
}

func TestRecordedSuccessesLeadToALane(t *testing.T) {
	circuit, err := newTracker(t, trip.Config{}).Circuit("tenant", "provider")
	must(t, err)
	for range 20 {
		must(t, grant(t, circuit).Record(trip.CallOutcome{Duration: time.Second}))
	}
	wantLane(t, circuit)
	if info := inspect(t, circuit); info.Successes != 20 {
		t.Errorf("%+v", info)
	}
}

type httpError int

func (e httpError) Error() string { return "an answer that is none" }

func classify(err error) trip.CallOutcome {
	var status httpError
	if errors.As(err, &status) {
		return trip.ClassifyHTTP(int(status), nil)
	}
	return trip.ClassifyText(err.Error())
}

func TestAClassifierSaysWhatAnErrorTells(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *trip.Tracker, circuit *trip.Circuit) {
		for _, failed := range []error{httpError(400), httpError(401), httpError(503), errors.New("what is this")} {
			_, err := trip.ExecuteClassified(context.Background(), circuit, classify,
				func(context.Context) (int, error) { return 0, failed })
			wantError(t, "the call", err, failed)
		}
		info := inspect(t, circuit)
		if info.Successes != 2 || info.FailuresTotal != 1 || info.Cancels != 1 || info.Permits != 4 {
			t.Errorf("%+v", info)
		}
	})
}

func TestAClassifierIsNotAskedWhereTheAnswerIsClear(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *trip.Tracker, circuit *trip.Circuit) {
		asked := func(err error) trip.CallOutcome {
			t.Errorf("asked about %v", err)
			return trip.CallOutcome{}
		}
		for _, err := range []error{nil, context.Canceled, trip.ErrOpen} {
			trip.ExecuteClassified(context.Background(), circuit, asked,
				func(context.Context) (int, error) { return 0, err })
		}
		if info := inspect(t, circuit); info.Successes != 1 || info.Cancels != 2 {
			t.Errorf("%+v", info)
		}
	})
}

func TestAClassifierThatFailsHidesNoFailure(t *testing.T) {
	for _, bad := range badOutcomes {
		var reported error
		tracker := newTracker(t, trip.Config{OnError: func(err error) { reported = err }})
		circuit := newCircuit(t, tracker, "tenant", "provider")
		_, err := trip.ExecuteClassified(context.Background(), circuit, func(error) trip.CallOutcome { return bad },
			func(context.Context) (int, error) { return 0, io.EOF })
		wantError(t, "the call", err, io.EOF)
		wantError(t, "the report", reported, trip.ErrInvalid)
		if info := inspect(t, circuit); info.FailuresTotal != 1 || info.Permits != 1 {
			t.Errorf("%+v: %+v", bad, info)
		}
	}
}

func TestAClassifierThatPanicsDropsThePermit(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *trip.Tracker, circuit *trip.Circuit) {
		func() {
			defer func() { recover() }()
			trip.ExecuteClassified(context.Background(), circuit, func(error) trip.CallOutcome { panic("no idea") },
				func(context.Context) (int, error) { return 0, io.EOF })
		}()
		if info := inspect(t, circuit); info.Drops != 1 || info.Permits != 1 {
			t.Errorf("%+v", info)
		}
	})
}

func TestEffectsHaveNoZero(t *testing.T) {
	count := func(config trip.Config) trip.CircuitInfo {
		circuit := newCircuit(t, newTracker(t, config), "tenant", "provider")
		must(t, grant(t, circuit).Record(trip.CallOutcome{Class: trip.ClassAuth}))
		return inspect(t, circuit)
	}
	exact := trip.DefaultConfig()
	exact.OnAuth = trip.EffectDefault
	for _, config := range []trip.Config{{}, {OnAuth: trip.EffectDefault}, trip.DefaultConfig(), exact} {
		if info := count(config); info.Successes != 1 {
			t.Errorf("by default: %+v", info)
		}
	}
	if info := count(trip.Config{OnAuth: trip.EffectFailure}); info.FailuresTotal != 1 {
		t.Errorf("as a failure: %+v", info)
	}
	for _, effect := range []trip.Effect{-1, 4, math.MaxInt, math.MinInt, 1 << 32, 1<<32 + 1} {
		_, err := trip.NewTracker(trip.Config{OnAuth: effect})
		var refused *trip.ConfigError
		if !errors.As(err, &refused) || refused.Field != "OnAuth" {
			t.Errorf("effect %d: %v", effect, err)
		}
	}
}
