package trip_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	trip "libtrip/bindings/go"
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

// Code that is not one function takes a permit and settles it where the call ends. Without a permit, because the library
// failed, the same code runs unguarded: settling a nil Permit is no more than an error.
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
