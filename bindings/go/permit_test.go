// These tests own the promises of permits: settled once, on any goroutine, and never lost.

package trip_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libtrip.example/trip"
)

var settlements = map[string]func(trip.Permit) error{
	"RecordSuccess": trip.Permit.RecordSuccess,
	"RecordFailure": trip.Permit.RecordFailure,
	"Cancel":        trip.Permit.Cancel,
	"Drop":          trip.Permit.Drop,
}

func TestAPermitIsSettledOnce(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	for name, settle := range settlements {
		circuit := newCircuit(t, tracker, "tenant", name)
		permit := grant(t, circuit)
		must(t, settle(permit))
		settled := inspect(t, circuit)
		for again, settle := range settlements {
			wantError(t, again+" after "+name, settle(permit), trip.ErrConsumed)
		}
		wantError(t, "Renew after "+name, permit.Renew(), trip.ErrConsumed)
		_, err := permit.Inspect()
		wantError(t, "Inspect after "+name, err, trip.ErrConsumed)
		if after := inspect(t, circuit); after != settled {
			t.Errorf("settling again after %s changed\n%+v to\n%+v", name, settled, after)
		}
	}
}

func TestAPermitOfAnEarlierEpochIsStale(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 1})
	for name, settle := range settlements {
		circuit := newCircuit(t, tracker, "tenant", name)
		late := grant(t, circuit)
		fail(t, circuit)
		_, err := late.Inspect()
		wantError(t, "Inspect", err, trip.ErrStale)
		wantError(t, "Renew", late.Renew(), trip.ErrStale)
		wantError(t, name, settle(late), trip.ErrStale)
		if info := inspect(t, circuit); info.State != trip.StateOpen || info.Stale != 1 {
			t.Errorf("after a late %s: %+v", name, info)
		}
	}
}

func TestOneSettlementOfManyAtOnceCounts(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	for range 200 {
		permit := grant(t, circuit)
		var settled atomic.Int32
		together(8, func(int) {
			switch err := permit.RecordSuccess(); {
			case err == nil:
				settled.Add(1)
			case !errors.Is(err, trip.ErrConsumed):
				t.Errorf("settled with %v", err)
			}
		})
		if settled.Load() != 1 {
			t.Fatalf("settled %d times", settled.Load())
		}
	}
	if info := inspect(t, circuit); info.Permits != 200 || info.Successes != 200 {
		t.Errorf("inspected %+v", info)
	}
}

// together runs n goroutines that start at the same moment, and waits for them.
func together(n int, run func(which int)) {
	var start, end sync.WaitGroup
	start.Add(1)
	for which := range n {
		end.Add(1)
		go func() {
			defer end.Done()
			start.Wait()
			run(which)
		}()
	}
	start.Done()
	end.Wait()
}

func TestFiftyGoroutinesGetOneProbe(t *testing.T) {
	const rounds, racers = 200, 50
	tracker := newTracker(t, trip.Config{FailureThreshold: 1})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	fail(t, circuit)
	for round := range rounds {
		must(t, tracker.Advance(60*time.Second))
		probes := make(chan trip.Permit, racers)
		together(racers, func(int) {
			permit, err := circuit.Permit()
			switch {
			case err == nil:
				probes <- permit
			case !errors.Is(err, trip.ErrProbing):
				t.Errorf("refused with %v", err)
			}
		})
		if len(probes) != 1 {
			t.Fatalf("round %d: %d probes", round, len(probes))
		}
		probe := <-probes
		if info, err := probe.Inspect(); err != nil || !info.IsProbe {
			t.Errorf("the probe is %+v, %v", info, err)
		}
		must(t, probe.RecordFailure())
	}
	info := inspect(t, circuit)
	if info.Permits != rounds+1 || info.Rejections != rounds*(racers-1) || info.Opens != rounds+1 {
		t.Errorf("inspected %+v", info)
	}
}

func TestAProbeShowsItsLeaseAndRenewsIt(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 1, ProbeLease: time.Minute})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	ordinary := grant(t, circuit)
	if info, err := ordinary.Inspect(); err != nil || info != (trip.PermitInfo{}) {
		t.Errorf("an ordinary permit is %+v, %v", info, err)
	}
	must(t, ordinary.Renew())
	must(t, ordinary.RecordFailure())
	must(t, tracker.Advance(30*time.Second))

	probe := grant(t, circuit)
	must(t, tracker.Advance(40*time.Second))
	info, err := probe.Inspect()
	if err != nil || !info.IsProbe || info.LeaseLeft < 20*time.Second || info.LeaseLeft > 21*time.Second {
		t.Errorf("the probe is %+v, %v", info, err)
	}
	must(t, probe.Renew())
	if info, err = probe.Inspect(); err != nil || info.LeaseLeft < time.Minute || info.LeaseLeft > 75*time.Second {
		t.Errorf("renewed, the probe is %+v, %v", info, err)
	}
	must(t, probe.RecordSuccess())
}

func TestALeaseIsExtendedSoFarAndNoFurther(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 1, ProbeLease: time.Minute})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	fail(t, circuit)
	must(t, tracker.Advance(30*time.Second))
	probe := grant(t, circuit)
	var err error
	renewals := 0
	for ; err == nil && renewals < 100; renewals++ {
		must(t, tracker.Advance(30*time.Second))
		err = probe.Renew()
	}
	wantError(t, "the last renewal", err, trip.ErrCapacity)
	must(t, probe.RecordSuccess())
}

func TestAForgottenPermitIsDropped(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	grant(t, circuit)
	trip.PermitFromHandle(grant(t, circuit).Detach())
	collectGarbage(t, func() bool { return inspect(t, circuit).Drops == 2 })
}

func TestAPermitGivenAwayIsNotDropped(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	away := grant(t, circuit).Detach()
	grant(t, circuit) // dropped: then the collector has passed the other as well
	collectGarbage(t, func() bool { return inspect(t, circuit).Drops > 0 })
	must(t, trip.PermitFromHandle(away).RecordSuccess())
	if info := inspect(t, circuit); info.Drops != 1 || info.Successes != 1 {
		t.Errorf("inspected %+v", info)
	}
}

func TestASettledPermitIsNotDroppedToo(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	for range 100 {
		must(t, grant(t, circuit).RecordSuccess())
	}
	grant(t, circuit)
	collectGarbage(t, func() bool { return inspect(t, circuit).Drops > 0 })
	if info := inspect(t, circuit); info.Drops != 1 || info.Successes != 100 {
		t.Errorf("inspected %+v", info)
	}
}
