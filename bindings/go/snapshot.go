// This file owns snapshots: what outlives a process, as bytes, and its way back into a tracker.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"math"
	"runtime"
	"time"
	"unsafe"
)

// Snapshot is everything that the circuits of the tracker know and that outlives their process: states, failures in a
// row, levels, how long they stay open, counters, modes with their reasons; not their policies, windows and permits.
// The bytes are the same on every machine, and later libraries read them.
//
// now is the time of day that they keep; the zero Time is the system's. [ErrInvalid]: it is before 1970 or after 2554.
func (t *Tracker) Snapshot(now time.Time) ([]byte, error) {
	at, err := timeOfDay(now)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, ErrHandle
	}
	defer runtime.KeepAlive(t)
	const likely = 1 << 14
	balanceAll()
	return written(likely, func(out *C.char, capacity C.size_t, outLen *C.size_t) C.trip_status {
		return C.trip_tracker_snapshot(t.handle, at, out, capacity, outLen)
	})
}

// Restore brings the circuits of a snapshot into the tracker, as if they had been there all the time: open ones stay
// open for what is left of their period by the time of day, half-open ones may be probed at once, modes end when they
// would have. A circuit that is there already becomes what the snapshot says, and its counters grow; others stay as
// they are.
//
// now is the time of day; the zero Time is the system's. Where it is before that of the snapshot no time has passed.
// Either all of it happens or nothing, and the error says why: [ErrInvalid] when the bytes are damaged or cut off, or
// now is out of range; [ErrTooNew] when a later library has written them; [ErrCapacity] when there would be more than
// MaxCircuits.
func (t *Tracker) Restore(now time.Time, snapshot []byte) error {
	at, err := timeOfDay(now)
	if err != nil {
		return err
	}
	if t == nil {
		return ErrHandle
	}
	defer runtime.KeepAlive(t)
	reason := C.trip_error{struct_size: C.sizeof_trip_error}
	status := C.trip_tracker_restore(t.handle, at, (*C.char)(unsafe.Pointer(unsafe.SliceData(snapshot))),
		C.size_t(len(snapshot)), &reason)
	return reasoned(status, &reason, new(Config).fields)
}

// timeOfDay is 0 for the system's, which the zero Time asks for and no other.
func timeOfDay(now time.Time) (C.uint64_t, error) {
	if now.IsZero() {
		return 0, nil
	}
	at := unixNs(now)
	if at == 0 || at == math.MaxUint64 {
		return 0, ErrInvalid
	}
	return at, nil
}
