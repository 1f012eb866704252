// These tests own what is common to the parts around the permit: what they refuse and why, whose they are, and that of
// nothing they ask nothing.

package trip_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"libtrip.example/trip"
	"libtrip.example/trip/internal/libc"
)

// The makers of parts close them with the test. Those with a tracker go by its clock.

func newRetry(t testing.TB, config trip.RetryConfig) *trip.Retry {
	t.Helper()
	return made(t, config, trip.NewRetry)
}

func newDedup(t testing.TB, config trip.DedupConfig) *trip.Dedup {
	t.Helper()
	return made(t, config, trip.NewDedup)
}

func newGate(t testing.TB, config trip.GateConfig) *trip.Gate {
	t.Helper()
	return made(t, config, trip.NewGate)
}

func newRoute(t testing.TB, tracker *trip.Tracker, config trip.RouteConfig, providers ...string) *trip.Route {
	t.Helper()
	route := made(t, config, func(config trip.RouteConfig) (*trip.Route, error) {
		return trip.NewRoute(tracker, "tenant", config)
	})
	for _, provider := range providers {
		must(t, route.Add(provider, 1))
	}
	return route
}

func newPipeline(t testing.TB) *trip.Pipeline {
	t.Helper()
	return made(t, struct{}{}, func(struct{}) (*trip.Pipeline, error) { return trip.NewPipeline() })
}

func made[Config any, Part interface{ Close() error }](t testing.TB, config Config,
	make func(Config) (Part, error)) Part {
	t.Helper()
	part, err := make(config)
	must(t, err)
	t.Cleanup(func() { part.Close() })
	return part
}

// second is what is asked of two answers.
func second[T any](_ T, err error) error { return err }

func asksOfRetry(retry *trip.Retry) map[string]error {
	return map[string]error{
		"DelayFor": second(retry.DelayFor(1)), "Begin": second(retry.Begin("provider")),
		"Next":    second(retry.Next(trip.Attempt{Outcome: trip.CallOutcome{Class: trip.ClassTimeout}})),
		"Inspect": second(retry.Inspect("provider")), "Close": retry.Close(),
	}
}

func asksOfDedup(dedup *trip.Dedup) map[string]error {
	_, _, checkErr := dedup.Check("key")
	_, _, waitErr := dedup.Wait(context.Background(), "key")
	return map[string]error{
		"Check": checkErr, "Wait": waitErr, "Forget": dedup.Forget("key"), "Inspect": second(dedup.Inspect()),
		"Close": dedup.Close(),
	}
}

func asksOfGate(gate *trip.Gate) map[string]error {
	return map[string]error{
		"Acquire": second(gate.Acquire()), "Inspect": second(gate.Inspect()), "Close": gate.Close(),
	}
}

func asksOfRoute(route *trip.Route) map[string]error {
	return map[string]error{
		"Add": route.Add("provider", 1), "Permit": second(route.Permit("")), "Circuit": second(route.Circuit(0)),
		"Close": route.Close(),
	}
}

func asksOfPipeline(pipeline *trip.Pipeline) map[string]error {
	stage := func(input []byte) ([]byte, error) { return input, nil }
	return map[string]error{
		"Add": pipeline.Add("stage", stage), "StageCount": second(pipeline.StageCount()),
		"Run": second(pipeline.Run([]byte("input"))), "Close": pipeline.Close(),
	}
}

func asksOfGuard(guard *trip.FunctionGuard) map[string]error {
	return map[string]error{
		"Call": second(guard.Call(nil, int32(1))), "Pointer": second(guard.Pointer()), "Close": guard.Close(),
	}
}

func wantErrHandle(t *testing.T, of string, asked map[string]error) {
	t.Helper()
	for what, err := range asked {
		wantError(t, of+"."+what, err, trip.ErrHandle)
	}
}

