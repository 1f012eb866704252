// This file owns steering: what operators order, of one circuit and of the policies of many.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"runtime"
	"time"
)

// SetMode sets who decides about the circuit's permits, for as long as ttl, at most a year; with 0 until it is set
// again. The reason is for people, at most 255 bytes: [Circuit.Explain] and the events tell it.
//
// While it is forced a circuit keeps its state, and calls that were admitted before still count in it; what is granted
// by force is counted by the counters alone. With [ModeObserve] the circuit decides and counts its refusals, but grants
// what it refuses. Whoever asks for a permit after SetMode has returned is answered by the new mode. [ErrInvalid]: no
// such mode, a ttl that is negative or more than a year, or a reason that is too long; the mode stays as it was.
func (c *Circuit) SetMode(mode Mode, ttl time.Duration, reason string) error {
	return answer(c.reach(func(handle C.trip_circuit) C.trip_status {
		return C.trip_circuit_set_mode(handle, C.uint32_t(mode), C.uint64_t(ttl),
			bytesOf(reason), C.size_t(len(reason)))
	}))
}

// Trip opens the circuit now, for the period of its level: the first one if it is closed. Its mode stays as it is.
// Permits that are out become [ErrStale].
func (c *Circuit) Trip() error {
	return answer(c.reach(func(handle C.trip_circuit) C.trip_status { return C.trip_circuit_trip(handle) }))
}

// Reset closes the circuit and lets it forget its failures, and what its provider asked to wait. The counters go on,
// its mode stays as it is. Permits that are out become [ErrStale].
func (c *Circuit) Reset() error {
	return answer(c.reach(func(handle C.trip_circuit) C.trip_status { return C.trip_circuit_reset(handle) }))
}

// Remove removes the circuit of this tenant and provider, such as that of a tenant who is gone. Its permits settle as
// [ErrStale]; whoever uses a Circuit of theirs again makes it anew. A policy that was set for it stays.
func (c *Circuit) Remove() error {
	return answer(c.reach(func(handle C.trip_circuit) C.trip_status {
		balance(uint64(handle)) // of a circuit that is no more nothing can be counted
		return C.trip_circuit_remove(handle)
	}))
}

// Scope is whose policy is meant. The zero Scope is that of the whole tracker.
type Scope struct {
	Kind     ScopeKind
	Tenant   string // for ScopeTenant and ScopeCircuit; else empty
	Provider string // for ScopeProvider and ScopeCircuit; else empty
}

// Configure replaces a policy while calls run. A circuit goes by the most specific policy that was set, whole: its own,
// else its tenant's, else its provider's, else the tracker's; nothing is merged. The policy also holds for circuits
// that are made later, at most MaxCircuits policies beside the tracker's.
//
// What circuits have counted stays, and so do levels and deadlines: a lower threshold acts at the next failure, a new
// lease on probes that are out too, a new open period at the next opening. A window of another size begins empty. It
// takes time in proportion to the circuits of the tracker.
//
// Clock and MaxCircuits must be those that the tracker was created with; where the policy is not Exact, zero means
// these. OnError stays the tracker's. On an error the policy stays as it was: one that is refused is a [*ConfigError],
// [ErrInvalid] a scope whose texts do not belong to its kind or are longer than 255 bytes.
func (t *Tracker) Configure(scope Scope, policy Config) error {
	if t == nil {
		return ErrHandle
	}
	if !policy.Exact && policy.Clock == 0 {
		policy.Clock = t.clock
	}
	if !policy.Exact && policy.MaxCircuits == 0 {
		policy.MaxCircuits = t.maxCircuits
	}
	abi := policy.abi()
	return t.configure(scope, &abi)
}

// Withdraw takes a policy back that Configure has set: its circuits go by the next, less specific one, and a tracker by
// the one that it was created with. There need be none.
func (t *Tracker) Withdraw(scope Scope) error {
	if t == nil {
		return ErrHandle
	}
	return t.configure(scope, nil)
}

func (t *Tracker) configure(scope Scope, policy *C.trip_config) error {
	defer runtime.KeepAlive(t)
	reason := C.trip_error{struct_size: C.sizeof_trip_error}
	status := C.trip_tracker_configure(t.handle, C.uint32_t(scope.Kind), bytesOf(scope.Tenant),
		C.size_t(len(scope.Tenant)), bytesOf(scope.Provider), C.size_t(len(scope.Provider)), policy, &reason)
	forgetNoLane()
	return reasoned(status, &reason, new(Config).fields)
}
