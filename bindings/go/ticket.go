// This file owns tickets: how each is settled once, and what becomes of those that are forgotten.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Ticket is the duty to make a call that others wait for. It is settled once, by Complete, Fail or Drop, on any
// goroutine; settling it again answers [ErrConsumed] and changes nothing, so that
//
//	defer ticket.Drop()
//
// right after it was given is a sound way to leave nobody waiting, whatever panics. All that settle it, and Renew,
// return [ErrStale] when the lease is over and nothing has changed, [ErrHandle] when the deduplicator is closed. One
// that becomes garbage unsettled is dropped, as a net for mistakes: it may take the garbage collector minutes.
type Ticket struct {
	handle C.trip_ticket
	dedup  *Dedup // kept alive
}

func (d *Dedup) own(handle C.trip_ticket) *Ticket {
	ticket := &Ticket{handle: handle, dedup: d}
	runtime.SetFinalizer(ticket, (*Ticket).Drop)
	return ticket
}

// Complete settles the ticket with what the call has brought: any bytes, which whoever waits gets, and who asks within
// the TTL. Where values are not kept, or this one is larger than MaxBytes, those who wait get the next ticket.
func (t *Ticket) Complete(value []byte) error {
	return t.settle(func(handle C.trip_ticket) C.trip_status { return complete(handle, value) })
}

// Fail settles the ticket: the call has failed. Its key is free at once, and one of those who wait gets the next
// ticket.
func (t *Ticket) Fail() error {
	return t.settle(func(handle C.trip_ticket) C.trip_status { return C.trip_ticket_fail(handle) })
}

// Drop settles a ticket whose call was given up. It acts as Fail.
func (t *Ticket) Drop() error {
	return t.settle(func(handle C.trip_ticket) C.trip_status { return C.trip_ticket_drop(handle) })
}

// Renew begins the lease again, for a call that takes longer.
func (t *Ticket) Renew() error {
	if t == nil {
		return ErrHandle
	}
	defer runtime.KeepAlive(t)
	return answer(C.trip_ticket_renew(t.handle))
}

func (t *Ticket) settle(settle func(C.trip_ticket) C.trip_status) error {
	if t == nil {
		return ErrHandle
	}
	defer runtime.KeepAlive(t)
	runtime.SetFinalizer(t, nil)
	return answer(settle(t.handle))
}

func complete(ticket C.trip_ticket, value []byte) C.trip_status {
	return C.trip_ticket_complete(ticket, (*C.char)(unsafe.Pointer(unsafe.SliceData(value))), C.size_t(len(value)))
}
