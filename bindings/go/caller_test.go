// These tests own the order of the one call: what each part sees of it, and what none sees.

package trip_test

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"libtrip.example/trip"
)

// A rig has all parts, with a clock that stands still: retries wait by the machine's.
type rig struct {
	tracker  *trip.Tracker
	circuit  *trip.Circuit
	route    *trip.Route // nil: there is the circuit
	retry    *trip.Retry
	dedup    *trip.Dedup
	gate     *trip.Gate
	reported []error
}

func newRig(t testing.TB, config trip.Config) *rig {
	t.Helper()
	r := new(rig)
	config.OnError = func(err error) { r.reported = append(r.reported, err) }
	r.tracker = newTracker(t, config)
	r.circuit = newCircuit(t, r.tracker, "tenant", "provider")
	r.retry = newRetry(t, trip.RetryConfig{Tracker: r.tracker, BaseDelay: 1})
	r.dedup = newDedup(t, trip.DedupConfig{Tracker: r.tracker})
	r.gate = newGate(t, trip.GateConfig{Tracker: r.tracker, Capacity: 1})
	return r
}

func (r *rig) caller(t testing.TB, permits trip.Permits) *trip.Caller {
	t.Helper()
	config := trip.CallerConfig{
		Circuit: r.circuit, Retry: r.retry, Dedup: r.dedup, Gate: r.gate, Permits: permits,
	}
	if r.route != nil {
		config.Circuit, config.Route = nil, r.route
	}
	return newCaller(t, config)
}

func newCaller(t testing.TB, config trip.CallerConfig) *trip.Caller {
	t.Helper()
	caller, err := trip.NewCaller(config)
	must(t, err)
	return caller
}

// wantNothingHeld is what is left of a call, however it ended.
func (r *rig) wantNothingHeld(t testing.TB) {
	t.Helper()
	if info := inspectGate(t, r.gate); info.Depth != 0 || info.Acquired != info.Released {
		t.Errorf("the gate is %+v", info)
	}
	if info := inspectDedup(t, r.dedup); info.InProgress != 0 || info.Waiting != 0 {
		t.Errorf("the deduplicator is %+v", info)
	}
	for circuit, err := range r.tracker.Circuits() {
		must(t, err)
		info := circuit.Info
		if info.Permits != info.Successes+info.FailuresTotal+info.Drops+info.Cancels {
			t.Errorf("the circuit is %+v", info)
		}
	}
}

var bothPermits = map[string]trip.Permits{
	"a permit per attempt": trip.PermitPerAttempt, "a permit per call": trip.PermitPerCall,
}

// byBoth runs a test with each of the two compositions.
func byBoth(t *testing.T, test func(t *testing.T, permits trip.Permits)) {
	t.Helper()
	for name, permits := range bothPermits {
		t.Run(name, func(t *testing.T) { test(t, permits) })
	}
}

type plain = trip.CallOptions[string]

var keyed = plain{Key: "key"}

var errDown = &trip.OutcomeError{Outcome: trip.CallOutcome{Class: trip.ClassServerError}, Err: errProvider}

// answersAfter makes a call that fails so often before it answers, and counts.
func answersAfter(failures int, made *int) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) {
		if *made++; *made <= failures {
			return "partial", errDown
		}
		return "answer", nil
	}
}

func notMade(t testing.TB) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) {
		t.Error("the call was made")
		return "", nil
	}
}

func TestAllPartsTakePartInACall(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		r := newRig(t, trip.Config{})
		caller := r.caller(t, permits)
		answer, err := trip.Do(context.Background(), caller, keyed, func(_ context.Context, provider string) (string, error) {
			if info := inspectGate(t, r.gate); info.Depth != 1 {
				t.Errorf("the gate is %+v", info)
			}
			if info := inspectDedup(t, r.dedup); info.InProgress != 1 {
				t.Errorf("the deduplicator is %+v", info)
			}
			if info := inspect(t, r.circuit); info.Permits != 1 || info.Successes != 0 {
				t.Errorf("the circuit is %+v", info)
			}
			return "from " + provider, nil
		})
		if answer != "from provider" || err != nil {
			t.Errorf("%q, %v", answer, err)
		}
		r.wantNothingHeld(t)
		wantValue(t, r.dedup, "key", "from provider")
		if info, err := r.retry.Inspect("provider"); info.Calls != 1 || info.Retries != 0 || err != nil {
			t.Errorf("the retry is %+v, %v", info, err)
		}
		if info := inspect(t, r.circuit); info.Successes != 1 {
			t.Errorf("the circuit is %+v", info)
		}
		if len(r.reported) != 0 {
			t.Errorf("reported %v", r.reported)
		}
	})
}

func TestAKnownValueIsTheEndOfTheCall(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		r := newRig(t, trip.Config{})
		must(t, check(t, r.dedup, "key").Complete([]byte("known")))
		held := acquire(t, r.gate)
		must(t, r.circuit.Trip())
		answer, err := trip.Do(context.Background(), r.caller(t, permits), keyed, notMade(t))
		if answer != "known" || err != nil {
			t.Errorf("%q, %v", answer, err)
		}
		must(t, held.Release(trip.EffectNothing))
		if info := inspectGate(t, r.gate); info.Shed != 0 || info.Acquired != 1 {
			t.Errorf("the gate is %+v", info)
		}
		if info := inspect(t, r.circuit); info.Rejections != 0 {
			t.Errorf("the circuit is %+v", info)
		}
	})
}

