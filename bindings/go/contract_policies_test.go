// This file owns the steps of the parts around the permit in the contract vectors.

package trip_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"libtrip.example/trip"
	"libtrip.example/trip/internal/contract"
	"libtrip.example/trip/internal/libc"
)

// object is what a step has made, of the kind that the step at hand wants.
func object[T any](t *testing.T, r *runner, here, name string) T {
	made, isOne := r.objects[name].(T)
	if !isOne {
		t.Fatalf("step %s: no %T is named %q", here, made, name)
	}
	return made
}

// onObjects makes objects and ends them. They end with the vector.
func (r *runner) onObjects(t *testing.T, here string, step contract.Step) contract.Observed {
	var made interface{ Close() error }
	var err error
	switch step.Do {
	case "retry":
		made, err = trip.NewRetry(r.retryConfig(t, step.OfRetry))
	case "dedup":
		made, err = trip.NewDedup(r.dedupConfig(step.OfDedup))
	case "gate":
		made, err = trip.NewGate(r.gateConfig(t, step))
	case "route":
		made, err = r.route(t, step)
	case "pipeline":
		made, err = pipelineOf(step.Stages)
	case "guard":
		made, err = r.guard(t, here, step)
	case "end":
		return observe(t, object[interface{ Close() error }](t, r, here, step.Object).Close())
	}
	if err == nil {
		r.objects[step.As] = made
		t.Cleanup(func() { made.Close() })
	}
	return configured(t, err)
}

func (r *runner) onParts(t *testing.T, here string, step contract.Step) contract.Observed {
	switch step.Do {
	case "delay_for", "retry_begin", "retry_next", "inspect_retry":
		return onRetry(t, step, object[*trip.Retry](t, r, here, step.Retry))
	case "check", "wait", "forget", "inspect_dedup":
		return r.onDedup(t, step, object[*trip.Dedup](t, r, here, step.Dedup))
	case "complete", "fail", "drop_ticket", "renew_ticket":
		ticket, isNamed := r.tickets[step.Ticket]
		if !isNamed {
			t.Fatalf("step %s: no ticket is named %q", here, step.Ticket)
		}
		return onTicket(t, step, ticket)
	case "acquire", "inspect_gate":
		return r.onGate(t, step, object[*trip.Gate](t, r, here, step.Gate))
	case "release":
		token, isNamed := r.tokens[step.Token]
		if !isNamed {
			t.Fatalf("step %s: no token is named %q", here, step.Token)
		}
		return release(t, step, token)
	case "route_add", "route_permit", "route_circuit":
		return r.onRoute(t, step, object[*trip.Route](t, r, here, step.Route))
	case "run", "stage_count":
		return onPipeline(t, step, object[*trip.Pipeline](t, r, here, step.Pipeline))
	case "guard_call":
		return object[guarded](t, r, here, step.Guard).call(t, here, step.Arguments)
	}
	t.Fatalf("step %s: this runner cannot %q", here, step.Do)
	return nil
}

func (r *runner) retryConfig(t *testing.T, set *contract.RetryConfig) trip.RetryConfig {
	config := trip.DefaultRetryConfig()
	config.Tracker = r.tracker
	override(&config.MaxAttempts, set.MaxAttempts)
	override(&config.BaseDelay, set.BaseDelayNs)
	override(&config.MaxDelay, set.MaxDelayNs)
	override(&config.Multiplier, set.Multiplier)
	chooseInto(t, &config.Jitter, jitters, set.Jitter)
	override(&config.MaxProviders, set.MaxProviders)
	override(&config.Seed, set.Seed)
	override(&config.MaxRetryAfter, set.MaxRetryAfterNs)
	override(&config.Deadline, set.DeadlineNs)
	override(&config.Classes, set.Classes)
	override(&config.BudgetRatio, set.BudgetRatio)
	override(&config.BudgetBurst, set.BudgetBurst)
	return config
}

func onRetry(t *testing.T, step contract.Step, retry *trip.Retry) contract.Observed {
	switch step.Do {
	case "delay_for":
		delay, err := retry.DelayFor(int(step.Attempt))
		return observeDelay(t, "delay_ns", delay, err)
	case "retry_begin":
		began, err := retry.Begin(string(step.Provider))
		return observeDelay(t, "began_ns", began, err)
	case "retry_next":
		delay, err := retry.Next(trip.Attempt{
			Provider:  string(step.Provider),
			Number:    int(step.Attempt),
			Began:     time.Duration(step.Began),
			LastDelay: time.Duration(step.LastDelay),
			Outcome: trip.CallOutcome{
				Class: named(t, classes, step.Class), RetryAfter: time.Duration(step.RetryAfter),
			},
		})
		return observeDelay(t, "delay_ns", delay, err)
	}
	info, err := retry.Inspect(string(step.Provider))
	observed := observe(t, err)
	if err == nil {
		observed["budget"] = uint64(info.Budget)
		observed["calls"] = info.Calls
		observed["retries"] = info.Retries
		observed["refused"] = info.Refused
	}
	return observed
}

