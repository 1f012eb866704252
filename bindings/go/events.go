// This file owns events as Go has them, and taking those that are there. Waiting for more is watch.go's.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"runtime"
	"time"
	"unsafe"
)

// Event is something that happened to a circuit, or to its tracker.
type Event struct {
	Kind     EventKind     // who does not know it passes over it
	Number   uint64        // the tracker's events are numbered from 1, without gaps: lost ones have none
	Lost     uint64        // how many events the tracker had lost ever when this one was taken
	At       time.Duration // when, by the tracker's clock
	Time     time.Time     // when, as a time of day
	Circuit  uint64        // to which circuit, by its handle; 0: to the tracker
	Epoch    uint64        // of the circuit after the event
	Duration time.Duration // opened: how long it will be open; forced: for how long, 0 without end; how long was waited
	State    State         // of the circuit after the event
	Mode     Mode          // likewise
	Cause    Cause         // why
	Scope    ScopeKind     // configured: of what; else ScopeCircuit, or ScopeTracker without one
	Failures uint32        // as in CircuitInfo, after the event
	Tenant   string        // any bytes, as Provider
	Provider string
	Reason   string // the operator's; of a gate, its name
	Depth    uint32 // of a gate: tokens out
	Limit    uint32 // of a gate: how many may be, now
}

const (
	eventsAtOnce = 64      // are asked for in one call
	longestTexts = 3 * 255 // [bytes] of one event
)

// TakeEvents takes the events that have happened since they were taken last, the oldest first, and at most limit of
// them. It waits for none: there may be none. The tracker keeps 4096; when it has so many, what happens is lost, and
// lost says how often that was, ever. No event is told twice, however many goroutines take them, with [Tracker.Events]
// too. [ErrInvalid]: the limit is below 1. Beside an error there may be events that were taken before it.
func (t *Tracker) TakeEvents(limit int) (events []Event, lost uint64, err error) {
	if t == nil {
		return nil, 0, ErrHandle
	}
	if limit < 1 {
		return nil, 0, ErrInvalid
	}
	defer runtime.KeepAlive(t)
	taken := make([]C.trip_event, min(limit, eventsAtOnce))
	texts := make([]byte, len(taken)*longestTexts)
	for {
		capacity := min(limit-len(events), len(taken))
		var count C.size_t
		var everLost C.uint64_t
		status := C.trip_tracker_events(t.handle, &taken[0], C.sizeof_trip_event, C.size_t(capacity),
			(*C.char)(unsafe.Pointer(&texts[0])), C.size_t(len(texts)), &count, &everLost)
		if status != C.TRIP_OK {
			return events, lost, answer(status)
		}
		lost = uint64(everLost)
		for i := range taken[:count] {
			events = append(events, eventOf(&taken[i], texts, lost))
		}
		if int(count) < capacity || len(events) == limit {
			return events, lost, nil
		}
	}
}

func eventOf(event *C.trip_event, texts []byte, lost uint64) Event {
	text := func(offset, length C.uint32_t) string { return string(texts[offset:][:length]) }
	return Event{
		Kind:     EventKind(event.kind),
		Number:   uint64(event.number),
		Lost:     lost,
		At:       time.Duration(event.at_ns),
		Time:     time.Unix(0, int64(event.at_unix_ns)),
		Circuit:  uint64(event.circuit),
		Epoch:    uint64(event.epoch),
		Duration: time.Duration(event.duration_ns),
		State:    State(event.state),
		Mode:     Mode(event.mode),
		Cause:    Cause(event.cause),
		Scope:    ScopeKind(event.scope),
		Failures: uint32(event.failures),
		Tenant:   text(event.tenant_offset, event.tenant_len),
		Provider: text(event.provider_offset, event.provider_len),
		Reason:   text(event.reason_offset, event.reason_len),
		Depth:    uint32(event.depth),
		Limit:    uint32(event.limit),
	}
}
