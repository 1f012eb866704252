// These tests own what Go adds to retries: counts of any size, budgets that many goroutines share. What delays there
// are is the contract's.

package trip_test

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"libtrip.example/trip"
)

func TestDelaysSaturateHoweverManyAttempts(t *testing.T) {
	retry := newRetry(t, trip.RetryConfig{BaseDelay: 100 * time.Millisecond, MaxDelay: time.Second})
	for attempt, want := range map[int]time.Duration{
		math.MinInt: 100 * time.Millisecond, -1: 100 * time.Millisecond, 0: 100 * time.Millisecond,
		1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 4: 800 * time.Millisecond, 5: time.Second,
		math.MaxInt32: time.Second, math.MaxInt: time.Second,
	} {
		if delay, err := retry.DelayFor(attempt); err != nil || delay != want {
			t.Errorf("after attempt %d: %v, %v, expected %v", attempt, delay, err, want)
		}
	}
}

func TestARetryAsksForMoreThanANegativeTime(t *testing.T) {
	retry := newRetry(t, trip.RetryConfig{})
	timeout := trip.CallOutcome{Class: trip.ClassTimeout}
	for what, failed := range map[string]trip.Attempt{
		"Began":      {Began: -1, Outcome: timeout},
		"LastDelay":  {LastDelay: -1, Outcome: timeout},
		"RetryAfter": {Outcome: trip.CallOutcome{Class: trip.ClassTimeout, RetryAfter: -1}},
		"Class":      {Outcome: trip.CallOutcome{Class: 99}},
	} {
		wantError(t, what, second(retry.Next(failed)), trip.ErrInvalid)
	}
}

func TestTheDefaultsOfARetryAreSpelledOut(t *testing.T) {
	want := trip.RetryConfig{
		MaxAttempts: 3, BaseDelay: 500 * time.Millisecond, MaxDelay: time.Minute, Multiplier: 2, Jitter: trip.JitterFull,
		MaxProviders: 1024, MaxRetryAfter: time.Minute, BudgetRatio: 0.1, BudgetBurst: 10, Exact: true,
		Classes: trip.ClassesOf(trip.ClassServerError, trip.ClassRateLimited, trip.ClassOverloaded, trip.ClassNetwork,
			trip.ClassTimeout),
	}
	if got := trip.DefaultRetryConfig(); got != want {
		t.Errorf("%+v, expected %+v", got, want)
	}
}

func TestManyGoroutinesShareABudget(t *testing.T) {
	const goroutines, each, burst = 8, 500, 10
	retry := newRetry(t, trip.RetryConfig{BudgetRatio: 0.1, BudgetBurst: burst})
	failed := trip.Attempt{Provider: "provider", Number: 1, Outcome: trip.CallOutcome{Class: trip.ClassTimeout}}
	var retries atomic.Int64
	together(goroutines, func(int) {
		for range each {
			must(t, second(retry.Begin("provider")))
			if _, err := retry.Next(failed); err == nil {
				retries.Add(1)
			} else {
				wantError(t, "Next", err, trip.ErrNoRetryBudget)
			}
		}
	})
	const calls = goroutines * each
	if got := retries.Load(); got > calls/10+burst || got < calls/10-1 {
		t.Errorf("%d retries of %d calls", got, calls)
	}
	info, err := retry.Inspect("provider")
	if err != nil || info.Calls != calls || info.Retries != uint64(retries.Load()) || info.Refused != calls-info.Retries {
		t.Errorf("inspected %+v, %v", info, err)
	}
}
