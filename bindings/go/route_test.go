// These tests own routes as Go has them: permits that know their provider, circuits that are found again. Who is chosen
// is the contract's.

package trip_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"libtrip.example/trip"
)

func TestARoutePermitIsSettledAsAny(t *testing.T) {
	tracker := newTracker(t, trip.Config{FailureThreshold: 1})
	route := newRoute(t, tracker, trip.RouteConfig{}, "a", "b")
	first, err := route.Permit("")
	must(t, err)
	if first.Provider != "a" || first.Index != 0 {
		t.Errorf("permitted %+v", first)
	}
	must(t, first.RecordFailure())
	wantError(t, "again", first.RecordFailure(), trip.ErrConsumed)
	next, err := route.Permit("")
	must(t, err)
	if next.Provider != "b" || next.Index != 1 {
		t.Errorf("permitted %+v", next)
	}
	must(t, next.RecordSuccess())
	if info := inspect(t, newCircuit(t, tracker, "tenant", "a")); info.State != trip.StateOpen {
		t.Errorf("a is %+v", info)
	}
}

func TestARoutePermitThatIsForgottenIsDropped(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	route := newRoute(t, tracker, trip.RouteConfig{}, "a")
	must(t, second(route.Permit("")))
	circuit := newCircuit(t, tracker, "tenant", "a")
	collectGarbage(t, func() bool { return inspect(t, circuit).Drops == 1 })
}

func TestARefusalOfARouteIsTheTenants(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	route := newRoute(t, tracker, trip.RouteConfig{}, "a", "b")
	for index := range 2 {
		circuit, err := route.Circuit(index)
		must(t, err)
		must(t, circuit.Trip())
	}
	_, err := route.Permit("")
	var open *trip.OpenError
	if !errors.As(err, &open) || open.Tenant != "tenant" || open.Provider != "" || open.RetryAfter == 0 {
		t.Errorf("refused with %+v", err)
	}
	if text := fmt.Sprint(err); !strings.HasPrefix(text, `trip: circuit open for tenant "tenant": retry after `) {
		t.Error(text)
	}
}

func TestARouteRefusesWhatNoProviderIs(t *testing.T) {
	route := newRoute(t, newTracker(t, trip.Config{}), trip.RouteConfig{})
	wantError(t, "none", second(route.Permit("")), trip.ErrInvalid)
	must(t, route.Add("a", 1))
	for what, err := range map[string]error{
		"twice": route.Add("a", 1), "weight 0": route.Add("b", 0), "weight": route.Add("b", 1_000_001),
		"avoid -1": second(route.Permit("", -1)), "avoid 64": second(route.Permit("", 64)),
		"index -1": second(route.Circuit(-1)), "index 1": second(route.Circuit(1)), "index 64": second(route.Circuit(64)),
	} {
		wantError(t, what, err, trip.ErrInvalid)
	}
	for i := 1; i < 64; i++ {
		must(t, route.Add(fmt.Sprint(i), 1))
	}
	wantError(t, "the 65th", route.Add("z", 1), trip.ErrCapacity)
	if _, err := route.Permit("", 63); err != nil {
		t.Error(err)
	}
}

func TestCircuitsOfARouteAreFoundAgainWhenTheyWereEvicted(t *testing.T) {
	tracker := newTracker(t, trip.Config{MaxCircuits: 1})
	route := newRoute(t, tracker, trip.RouteConfig{}, "a", "b")
	byHandle := trip.RouteFromHandle(route.Handle())
	for round := range 6 {
		if round == 3 { // whose circuits know no tracker, and cannot find themselves again
			route = byHandle
		}
		for index, provider := range []string{"a", "b"} {
			circuit, err := route.Circuit(index)
			must(t, err)
			if tenant, found, err := circuit.Key(); err != nil || tenant != "tenant" || found != provider {
				t.Errorf("%d is %q, %q, %v", index, tenant, found, err)
			}
			permit, err := route.Permit("", 1-index)
			must(t, err)
			if permit.Provider != provider {
				t.Errorf("permitted %+v", permit)
			}
			must(t, permit.RecordSuccess())
		}
	}
	runtime.KeepAlive(tracker)
}

func TestManyGoroutinesUseAndCloseARoute(t *testing.T) {
	tracker := newTracker(t, trip.Config{})
	route := newRoute(t, tracker, trip.RouteConfig{Order: trip.OrderWeighted}, "a", "b")
	caller := newCaller(t, trip.CallerConfig{Route: route})
	together(8, func(which int) {
		for i := range 200 {
			if which == 0 && i == 100 {
				must(t, route.Close())
			}
			session := fmt.Sprint(i % 3)
			permit, err := route.Permit(session)
			if err == nil {
				err = permit.RecordSuccess()
			}
			if which%2 == 0 {
				answer := func(context.Context, string) (string, error) { return "answer", nil }
				err = second(trip.Do(context.Background(), caller, plain{Session: session}, answer))
			}
			if err != nil && !errors.Is(err, trip.ErrHandle) {
				t.Errorf("permitted with %v", err)
			}
		}
	})
	for _, provider := range []string{"a", "b"} {
		info := inspect(t, newCircuit(t, tracker, "tenant", provider))
		if info.Permits != info.Successes+info.Cancels { // these by who had his when the route was closed
			t.Errorf("%s: %+v", provider, info)
		}
	}
}