func observeDelay(t *testing.T, key string, delay time.Duration, err error) contract.Observed {
	observed := observe(t, err)
	if err == nil {
		observed[key] = uint64(delay)
	} else if delay != 0 {
		t.Errorf("%v, and yet a delay of %v", err, delay)
	}
	return observed
}

func (r *runner) dedupConfig(set *contract.DedupConfig) trip.DedupConfig {
	config := trip.DefaultDedupConfig()
	config.Tracker = r.tracker
	override(&config.MaxEntries, set.MaxEntries)
	override(&config.MaxBytes, set.MaxBytes)
	override(&config.Lease, set.LeaseNs)
	override(&config.TTL, set.TTLNs)
	return config
}

func (r *runner) onDedup(t *testing.T, step contract.Step, dedup *trip.Dedup) contract.Observed {
	switch step.Do {
	case "check":
		ticket, value, err := dedup.Check(string(step.Key))
		return r.observeCall(t, step, ticket, value, err)
	case "wait":
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(step.Timeout))
		defer cancel()
		ticket, value, err := dedup.Wait(ctx, string(step.Key))
		if errors.Is(err, context.DeadlineExceeded) {
			err = trip.ErrInProgress
		}
		return r.observeCall(t, step, ticket, value, err)
	case "forget":
		return observe(t, dedup.Forget(string(step.Key)))
	}
	info, err := dedup.Inspect()
	observed := observe(t, err)
	if err != nil {
		return observed
	}
	for key, number := range map[string]uint64{
		"in_progress": uint64(info.InProgress),
		"cached":      uint64(info.Cached),
		"bytes":       info.Bytes,
		"started":     info.Started,
		"hits":        info.Hits,
		"joined":      info.Joined,
		"completed":   info.Completed,
		"failed":      info.Failed,
		"expired":     info.Expired,
		"evicted":     info.Evicted,
	} {
		observed[key] = number
	}
	return observed
}

func (r *runner) observeCall(t *testing.T, step contract.Step, ticket *trip.Ticket, value []byte,
	err error) contract.Observed {
	observed := observe(t, err)
	if (ticket != nil && value != nil) || (err == nil) != (ticket != nil || value != nil) {
		t.Errorf("%v, %q and %v at once", ticket, value, err)
	}
	if ticket != nil {
		r.tickets[step.As] = ticket
		r.granted = append(r.granted, ticket)
	}
	if value != nil {
		observed["status"], observed["value"] = "TRIP_CACHED", string(value)
	}
	return observed
}

func onTicket(t *testing.T, step contract.Step, ticket *trip.Ticket) contract.Observed {
	switch step.Do {
	case "complete":
		return observe(t, ticket.Complete([]byte(step.Value)))
	case "fail":
		return observe(t, ticket.Fail())
	case "drop_ticket":
		return observe(t, ticket.Drop())
	}
	return observe(t, ticket.Renew())
}

func (r *runner) gateConfig(t *testing.T, step contract.Step) trip.GateConfig {
	config, set := trip.DefaultGateConfig(), step.OfGate
	config.Tracker = r.tracker
	config.Name = string(step.Name)
	override(&config.Capacity, set.Capacity)
	override(&config.SoftLimit, set.SoftLimit)
	selectInto(t, &config.Adapt, set.Adapt)
	override(&config.MinLimit, set.MinLimit)
	override(&config.InitialLimit, set.InitialLimit)
	override(&config.Latency, set.LatencyNs)
	override(&config.Decrease, set.Decrease)
	override(&config.Tolerance, set.Tolerance)
	override(&config.Smoothing, set.Smoothing)
	return config
}

func (r *runner) onGate(t *testing.T, step contract.Step, gate *trip.Gate) contract.Observed {
	if step.Do == "acquire" {
		token, err := gate.Acquire()
		observed := observe(t, err)
		var shed *trip.ShedError
		if errors.As(err, &shed) {
			observed["depth"], observed["limit"] = uint64(shed.Depth), uint64(shed.Limit)
			observed["capacity"] = uint64(shed.Capacity)
		}
		if err == nil {
			r.tokens[step.As] = token
			r.granted = append(r.granted, token)
		}
		return observed
	}
	info, err := gate.Inspect()
	observed := observe(t, err)
	if err != nil {
		return observed
	}
	for key, number := range map[string]uint64{
		"depth":              uint64(info.Depth),
		"limit":              uint64(info.Limit),
		"capacity":           uint64(info.Capacity),
		"soft_limit":         uint64(info.SoftLimit),
		"soft_depth_percent": uint64(math.Round(info.SoftDepthRatio * 100)),
		"acquired":           info.Acquired,
		"released":           info.Released,
		"shed":               info.Shed,
		"latency_ns":         uint64(info.Latency),
	} {
		observed[key] = number
	}
	return observed
}

func release(t *testing.T, step contract.Step, token *trip.Token) contract.Observed {
	effect := trip.EffectSuccess
	if step.Effect != "" {
		var isKnown bool
		if effect, isKnown = effects[step.Effect]; !isKnown {
			t.Fatalf("unknown effect %q", step.Effect)
		}
	}
	return observe(t, token.Release(effect))
}