func TestNothingAnswersErrHandle(t *testing.T) {
	wantErrHandle(t, "nil Retry", asksOfRetry(nil))
	wantErrHandle(t, "nil Dedup", asksOfDedup(nil))
	wantErrHandle(t, "nil Gate", asksOfGate(nil))
	wantErrHandle(t, "nil Route", asksOfRoute(nil))
	wantErrHandle(t, "nil Pipeline", asksOfPipeline(nil))
	wantErrHandle(t, "nil FunctionGuard", asksOfGuard(nil))
	var ticket *trip.Ticket
	wantErrHandle(t, "nil Ticket", map[string]error{
		"Complete": ticket.Complete(nil), "Fail": ticket.Fail(), "Drop": ticket.Drop(), "Renew": ticket.Renew(),
	})
	var token *trip.Token
	wantError(t, "nil Token", token.Release(trip.EffectSuccess), trip.ErrHandle)
	var tracker *trip.Tracker
	wantError(t, "a route of nil", second(trip.NewRoute(tracker, "", trip.RouteConfig{})), trip.ErrHandle)
	wantError(t, "a guard of nil", second(trip.NewFunctionGuard(nil, libc.Abs, "int32 (int32)", trip.GuardConfig{})),
		trip.ErrHandle)
	if (*trip.Retry)(nil).Handle()|(*trip.Dedup)(nil).Handle()|(*trip.Gate)(nil).Handle()|
		(*trip.Route)(nil).Handle()|(*trip.Pipeline)(nil).Handle() != 0 {
		t.Error("nil has a handle")
	}
}

func TestHandlesOfOtherKindsAnswerErrHandle(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	handles := map[string]uint64{
		"zero": 0, "garbage": 0xdeadbeef, "all ones": math.MaxUint64, "tracker": tracker.Handle(),
		"circuit": circuit.Handle(),
	}
	parts := map[string]uint64{
		"retry":    newRetry(t, trip.RetryConfig{}).Handle(),
		"dedup":    newDedup(t, trip.DedupConfig{}).Handle(),
		"gate":     newGate(t, trip.GateConfig{}).Handle(),
		"route":    newRoute(t, tracker, trip.RouteConfig{}).Handle(),
		"pipeline": newPipeline(t).Handle(),
	}
	for kind, handle := range parts {
		handles[kind] = handle
	}
	for of, handle := range handles {
		asked := map[string]map[string]error{}
		ask := func(kind string, asks func() map[string]error) {
			if kind != of {
				asked[kind] = asks()
			}
		}
		ask("retry", func() map[string]error { return asksOfRetry(trip.RetryFromHandle(handle)) })
		ask("dedup", func() map[string]error { return asksOfDedup(trip.DedupFromHandle(handle)) })
		ask("gate", func() map[string]error { return asksOfGate(trip.GateFromHandle(handle)) })
		ask("route", func() map[string]error { return asksOfRoute(trip.RouteFromHandle(handle)) })
		ask("pipeline", func() map[string]error { return asksOfPipeline(trip.PipelineFromHandle(handle)) })
		for kind, answers := range asked {
			wantErrHandle(t, of+" as a "+kind, answers)
		}
	}
}

func TestWhatIsClosedAnswersErrHandle(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	retry, dedup, gate := newRetry(t, trip.RetryConfig{}), newDedup(t, trip.DedupConfig{}), newGate(t, trip.GateConfig{})
	route, pipeline := newRoute(t, tracker, trip.RouteConfig{}, "provider"), newPipeline(t)
	guard := newGuard(t, newCircuit(t, tracker, "tenant", "provider"), libc.Abs, "int32 (int32)", trip.GuardConfig{})
	ticket, _, err := dedup.Check("key")
	must(t, err)
	token, err := gate.Acquire()
	must(t, err)
	for _, part := range []interface{ Close() error }{retry, dedup, gate, route, pipeline, guard} {
		must(t, part.Close())
	}
	wantErrHandle(t, "Retry", asksOfRetry(retry))
	wantErrHandle(t, "Dedup", asksOfDedup(dedup))
	wantErrHandle(t, "Gate", asksOfGate(gate))
	wantErrHandle(t, "Route", asksOfRoute(route))
	wantErrHandle(t, "Pipeline", asksOfPipeline(pipeline))
	wantErrHandle(t, "FunctionGuard", asksOfGuard(guard))
	wantError(t, "Ticket", ticket.Complete(nil), trip.ErrHandle)
	wantError(t, "Token", token.Release(trip.EffectSuccess), trip.ErrHandle)
}

