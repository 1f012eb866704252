// This file owns failsafe-go.

package main

import (
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

func failsafeBreaker(threshold uint, open time.Duration) circuitbreaker.CircuitBreaker[int] {
	return circuitbreaker.NewBuilder[int]().WithFailureThreshold(threshold).WithDelay(open).Build()
}

func acquired(breaker circuitbreaker.CircuitBreaker[int], record func()) run {
	return repeat(func() bool {
		is := breaker.TryAcquirePermit()
		record()
		return is
	})
}

func failsafePairs(breaker circuitbreaker.CircuitBreaker[int]) run {
	return acquired(breaker, breaker.RecordSuccess)
}

// A success in between keeps it closed: its threshold is a ring of that many results, and a ring of millions would be
// another breaker.
func failsafeFailures() run {
	breaker := failsafeBreaker(failsafeRing, 30*time.Second)
	made := 0
	return acquired(breaker, func() {
		if made++; made%failsafeRing == 0 {
			breaker.RecordSuccess()
			return
		}
		breaker.RecordFailure()
	})
}

const failsafeRing = 1000

func failsafeExecutions() run {
	executor := failsafe.With[int](failsafeBreaker(5, 30*time.Second))
	call := func() (int, error) { return 7, nil }
	return repeat(func() bool {
		got, err := executor.Get(call)
		return err == nil && got == 7
	})
}

func failsafeRefusals() run {
	breaker := failsafeBreaker(5, day)
	acquired(breaker, breaker.RecordFailure)(5)
	return repeat(func() bool { return !breaker.TryAcquirePermit() })
}

func failsafePasses(through bulkhead.Bulkhead[int]) run {
	return repeat(func() bool {
		is := through.TryAcquirePermit()
		through.ReleasePermit()
		return is
	})
}

func failsafeSheds() run {
	full := bulkhead.New[int](capacity)
	for range capacity {
		full.TryAcquirePermit()
	}
	return repeat(func() bool { return !full.TryAcquirePermit() })
}

func failsafePeer() peer {
	usual := func() circuitbreaker.CircuitBreaker[int] { return failsafeBreaker(5, 30*time.Second) }
	shared, through := usual(), bulkhead.New[int](capacity)
	return peer{
		name: "failsafe-go", version: moduleVersion("github.com/failsafe-go/failsafe-go"), licence: "MIT",
		configuration: "failure threshold 5, delay 30 s. pair: TryAcquirePermit, RecordSuccess. call: an executor's " +
			"Get. failure: threshold 1000, every 1000th call a success. refusal: open for a day. gate: a bulkhead of " +
			"64. It has no look-up by name",
		columns: []column{
			{"pair", 1, func(int) run { return failsafePairs(usual()) }},
			{"call", 1, func(int) run { return failsafeExecutions() }},
			{"failure", 1, func(int) run { return failsafeFailures() }},
			{"refusal", 1, func(int) run { return failsafeRefusals() }},
			{"pair_2t_one", 2, func(int) run { return failsafePairs(shared) }},
			{"pair_2t_many", 2, func(int) run { return failsafePairs(usual()) }},
			{"gate", 1, func(int) run { return failsafePasses(bulkhead.New[int](capacity)) }},
			{"gate_2t", 2, func(int) run { return failsafePasses(through) }},
			{"gate_full", 1, func(int) run { return failsafeSheds() }},
		},
	}
}
