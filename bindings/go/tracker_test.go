// These tests own the promises of trackers and configs: what is refused and why, what zero means, who is whose circuit.

package trip_test

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"libtrip.example/trip"
)

// newTracker makes a tracker with a manual clock that lives as long as the test.
func newTracker(t testing.TB, config trip.Config) *trip.Tracker {
	t.Helper()
	config.Clock = trip.ClockManual
	tracker, err := trip.NewTracker(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tracker.Close() })
	return tracker
}

func newCircuit(t testing.TB, tracker *trip.Tracker, tenant, provider string) *trip.Circuit {
	t.Helper()
	circuit, err := tracker.Circuit(tenant, provider)
	if err != nil {
		t.Fatal(err)
	}
	circuit.FetchLane()
	return circuit
}

func inspect(t testing.TB, circuit *trip.Circuit) trip.CircuitInfo {
	t.Helper()
	info, err := circuit.Inspect()
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, expected %v", what, got, want)
	}
}

// collectGarbage goes on until the finalizers have brought about what they should.
func collectGarbage(t *testing.T, until func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !until(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the garbage collector has not brought it about")
		}
		runtime.GC()
	}
}

func TestEachFieldOutOfRangeIsRefusedByName(t *testing.T) {
	year := 366 * 24 * time.Hour
	for field, spoil := range map[string][]func(*trip.Config){
		"FailureThreshold": {
			func(c *trip.Config) { c.FailureThreshold = 0 },
			func(c *trip.Config) { c.FailureThreshold = 1 << 23 },
		},
		"InitialOpen": {
			func(c *trip.Config) { c.InitialOpen = 0 },
			func(c *trip.Config) { c.InitialOpen = c.MaxOpen + 1 },
		},
		"MaxOpen": {func(c *trip.Config) { c.MaxOpen = year }, func(c *trip.Config) { c.MaxOpen = -1 }},
		"BackoffMultiplier": {
			func(c *trip.Config) { c.BackoffMultiplier = 0 },
			func(c *trip.Config) { c.BackoffMultiplier = math.NaN() },
			func(c *trip.Config) { c.BackoffMultiplier = math.Inf(1) },
		},
		"Backoff":           {func(c *trip.Config) { c.Backoff = 99 }},
		"HalfOpenMaxProbes": {func(c *trip.Config) { c.HalfOpenMaxProbes = 64 }},
		"HalfOpenSuccesses": {func(c *trip.Config) { c.HalfOpenSuccesses = 0 }},
		"OnDrop":            {func(c *trip.Config) { c.OnDrop = 99 }},
		"ProbeLease":        {func(c *trip.Config) { c.ProbeLease = 4*time.Millisecond - 1 }},
		"ProbeRetry":        {func(c *trip.Config) { c.ProbeRetry = -1 }},
		"Jitter":            {func(c *trip.Config) { c.Jitter = 1.5 }, func(c *trip.Config) { c.Jitter = math.NaN() }},
		"Clock":             {func(c *trip.Config) { c.Clock = 99 }},
		"MaxCircuits":       {func(c *trip.Config) { c.MaxCircuits = 1<<24 + 1 }},
	} {
		for _, spoil := range spoil {
			config := trip.DefaultConfig()
			spoil(&config)
			tracker, err := trip.NewTracker(config)
			var refused *trip.ConfigError
			if tracker != nil || !errors.As(err, &refused) || refused.Field != field || refused.Message == "" {
				t.Errorf("%s in %+v: %v", field, config, err)
			}
			wantError(t, field, err, trip.ErrConfig)
		}
	}
}

func TestZeroFieldsAreDefaults(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	circuit := newCircuit(t, tracker, "", "provider")
	for range trip.DefaultConfig().FailureThreshold {
		fail(t, circuit)
	}
	open := refused(t, circuit)
	if open.RetryAfter != trip.DefaultConfig().InitialOpen || open.Failures != 5 {
		t.Errorf("refused with %+v", open)
	}
}

func TestExactZeroFieldsAreZero(t *testing.T) {
	if _, err := trip.NewTracker(trip.Config{Exact: true}); !errors.Is(err, trip.ErrConfig) {
		t.Errorf("a config of nothing: %v", err)
	}
	config := trip.DefaultConfig()
	config.FailureThreshold = 1
	config.ProbeRetry = 0
	tracker := newTracker(t, config)
	circuit := newCircuit(t, tracker, "", "provider")
	fail(t, circuit)
	must(t, tracker.Advance(config.InitialOpen))
	probe := grant(t, circuit)
	if open := refused(t, circuit); open.Reason != trip.ErrProbing || open.RetryAfter != 0 {
		t.Errorf("refused with %+v", open)
	}
	must(t, probe.Cancel())
}

