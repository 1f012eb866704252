// These tests own the promises of Execute: what each end of a call says about the provider, and that the breaker is
// never the outage.

package trip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"libtrip.example/trip"
)

var errProvider = errors.New("503 service unavailable")

type call = func(ctx context.Context, giveUp context.CancelFunc) (string, error)

func TestExecuteSettlesByHowTheCallEnds(t *testing.T) {
	for name, end := range map[string]struct {
		call call
		want trip.CircuitInfo
	}{
		"success": {
			func(context.Context, context.CancelFunc) (string, error) { return "answer", nil },
			trip.CircuitInfo{Permits: 1, Successes: 1},
		},
		"success after all, though its caller gave up": {
			func(_ context.Context, giveUp context.CancelFunc) (string, error) { giveUp(); return "answer", nil },
			trip.CircuitInfo{Permits: 1, Successes: 1},
		},
		"error": {
			func(context.Context, context.CancelFunc) (string, error) { return "partial", errProvider },
			trip.CircuitInfo{Permits: 1, FailuresTotal: 1, Failures: 1},
		},
		"deadline inside the call": {
			func(context.Context, context.CancelFunc) (string, error) { return "", context.DeadlineExceeded },
			trip.CircuitInfo{Permits: 1, FailuresTotal: 1, Failures: 1},
		},
		"caller gave up": {
			func(_ context.Context, giveUp context.CancelFunc) (string, error) { giveUp(); return "", errProvider },
			trip.CircuitInfo{Permits: 1, Cancels: 1},
		},
		"cancelled inside the call": {
			func(context.Context, context.CancelFunc) (string, error) {
				return "", fmt.Errorf("reading: %w", context.Canceled)
			},
			trip.CircuitInfo{Permits: 1, Cancels: 1},
		},
		"another circuit refused": {
			func(context.Context, context.CancelFunc) (string, error) {
				return "", &trip.OpenError{Reason: trip.ErrProbing}
			},
			trip.CircuitInfo{Permits: 1, Cancels: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
			ctx, giveUp := context.WithCancel(context.Background())
			defer giveUp()
			wantAnswer, wantErr := end.call(context.Background(), func() {})
			answer, err := trip.Execute(ctx, circuit, func(ctx context.Context) (string, error) {
				return end.call(ctx, giveUp)
			})
			if answer != wantAnswer || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("executed to %q, %v", answer, err)
			}
			info := inspect(t, circuit)
			info.Epoch = 0
			if info != end.want {
				t.Errorf("inspected\n%+v, expected\n%+v", info, end.want)
			}
		})
	}
}

func TestJudgeSaysWhatAnErrorTells(t *testing.T) {
	for outcome, want := range map[trip.Outcome]trip.CircuitInfo{
		trip.OutcomeSuccess: {Permits: 1, Successes: 1},
		trip.OutcomeFailure: {Permits: 1, FailuresTotal: 1, Failures: 1},
		trip.OutcomeCancel:  {Permits: 1, Cancels: 1},
		trip.Outcome(99):    {Permits: 1, FailuresTotal: 1, Failures: 1},
	} {
		circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
		judge := func(err error) trip.Outcome {
			wantError(t, "judged", err, errProvider)
			return outcome
		}
		_, err := trip.ExecuteJudged(context.Background(), circuit, judge, func(context.Context) (int, error) {
			return 0, errProvider
		})
		wantError(t, "ExecuteJudged", err, errProvider)
		info := inspect(t, circuit)
		info.Epoch = 0
		if info != want {
			t.Errorf("outcome %d: inspected\n%+v, expected\n%+v", outcome, info, want)
		}
	}
}

func TestJudgeIsNotAskedWhereTheAnswerIsClear(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	judge := func(err error) trip.Outcome {
		t.Errorf("asked about %v", err)
		return trip.OutcomeFailure
	}
	for _, err := range []error{nil, context.Canceled, &trip.OpenError{Reason: trip.ErrOpen}} {
		trip.ExecuteJudged(context.Background(), circuit, judge, func(context.Context) (int, error) { return 0, err })
	}
}