func TestWhoWaitsForAnotherHoldsNothing(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		const waiters = 20
		r := newRig(t, trip.Config{})
		caller := r.caller(t, trip.PermitPerAttempt) // whose gate has one place
		var made atomic.Int32
		begun, end := make(chan struct{}), make(chan struct{})
		answers := make(chan string, waiters+1)
		call := func() {
			answer, err := trip.Do(context.Background(), caller, keyed, func(context.Context, string) (string, error) {
				made.Add(1)
				close(begun)
				<-end
				return "answer", nil
			})
			answers <- fmt.Sprint(answer, err)
		}
		go call()
		<-begun
		for range waiters {
			go call()
		}
		untilWaiting(t, waiters, waitingForAnother)
		if info := inspectGate(t, r.gate); info.Depth != 1 || info.Shed != 0 {
			t.Errorf("the gate is %+v", info)
		}
		if info := inspect(t, r.circuit); info.Permits != 1 {
			t.Errorf("the circuit is %+v", info)
		}
		close(end)
		for range waiters + 1 {
			if answer := <-answers; answer != "answer<nil>" {
				t.Error(answer)
			}
		}
		if made.Load() != 1 {
			t.Errorf("the call was made %d times", made.Load())
		}
		r.wantNothingHeld(t)
	})
}

func TestAFailedCallLeavesItsKeyToTheNext(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		r := newRig(t, trip.Config{})
		r.retry = nil
		caller := r.caller(t, trip.PermitPerAttempt)
		begun, end := make(chan struct{}), make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- second(trip.Do(context.Background(), caller, keyed, func(context.Context, string) (string, error) {
				close(begun)
				<-end
				return "", errDown
			}))
		}()
		<-begun
		came := waitFor(context.Background(), r.dedup, "key")
		untilWaiting(t, 1, waitingForAnother)
		close(end)
		must(t, (<-came).ticket.Drop())
		wantError(t, "the first", <-ended, errProvider)
		r.wantNothingHeld(t)
	})
}

func TestAPlaceIsHeldWhileARetryWaits(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		leavesNothing(t, func(t *testing.T) {
			r := newRig(t, trip.Config{})
			r.retry = newRetry(t, trip.RetryConfig{BaseDelay: time.Hour, MaxDelay: time.Hour, Jitter: trip.JitterNone})
			caller := r.caller(t, permits)
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			made := 0
			go func() { ended <- second(trip.Do(ctx, caller, keyed, answersAfter(1, &made))) }()
			untilAsleepBeforeARetry(t)
			if info := inspectGate(t, r.gate); info.Depth != 1 {
				t.Errorf("the gate is %+v", info)
			}
			wantPermits := map[trip.Permits]uint64{trip.PermitPerAttempt: 0, trip.PermitPerCall: 1}[permits]
			if info := inspect(t, r.circuit); info.Permits-info.FailuresTotal != wantPermits {
				t.Errorf("the circuit is %+v", info)
			}
			err := second(trip.Do(ctx, caller, plain{Key: "another"}, notMade(t)))
			wantError(t, "another call", err, trip.ErrShed)
			must(t, check(t, r.dedup, "another").Drop()) // its key is free at once
			cancel()
			err = <-ended
			wantError(t, "given up", err, context.Canceled)
			wantError(t, "given up after", err, errProvider)
			r.wantNothingHeld(t)
		})
	})
}

func untilAsleepBeforeARetry(t *testing.T) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	eventually(t, func() bool {
		return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "/trip.sleep(")
	})
}

func TestARefusedPermitIsNoAttempt(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		r := newRig(t, trip.Config{})
		r.gate = newGate(t, trip.GateConfig{Tracker: r.tracker, Adapt: trip.AdaptAIMD, InitialLimit: 10})
		must(t, r.circuit.Trip())
		_, err := trip.Do(context.Background(), r.caller(t, permits), keyed, notMade(t))
		var open *trip.OpenError
		if !errors.As(err, &open) || open.Provider != "provider" {
			t.Errorf("refused with %v", err)
		}
		if info := inspect(t, r.circuit); info.Rejections != 1 {
			t.Errorf("the circuit is %+v", info)
		}
		if info, err := r.retry.Inspect("provider"); info.Calls != 0 || info.Retries != 0 || info.Refused != 0 || err != nil {
			t.Errorf("the retry is %+v, %v", info, err)
		}
		if info := inspectGate(t, r.gate); info.Limit != 10 {
			t.Errorf("the gate is %+v", info)
		}
		r.wantNothingHeld(t)
		must(t, check(t, r.dedup, "key").Drop())
	})
}

