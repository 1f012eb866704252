package trip_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"libtrip.example/trip"
)

func Example() {
	tracker, err := trip.NewTracker(trip.Config{FailureThreshold: 3, Clock: trip.ClockManual})
	if err != nil {
		log.Fatal(err)
	}
	defer tracker.Close()
	circuit, err := tracker.Circuit("acme", "openai")
	if err != nil {
		log.Fatal(err)
	}

	ask := func(context.Context) (string, error) { return "", errors.New("503 service unavailable") }
	for range 4 {
		_, err := trip.Execute(context.Background(), circuit, ask)
		fmt.Println(err)
	}

	tracker.Advance(30 * time.Second)
	ask = func(context.Context) (string, error) { return "forty-two", nil }
	answer, err := trip.Execute(context.Background(), circuit, ask)
	fmt.Println(answer, err)
	// Output:
	// 503 service unavailable
	// 503 service unavailable
	// 503 service unavailable
	// trip: circuit open for tenant "acme", provider "openai": retry after 30s
	// forty-two <nil>
}

// A program that has somewhere else to go looks at the refusal.
func ExampleOpenError() {
	tracker, _ := trip.NewTracker(trip.Config{FailureThreshold: 1, Clock: trip.ClockManual})
	defer tracker.Close()
	circuit, _ := tracker.Circuit("acme", "openai")
	permit, _ := circuit.Permit()
	permit.RecordFailure()

	_, err := circuit.Permit()
	var open *trip.OpenError
	if errors.As(err, &open) {
		fmt.Println(open.Provider, "is", open.State, "for", open.RetryAfter)
	}
	// Output: openai is open for 30s
}

// Errors that are not the provider's fault leave its circuit alone.
func ExampleExecuteJudged() {
	tracker, _ := trip.NewTracker(trip.Config{FailureThreshold: 1})
	defer tracker.Close()
	circuit, _ := tracker.Circuit("acme", "openai")

	errBadRequest := errors.New("400 bad request")
	judge := func(err error) trip.Outcome {
		if errors.Is(err, errBadRequest) {
			return trip.OutcomeSuccess
		}
		return trip.OutcomeFailure
	}
	ask := func(context.Context) (string, error) { return "", errBadRequest }
	_, err := trip.ExecuteJudged(context.Background(), circuit, judge, ask)
	fmt.Println(err)
	fmt.Println(circuit.Peek())
	// Output:
	// 400 bad request
	// <nil>
}

// The library knows what most errors tell about a provider.
func ExampleExecuteClassified() {
	tracker, _ := trip.NewTracker(trip.Config{FailureThreshold: 1})
	defer tracker.Close()
	circuit, _ := tracker.Circuit("acme", "openai")

	classify := func(err error) trip.CallOutcome { return trip.ClassifyText(err.Error()) }
	for _, answer := range []string{"HTTP 400: max_tokens must be <= 500", "HTTP 503: overloaded"} {
		ask := func(context.Context) (string, error) { return "", errors.New(answer) }
		trip.ExecuteClassified(context.Background(), circuit, classify, ask)
		info, _ := circuit.Inspect()
		fmt.Println(info.State)
	}
	// Output:
	// closed
	// open
}

// A long response tells of its progress, so that a stall is noticed, and a probe known by its first token.
func ExamplePermit_Progress() {
	tracker, _ := trip.NewTracker(trip.Config{FailureThreshold: 1, Stall: 5 * time.Second, Clock: trip.ClockManual})
	defer tracker.Close()
	circuit, _ := tracker.Circuit("acme", "openai")
	permit, _ := circuit.Permit()

	fmt.Println(permit.Progress())
	tracker.Advance(5 * time.Second) // and no more tokens
	_, err := circuit.Permit()
	fmt.Println(errors.Is(err, trip.ErrOpen))
	fmt.Println(permit.RecordSuccess())
	// Output:
	// <nil>
	// true
	// trip: circuit has moved on since the permit was granted
}

// Code that is not one function takes a permit and settles it where the call ends. Without a permit, because the
// library failed, the same code runs unguarded: settling a nil Permit is no more than an error.
func ExampleCircuit_Permit() {
	tracker, _ := trip.NewTracker(trip.Config{})
	defer tracker.Close()
	circuit, _ := tracker.Circuit("acme", "openai")

	permit, err := circuit.Permit()
	if errors.Is(err, trip.ErrOpen) {
		fmt.Println("not now:", err)
		return
	}
	defer permit.Drop() // in case of a panic; once settled it does nothing

	for _, token := range []string{"forty", "-", "two"} {
		fmt.Print(token)
	}
	fmt.Println(":", permit.RecordSuccess())
	// Output: forty-two: <nil>
}

