// This file owns the express lane: calls to a closed circuit, which are admitted without a call into the library, and
// end without one while no failure counts. ABI.md has the rules of the lane; counting its calls is ledger.go's.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// A lane is what the library told about a circuit while it was closed, and never changes. It admits calls as long as
// the circuit stays closed and nobody has forced it, and never again once that has opened, was evicted or destroyed.
type lane struct {
	word      *uint64       // the library's, readable for ever
	admitMask uint64        // what of it tells that the circuit is closed still
	mask      uint64        // and what tells that no failure counts against it either
	value     uint64        // that it must have there
	stripes   []stripe      // the ledger's
	permit    C.trip_permit // serves all calls of the lane, each of which we settle once
	ledger    *ledger
	tracker   *Tracker // kept alive: a closed one settles nothing
}

// noLane is that of a circuit whose policy gives it none: it admits nothing, and is not asked for again. Where policies
// are replaced it is another from then on, and all circuits that had the one before ask anew.
var noLane atomic.Pointer[lane]

func init() { forgetNoLane() }

func forgetNoLane() { noLane.Store(&lane{word: new(uint64), value: 1}) }

// admits tells that a call may be made now.
func (l *lane) admits() bool {
	return atomic.LoadUint64(l.word)&l.admitMask == l.value
}

// isHealthy tells, after a call, that its success changes nothing and need not be recorded.
func (l *lane) isHealthy() bool {
	return atomic.LoadUint64(l.word)&l.mask == l.value
}

// express is the circuit's lane if that admits a call now, else nil.
func (c *Circuit) express() *lane {
	if c == nil {
		return nil
	}
	if l := c.lane.Load(); l != nil && l.admits() {
		return l
	}
	return nil
}

// successesBeforeLane make a Circuit worth a lane: who looks a circuit up for each call should not pay for one.
const successesBeforeLane = 8

// succeeded looks after the lane when an ordinary permit has been settled as a success. The circuit is likely to be
// closed then; a lane that does not admit is dead.
func (c *Circuit) succeeded() {
	switch l := c.lane.Load(); {
	case l == noLane.Load(), l != nil && l.admits():
	case l == nil && c.successes.Add(1)%successesBeforeLane != 0:
	default:
		c.fetchLane()
	}
}

func (c *Circuit) fetchLane() {
	none, handle := noLane.Load(), c.handle.Load()
	told := C.trip_express{struct_size: C.sizeof_trip_express}
	status := C.trip_circuit_express(C.trip_circuit(handle), &told)
	runtime.KeepAlive(c.tracker)
	switch {
	case status != C.TRIP_OK:
		return
	case told.layout != C.TRIP_EXPRESS_LAYOUT_WORD:
		c.lane.Store(none)
		return
	case told.permit == 0:
		return
	}
	ledger := openLedger(handle)
	l := &lane{
		word:      (*uint64)(unsafe.Pointer(told.word)),
		admitMask: uint64(told.admit_mask),
		mask:      uint64(told.mask),
		value:     uint64(told.value),
		stripes:   ledger.stripes,
		permit:    told.permit,
		ledger:    ledger,
		tracker:   c.tracker,
	}
	runtime.SetFinalizer(l, func(l *lane) { l.ledger.close() })
	c.lane.Store(l)
}

// exchange gives an ordinary permit for one call that the lane admitted: whoever does not know of lanes can settle it
// and is told when he does so twice. That takes a circuit that is closed in the same epoch before and after, and that
// nobody has forced open, as a look tells which counts no refusal. Another has no permit to give: that of the lane tells
// as much as any.
func (c *Circuit) exchange(l *lane) C.trip_permit {
	defer runtime.KeepAlive(c.tracker)
	defer l.count(settlements)
	circuit := C.trip_circuit(l.ledger.circuit)
	var ordinary C.trip_permit
	if l.isCurrent() && C.trip_circuit_peek(circuit, nil) == C.TRIP_OK &&
		C.trip_circuit_permit(circuit, &ordinary, nil) == C.TRIP_OK {
		if l.isCurrent() {
			return ordinary
		}
		C.trip_permit_cancel(ordinary)
	}
	return l.permit
}

// isCurrent asks whether the circuit is closed in the epoch of the lane, whoever decides about it. To renew a permit of
// another epoch is stale; for this one there is no lease to begin again.
func (l *lane) isCurrent() bool { return C.trip_permit_renew(l.permit) == C.TRIP_OK }
