// This file owns permits: how each is settled once, and what becomes of those that are forgotten.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Permit is the right to make one call. It is settled once, by Record, RecordSuccess, RecordFailure, Cancel or Drop, on
// any goroutine; settling it again answers [ErrConsumed] and changes nothing, so that
//
//	defer permit.Drop()
//
// right after the grant is a sound way to forget no permit, whatever panics. Copies of a Permit are the same permit.
// The zero Permit is none: it answers [ErrHandle].
//
// A Permit that becomes garbage unsettled is dropped. That may take the garbage collector minutes, and longer while the
// program keeps another one that it settled before: it is a net for mistakes, not a way to settle.
type Permit struct {
	place  *place
	turn   uint64        // of the place, in which it is ours
	handle C.trip_permit // for what does not settle; the place may be another's by then
}

// A grant is what was granted.
type grant struct {
	handle  C.trip_permit
	lane    *lane    // nil: the permit is an ordinary one, which the library settles once
	circuit *Circuit // kept alive with its tracker; nil: known by its handle alone
}

// A place notices when a Permit is forgotten, and sees to it that it is settled once. It is used again and again, by
// one permit in each turn, because a finalizer costs as much as ten permits: the one it has is set when it is made.
type place struct {
	turn  atomic.Uint64
	grant grant                                  // in this turn, unsettled; zero in between
	_     [128 - 8 - unsafe.Sizeof(grant{})]byte // two places in use by two processors share no cache lines
}

// places are those that have no permit now. The garbage collector empties them.
var places sync.Pool

// PermitInfo is a permit seen from outside.
type PermitInfo struct {
	IsProbe   bool          // this call decides whether the circuit closes
	LeaseLeft time.Duration // a probe must be settled or renewed within this; 0 for a permit that is no probe
}

// PermitFromHandle makes a Permit of a handle that another language of this process has given away, or that Detach
// returned. The Permit owns it: forgotten, it is dropped.
func PermitFromHandle(handle uint64) Permit {
	return own(grant{handle: C.trip_permit(handle)})
}

func own(granted grant) Permit {
	free, _ := places.Get().(*place)
	if free == nil {
		free = new(place)
		runtime.SetFinalizer(free, (*place).forgotten)
	}
	free.grant = granted
	return Permit{place: free, turn: free.turn.Load(), handle: granted.handle}
}

// claim is true for one caller, who settles the permit and then leaves its place.
func (p Permit) claim() bool {
	return p.place.turn.CompareAndSwap(p.turn, p.turn+1)
}

func (p Permit) leave() {
	p.place.grant = grant{}
	places.Put(p.place)
}

// forgotten drops what nobody settled. The place is garbage, as are all its Permits, and has no finalizer any more.
func (p *place) forgotten() {
	if p.grant != (grant{}) {
		p.grant.settle(settlement{way: drop})
	}
}

// Detach gives the permit away, to another language or to PermitFromHandle: whoever has the handle must settle it. For
// this Permit it is as if it were settled. 0 when it was settled before. When the circuit was forced open or has moved on
// since the permit was granted, nobody may notice that the handle is settled twice: each time is counted then.
func (p Permit) Detach() uint64 {
	if p.place == nil || !p.claim() {
		return 0
	}
	defer p.leave()
	granted := p.place.grant
	if granted.lane == nil {
		return uint64(p.handle)
	}
	return uint64(granted.circuit.exchange(granted.lane))
}

// RecordSuccess settles the permit: the provider answered as it should. Like every settlement it returns nil;
// [ErrStale] when the circuit has moved on, which callers may ignore; [ErrConsumed] when the permit was settled before;
// [ErrHandle] when there is no such permit or its tracker is closed.
func (p Permit) RecordSuccess() error { return p.settle(settlement{way: recordSuccess}) }

// RecordFailure settles the permit: the provider failed.
func (p Permit) RecordFailure() error { return p.settle(settlement{way: recordFailure}) }

// Record settles the permit with how its call went: as the config's OnAuth, OnTimeout and so on say of its class. What
// the provider asked to wait, with a class that counts as a failure, keeps the circuit open at least as long. Without a
// Duration the library takes the time since the permit. [ErrInvalid]: the outcome is none, and the permit is still out.
func (p Permit) Record(outcome CallOutcome) error {
	settled, err := outcome.settlement()
	if err != nil {
		return err
	}
	return p.settle(settled)
}

