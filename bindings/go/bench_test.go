// These benchmarks own the question what the binding costs on the healthy path, beside two empty calls into C.

package trip_test

import (
	"context"
	"testing"

	"libtrip.example/trip"
)

func BenchmarkEmptyCallPair(b *testing.B) {
	for range b.N {
		trip.ABIVersion()
		trip.ABIVersion()
	}
}

func BenchmarkPermitAndSuccess(b *testing.B) {
	circuit := newCircuit(b, newTracker(b, trip.Config{}), "tenant", "provider")
	b.ReportAllocs()
	for range b.N {
		if permit, err := circuit.Permit(); err != nil || permit.RecordSuccess() != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPermitAndFailure(b *testing.B) {
	const highest = 8388607 // failures in a row, which a success in between keeps the circuit from
	circuit := newCircuit(b, newTracker(b, trip.Config{FailureThreshold: highest}), "tenant", "provider")
	b.ReportAllocs()
	for i := range b.N {
		permit, err := circuit.Permit()
		if err != nil {
			b.Fatal(err)
		}
		if i%1024 == 0 {
			err = permit.RecordSuccess()
		} else {
			err = permit.RecordFailure()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExecute(b *testing.B) {
	circuit := newCircuit(b, newTracker(b, trip.Config{}), "tenant", "provider")
	call := func(context.Context) (int, error) { return 1, nil }
	b.ReportAllocs()
	for range b.N {
		if _, err := trip.Execute(context.Background(), circuit, call); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRefusal(b *testing.B) {
	circuit := newCircuit(b, newTracker(b, trip.Config{FailureThreshold: 1}), "tenant", "provider")
	fail(b, circuit)
	b.ReportAllocs()
	for range b.N {
		if _, err := circuit.Permit(); err == nil {
			b.Fatal("granted")
		}
	}
}
