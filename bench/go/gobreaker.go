// This file owns sony/gobreaker.

package main

import (
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"
)

var errDown = errors.New("down")

func gobreakerSettings(threshold uint32, open time.Duration) gobreaker.Settings {
	return gobreaker.Settings{
		Name:        "openai",
		MaxRequests: 1,
		Timeout:     open,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= threshold },
	}
}

func twoStep(threshold uint32, open time.Duration) *gobreaker.TwoStepCircuitBreaker[int] {
	return gobreaker.NewTwoStepCircuitBreaker[int](gobreakerSettings(threshold, open))
}

func allowed(breaker *gobreaker.TwoStepCircuitBreaker[int], outcome error) run {
	return repeat(func() bool {
		done, err := breaker.Allow()
		if err != nil {
			return false
		}
		done(outcome)
		return true
	})
}

func gobreakerExecutions() run {
	breaker := gobreaker.NewCircuitBreaker[int](gobreakerSettings(5, 30*time.Second))
	call := func() (int, error) { return 7, nil }
	return repeat(func() bool {
		got, err := breaker.Execute(call)
		return err == nil && got == 7
	})
}

func gobreakerRefusals() run {
	breaker := twoStep(5, day)
	allowed(breaker, errDown)(5)
	return repeat(func() bool {
		_, err := breaker.Allow()
		return err == gobreaker.ErrOpenState
	})
}

func gobreakerPeer() peer {
	const never = 1<<32 - 1
	shared := twoStep(5, 30*time.Second)
	return peer{
		name: "sony/gobreaker/v2", version: moduleVersion("github.com/sony/gobreaker/v2"), licence: "MIT",
		configuration: "ReadyToTrip at 5 ConsecutiveFailures, Timeout 30 s, MaxRequests 1. pair: Allow of the two-step " +
			"breaker, done. call: Execute. failure: threshold 4294967295. refusal: open for a day. It has no look-up " +
			"by name",
		columns: []column{
			{"pair", 1, func(int) run { return allowed(twoStep(5, 30*time.Second), nil) }},
			{"call", 1, func(int) run { return gobreakerExecutions() }},
			{"failure", 1, func(int) run { return allowed(twoStep(never, 30*time.Second), errDown) }},
			{"refusal", 1, func(int) run { return gobreakerRefusals() }},
			{"pair_2t_one", 2, func(int) run { return allowed(shared, nil) }},
			{"pair_2t_many", 2, func(int) run { return allowed(twoStep(5, 30*time.Second), nil) }},
		},
	}
}