func TestPartsOfAClosedTrackerAnswerErrHandle(t *testing.T) {
	closed := newTracker(t, trip.Config{})
	retry, dedup := newRetry(t, trip.RetryConfig{Tracker: closed}), newDedup(t, trip.DedupConfig{Tracker: closed})
	gate, route := newGate(t, trip.GateConfig{Tracker: closed}), newRoute(t, closed, trip.RouteConfig{}, "provider")
	must(t, closed.Close())
	_, _, checkErr := dedup.Check("key")
	for what, err := range map[string]error{
		"Retry.Begin": second(retry.Begin("provider")), "Dedup.Check": checkErr, "Gate.Acquire": second(gate.Acquire()),
		"Route.Permit": second(route.Permit("")), "Route.Circuit": second(route.Circuit(0)),
	} {
		wantError(t, what, err, trip.ErrHandle)
	}
	for _, tracker := range []*trip.Tracker{closed, trip.TrackerFromHandle(0xdeadbeef), trip.TrackerFromHandle(0)} {
		for what, err := range map[string]error{
			"NewRetry": second(trip.NewRetry(trip.RetryConfig{Tracker: tracker})),
			"NewDedup": second(trip.NewDedup(trip.DedupConfig{Tracker: tracker})),
			"NewGate":  second(trip.NewGate(trip.GateConfig{Tracker: tracker})),
			"NewRoute": second(trip.NewRoute(tracker, "", trip.RouteConfig{})),
		} {
			wantError(t, what, err, trip.ErrHandle)
		}
	}
}

