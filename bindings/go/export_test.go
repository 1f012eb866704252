// This file owns what tests see from inside: the express lane, the pages of a list, who waits for events.

package trip

import (
	"iter"
	"os"
)

// FetchLane lets the circuit use its express lane at once, so that the few calls of a test take it.
func (c *Circuit) FetchLane() { c.fetchLane() }

// OnLane tells whether the next call would take the express lane.
func (c *Circuit) OnLane() bool { return c.express() != nil }

// NeverOnLane tells that the library has said that there is no lane, ever.
func (c *Circuit) NeverOnLane() bool { return c.lane.Load() == noLane.Load() }

// HasLedger tells whether a lane of the circuit may have counts that the library does not know.
func HasLedger(circuit uint64) bool { return ledgerOf(circuit) != nil }

// Told is how many calls of lanes the library knows.
func Told(circuit uint64) uint64 { return uint64(ledgerOf(circuit).told) }

// CircuitsByPage is Circuits with pages of another size.
func (t *Tracker) CircuitsByPage(capacity int) iter.Seq2[SeenCircuit, error] {
	return t.circuits(capacity)
}

// Watches is how many loops wait for events of any tracker.
func Watches() int {
	watches.Lock()
	defer watches.Unlock()
	return len(watches.of)
}

// Duplicate takes the descriptor of this number for that of the tracker.
func (t *Tracker) Duplicate(number uintptr) (*os.File, error) {
	duplicate, err := t.duplicate(number)
	return duplicate.file, err
}

// Visits is how many calls are in the library that may come back to Go.
func Visits() (count int) {
	visits.current.Range(func(any, any) bool { count++; return true })
	return count
}
