// This file owns permits: how each is settled once, and what becomes of those that are forgotten.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"runtime"
	"time"
)

// Permit is the right to make one call. It is settled once, by RecordSuccess, RecordFailure, Cancel or Drop, on any
// goroutine; settling it again answers [ErrConsumed] and changes nothing, so that
//
//	defer permit.Drop()
//
// right after the grant is a sound way to forget no permit, whatever panics.
//
// A Permit that becomes garbage unsettled is dropped. That may take the garbage collector minutes: it is a net for
// mistakes, not a way to settle.
type Permit struct {
	handle  C.trip_permit
	tracker *Tracker // kept alive: a closed one settles nothing
}

// PermitInfo is a permit seen from outside.
type PermitInfo struct {
	IsProbe   bool          // this call decides whether the circuit closes
	LeaseLeft time.Duration // a probe must be settled or renewed within this; 0 for a permit that is no probe
}

// PermitFromHandle makes a Permit of a handle that another language of this process has given away, or that Detach
// returned. The Permit owns it: forgotten, it is dropped.
func PermitFromHandle(handle uint64) *Permit {
	return own(C.trip_permit(handle), nil)
}

func own(handle C.trip_permit, tracker *Tracker) *Permit {
	permit := &Permit{handle: handle, tracker: tracker}
	runtime.SetFinalizer(permit, (*Permit).Drop)
	return permit
}

// Handle is the library's name of the permit. The Permit keeps owning it: hold on to the Permit while the handle is in
// use, or give the handle away with Detach.
func (p *Permit) Handle() uint64 {
	if p == nil {
		return 0
	}
	return uint64(p.handle)
}

// Detach gives the permit away, to another language or to PermitFromHandle: whoever has the handle must settle it.
func (p *Permit) Detach() uint64 {
	if p == nil {
		return 0
	}
	runtime.SetFinalizer(p, nil)
	return uint64(p.handle)
}

// RecordSuccess settles the permit: the provider answered as it should. Like every settlement it returns nil;
// [ErrStale] when the circuit has moved on, which callers may ignore; [ErrConsumed] when the permit was settled before;
// [ErrHandle] when there is no such permit or its tracker is closed.
func (p *Permit) RecordSuccess() error { return p.settle(recordSuccess) }

// RecordFailure settles the permit: the provider failed.
func (p *Permit) RecordFailure() error { return p.settle(recordFailure) }

// Cancel settles a permit whose call told nothing about the provider: it was not made, or its caller gave up. It
// changes no failure count and frees a probe.
func (p *Permit) Cancel() error { return p.settle(cancel) }

// Drop settles a permit that nobody recorded. It counts as the config's OnDrop says.
func (p *Permit) Drop() error { return p.settle(drop) }

// Renew starts the lease of a probe again, for a call that takes long; it does nothing for other permits. [ErrStale]:
// the circuit has moved on. [ErrCapacity]: the lease cannot be extended any further and stays as it is.
func (p *Permit) Renew() error {
	if p == nil {
		return ErrHandle
	}
	defer runtime.KeepAlive(p)
	return answer(C.trip_permit_renew(p.handle))
}

// Inspect tells whether the permit is a probe, so that a program need not probe with its longest call.
func (p *Permit) Inspect() (PermitInfo, error) {
	if p == nil {
		return PermitInfo{}, ErrHandle
	}
	defer runtime.KeepAlive(p)
	info := C.trip_permit_info{struct_size: C.sizeof_trip_permit_info}
	if status := C.trip_permit_inspect(p.handle, &info); status != C.TRIP_OK {
		return PermitInfo{}, answer(status)
	}
	return PermitInfo{IsProbe: info.is_probe != 0, LeaseLeft: time.Duration(info.lease_left_ns)}, nil
}

// A settlement is one of the four ways to settle a permit.
type settlement func(C.trip_permit) C.trip_status

func recordSuccess(permit C.trip_permit) C.trip_status { return C.trip_permit_record_success(permit) }
func recordFailure(permit C.trip_permit) C.trip_status { return C.trip_permit_record_failure(permit) }
func cancel(permit C.trip_permit) C.trip_status        { return C.trip_permit_cancel(permit) }
func drop(permit C.trip_permit) C.trip_status          { return C.trip_permit_drop(permit) }

func (p *Permit) settle(settled settlement) error {
	if p == nil {
		return ErrHandle
	}
	status := settled(p.handle)
	runtime.SetFinalizer(p, nil) // only now: until here it keeps the finalizer from dropping the permit first
	return answer(status)
}