// Cancel settles a permit whose call told nothing about the provider: it was not made, or its caller gave up. It
// changes no failure count and frees a probe.
func (p Permit) Cancel() error { return p.settle(settlement{way: cancel}) }

// Drop settles a permit that nobody recorded. It counts as the config's OnDrop says.
func (p Permit) Drop() error { return p.settle(settlement{way: drop}) }

// Renew starts the lease of a probe again, for a call that takes long; it does nothing for other permits. [ErrStale]:
// the circuit has moved on. [ErrCapacity]: the lease cannot be extended any further and stays as it is.
func (p Permit) Renew() error {
	if err := p.unsettled(); err != nil {
		return err
	}
	status := C.trip_permit_renew(p.handle)
	runtime.KeepAlive(p.place)
	return answer(status)
}

// Progress tells that a long response goes on: at its first token, and as often after it as the caller likes. A probe
// whose response has begun counts as a success at once and frees its place. [ErrStale]: the circuit has moved on, or
// the stream was silent for longer than the config's Stall.
func (p Permit) Progress() error {
	if err := p.unsettled(); err != nil {
		return err
	}
	status := C.trip_permit_progress(p.handle)
	runtime.KeepAlive(p.place)
	return answer(status)
}

// Inspect tells whether the permit is a probe, so that a program need not probe with its longest call.
func (p Permit) Inspect() (PermitInfo, error) {
	if err := p.unsettled(); err != nil {
		return PermitInfo{}, err
	}
	info := C.trip_permit_info{struct_size: C.sizeof_trip_permit_info}
	status := C.trip_permit_inspect(p.handle, &info)
	runtime.KeepAlive(p.place)
	if status != C.TRIP_OK {
		return PermitInfo{}, answer(status)
	}
	return PermitInfo{IsProbe: info.is_probe != 0, LeaseLeft: time.Duration(info.lease_left_ns)}, nil
}

// unsettled is nil, or what a permit answers that is none or was settled.
func (p Permit) unsettled() error {
	if p.place == nil {
		return ErrHandle
	}
	if p.place.turn.Load() != p.turn {
		return ErrConsumed
	}
	return nil
}

// A settlement is what a permit is settled with.
type settlement struct {
	way     way
	outcome *C.trip_outcome // of recordOutcome
}

type way int

const (
	recordSuccess way = iota
	recordFailure
	recordOutcome
	cancel
	drop
)

// succeeds tells that the call did what it was asked to do.
func (s settlement) succeeds() bool {
	return s.way == recordSuccess || (s.way == recordOutcome && s.outcome.status_class == C.TRIP_CLASS_SUCCESS)
}

func (s settlement) of(permit C.trip_permit) C.trip_status {
	switch s.way {
	case recordSuccess:
		return C.trip_permit_record_success(permit)
	case recordFailure:
		return C.trip_permit_record_failure(permit)
	case recordOutcome:
		return C.trip_permit_record(permit, s.outcome)
	case cancel:
		return C.trip_permit_cancel(permit)
	}
	return C.trip_permit_drop(permit)
}

func (p Permit) settle(settled settlement) error {
	if p.place == nil {
		return ErrHandle
	}
	if !p.claim() {
		return ErrConsumed
	}
	status := p.place.grant.settle(settled)
	if status == C.TRIP_E_HANDLE { // nothing is settled, however often it is tried
		p.place.turn.Store(p.turn)
		return ErrHandle
	}
	p.leave()
	return answer(status)
}

func (g *grant) settle(settled settlement) C.trip_status {
	if g.lane != nil && settled.succeeds() && g.lane.isHealthy() {
		g.lane.count(successes)
		return C.TRIP_OK
	}
	status := settled.of(g.handle)
	switch {
	case g.lane != nil:
		g.lane.count(settlements)
	case settled.succeeds() && status == C.TRIP_OK && g.circuit != nil:
		g.circuit.succeeded()
	}
	runtime.KeepAlive(g)
	return status
}