func TestADeadlineThatPassesDuringTheCallIsAFailure(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := trip.Execute(ctx, circuit, func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	})
	wantError(t, "Execute", err, context.DeadlineExceeded)
	if info := inspect(t, circuit); info.FailuresTotal != 1 {
		t.Errorf("inspected %+v", info)
	}
}

func TestAPanicDropsThePermitAndContinues(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	func() {
		defer func() {
			if got := recover(); got != errProvider {
				t.Errorf("recovered %v", got)
			}
		}()
		trip.Execute(context.Background(), circuit, func(context.Context) (int, error) { panic(errProvider) })
	}()
	if info := inspect(t, circuit); info.Drops != 1 || info.Permits != 1 {
		t.Errorf("inspected %+v", info)
	}
}

func TestACallThatEndsItsGoroutineDropsThePermit(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	together(1, func(int) {
		trip.Execute(context.Background(), circuit, func(context.Context) (int, error) {
			runtime.Goexit()
			return 0, nil
		})
	})
	if info := inspect(t, circuit); info.Drops != 1 {
		t.Errorf("inspected %+v", info)
	}
}

func TestAContextThatIsOverTakesNoPermit(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := trip.Execute(ctx, circuit, neverCalled(t))
	wantError(t, "Execute", err, context.Canceled)
	if info := inspect(t, circuit); info.Permits != 0 {
		t.Errorf("inspected %+v", info)
	}
}

func unexpected(t *testing.T) func(error) {
	return func(err error) { t.Errorf("reported %v", err) }
}

func neverCalled(t *testing.T) func(context.Context) (int, error) {
	return func(context.Context) (int, error) {
		t.Error("called")
		return 0, nil
	}
}

func TestARefusedCallIsNotMade(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 1, OnError: unexpected(t)})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	fail(t, circuit)
	_, err := trip.Execute(context.Background(), circuit, neverCalled(t))
	var open *trip.OpenError
	if !errors.As(err, &open) || open.RetryAfter != 30*time.Second {
		t.Errorf("executed to %v", err)
	}
}

func TestAStaleSettlementIsNotReported(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 1, OnError: unexpected(t)})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	_, err := trip.Execute(context.Background(), circuit, func(context.Context) (int, error) {
		fail(t, circuit)
		return 0, nil
	})
	must(t, err)
	if info := inspect(t, circuit); info.Stale != 1 {
		t.Errorf("inspected %+v", info)
	}
}

func TestTheBreakerIsNeverTheOutage(t *testing.T) {
	var reported []error
	tracker := newTracker(t, trip.Config{OnError: func(err error) { reported = append(reported, err) }})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	answer, err := trip.Execute(context.Background(), circuit, func(context.Context) (int, error) {
		return 1, tracker.Close()
	})
	if answer != 1 || err != nil {
		t.Errorf("with a tracker closed meanwhile: %d, %v", answer, err)
	}
	answer, err = trip.Execute(context.Background(), circuit, func(context.Context) (int, error) {
		return 2, errProvider
	})
	if answer != 2 || err != errProvider {
		t.Errorf("with a tracker closed before: %d, %v", answer, err)
	}
	if len(reported) != 2 || reported[0] != trip.ErrHandle || reported[1] != trip.ErrHandle {
		t.Errorf("reported %v", reported)
	}
}

func TestWithoutACircuitTheCallIsMade(t *testing.T) {
	var logged bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	var circuit *trip.Circuit
	answer, err := trip.Execute(context.Background(), circuit, func(context.Context) (int, error) { return 3, nil })
	if answer != 3 || err != nil {
		t.Errorf("executed to %d, %v", answer, err)
	}
	if !strings.Contains(logged.String(), trip.ErrHandle.Error()) {
		t.Errorf("logged %q", &logged)
	}
}
