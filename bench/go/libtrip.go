// This file owns libtrip through its binding, as any Go program uses it.

package main

import (
	"context"
	"fmt"
	"time"

	"libtrip.example/trip"
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

func gate() *trip.Gate {
	gate, err := trip.NewGate(trip.GateConfig{Capacity: capacity})
	must(err)
	return gate
}

func passes(gate *trip.Gate) run {
	return repeat(func() bool {
		token, err := gate.Acquire()
		return err == nil && token.Release(trip.EffectSuccess) == nil
	})
}

func sheds() run {
	gate := gate()
	held := make([]*trip.Token, capacity)
	for i := range held {
		token, err := gate.Acquire()
		must(err)
		held[i] = token
	}
	return repeat(func() bool {
		_, err := gate.Acquire()
		_, isShed := err.(*trip.ShedError)
		return isShed && len(held) == capacity
	})
}

var value = make([]byte, 100)

func callOnce(calls *trip.Dedup, key string) bool {
	ticket, _, err := calls.Check(key)
	return err == nil && ticket != nil && ticket.Complete(value) == nil
}

// Of so many keys the first have been called.
func called(keys int) (*trip.Dedup, []string) {
	calls, err := trip.NewDedup(trip.DedupConfig{MaxEntries: kept})
	must(err)
	all := make([]string, created)
	for i := range all {
		all[i] = fmt.Sprintf("call %d", i)
		if i < keys && !callOnce(calls, all[i]) {
			panic("a key is not new")
		}
	}
	return calls, all
}

func newKeys() run {
	calls, keys := called(0)
	next := 0
	return repeat(func() bool {
		next = (next + 1) % len(keys)
		return callOnce(calls, keys[next])
	})
}

func hits() run {
	calls, keys := called(kept)
	return repeat(func() bool {
		ticket, got, err := calls.Check(keys[kept-1])
		return err == nil && ticket == nil && len(got) == len(value)
	})
}

func libtrip() peer {
	shared, sharedTracker, sharedGate := circuit(trip.Config{}), filled(1000), gate()
	usual := func() *trip.Circuit { return circuit(trip.Config{FailureThreshold: 5, InitialOpen: 30 * time.Second}) }
	return peer{
		name: "libtrip", version: trip.Version(), licence: "MIT",
		configuration: "5 failures in a row, 30 s; through the binding, which takes the express lane by itself. " +
			"pair: Permit, RecordSuccess. call: Execute. " +
			"failure: threshold 8388607. refusal: open for a day. create_evict: a tracker of 1024, full. " +
			"gate: of 64. dedup: 1024 entries, values of 100 bytes",
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
			{"gate", 1, func(int) run { return passes(gate()) }},
			{"gate_2t", 2, func(int) run { return passes(sharedGate) }},
			{"gate_full", 1, func(int) run { return sheds() }},
			{"dedup_new", 1, func(int) run { return newKeys() }},
			{"dedup_hit", 1, func(int) run { return hits() }},
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
