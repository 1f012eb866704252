// This file owns mercari/go-circuitbreaker.

package main

import (
	"context"
	"time"

	mercari "github.com/mercari/go-circuitbreaker"
)

// Its counters would be set to zero each second: without that, as here, it counts failures in a row.
func mercariBreaker(threshold int64, open time.Duration) *mercari.CircuitBreaker {
	return mercari.New(
		mercari.WithTripFunc(mercari.NewTripFuncConsecutiveFailures(threshold)),
		mercari.WithOpenTimeout(open),
		mercari.WithHalfOpenMaxSuccesses(1),
		mercari.WithCounterResetInterval(-1),
	)
}

func readied(breaker *mercari.CircuitBreaker, outcome error) run {
	ctx := context.Background()
	return repeat(func() bool { return breaker.Ready() && breaker.Done(ctx, outcome) == outcome })
}

func mercariExecutions() run {
	breaker := mercariBreaker(5, 30*time.Second)
	ctx := context.Background()
	call := func() (any, error) { return 7, nil }
	return repeat(func() bool {
		got, err := breaker.Do(ctx, call)
		return err == nil && got == 7
	})
}

func mercariRefusals() run {
	breaker := mercariBreaker(5, day)
	readied(breaker, errDown)(5)
	return repeat(func() bool { return !breaker.Ready() })
}

func mercariPeer() peer {
	const never = 1<<63 - 1
	usual := func() *mercari.CircuitBreaker { return mercariBreaker(5, 30*time.Second) }
	shared := usual()
	return peer{
		name: "mercari/go-circuitbreaker", version: moduleVersion("github.com/mercari/go-circuitbreaker"), licence: "MIT",
		configuration: "NewTripFuncConsecutiveFailures(5), open timeout 30 s, 1 success to close, no counter reset; the " +
			"newest that the module proxy serves. pair: Ready, Done. call: Do. failure: threshold 2^63 - 1. refusal: open " +
			"for a day. It has no look-up by name",
		columns: []column{
			{"pair", 1, func(int) run { return readied(usual(), nil) }},
			{"call", 1, func(int) run { return mercariExecutions() }},
			{"failure", 1, func(int) run { return readied(mercariBreaker(never, 30*time.Second), errDown) }},
			{"refusal", 1, func(int) run { return mercariRefusals() }},
			{"pair_2t_one", 2, func(int) run { return readied(shared, nil) }},
			{"pair_2t_many", 2, func(int) run { return readied(usual(), nil) }},
		},
	}
}
