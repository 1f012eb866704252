// These tests own the promises of the calls in two steps, of RecordError, and of waiting for a circuit.

package trip_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"syscall"
	"testing"
	"time"

	"libtrip.example/trip"
)

func allow(t testing.TB, circuit *trip.Circuit) func(error) {
	t.Helper()
	done, err := circuit.Allow()
	wantError(t, "Allow", err, nil)
	return done
}

func wantCounts(t testing.TB, circuit *trip.Circuit, want trip.CircuitInfo) {
	t.Helper()
	info := inspect(t, circuit)
	got := trip.CircuitInfo{
		Permits: info.Permits, Successes: info.Successes, FailuresTotal: info.FailuresTotal, Drops: info.Drops,
		Cancels: info.Cancels, Rejections: info.Rejections,
	}
	if got != want {
		t.Errorf("counted\n%+v, expected\n%+v", got, want)
	}
}

func TestAllowSettlesByTheErrorOfDone(t *testing.T) {
	for name, end := range map[string]struct {
		err  error
		want trip.CircuitInfo
	}{
		"success":         {nil, trip.CircuitInfo{Permits: 1, Successes: 1}},
		"failure":         {errProvider, trip.CircuitInfo{Permits: 1, FailuresTotal: 1}},
		"deadline":        {context.DeadlineExceeded, trip.CircuitInfo{Permits: 1, FailuresTotal: 1}},
		"cancelled":       {context.Canceled, trip.CircuitInfo{Permits: 1, Cancels: 1}},
		"another refused": {&trip.OpenError{Reason: trip.ErrOpen}, trip.CircuitInfo{Permits: 1, Cancels: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
			allow(t, circuit)(end.err)
			wantCounts(t, circuit, end.want)
		})
	}
}

func TestDoneCountsOnceHoweverOftenItIsCalled(t *testing.T) {
	config := trip.Config{OnError: func(err error) { t.Errorf("reported %v", err) }}
	circuit := newCircuit(t, newTracker(t, config), "tenant", "provider")
	done := allow(t, circuit)
	together(20, func(int) { done(errProvider) })
	done(nil)
	wantCounts(t, circuit, trip.CircuitInfo{Permits: 1, FailuresTotal: 1})
}

func TestAllowRefusesWithAnOpenErrorAndADoneThatDoesNothing(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{FailureThreshold: 1}), "tenant", "provider")
	allow(t, circuit)(errProvider)
	done, err := circuit.Allow()
	var open *trip.OpenError
	if !errors.As(err, &open) || open.RetryAfter <= 0 {
		t.Fatalf("Allow returned %v", err)
	}
	done(nil)
	wantCounts(t, circuit, trip.CircuitInfo{Permits: 1, FailuresTotal: 1, Rejections: 1})
}

func TestAllowJudgedAsksTheJudge(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	for _, outcome := range []trip.Outcome{trip.OutcomeSuccess, trip.OutcomeFailure, trip.OutcomeCancel} {
		done, err := circuit.AllowJudged(func(err error) trip.Outcome {
			wantError(t, "judged", err, errProvider)
			return outcome
		})
		wantError(t, "AllowJudged", err, nil)
		done(errProvider)
	}
	wantCounts(t, circuit, trip.CircuitInfo{Permits: 3, Successes: 1, FailuresTotal: 1, Cancels: 1})
}

func TestAllowGoesUnguardedWhereTheLibraryFails(t *testing.T) {
	var reported []error
	tracker := newTracker(t, trip.Config{OnError: func(err error) { reported = append(reported, err) }})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	out := allow(t, circuit)
	tracker.Close()
	allow(t, circuit)(nil)
	out(nil)
	if len(reported) != 2 || reported[0] != trip.ErrHandle || reported[1] != trip.ErrHandle {
		t.Errorf("reported %v", reported)
	}
	allow(t, nil)(nil)
	new(trip.Tracker).Report(errProvider)
}