func TestACircuitThatOpensEndsTheRetries(t *testing.T) {
	r := newRig(t, trip.Config{FailureThreshold: 2})
	r.retry = newRetry(t, trip.RetryConfig{BaseDelay: 1, MaxAttempts: 10})
	made := 0
	partial, err := trip.Do(context.Background(), r.caller(t, trip.PermitPerAttempt), plain{}, answersAfter(10, &made))
	if made != 2 || err != error(errDown) || partial != "partial" {
		t.Errorf("%d attempts, %q, %v", made, partial, err)
	}
	if info := inspect(t, r.circuit); info.FailuresTotal != 2 || info.Rejections != 1 || info.State != trip.StateOpen {
		t.Errorf("the circuit is %+v", info)
	}
	if info, err := r.retry.Inspect("provider"); info.Calls != 1 || info.Retries != 2 || err != nil {
		t.Errorf("the retry is %+v, %v", info, err)
	}
	r.wantNothingHeld(t)
}

func TestEachAttemptHasItsPermitOrAllHaveOne(t *testing.T) {
	for permits, want := range map[trip.Permits]map[int]trip.CircuitInfo{
		trip.PermitPerAttempt: {
			2: {Permits: 3, FailuresTotal: 2, Successes: 1}, 3: {Permits: 3, FailuresTotal: 3, Failures: 3},
		},
		trip.PermitPerCall: {2: {Permits: 1, Successes: 1}, 3: {Permits: 1, FailuresTotal: 1, Failures: 1}},
	} {
		for failures, want := range want {
			r := newRig(t, trip.Config{})
			made := 0
			answer, err := trip.Do(context.Background(), r.caller(t, permits), plain{}, answersAfter(failures, &made))
			if made != 3 || (err == nil) != (answer == "answer") || (failures == 3) != errors.Is(err, errProvider) {
				t.Errorf("%d attempts, %q, %v", made, answer, err)
			}
			info := inspect(t, r.circuit)
			info.Epoch = 0
			if info != want {
				t.Errorf("permits %d, %d failures: the circuit is %+v", permits, failures, info)
			}
			if info, err := r.retry.Inspect("provider"); info.Calls != 1 || info.Retries != 2 || err != nil {
				t.Errorf("the retry is %+v, %v", info, err)
			}
			r.wantNothingHeld(t)
		}
	}
}

func TestARetryGoesToAnotherProviderOfTheRoute(t *testing.T) {
	for permits, want := range map[trip.Permits][]string{
		trip.PermitPerAttempt: {"a", "b", "c"}, trip.PermitPerCall: {"a", "a", "a"},
	} {
		r := newRig(t, trip.Config{})
		r.route = newRoute(t, r.tracker, trip.RouteConfig{}, "a", "b", "c")
		var asked []string
		_, err := trip.Do(context.Background(), r.caller(t, permits), plain{},
			func(_ context.Context, provider string) (string, error) {
				asked = append(asked, provider)
				return "", errDown
			})
		wantError(t, "all failed", err, errProvider)
		if !slices.Equal(asked, want) {
			t.Errorf("asked %v, expected %v", asked, want)
		}
		first, err := r.retry.Inspect("a")
		must(t, err)
		second, err := r.retry.Inspect("b")
		must(t, err)
		wantRetries := map[trip.Permits][2]uint64{trip.PermitPerAttempt: {1, 1}, trip.PermitPerCall: {2, 0}}[permits]
		if first.Calls != 1 || second.Calls != 0 || [2]uint64{first.Retries, second.Retries} != wantRetries {
			t.Errorf("the retry of a is %+v, of b %+v", first, second)
		}
		r.wantNothingHeld(t)
	}
}

func TestASessionStaysWithItsProvider(t *testing.T) {
	r := newRig(t, trip.Config{})
	r.route = newRoute(t, r.tracker, trip.RouteConfig{Order: trip.OrderWeighted}, "a", "b", "c", "d")
	caller := r.caller(t, trip.PermitPerAttempt)
	firsts := make(map[string]string)
	for i := range 40 {
		session := fmt.Sprint("session ", i%10)
		provider, err := trip.Do(context.Background(), caller, plain{Session: session},
			func(_ context.Context, provider string) (string, error) { return provider, nil })
		must(t, err)
		if first, isKnown := firsts[session]; isKnown && first != provider {
			t.Errorf("%s went from %s to %s", session, first, provider)
		}
		firsts[session] = provider
	}
	providers := make(map[string]bool)
	for _, provider := range firsts {
		providers[provider] = true
	}
	if len(providers) == 1 {
		t.Errorf("all sessions went to %v", providers)
	}
	wantError(t, "a session that is too long", second(trip.Do(context.Background(), caller,
		plain{Session: strings.Repeat("x", 256)}, notMade(t))), trip.ErrInvalid)
}

func TestARouteThatRefusesIsOneRefusal(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		r := newRig(t, trip.Config{})
		r.route = newRoute(t, r.tracker, trip.RouteConfig{}, "a", "b")
		for index := range 2 {
			circuit, err := r.route.Circuit(index)
			must(t, err)
			must(t, circuit.Trip())
		}
		_, err := trip.Do(context.Background(), r.caller(t, permits), keyed, notMade(t))
		wantError(t, "refused", err, trip.ErrOpen)
		r.wantNothingHeld(t)
	})
}