func TestEachFieldOfAPartOutOfRangeIsRefusedByName(t *testing.T) {
	year := 366 * 24 * time.Hour
	for field, spoil := range map[string]func(*trip.RetryConfig){
		"MaxAttempts":   func(c *trip.RetryConfig) { c.MaxAttempts = 0 },
		"BaseDelay":     func(c *trip.RetryConfig) { c.BaseDelay = -1 },
		"MaxDelay":      func(c *trip.RetryConfig) { c.MaxDelay = year },
		"Multiplier":    func(c *trip.RetryConfig) { c.Multiplier = math.NaN() },
		"Jitter":        func(c *trip.RetryConfig) { c.Jitter = trip.JitterDecorrelated + 1 },
		"MaxProviders":  func(c *trip.RetryConfig) { c.MaxProviders = 0 },
		"MaxRetryAfter": func(c *trip.RetryConfig) { c.MaxRetryAfter = year },
		"Deadline":      func(c *trip.RetryConfig) { c.Deadline = -1 },
		"Classes":       func(c *trip.RetryConfig) { c.Classes = 1 << 63 },
		"BudgetRatio":   func(c *trip.RetryConfig) { c.BudgetRatio = math.Inf(1) },
		"BudgetBurst":   func(c *trip.RetryConfig) { c.BudgetBurst = 0 },
	} {
		wantRefused(t, field, trip.DefaultRetryConfig(), spoil, trip.NewRetry)
	}
	wantRefused(t, "Jitter", trip.DefaultRetryConfig(), func(c *trip.RetryConfig) { c.Jitter = -1 }, trip.NewRetry)
	for field, spoil := range map[string]func(*trip.DedupConfig){
		"MaxEntries": func(c *trip.DedupConfig) { c.MaxEntries = 0 },
		"MaxBytes":   func(c *trip.DedupConfig) { c.MaxBytes = 0 },
		"Lease":      func(c *trip.DedupConfig) { c.Lease = 0 },
		"TTL":        func(c *trip.DedupConfig) { c.TTL = -1 },
	} {
		wantRefused(t, field, trip.DefaultDedupConfig(), spoil, trip.NewDedup)
	}
	for field, spoil := range map[string]func(*trip.GateConfig){
		"Capacity":     func(c *trip.GateConfig) { c.Capacity = 0 },
		"SoftLimit":    func(c *trip.GateConfig) { c.SoftLimit = c.Capacity },
		"Adapt":        func(c *trip.GateConfig) { c.Adapt = 99 },
		"MinLimit":     func(c *trip.GateConfig) { c.MinLimit = c.Capacity + 1 },
		"InitialLimit": func(c *trip.GateConfig) { c.InitialLimit = c.Capacity + 1 },
		"Latency":      func(c *trip.GateConfig) { c.Latency = year },
		"Decrease":     func(c *trip.GateConfig) { c.Decrease = 1 },
		"Tolerance":    func(c *trip.GateConfig) { c.Tolerance = 0.5 },
		"Smoothing":    func(c *trip.GateConfig) { c.Smoothing = 0 },
	} {
		wantRefused(t, field, trip.DefaultGateConfig(), spoil, trip.NewGate)
	}
	tracker := newTracker(t, trip.Config{})
	for field, spoil := range map[string]func(*trip.RouteConfig){
		"Order":    func(c *trip.RouteConfig) { c.Order = 99 },
		"Fallback": func(c *trip.RouteConfig) { c.Fallback = 99 },
	} {
		wantRefused(t, field, trip.RouteConfig{}, spoil, func(config trip.RouteConfig) (*trip.Route, error) {
			return trip.NewRoute(tracker, "tenant", config)
		})
	}
	circuit := newCircuit(t, tracker, "tenant", "provider")
	wantRefused(t, "Rule", trip.GuardConfig{}, func(c *trip.GuardConfig) { c.Rule = 99 },
		func(config trip.GuardConfig) (*trip.FunctionGuard, error) {
			return trip.NewFunctionGuard(circuit, libc.Abs, "int32 (int32)", config)
		})
}

func wantRefused[Config, Part any](t *testing.T, field string, config Config, spoil func(*Config),
	make func(Config) (*Part, error)) {
	t.Helper()
	spoil(&config)
	part, err := make(config)
	var refused *trip.ConfigError
	if part != nil || !errors.As(err, &refused) || refused.Field != field || refused.Message == "" {
		t.Errorf("%s in %+v: %v", field, config, err)
	}
	wantError(t, field, err, trip.ErrConfig)
}

func TestTextsOfPartsThatAreTooLongAreRefused(t *testing.T) {
	long, longKey := strings.Repeat("x", 256), strings.Repeat("x", 1<<16+1)
	tracker := newTracker(t, trip.Config{})
	retry, dedup := newRetry(t, trip.RetryConfig{}), newDedup(t, trip.DedupConfig{})
	route, pipeline := newRoute(t, tracker, trip.RouteConfig{}, "provider"), newPipeline(t)
	_, _, checkErr := dedup.Check(longKey)
	_, _, waitErr := dedup.Wait(context.Background(), longKey)
	for what, err := range map[string]error{
		"Retry.Begin": second(retry.Begin(long)), "Retry.Inspect": second(retry.Inspect(long)),
		"Retry.Next":  second(retry.Next(trip.Attempt{Provider: long})),
		"Dedup.Check": checkErr, "Dedup.Wait": waitErr, "Dedup.Forget": dedup.Forget(longKey),
		"NewGate":  second(trip.NewGate(trip.GateConfig{Name: long})),
		"NewRoute": second(trip.NewRoute(tracker, long, trip.RouteConfig{})), "Route.Add": route.Add(long, 1),
		"Route.Permit": second(route.Permit(long)),
		"Pipeline.Add": pipeline.Add(long, func(input []byte) ([]byte, error) { return input, nil }),
	} {
		wantError(t, what, err, trip.ErrInvalid)
	}
}