func TestADoneThatIsForgottenIsADroppedPermit(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	allow(t, circuit)
	for range 100 {
		if inspect(t, circuit).Drops == 1 {
			return
		}
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("inspected %+v", inspect(t, circuit))
}

func TestRecordErrorCountsWhatTheErrorTells(t *testing.T) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for name, end := range map[string]struct {
		ctx  context.Context
		err  error
		want trip.CircuitInfo
	}{
		"success":               {context.Background(), nil, trip.CircuitInfo{Permits: 1, Successes: 1}},
		"success after all":     {over, nil, trip.CircuitInfo{Permits: 1, Successes: 1}},
		"given up":              {over, errProvider, trip.CircuitInfo{Permits: 1, Cancels: 1}},
		"network":               {context.Background(), syscall.ECONNRESET, trip.CircuitInfo{Permits: 1, FailuresTotal: 1}},
		"timeout":               {context.Background(), syscall.ETIMEDOUT, trip.CircuitInfo{Permits: 1, FailuresTotal: 1}},
		"a mistake":             {context.Background(), errors.New("HTTP 404"), trip.CircuitInfo{Permits: 1, Successes: 1}},
		"nothing known":         {context.Background(), io.ErrNoProgress, trip.CircuitInfo{Permits: 1, FailuresTotal: 1}},
		"nobody could be asked": {context.Background(), syscall.EMFILE, trip.CircuitInfo{Permits: 1, Cancels: 1}},
		"no outcome at all": {
			context.Background(), &trip.OutcomeError{Outcome: trip.CallOutcome{Class: 99}},
			trip.CircuitInfo{Permits: 1, FailuresTotal: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
			permit, err := circuit.Permit()
			wantError(t, "Permit", err, nil)
			wantError(t, "RecordError", permit.RecordError(end.ctx, end.err), nil)
			wantError(t, "RecordError", permit.RecordError(end.ctx, end.err), trip.ErrConsumed)
			wantCounts(t, circuit, end.want)
		})
	}
	wantError(t, "RecordError", trip.Permit{}.RecordError(context.Background(), nil), trip.ErrHandle)
}

func TestWaitAdmitReturnsWhenTheCircuitAdmits(t *testing.T) {
	const open = time.Hour // by the manual clock, which nobody who waits hears of
	tracker := newTracker(t, trip.Config{FailureThreshold: 1, InitialOpen: open, MaxOpen: open, Clock: trip.ClockManual})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	wantError(t, "WaitAdmit", circuit.WaitAdmit(context.Background()), nil)
	allow(t, circuit)(errProvider)

	waited := make(chan error)
	for range 3 {
		go func() { waited <- circuit.WaitAdmit(context.Background()) }()
	}
	select {
	case err := <-waited:
		t.Fatalf("WaitAdmit returned %v of an open circuit", err)
	case <-time.After(50 * time.Millisecond):
	}
	tracker.Advance(open)
	for range 3 {
		wantError(t, "WaitAdmit", <-waited, nil)
	}
	wantCounts(t, circuit, trip.CircuitInfo{Permits: 1, FailuresTotal: 1})
}

func TestWaitAdmitEndsWithItsContextAndWithTheTracker(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 1})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	allow(t, circuit)(errProvider)

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := circuit.WaitAdmit(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, trip.ErrOpen) {
		t.Errorf("WaitAdmit returned %v", err)
	}
	wantError(t, "WaitAdmit", circuit.WaitAdmit(ctx), context.DeadlineExceeded)

	waited := make(chan error)
	go func() { waited <- circuit.WaitAdmit(context.Background()) }()
	tracker.Close()
	wantError(t, "WaitAdmit", <-waited, trip.ErrHandle)
	wantError(t, "WaitAdmit", (*trip.Circuit)(nil).WaitAdmit(context.Background()), trip.ErrHandle)
}
