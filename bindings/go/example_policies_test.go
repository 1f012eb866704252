// These examples own how the parts around the permit are used, one by one and all in one call.

package trip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"libtrip.example/trip"
)

// The first provider fails and the second answers; who asks the same soon after is told what it said.
func ExampleDo() {
	tracker, _ := trip.NewTracker(trip.Config{})
	defer tracker.Close()
	route, _ := trip.NewRoute(tracker, "acme", trip.RouteConfig{})
	route.Add("openai", 1)
	route.Add("anthropic", 1)
	retry, _ := trip.NewRetry(trip.RetryConfig{BaseDelay: time.Millisecond})
	dedup, _ := trip.NewDedup(trip.DedupConfig{})
	gate, _ := trip.NewGate(trip.GateConfig{Capacity: 20})
	caller, err := trip.NewCaller(trip.CallerConfig{Route: route, Retry: retry, Dedup: dedup, Gate: gate})
	if err != nil {
		log.Fatal(err)
	}

	ask := func(ctx context.Context, provider string) (string, error) {
		fmt.Println("asking", provider)
		if provider == "openai" {
			return "", errors.New("HTTP 503: overloaded")
		}
		return "42", nil
	}
	for range 2 {
		options := trip.CallOptions[string]{Key: "what is six times seven?"}
		fmt.Println(trip.Do(context.Background(), caller, options, ask))
	}
	// Output:
	// asking openai
	// asking anthropic
	// 42 <nil>
	// 42 <nil>
}

func ExampleRetry() {
	retry, _ := trip.NewRetry(trip.RetryConfig{BaseDelay: time.Second, Jitter: trip.JitterNone})
	defer retry.Close()

	began, _ := retry.Begin("openai")
	outcome := trip.CallOutcome{Class: trip.ClassRateLimited, RetryAfter: 5 * time.Second}
	fmt.Println(retry.Next(trip.Attempt{Provider: "openai", Number: 1, Began: began, Outcome: outcome}))
	outcome = trip.CallOutcome{Class: trip.ClassAuth}
	fmt.Println(retry.Next(trip.Attempt{Provider: "openai", Number: 2, Began: began, Outcome: outcome}))
	// Output:
	// 5s <nil>
	// 0s trip: no retry: it would not help
}

func ExampleRetry_DelayFor() {
	retry, _ := trip.NewRetry(trip.RetryConfig{BaseDelay: 100 * time.Millisecond, MaxDelay: time.Second})
	defer retry.Close()
	for _, attempt := range []int{1, 2, 3, 1000} {
		delay, _ := retry.DelayFor(attempt)
		fmt.Print(delay, " ")
	}
	// Output: 100ms 200ms 400ms 1s
}

func ExampleDedup_Wait() {
	dedup, _ := trip.NewDedup(trip.DedupConfig{})
	defer dedup.Close()
	ticket, _, _ := dedup.Check("key")

	brought := make(chan string)
	go func() {
		_, value, err := dedup.Wait(context.Background(), "key")
		brought <- fmt.Sprintf("%s %v", value, err)
	}()
	ticket.Complete([]byte("value"))
	fmt.Println(<-brought)
	// Output: value <nil>
}

func ExampleGate() {
	gate, _ := trip.NewGate(trip.GateConfig{Capacity: 1})
	defer gate.Close()

	token, _ := gate.Acquire()
	_, err := gate.Acquire()
	fmt.Println(errors.Is(err, trip.ErrShed), err)
	fmt.Println(token.Release(trip.EffectSuccess))
	fmt.Println(token.Release(trip.EffectSuccess))
	// Output:
	// true trip: too many calls in progress: 1 of 1, at most 1
	// <nil>
	// trip: settled before
}

func ExampleRoute_Permit() {
	tracker, _ := trip.NewTracker(trip.Config{})
	defer tracker.Close()
	route, _ := trip.NewRoute(tracker, "acme", trip.RouteConfig{})
	route.Add("openai", 1)
	route.Add("anthropic", 1)

	first, _ := route.Permit("")
	fmt.Println(first.Provider, first.RecordFailure())
	next, _ := route.Permit("", first.Index) // what has just failed is asked last
	fmt.Println(next.Provider, next.RecordSuccess())
	// Output:
	// openai <nil>
	// anthropic <nil>
}

func ExamplePipeline() {
	pipeline, _ := trip.NewPipeline()
	defer pipeline.Close()
	pipeline.Add("trim", func(input []byte) ([]byte, error) { return bytes.TrimSpace(input), nil })
	pipeline.Add("not empty", func(input []byte) ([]byte, error) {
		if len(input) == 0 {
			return nil, errors.New("it is")
		}
		return input, nil
	})

	output, _ := pipeline.Run([]byte(" hello "))
	fmt.Printf("%q\n", output)
	_, err := pipeline.Run([]byte(" "))
	fmt.Println(err)
	// Output:
	// "hello"
	// trip: stage 1, "not empty", has failed: it is
}