// The budget of a provider that fails altogether is a tenth of its calls, and what it had saved up.
func TestRetriesDoNotMultiplyAnOutage(t *testing.T) {
	const calls, burst = 400, 5
	leavesNothing(t, func(t *testing.T) { // connections neither
		var requests atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			http.Error(w, "overloaded", http.StatusServiceUnavailable)
		}))
		defer server.Close()
		byBoth(t, func(t *testing.T, permits trip.Permits) {
			requests.Store(0)
			tracker := newTracker(t, trip.Config{FailureThreshold: 1_000_000})
			retry := newRetry(t, trip.RetryConfig{BaseDelay: 1, MaxDelay: 1, MaxAttempts: 10, BudgetBurst: burst})
			caller := newCaller(t, trip.CallerConfig{
				Circuit: newCircuit(t, tracker, "tenant", "provider"), Retry: retry, Permits: permits,
			})
			together(8, func(int) {
				for range calls / 8 {
					_, err := trip.Do(context.Background(), caller, trip.CallOptions[int]{},
						func(ctx context.Context, _ string) (int, error) { return get(ctx, server) })
					if err == nil || !strings.Contains(err.Error(), "503") {
						t.Errorf("%v", err)
					}
				}
			})
			if got := requests.Load(); got > calls*11/10+burst || got <= calls {
				t.Errorf("%d requests of %d calls", got, calls)
			}
		})
	})
}

// get asks a server, and says of an answer that is none what it is.
func get(ctx context.Context, server *httptest.Server) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		return 0, err
	}
	response, err := server.Client().Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return response.StatusCode, nil
	}
	return 0, &trip.OutcomeError{
		Outcome: trip.ClassifyHTTP(response.StatusCode, nil), Err: errors.New(response.Status),
	}
}

func TestOnlyWhatIsWorthItIsTriedAgain(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		for err, want := range map[error]trip.CircuitInfo{
			errors.New("HTTP 400: max_tokens must be <= 500"): {Successes: 1},
			&trip.OpenError{Reason: trip.ErrOpen}:             {Cancels: 1},
			&trip.ShedError{}:                                 {Cancels: 1},
			fmt.Errorf("reading: %w", context.Canceled):       {Cancels: 1},
		} {
			r := newRig(t, trip.Config{})
			made := 0
			got := second(trip.Do(context.Background(), r.caller(t, permits), keyed,
				func(context.Context, string) (string, error) { made++; return "", err }))
			info := inspect(t, r.circuit)
			info.Epoch, info.Permits = 0, 0
			if made != 1 || got != err || info != want {
				t.Errorf("%v: %d attempts, %v, %+v", err, made, got, info)
			}
			r.wantNothingHeld(t)
		}
	})
}

func TestAnErrorOfWhichNothingIsKnownIsAFailureThatIsTriedAgain(t *testing.T) {
	for permits, failures := range map[trip.Permits]uint64{trip.PermitPerAttempt: 3, trip.PermitPerCall: 1} {
		r := newRig(t, trip.Config{})
		made, unknown := 0, errors.New("who knows")
		err := second(trip.Do(context.Background(), r.caller(t, permits), plain{},
			func(context.Context, string) (string, error) { made++; return "", unknown }))
		if info := inspect(t, r.circuit); made != 3 || err != unknown || info.FailuresTotal != failures {
			t.Errorf("%d attempts, %v, %+v", made, err, info)
		}
	}
}

func TestTheProgramMayClassify(t *testing.T) {
	r := newRig(t, trip.Config{FailureThreshold: 100})
	config := trip.CallerConfig{Circuit: r.circuit, Retry: r.retry}
	asked := 0
	config.Classify = func(err error) trip.CallOutcome {
		asked++
		wantError(t, "classified", err, errProvider)
		return trip.CallOutcome{Class: trip.ClassTimeout}
	}
	made := 0
	call := func(context.Context, string) (string, error) { made++; return "", errProvider }
	must(t, ignore(trip.Do(context.Background(), newCaller(t, config), plain{}, call)))
	if asked != 3 || made != 3 {
		t.Errorf("%d attempts were classified %d times", made, asked)
	}
	config.Classify = func(error) trip.CallOutcome { return trip.CallOutcome{Class: 99} }
	must(t, ignore(trip.Do(context.Background(), newCaller(t, config), plain{}, call)))
	none := []error{trip.ErrInvalid, trip.ErrInvalid, trip.ErrInvalid} // which is reported, and counts as one not known
	if info := inspect(t, r.circuit); made != 6 || info.FailuresTotal != 6 || !slices.Equal(r.reported, none) {
		t.Errorf("%d attempts, %+v, reported %v", made, info, r.reported)
	}
}

// ignore is for calls whose result is not what a test is about.
func ignore[T any](T, error) error { return nil }

func TestAProviderThatAsksForLongerIsNotAskedAgain(t *testing.T) {
	r := newRig(t, trip.Config{})
	r.retry = newRetry(t, trip.RetryConfig{BaseDelay: 1, MaxRetryAfter: time.Minute})
	outcome := trip.CallOutcome{Class: trip.ClassRateLimited, RetryAfter: time.Hour}
	made := 0
	err := second(trip.Do(context.Background(), r.caller(t, trip.PermitPerCall), plain{},
		func(context.Context, string) (string, error) { made++; return "", &trip.OutcomeError{Outcome: outcome} }))
	if made != 1 || err.Error() != "rate limited" {
		t.Errorf("%d attempts, %v", made, err)
	}
}

