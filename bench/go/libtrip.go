// This file owns libtrip through its binding, as any Go program uses it.

package main

import (
	"context"
	"time"

	trip "libtrip/bindings/go"
)

const (
	day  = 24 * time.Hour
	kept = 1024
	// So many names come round that each is long evicted when it does.
	created = 16 * kept
	// Calls in progress at once.
	capacity = 64
)

func tracker(config trip.Config) *trip.Tracker {
	tracker, err := trip.NewTracker(config)
	must(err)
	return tracker
}

func circuit(config trip.Config) *trip.Circuit {
	circuit, err := tracker(config).Circuit("tenant-0000000", "openai")
	must(err)
	return circuit
}

func filled(circuits int) *trip.Tracker {
	tracker := tracker(trip.Config{MaxCircuits: uint32(circuits)})
	for i := range circuits {
		request := name(i)
		_, err := tracker.Circuit(request.tenant, request.provider)
		must(err)
	}
	return tracker
}

func pair(circuit *trip.Circuit) bool {
	permit, err := circuit.Permit()
	return err == nil && permit.RecordSuccess() == nil
}

func pairs(circuit *trip.Circuit) run {
	return repeat(func() bool { return pair(circuit) })
}

func fail(circuit *trip.Circuit) bool {
	permit, err := circuit.Permit()
	return err == nil && permit.RecordFailure() == nil
}

func executions(circuit *trip.Circuit) run {
	call := func(context.Context) (int, error) { return 7, nil }
	return repeat(func() bool {
		got, err := trip.Execute(context.Background(), circuit, call)
		return err == nil && got == 7
	})
}

func failures(circuit *trip.Circuit) run {
	failures := repeat(func() bool { return fail(circuit) })
	return func(calls int) int {
		if !pair(circuit) { // the failures in a row begin at 0: no run reaches the threshold
			return calls
		}
		return failures(calls)
	}
}

func refusals() run {
	circuit := circuit(trip.Config{InitialOpen: day, MaxOpen: day})
	for range 5 {
		fail(circuit)
	}
	return repeat(func() bool {
		_, err := circuit.Permit()
		_, isRefused := err.(*trip.OpenError)
		return isRefused
	})
}

func lookups(tracker *trip.Tracker, keys, seed int) run {
	requests := drawn(keys, seed)
	return repeat(func() bool {
		request := requests.take()
		circuit, err := tracker.Circuit(request.tenant, request.provider)
		return err == nil && pair(circuit)
	})
}

func creations() run {
	tracker, requests := filled(kept), inTurn(created)
	return repeat(func() bool {
		request := requests.take()
		_, err := tracker.Circuit(request.tenant, request.provider)
		return err == nil
	})
}

func libtrip() peer {
	shared, sharedTracker := circuit(trip.Config{}), filled(1000)
	usual := func() *trip.Circuit { return circuit(trip.Config{FailureThreshold: 5, InitialOpen: 30 * time.Second}) }
	return peer{
		name: "libtrip", version: trip.Version(), licence: "MIT",
		configuration: "5 failures in a row, 30 s; through the binding, which takes the express lane by itself. " +
			"pair: Permit, RecordSuccess. call: Execute. " +
			"failure: threshold 8388607. refusal: open for a day. create_evict: a tracker of 1024, full",
		columns: []column{
			{"pair", 1, func(int) run { return pairs(usual()) }},
			{"call", 1, func(int) run { return executions(usual()) }},
			{"failure", 1, func(int) run { return failures(circuit(trip.Config{FailureThreshold: 8388607})) }},
			{"refusal", 1, func(int) run { return refusals() }},
			{"lookup_8", 1, func(int) run { return lookups(filled(8), 8, 0) }},
			{"lookup_1k", 1, func(int) run { return lookups(filled(1000), 1000, 0) }},
			{"lookup_100k", 1, func(int) run { return lookups(filled(100_000), 100_000, 0) }},
			{"lookup_1M", 1, func(int) run { return lookups(filled(1_000_000), 1_000_000, 0) }},
			{"lookup_1k_2t", 2, func(thread int) run { return lookups(sharedTracker, 1000, thread) }},
			{"create_evict", 1, func(int) run { return creations() }},
			{"pair_2t_one", 2, func(int) run { return pairs(shared) }},
			{"pair_2t_many", 2, func(int) run { return pairs(usual()) }},
		},
		fill: func(circuits int) any { return filled(circuits) },
	}
}

func twoEmptyCalls() peer {
	version := trip.ABIVersion()
	return peer{
		name: "two_empty_calls", version: trip.Version(), licence: "MIT",
		configuration: "ABIVersion twice, through the binding: what two calls into C cost that do nothing",
		columns: []column{{"pair", 1, func(int) run {
			return repeat(func() bool { return trip.ABIVersion() == version && trip.ABIVersion() == version })
		}}},
	}
}