// Start from DefaultConfig where a field is to be zero.
func ExampleDefaultConfig() {
	config := trip.DefaultConfig()
	config.ProbeRetry = 0
	config.InitialOpen = config.MaxOpen + time.Second
	_, err := trip.NewTracker(config)

	var refused *trip.ConfigError
	if errors.As(err, &refused) {
		fmt.Println(refused.Field)
	}
	// Output: InitialOpen
}

// An operator takes a provider out of service, and it comes back by itself.
func ExampleCircuit_SetMode() {
	tracker, _ := trip.NewTracker(trip.Config{Clock: trip.ClockManual})
	defer tracker.Close()
	circuit, _ := tracker.Circuit("acme", "openai")

	circuit.SetMode(trip.ModeForcedOpen, time.Hour, "key rotation")
	fmt.Println(circuit.Peek())
	tracker.Advance(time.Hour)
	fmt.Println(circuit.Peek())
	// Output:
	// trip: circuit forced open for tenant "acme", provider "openai": retry after 1h0m0s
	// <nil>
}

// A tenant gets a policy of its own, whole, while calls run.
func ExampleTracker_Configure() {
	tracker, _ := trip.NewTracker(trip.Config{FailureThreshold: 5})
	defer tracker.Close()
	circuit, _ := tracker.Circuit("acme", "openai")

	acme := trip.Scope{Kind: trip.ScopeTenant, Tenant: "acme"}
	fmt.Println(tracker.Configure(acme, trip.Config{FailureThreshold: 1}))
	permit, _ := circuit.Permit()
	permit.RecordFailure()
	fmt.Println(errors.Is(circuit.Peek(), trip.ErrOpen))
	fmt.Println(tracker.Withdraw(acme))
	// Output:
	// <nil>
	// true
	// <nil>
}

func ExampleTracker_Circuits() {
	tracker, _ := trip.NewTracker(trip.Config{})
	defer tracker.Close()
	for _, tenant := range []string{"acme", "initech"} {
		circuit, _ := tracker.Circuit(tenant, "openai")
		circuit.Trip()
	}

	for circuit, err := range tracker.Circuits() {
		if err != nil {
			log.Fatal(err)
		}
		if circuit.Tenant() == "acme" {
			fmt.Println(circuit.Tenant(), circuit.Provider(), circuit.Info.State, circuit.Reset())
		}
	}
	// Output: acme openai open <nil>
}

// A loop over the events waits without a thread of its own.
func ExampleTracker_Events() {
	tracker, _ := trip.NewTracker(trip.Config{})
	defer tracker.Close()
	circuit, _ := tracker.Circuit("acme", "openai")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	go func() {
		circuit.Trip()
		circuit.Reset()
	}()
	for event, err := range tracker.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Tenant, event.Provider, event.Kind, "by", event.Cause)
		if event.Kind == trip.EventClosed {
			break
		}
	}
	// Output:
	// acme openai opened by operator
	// acme openai closed by operator
}

// A restarted program keeps its open circuits.
func ExampleTracker_Snapshot() {
	before, _ := trip.NewTracker(trip.Config{})
	circuit, _ := before.Circuit("acme", "openai")
	circuit.Trip()
	bytes, err := before.Snapshot(time.Time{})
	if err != nil {
		log.Fatal(err)
	}
	before.Close()

	after, _ := trip.NewTracker(trip.Config{})
	defer after.Close()
	fmt.Println(after.Restore(time.Time{}, bytes))
	circuit, _ = after.Circuit("acme", "openai")
	fmt.Println(errors.Is(circuit.Peek(), trip.ErrOpen))
	// Output:
	// <nil>
	// true
}

// A call that is asked for in one place and ends in another.
func ExampleCircuit_Allow() {
	tracker, _ := trip.NewTracker(trip.Config{FailureThreshold: 1, Clock: trip.ClockManual})
	defer tracker.Close()
	circuit, _ := tracker.Circuit("acme", "openai")

	done, err := circuit.Allow()
	if err != nil {
		log.Fatal(err)
	}
	done(errors.New("503 service unavailable"))
	done(nil) // counts nothing

	_, err = circuit.Allow()
	fmt.Println(err)
	// Output: trip: circuit open for tenant "acme", provider "openai": retry after 30s
}

// A program that has nowhere else to go waits until it may ask again.
func ExampleCircuit_WaitAdmit() {
	tracker, _ := trip.NewTracker(trip.Config{FailureThreshold: 1, InitialOpen: 20 * time.Millisecond})
	defer tracker.Close()
	circuit, _ := tracker.Circuit("acme", "openai")
	done, _ := circuit.Allow()
	done(errors.New("503 service unavailable"))

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(circuit.WaitAdmit(ctx))
	// Output: <nil>
}