func TestARetryThatWouldOutliveItsContextIsNotWaitedFor(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		r := newRig(t, trip.Config{})
		r.retry = newRetry(t, trip.RetryConfig{BaseDelay: time.Hour, MaxDelay: time.Hour, Jitter: trip.JitterNone})
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
		defer cancel()
		made := 0
		err := second(trip.Do(ctx, r.caller(t, permits), keyed, answersAfter(1, &made)))
		if made != 1 || err != error(errDown) {
			t.Errorf("%d attempts, %v", made, err)
		}
		r.wantNothingHeld(t)
	})
}

func TestACallThatIsGivenUpLeavesNothing(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		leavesNothing(t, func(t *testing.T) {
			r := newRig(t, trip.Config{FailureThreshold: 1000})
			r.retry = newRetry(t, trip.RetryConfig{
				BaseDelay: time.Hour, MaxDelay: time.Hour, Jitter: trip.JitterNone, BudgetBurst: 1000,
			})
			caller := r.caller(t, permits)
			for range 20 { // in the call, which others wait for, who give up too
				ctx, cancel := context.WithCancel(context.Background())
				begun, ended := make(chan struct{}), make(chan error, 2)
				go func() {
					ended <- second(trip.Do(ctx, caller, keyed, func(ctx context.Context, _ string) (string, error) {
						close(begun)
						<-ctx.Done()
						return "", errDown
					}))
				}()
				<-begun
				go func() { ended <- second(trip.Do(ctx, caller, keyed, notMade(t))) }()
				untilWaiting(t, 1, waitingForAnother)
				cancel()
				first, last := <-ended, <-ended
				if !errors.Is(first, errProvider) && !errors.Is(last, errProvider) {
					t.Errorf("%v, %v", first, last)
				}
				r.wantNothingHeld(t)
			}
			if info := inspect(t, r.circuit); info.Cancels != info.Permits {
				t.Errorf("the circuit is %+v", info)
			}
			if info, err := r.retry.Inspect("provider"); info.Retries != 0 || err != nil {
				t.Errorf("the retry is %+v, %v", info, err)
			}
			for range 20 { // before a retry
				ctx, cancel := context.WithCancel(context.Background())
				made := 0
				err := second(trip.Do(ctx, caller, keyed, func(context.Context, string) (string, error) {
					time.AfterFunc(time.Millisecond, cancel)
					return answersAfter(1, &made)(ctx, "")
				}))
				if made != 1 {
					t.Errorf("%d attempts", made)
				}
				wantError(t, "given up after", err, errProvider)
				r.wantNothingHeld(t)
				must(t, check(t, r.dedup, "key").Drop())
			}
		})
	})
}

func TestAContextThatIsOverBeginsNothing(t *testing.T) {
	r := newRig(t, trip.Config{})
	must(t, check(t, r.dedup, "key").Complete([]byte("known")))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := second(trip.Do(ctx, r.caller(t, trip.PermitPerAttempt), keyed, notMade(t)))
	wantError(t, "over before", err, context.Canceled)
	if info := inspectGate(t, r.gate); info.Acquired != 0 {
		t.Errorf("the gate is %+v", info)
	}
}

func TestADeadlineThatPassesBeforeARetryLeavesNothing(t *testing.T) {
	r := newRig(t, trip.Config{})
	r.retry = newRetry(t, trip.RetryConfig{BaseDelay: time.Hour, MaxDelay: time.Hour, Jitter: trip.JitterNone})
	for name, permits := range bothPermits {
		ctx := &passing{Context: context.Background(), done: make(chan struct{})}
		made, caller := 0, r.caller(t, permits)
		ended := make(chan error, 1)
		go func() { ended <- second(trip.Do(ctx, caller, keyed, answersAfter(1, &made))) }()
		untilAsleepBeforeARetry(t)
		close(ctx.done)
		err := <-ended
		wantError(t, name, err, context.DeadlineExceeded)
		wantError(t, name, err, errProvider)
		r.wantNothingHeld(t)
	}
	if info := inspect(t, r.circuit); info.Cancels != 1 || info.FailuresTotal != 1 { // per call, and per attempt
		t.Errorf("the circuit is %+v", info)
	}
}

// passing is a context whose deadline nobody knows before it passes.
type passing struct {
	context.Context
	done chan struct{}
}

func (p *passing) Done() <-chan struct{} { return p.done }

func (p *passing) Err() error {
	select {
	case <-p.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestAPanicLeavesNothing(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		leavesNothing(t, func(t *testing.T) {
			r := newRig(t, trip.Config{})
			r.gate = newGate(t, trip.GateConfig{Tracker: r.tracker, Adapt: trip.AdaptAIMD, InitialLimit: 10})
			caller := r.caller(t, permits)
			for _, end := range []func(){func() { panic(errProvider) }, runtime.Goexit} {
				together(1, func(int) {
					defer func() { recover() }()
					made := 0
					trip.Do(context.Background(), caller, keyed, func(ctx context.Context, provider string) (string, error) {
						if made == 1 {
							end()
						}
						return answersAfter(1, &made)(ctx, provider)
					})
				})
				r.wantNothingHeld(t)
				must(t, check(t, r.dedup, "key").Drop())
			}
			if info := inspect(t, r.circuit); info.Drops != 2 {
				t.Errorf("the circuit is %+v", info)
			}
			if info := inspectGate(t, r.gate); info.Limit != 10 { // a panic tells it nothing, whatever failed before
				t.Errorf("the gate is %+v", info)
			}
		})
	})
}