func (r *runner) route(t *testing.T, step contract.Step) (*trip.Route, error) {
	var config trip.RouteConfig
	selectInto(t, &config.Order, step.OfRoute.Order)
	selectInto(t, &config.Fallback, step.OfRoute.Fallback)
	override(&config.Seed, step.OfRoute.Seed)
	route, err := trip.NewRoute(r.tracker, string(step.Tenant), config)
	for i := 0; err == nil && i < len(step.Providers); i++ {
		err = route.Add(string(step.Providers[i].Provider), step.Providers[i].Weight)
	}
	return route, err
}

func (r *runner) onRoute(t *testing.T, step contract.Step, route *trip.Route) contract.Observed {
	switch step.Do {
	case "route_add":
		return observe(t, route.Add(string(step.Provider), step.Weight))
	case "route_circuit":
		circuit, err := route.Circuit(step.Index)
		return r.nameCircuit(t, step, circuit, err)
	}
	var avoid []int
	for index := range 64 {
		if step.Avoid>>index&1 != 0 {
			avoid = append(avoid, index)
		}
	}
	permit, err := route.Permit(string(step.Session), avoid...)
	observed := observe(t, err)
	if err == nil {
		r.permits[step.As] = permit.Permit
		r.granted = append(r.granted, permit.Permit)
		observed["index"] = uint64(permit.Index)
	}
	return observed
}

func pipelineOf(stages []contract.Stage) (*trip.Pipeline, error) {
	pipeline, err := trip.NewPipeline()
	for i := 0; err == nil && i < len(stages); i++ {
		err = pipeline.Add(string(stages[i].Name), stageOf(stages[i].Does))
	}
	return pipeline, err
}

func stageOf(does contract.Action) trip.Stage {
	return func(input []byte) ([]byte, error) {
		switch {
		case does.Name == "upper":
			for i, c := range input {
				if c >= 'a' && c <= 'z' {
					input[i] = c - 'a' + 'A'
				}
			}
			return input, nil
		case does.Name == "reverse":
			slices.Reverse(input)
			return input, nil
		case does.Append != nil:
			return append(input, *does.Append...), nil
		}
		return []byte("is not to be seen"), trip.StageCode(does.Fail)
	}
}

func onPipeline(t *testing.T, step contract.Step, pipeline *trip.Pipeline) contract.Observed {
	if step.Do == "stage_count" {
		count, err := pipeline.StageCount()
		observed := observe(t, err)
		if err == nil {
			observed["stages"] = uint64(count)
		}
		return observed
	}
	output, err := pipeline.Run([]byte(step.Input))
	var failed *trip.StageError
	if errors.As(err, &failed) {
		return contract.Observed{
			"status":     trip.ErrStageFailed.Name(),
			"stage":      uint64(failed.Stage),
			"stage_name": failed.Name,
			"code":       failed.Code,
		}
	}
	observed := observe(t, err)
	if err == nil {
		observed["output"] = string(output)
	}
	return observed
}

// guarded is a guard with what it was made by, which says what arguments are.
type guarded struct {
	*trip.FunctionGuard
	result     string
	parameters []string
}

func (r *runner) guard(t *testing.T, here string, step contract.Step) (guarded, error) {
	circuit, isNamed := r.circuits[step.Circuit]
	if !isNamed {
		t.Fatalf("step %s: no circuit is named %q", here, step.Circuit)
	}
	functions := map[string]unsafe.Pointer{"abs": libc.Abs, "atoi": libc.Atoi, "strlen": libc.Strlen}
	function, isKnown := functions[step.Function]
	if !isKnown {
		t.Fatalf("step %s: no function %q", here, step.Function)
	}
	config := trip.DefaultGuardConfig()
	if set := step.OfGuard; set != nil {
		selectInto(t, &config.Rule, set.Rule)
		override(&config.RefusedResult, set.RefusedResult)
		override(&config.RefusedDouble, set.RefusedDouble)
		override(&config.RefusedErrno, set.RefusedErrno)
	}
	guard, err := trip.NewFunctionGuard(circuit, function, string(step.Signature), config)
	result, parameters, _ := strings.Cut(string(step.Signature), "(")
	return guarded{
		FunctionGuard: guard,
		result:        strings.TrimSpace(result),
		parameters:    strings.FieldsFunc(parameters, func(r rune) bool { return strings.ContainsRune(",) ", r) }),
	}, err
}

func (g guarded) call(t *testing.T, here string, arguments []contract.Argument) contract.Observed {
	values := make([]any, len(arguments))
	for i, argument := range arguments {
		switch {
		case argument.Text != nil:
			text, free := libc.Text(*argument.Text)
			defer free()
			values[i] = text
		case i < len(g.parameters) && g.parameters[i] == "uint64":
			values[i] = uint64(argument.Number)
		default:
			values[i] = int32(argument.Number)
		}
	}
	var number int32
	var size uint64
	var result any = &number
	if g.result == "uint64" {
		result = &size
	}
	_, err := g.Call(result, values...)
	observed := observe(t, err)
	if err == nil {
		observed["result"] = fmt.Sprint(int64(number) + int64(size))
	}
	return observed
}