func TestForgottenPartsAreClosed(t *testing.T) {
	retry, dedup, gate, route, pipeline := func() (uint64, uint64, uint64, uint64, uint64) {
		tracker, err := trip.NewTracker(trip.Config{})
		must(t, err)
		retry, err := trip.NewRetry(trip.RetryConfig{Tracker: tracker})
		must(t, err)
		dedup, err := trip.NewDedup(trip.DedupConfig{Tracker: tracker})
		must(t, err)
		gate, err := trip.NewGate(trip.GateConfig{Tracker: tracker})
		must(t, err)
		route, err := trip.NewRoute(tracker, "tenant", trip.RouteConfig{})
		must(t, err)
		pipeline, err := trip.NewPipeline()
		must(t, err)
		must(t, pipeline.Add("stage", func(input []byte) ([]byte, error) { return input, nil }))
		return retry.Handle(), dedup.Handle(), gate.Handle(), route.Handle(), pipeline.Handle()
	}()
	collectGarbage(t, func() bool {
		for _, err := range []error{
			second(trip.RetryFromHandle(retry).DelayFor(1)), second(trip.DedupFromHandle(dedup).Inspect()),
			second(trip.GateFromHandle(gate).Inspect()), second(trip.RouteFromHandle(route).Circuit(0)),
			second(trip.PipelineFromHandle(pipeline).StageCount()),
		} {
			if !errors.Is(err, trip.ErrHandle) {
				return false
			}
		}
		return true
	})
}

func TestPartsAreSharedByTheirHandles(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	gate := newGate(t, trip.GateConfig{Capacity: 1})
	token, err := trip.GateFromHandle(gate.Handle()).Acquire()
	must(t, err)
	wantError(t, "the other one", second(gate.Acquire()), trip.ErrShed)
	must(t, token.Release(trip.EffectNothing))

	dedup := newDedup(t, trip.DedupConfig{})
	ticket, _, err := trip.DedupFromHandle(dedup.Handle()).Check("key")
	must(t, err)
	_, _, err = dedup.Check("key")
	wantError(t, "the other one", err, trip.ErrInProgress)
	must(t, ticket.Drop())

	retry := newRetry(t, trip.RetryConfig{})
	must(t, second(trip.RetryFromHandle(retry.Handle()).Begin("provider")))
	if info, err := retry.Inspect("provider"); err != nil || info.Calls != 1 {
		t.Errorf("inspected %+v, %v", info, err)
	}

	route := newRoute(t, tracker, trip.RouteConfig{}, "a", "b")
	permit, err := trip.RouteFromHandle(route.Handle()).Permit("", 0)
	must(t, err)
	if permit.Provider != "b" || permit.Index != 1 {
		t.Errorf("permitted %+v", permit)
	}
	must(t, permit.RecordSuccess())

	pipeline := newPipeline(t)
	must(t, pipeline.Add("same", func(input []byte) ([]byte, error) { return input, nil }))
	output, err := trip.PipelineFromHandle(pipeline.Handle()).Run([]byte("x"))
	if string(output) != "x" || err != nil {
		t.Errorf("%q, %v", output, err)
	}
	runtime.KeepAlive(pipeline)
}

func newGuard(t testing.TB, circuit *trip.Circuit, function unsafe.Pointer, signature string,
	config trip.GuardConfig) *trip.FunctionGuard {
	t.Helper()
	if !trip.HasFeature(trip.FeatureGuards) {
		t.Fatal("the library was built without guards")
	}
	return made(t, config, func(config trip.GuardConfig) (*trip.FunctionGuard, error) {
		return trip.NewFunctionGuard(circuit, function, signature, config)
	})
}