func TestAPartThatIsClosedIsAnError(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		for what, closes := range map[string]func(*rig) error{
			"Retry": func(r *rig) error { return r.retry.Close() },
			"Dedup": func(r *rig) error { return r.dedup.Close() },
			"Gate":  func(r *rig) error { return r.gate.Close() },
			"Route": func(r *rig) error { return r.route.Close() },
		} {
			r := newRig(t, trip.Config{})
			r.route = newRoute(t, r.tracker, trip.RouteConfig{}, "a")
			caller := r.caller(t, permits)
			must(t, closes(r))
			wantError(t, what, second(trip.Do(context.Background(), caller, keyed, notMade(t))), trip.ErrHandle)
			for circuit, err := range r.tracker.Circuits() {
				must(t, err)
				if info := circuit.Info; info.Permits != info.Cancels {
					t.Errorf("%s: the circuit is %+v", what, info)
				}
			}
			if what != "Gate" && inspectGate(t, r.gate).Depth != 0 {
				t.Errorf("%s: a place is held", what)
			}
			if what != "Dedup" && inspectDedup(t, r.dedup).InProgress != 0 {
				t.Errorf("%s: a ticket is held", what)
			}
			if len(r.reported) != 0 {
				t.Errorf("%s: reported %v", what, r.reported)
			}
		}
	})
}

func TestPartsThatAreClosedMeanwhileDoNotChangeTheEnd(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		for _, want := range []error{nil, errDown} {
			r := newRig(t, trip.Config{})
			closes := func(context.Context, string) (string, error) {
				for _, part := range []interface{ Close() error }{r.retry, r.dedup, r.gate, r.tracker} {
					must(t, part.Close())
				}
				return "answer", want
			}
			answer, err := trip.Do(context.Background(), r.caller(t, permits), keyed, closes)
			if answer != "answer" || err != want {
				t.Errorf("%q, %v", answer, err)
			}
			wantReports := map[bool]int{true: 3, false: 4}[want == nil] // the retry is asked after a failure alone
			if len(r.reported) != wantReports {
				t.Errorf("reported %v", r.reported)
			}
			for _, err := range r.reported {
				wantError(t, "reported", err, trip.ErrHandle)
			}
		}
	})
}

func TestTheCircuitIsNeverTheOutageOfACall(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		r := newRig(t, trip.Config{})
		r.retry = newRetry(t, trip.RetryConfig{BaseDelay: 1})
		made := 0
		caller := newCaller(t, trip.CallerConfig{Circuit: r.circuit, Retry: r.retry, Permits: permits})
		must(t, r.tracker.Close())
		answer, err := trip.Do(context.Background(), caller, plain{}, answersAfter(1, &made))
		if answer != "answer" || err != nil || made != 2 {
			t.Errorf("%q, %v after %d attempts", answer, err, made)
		}
		wantReports := map[trip.Permits]int{trip.PermitPerAttempt: 2, trip.PermitPerCall: 1}[permits]
		if len(r.reported) != wantReports || r.reported[0] != trip.ErrHandle {
			t.Errorf("reported %v", r.reported)
		}
	})
}

func TestWithoutPlacesForCircuitsARouteGoesToItsFirst(t *testing.T) {
	byBoth(t, func(t *testing.T, permits trip.Permits) {
		r := newRig(t, trip.Config{MaxCircuits: 1})
		must(t, r.circuit.SetMode(trip.ModeObserve, 0, "")) // in a mode it is not evicted
		r.route = newRoute(t, r.tracker, trip.RouteConfig{}, "a", "b")
		var asked []string
		ask := func(_ context.Context, provider string) (string, error) {
			asked = append(asked, provider)
			if len(asked) == 1 {
				return "", errDown
			}
			return "answer", nil
		}
		_, err := trip.Do(context.Background(), r.caller(t, permits), plain{}, ask)
		if err != nil || !slices.Equal(asked, []string{"a", "a"}) {
			t.Errorf("asked %v, %v", asked, err)
		}
		for _, err := range r.reported {
			wantError(t, "reported", err, trip.ErrCapacity)
		}
		if len(r.reported) == 0 {
			t.Error("nothing is reported")
		}
	})
}

func TestAPartWithoutPlacesIsGoneWithout(t *testing.T) {
	r := newRig(t, trip.Config{})
	r.dedup = newDedup(t, trip.DedupConfig{MaxEntries: 1})
	other := check(t, r.dedup, "another")
	made := 0
	answer, err := trip.Do(context.Background(), r.caller(t, trip.PermitPerAttempt), keyed, answersAfter(0, &made))
	if answer != "answer" || err != nil || len(r.reported) != 1 || r.reported[0] != trip.ErrCapacity {
		t.Errorf("%q, %v, reported %v", answer, err, r.reported)
	}
	must(t, other.Drop())
	r.wantNothingHeld(t)
}