func TestAKeyIsTwoTextsOfAnyBytes(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	keys := [][2]string{
		{"", ""}, {"ab", "c"}, {"a", "bc"}, {"a\x00b", "\x00"}, {"a", "\x00"}, {"\xff\xfe", "ü"},
		{strings.Repeat("t", 255), strings.Repeat("p", 255)},
	}
	seen := make(map[uint64][2]string)
	for _, key := range keys {
		circuit := newCircuit(t, tracker, key[0], key[1])
		if other, taken := seen[circuit.Handle()]; taken {
			t.Errorf("%q and %q are one circuit", key, other)
		}
		seen[circuit.Handle()] = key
		if again := newCircuit(t, tracker, key[0], key[1]); again.Handle() != circuit.Handle() {
			t.Errorf("%q is two circuits", key)
		}
		tenant, provider, err := circuit.Key()
		if err != nil || tenant != key[0] || provider != key[1] {
			t.Errorf("%q has the key %q, %q, %v", key, tenant, provider, err)
		}
	}
}

func TestTextsThatAreTooLongAreRefused(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	long := strings.Repeat("x", 256)
	for _, key := range [][2]string{{long, ""}, {"", long}} {
		circuit, err := tracker.Circuit(key[0], key[1])
		wantError(t, "256 bytes", err, trip.ErrInvalid)
		if circuit != nil {
			t.Error("a circuit and an error")
		}
	}
}

func TestOnlyAManualClockIsAdvanced(t *testing.T) {
	tracker, err := trip.NewTracker(trip.Config{})
	must(t, err)
	defer tracker.Close()
	wantError(t, "monotonic clock", tracker.Advance(1), trip.ErrUnsupported)
	wantError(t, "backwards", newTracker(t, trip.Config{}).Advance(-1), trip.ErrInvalid)
}

func TestAClosedTrackerAnswersErrHandle(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	circuit := newCircuit(t, tracker, "tenant", "provider")
	permit := grant(t, circuit)
	must(t, tracker.Close())
	_, circuitErr := tracker.Circuit("tenant", "provider")
	_, permitErr := circuit.Permit()
	_, inspectErr := circuit.Inspect()
	for what, err := range map[string]error{
		"Close": tracker.Close(), "Advance": tracker.Advance(1), "Circuit": circuitErr, "Permit": permitErr,
		"Inspect": inspectErr, "Peek": circuit.Peek(), "RecordSuccess": permit.RecordSuccess(),
	} {
		wantError(t, what, err, trip.ErrHandle)
	}
}

func TestAForgottenTrackerIsClosedAfterItsCircuitsAndPermits(t *testing.T) {
	permit, handle := func() (trip.Permit, uint64) {
		tracker, err := trip.NewTracker(trip.Config{})
		must(t, err)
		circuit := newCircuit(t, tracker, "tenant", "provider")
		return grant(t, circuit), circuit.Handle()
	}()
	runtime.GC()
	runtime.GC()
	must(t, permit.RecordSuccess())
	permit = trip.Permit{}
	collectGarbage(t, func() bool {
		_, err := trip.CircuitFromHandle(handle)
		return errors.Is(err, trip.ErrHandle)
	})
}

func TestNilIsALegalReceiver(t *testing.T) {
	var tracker *trip.Tracker
	var circuit *trip.Circuit
	var permit trip.Permit
	_, circuitErr := tracker.Circuit("", "")
	_, permitErr := circuit.Permit()
	_, inspectErr := circuit.Inspect()
	_, _, keyErr := circuit.Key()
	_, inspectPermitErr := permit.Inspect()
	for what, err := range map[string]error{
		"Tracker.Close": tracker.Close(), "Tracker.Advance": tracker.Advance(1), "Tracker.Circuit": circuitErr,
		"Circuit.Permit": permitErr, "Circuit.Inspect": inspectErr, "Circuit.Peek": circuit.Peek(),
		"Circuit.Key": keyErr, "Permit.Inspect": inspectPermitErr, "Permit.RecordSuccess": permit.RecordSuccess(),
		"Permit.RecordFailure": permit.RecordFailure(), "Permit.Cancel": permit.Cancel(), "Permit.Drop": permit.Drop(),
		"Permit.Renew": permit.Renew(),
	} {
		wantError(t, what, err, trip.ErrHandle)
	}
	if tracker.Handle() != 0 || circuit.Handle() != 0 || permit.Detach() != 0 {
		t.Error("nil has a handle")
	}
	if circuit.Tenant() != "" || circuit.Provider() != "" {
		t.Error("nil has a key")
	}
}

func TestTheLibraryIsTheOneTheHeaderDescribes(t *testing.T) {
	if trip.Version() == "" || trip.ABIVersion()>>16 != 1 {
		t.Errorf("version %q, ABI %#x", trip.Version(), trip.ABIVersion())
	}
	if !trip.HasFeature(trip.FeatureCircuits) || trip.HasFeature(0) {
		t.Error("has not the features that it has")
	}
}
