// This file owns what people and their tools see of a running tracker: its circuits, one by one; one of them,
// explained; its metrics. What happens to them is events.go's.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"iter"
	"runtime"
	"unsafe"
)

// SeenCircuit is a circuit, and what was seen of it as [Tracker.Circuits] came by.
type SeenCircuit struct {
	*Circuit
	Info CircuitInfo
}

// circuitsAtOnce are asked for in one call.
const circuitsAtOnce = 256

// Circuits goes through the circuits of the tracker, each once, as far as the loop wants to: nothing is held meanwhile,
// so that the loop may take its time, and steer what it sees. Circuits that come or go while it runs may be there or
// not. The error is [ErrHandle], and the last, when the tracker is closed.
func (t *Tracker) Circuits() iter.Seq2[SeenCircuit, error] { return t.circuits(circuitsAtOnce) }

func (t *Tracker) circuits(capacity int) iter.Seq2[SeenCircuit, error] {
	return func(yield func(SeenCircuit, error) bool) {
		page := make([]C.trip_circuit, capacity)
		for after := C.trip_circuit(0); ; {
			count, err := t.page(after, page)
			if err != nil {
				yield(SeenCircuit{}, err)
				return
			}
			if count == 0 {
				return
			}
			for _, handle := range page[:count] {
				seen, isThere := t.see(handle)
				if isThere && !yield(seen, nil) {
					return
				}
			}
			after = page[count-1]
		}
	}
}

// page fills a page with the circuits behind one of them. Of a tracker that has no more it says so; of a page that is
// not full nothing is concluded, so that a tracker which is closed meanwhile does not look like one that has ended.
func (t *Tracker) page(after C.trip_circuit, page []C.trip_circuit) (int, error) {
	if t == nil {
		return 0, ErrHandle
	}
	defer runtime.KeepAlive(t)
	var count C.size_t
	status := C.trip_tracker_circuits(t.handle, after, unsafe.SliceData(page), nil, C.sizeof_trip_circuit_info,
		C.size_t(len(page)), &count)
	return int(count), answer(status)
}

// see looks at a circuit unless it has gone since its page was filled. It is not looked up again.
func (t *Tracker) see(handle C.trip_circuit) (seen SeenCircuit, isThere bool) {
	circuit, status := t.circuit(handle)
	if status != C.TRIP_OK {
		return SeenCircuit{}, false
	}
	info, status := inspect(handle)
	return SeenCircuit{Circuit: circuit, Info: info}, status == C.TRIP_OK
}

// Explain is one paragraph for people: what the circuit does and why, who or what opened it, when, after which calls,
// and what comes next and when. Its wording may change. It holds what tenant, provider and reasons hold: any bytes.
func (c *Circuit) Explain() (string, error) {
	const always = 4096 // suffices
	text, err := written(always, func(out *C.char, capacity C.size_t, outLen *C.size_t) C.trip_status {
		return c.reach(func(handle C.trip_circuit) C.trip_status {
			balance(uint64(handle))
			return C.trip_circuit_explain(handle, out, capacity, outLen)
		})
	})
	return string(text), err
}

// Metrics is the tracker's metrics as OpenMetrics text, for a scrape: docs/operating.md has their names, and its
// Content-Type is application/openmetrics-text; version=1.0.0; charset=utf-8. Counters never go back, whatever is
// evicted. Calls of express lanes are counted when they end.
//
// A metric has at most maxSeries label sets, 1000 for 0: with [LabelsTenant] the circuits beyond are told in one series
// of their provider, labelled overflow="true"; so are providers beyond it, without their names. Who has a series keeps
// it. [ErrInvalid]: there are no such labels.
func (t *Tracker) Metrics(labels Labels, maxSeries uint64) (string, error) {
	if t == nil {
		return "", ErrHandle
	}
	defer runtime.KeepAlive(t)
	const likely = 1 << 14
	balanceAll()
	text, err := written(likely, func(out *C.char, capacity C.size_t, outLen *C.size_t) C.trip_status {
		return C.trip_tracker_metrics(t.handle, C.uint32_t(labels), C.uint64_t(maxSeries), out, capacity, outLen)
	})
	return string(text), err
}