func TestWithoutDescriptorsACallIsMadeAllTheSame(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		r := newRig(t, trip.Config{})
		ticket := check(t, r.dedup, "key")
		caller := r.caller(t, trip.PermitPerAttempt)
		made := 0
		withoutDescriptors(t, func() {
			answer, err := trip.Do(context.Background(), caller, keyed, answersAfter(0, &made))
			if answer != "answer" || err != nil {
				t.Errorf("%q, %v", answer, err)
			}
		})
		if len(r.reported) != 1 || !errors.Is(r.reported[0], trip.ErrSystem) {
			t.Errorf("reported %v", r.reported)
		}
		must(t, ticket.Drop())
		r.wantNothingHeld(t)
	})
}

func TestACallerNeedsSomebodyToCall(t *testing.T) {
	r := newRig(t, trip.Config{})
	route := newRoute(t, r.tracker, trip.RouteConfig{})
	for what, config := range map[string]trip.CallerConfig{
		"nobody": {}, "both": {Circuit: r.circuit, Route: route}, "permits": {Circuit: r.circuit, Permits: 2},
		"negative permits": {Circuit: r.circuit, Permits: -1},
	} {
		caller, err := trip.NewCaller(config)
		wantError(t, what, err, trip.ErrInvalid)
		if caller != nil {
			t.Errorf("%s: a caller and an error", what)
		}
	}
	wantError(t, "nil", second(trip.Do(context.Background(), nil, plain{}, notMade(t))), trip.ErrHandle)
	caller := newCaller(t, trip.CallerConfig{Route: route})
	wantError(t, "a route to nobody", second(trip.Do(context.Background(), caller, plain{}, notMade(t))), trip.ErrInvalid)
	wantError(t, "a long key", second(trip.Do(context.Background(), r.caller(t, trip.PermitPerAttempt),
		plain{Key: strings.Repeat("k", 1<<16+1)}, notMade(t))), trip.ErrInvalid)
}

func TestACallWithoutAKeyIsLikeNoOther(t *testing.T) {
	r := newRig(t, trip.Config{})
	caller := r.caller(t, trip.PermitPerAttempt)
	made := 0
	for range 3 {
		must(t, ignore(trip.Do(context.Background(), caller, plain{}, answersAfter(0, &made))))
	}
	if info := inspectDedup(t, r.dedup); made != 3 || info.Started != 0 {
		t.Errorf("made %d times, the deduplicator is %+v", made, info)
	}
}

// share makes a call and then, by the same key, gets what it brought.
func share[T any](t *testing.T, options trip.CallOptions[T], value T) (shared T, r *rig) {
	t.Helper()
	r = newRig(t, trip.Config{})
	options.Key = "key"
	caller := r.caller(t, trip.PermitPerAttempt)
	bring := func(context.Context, string) (T, error) { return value, nil }
	first, err := trip.Do(context.Background(), caller, options, bring)
	if err != nil || fmt.Sprint(first) != fmt.Sprint(value) {
		t.Errorf("%v, %v", first, err)
	}
	shared, err = trip.Do(context.Background(), caller, options, func(context.Context, string) (T, error) {
		var none T
		return none, nil
	})
	must(t, err)
	r.wantNothingHeld(t)
	return shared, r
}

type reply struct{ text string }

func (r reply) MarshalBinary() ([]byte, error) {
	if r.text == "" {
		return nil, errors.New("an empty reply")
	}
	return []byte("reply " + r.text), nil
}

func (r *reply) UnmarshalBinary(bytes []byte) error {
	text, isOne := strings.CutPrefix(string(bytes), "reply ")
	r.text = text
	if !isOne {
		return errors.New("no reply")
	}
	return nil
}

var _ encoding.BinaryUnmarshaler = (*reply)(nil)

func TestValuesOfTypesThatHaveBytesAreShared(t *testing.T) {
	if shared, _ := share(t, trip.CallOptions[string]{}, "a\x00\xff"); shared != "a\x00\xff" {
		t.Errorf("shared %q", shared)
	}
	if shared, _ := share(t, trip.CallOptions[[]byte]{}, []byte{}); shared == nil || len(shared) != 0 {
		t.Errorf("shared %q", shared)
	}
	if shared, _ := share(t, trip.CallOptions[reply]{}, reply{"text"}); shared.text != "text" {
		t.Errorf("shared %v", shared)
	}
	coded := trip.CallOptions[int]{
		Encode: func(value int) ([]byte, error) { return []byte{byte(value)}, nil },
		Decode: func(bytes []byte) (int, error) { return int(bytes[0]), nil },
	}
	if shared, _ := share(t, coded, 42); shared != 42 {
		t.Errorf("shared %v", shared)
	}
}

func TestATypeWithoutBytesNeedsAWayToThem(t *testing.T) {
	r := newRig(t, trip.Config{})
	caller := r.caller(t, trip.PermitPerAttempt)
	half := trip.CallOptions[string]{Key: "key", Encode: func(string) ([]byte, error) { return nil, nil }}
	wantError(t, "half a way", second(trip.Do(context.Background(), caller, half, notMade(t))), trip.ErrInvalid)
	wantError(t, "none", second(trip.Do(context.Background(), caller, trip.CallOptions[int]{Key: "key"},
		func(context.Context, string) (int, error) { return 0, nil })), trip.ErrInvalid)
	must(t, second(trip.Do(context.Background(), caller, trip.CallOptions[int]{},
		func(context.Context, string) (int, error) { return 0, nil })))
	if info := inspectDedup(t, r.dedup); info.Started != 0 {
		t.Errorf("the deduplicator is %+v", info)
	}
}

