//go:build go1.24 && !race

// This test owns the promise that the healthy path of Execute allocates nothing. The race detector's own allocations
// would hide it, and Go before 1.24 moves the outputs to the heap.

package trip_test

import (
	"context"
	"testing"

	"libtrip.example/trip"
)

func TestExecuteAllocatesNothingOnTheHealthyPath(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	call := func(context.Context) (int, error) { return 1, nil }
	allocations := testing.AllocsPerRun(1000, func() {
		if _, err := trip.Execute(context.Background(), circuit, call); err != nil {
			t.Error(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