func TestAValueThatCannotBeToldIsNotLost(t *testing.T) {
	shared, r := share(t, trip.CallOptions[reply]{}, reply{""})
	if shared.text != "" || len(r.reported) != 2 || !strings.Contains(r.reported[0].Error(), "an empty reply") {
		t.Errorf("shared %v, reported %v", shared, r.reported)
	}
}

func TestAValueThatCannotBeReadIsBroughtAgain(t *testing.T) {
	r := newRig(t, trip.Config{})
	must(t, check(t, r.dedup, "key").Complete([]byte("another's")))
	answer, err := trip.Do(context.Background(), r.caller(t, trip.PermitPerAttempt), trip.CallOptions[reply]{Key: "key"},
		func(context.Context, string) (reply, error) { return reply{"again"}, nil })
	if answer.text != "again" || err != nil || !strings.Contains(fmt.Sprint(r.reported), "no reply") {
		t.Errorf("%v, %v, reported %v", answer, err, r.reported)
	}
	r.wantNothingHeld(t)
}

func TestTheGateIsToldHowCallsEnd(t *testing.T) {
	const unclassified trip.Class = 99
	for class, want := range map[trip.Class]int{
		trip.ClassOverloaded: -1, trip.ClassServerError: -1, trip.ClassTimeout: -1, trip.ClassAuth: +1,
		trip.ClassInvalidRequest: +1, trip.ClassCancelled: 0, trip.ClassUnknown: 0, unclassified: -1,
	} {
		r := newRig(t, trip.Config{})
		r.gate = newGate(t, trip.GateConfig{
			Tracker: r.tracker, Adapt: trip.AdaptAIMD, InitialLimit: 1, Capacity: 10, MinLimit: 1, Decrease: 0.5,
		})
		config := trip.CallerConfig{Circuit: r.circuit, Gate: r.gate}
		if class != unclassified {
			config.Classify = func(error) trip.CallOutcome { return trip.CallOutcome{Class: class} }
		}
		caller := newCaller(t, config)
		raise(t, r.tracker, r.gate)
		before := inspectGate(t, r.gate).Limit
		must(t, ignore(trip.Do(context.Background(), caller, plain{}, func(context.Context, string) (string, error) {
			fill(t, r.gate)
			return "", errors.New("who knows")
		})))
		got := int(math.Copysign(1, float64(inspectGate(t, r.gate).Limit)-float64(before)))
		if inspectGate(t, r.gate).Limit == before {
			got = 0
		}
		if got != want {
			t.Errorf("%v: the limit went from %d to %d", class, before, inspectGate(t, r.gate).Limit)
		}
	}
}

// fill takes the places that are left, so that the limit has a reason to grow, and gives them back as nothing with the
// test.
func fill(t testing.TB, gate *trip.Gate) {
	for {
		token, err := gate.Acquire()
		if err != nil {
			return
		}
		t.Cleanup(func() { token.Release(trip.EffectNothing) })
	}
}

// raise lets a gate grow to some places.
func raise(t testing.TB, tracker *trip.Tracker, gate *trip.Gate) {
	t.Helper()
	for range 100 {
		if inspectGate(t, gate).Limit >= 4 {
			return
		}
		var tokens []*trip.Token
		for token, err := gate.Acquire(); err == nil; token, err = gate.Acquire() {
			tokens = append(tokens, token)
		}
		must(t, tracker.Advance(time.Millisecond))
		for _, token := range tokens {
			must(t, token.Release(trip.EffectSuccess))
		}
	}
	t.Fatal("the limit does not grow")
}

// silent is an error whose text says nothing.
type silent struct{ error }

func (silent) Error() string { return "" }

func (s silent) Unwrap() error { return s.error }

func TestErrorsHaveTheirClass(t *testing.T) {
	told := trip.CallOutcome{Class: trip.ClassQuota, HTTPStatus: 429, RetryAfter: time.Hour}
	for want, err := range map[trip.Class]error{
		trip.ClassSuccess:     nil,
		trip.ClassQuota:       fmt.Errorf("asking: %w", &trip.OutcomeError{Outcome: told, Err: errProvider}),
		trip.ClassNetwork:     fmt.Errorf("dial: %w", syscall.ECONNREFUSED),
		trip.ClassCancelled:   fmt.Errorf("asking: %w", context.Canceled),
		trip.ClassTimeout:     fmt.Errorf("asking: %w", context.DeadlineExceeded),
		trip.ClassRateLimited: errors.New("HTTP 429: rate limit reached"),
		trip.ClassUnknown:     errors.New("who knows"),
	} {
		if got := trip.ClassifyError(err); got.Class != want {
			t.Errorf("%v is %v, expected %v", err, got.Class, want)
		}
	}
	if got := trip.ClassifyError(&trip.OutcomeError{Outcome: told}); got != told {
		t.Errorf("told %+v", got)
	}
	wantError(t, "what went wrong", &trip.OutcomeError{Err: errProvider}, errProvider)
	if got := trip.ClassifyError(silent{syscall.ECONNREFUSED}); got.Class != trip.ClassNetwork ||
		got.Errno != int(syscall.ECONNREFUSED) {
		t.Errorf("told %+v", got)
	}
}
