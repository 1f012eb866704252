// This file owns the steps of operators in the contract vectors: steering, seeing, snapshots.

package trip_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"testing"
	"time"

	"libtrip.example/trip"
	"libtrip.example/trip/internal/contract"
)

func steer(t *testing.T, step contract.Step, circuit *trip.Circuit) contract.Observed {
	switch step.Do {
	case "set_mode":
		mode := named(t, modes, step.Mode)
		return observe(t, circuit.SetMode(mode, time.Duration(step.TTL), string(step.Reason)))
	case "trip":
		return observe(t, circuit.Trip())
	case "reset":
		return observe(t, circuit.Reset())
	case "remove":
		return observe(t, circuit.Remove())
	}
	text, err := circuit.Explain()
	observed := observe(t, err)
	if err == nil {
		observed["says"] = contract.Paragraph(text)
	} else if text != "" {
		t.Errorf("%v, and yet it says %q", err, text)
	}
	return observed
}

func (r *runner) onTracker(t *testing.T, here string, step contract.Step) contract.Observed {
	switch step.Do {
	case "configure":
		return r.configure(t, step)
	case "circuits":
		return r.list(t, step)
	case "event":
		return r.takeEvent(t)
	case "metric":
		return r.findMetric(t, step)
	case "snapshot":
		bytes, err := r.tracker.Snapshot(time.Unix(0, step.Now))
		if err == nil {
			r.snapshots[step.As] = bytes
		}
		return observe(t, err)
	case "restore":
		return r.restore(t, here, step)
	}
	must(t, r.tracker.Close())
	return observe(t, r.start())
}

func (r *runner) configure(t *testing.T, step contract.Step) contract.Observed {
	scope := trip.Scope{
		Kind: named(t, scopes, step.Scope), Tenant: string(step.Tenant), Provider: string(step.Provider),
	}
	if step.Config == nil {
		return observe(t, r.tracker.Withdraw(scope))
	}
	err := r.tracker.Configure(scope, configOf(t, *step.Config))
	return configured(t, err)
}

// configured is what is observed of a config that may be refused.
func configured(t *testing.T, err error) contract.Observed {
	observed := observe(t, err)
	var refused *trip.ConfigError
	if errors.As(err, &refused) {
		observed["field"] = named(t, fields, refused.Field)
	}
	return observed
}

// list must come to the same, whatever the page.
func (r *runner) list(t *testing.T, step contract.Step) contract.Observed {
	observed, again := listed(t, r.tracker.CircuitsByPage(step.Page)), listed(t, r.tracker.Circuits())
	if fmt.Sprint(observed) != fmt.Sprint(again) {
		t.Errorf("%v by pages of %d, %v by others", observed, step.Page, again)
	}
	return observed
}

func listed(t *testing.T, circuits iter.Seq2[trip.SeenCircuit, error]) contract.Observed {
	seen, open := make(map[uint64]bool), uint64(0)
	for circuit, err := range circuits {
		if err != nil {
			return observe(t, err)
		}
		if seen[circuit.Handle()] {
			t.Errorf("%q, %q comes twice", circuit.Tenant(), circuit.Provider())
		}
		seen[circuit.Handle()] = true
		if circuit.Info.State == trip.StateOpen {
			open++
		}
	}
	return contract.Observed{"status": "TRIP_OK", "count": uint64(len(seen)), "open": open}
}

func (r *runner) takeEvent(t *testing.T) contract.Observed {
	events, lost, err := r.tracker.TakeEvents(1)
	observed := observe(t, err)
	if err != nil {
		return observed
	}
	observed["lost"] = lost
	if len(events) == 0 {
		observed["kind"] = "none"
		return observed
	}
	event := events[0]
	observed["kind"] = kinds[event.Kind]
	observed["number"] = event.Number
	observed["at_ns"] = uint64(event.At)
	observed["state"] = states[event.State]
	observed["mode"] = modes[event.Mode]
	observed["cause"] = causes[event.Cause]
	observed["scope"] = scopes[event.Scope]
	observed["failures"] = uint64(event.Failures)
	observed["duration_ns"] = uint64(event.Duration)
	observed["tenant"] = event.Tenant
	observed["provider"] = event.Provider
	observed["reason"] = event.Reason
	observed["depth"] = uint64(event.Depth)
	observed["limit"] = uint64(event.Limit)
	return observed
}

func (r *runner) findMetric(t *testing.T, step contract.Step) contract.Observed {
	text, err := r.tracker.Metrics(named(t, labels, step.Labels), step.MaxSeries)
	observed := observe(t, err)
	for _, line := range strings.Split(text, "\n") {
		if value, isIt := strings.CutPrefix(line, step.Series+" "); isIt {
			number, err := strconv.ParseUint(value, 10, 64)
			must(t, err)
			observed["value"] = number
		}
	}
	return observed
}

func (r *runner) restore(t *testing.T, here string, step contract.Step) contract.Observed {
	snapshot, named := r.snapshots[step.Snapshot]
	if !named {
		t.Fatalf("step %s: no snapshot is named %q", here, step.Snapshot)
	}
	snapshot = bytes.Clone(snapshot)
	if step.Flip != nil {
		snapshot[*step.Flip] ^= 1
	}
	return observe(t, r.tracker.Restore(time.Unix(0, step.Now), snapshot))
}

// named is the value of a name.
func named[V comparable](t *testing.T, names map[V]string, name string) V {
	for value, its := range names {
		if its == name {
			return value
		}
	}
	t.Fatalf("unknown name %q", name)
	panic("unreachable")
}

var modes = map[trip.Mode]string{
	trip.ModeAuto:         "TRIP_MODE_AUTO",
	trip.ModeForcedOpen:   "TRIP_MODE_FORCED_OPEN",
	trip.ModeForcedClosed: "TRIP_MODE_FORCED_CLOSED",
	trip.ModeObserve:      "TRIP_MODE_OBSERVE",
}

var scopes = map[trip.ScopeKind]string{
	trip.ScopeTracker:  "TRIP_SCOPE_TRACKER",
	trip.ScopeProvider: "TRIP_SCOPE_PROVIDER",
	trip.ScopeTenant:   "TRIP_SCOPE_TENANT",
	trip.ScopeCircuit:  "TRIP_SCOPE_CIRCUIT",
}

var kinds = map[trip.EventKind]string{
	trip.EventOpened:       "TRIP_EVENT_OPENED",
	trip.EventHalfOpened:   "TRIP_EVENT_HALF_OPENED",
	trip.EventClosed:       "TRIP_EVENT_CLOSED",
	trip.EventRefusedFirst: "TRIP_EVENT_REFUSED_FIRST",
	trip.EventProbeLost:    "TRIP_EVENT_PROBE_LOST",
	trip.EventForced:       "TRIP_EVENT_FORCED",
	trip.EventEvicted:      "TRIP_EVENT_EVICTED",
	trip.EventDroppedLate:  "TRIP_EVENT_DROPPED_LATE",
	trip.EventLockWaited:   "TRIP_EVENT_LOCK_WAITED",
	trip.EventConfigured:   "TRIP_EVENT_CONFIGURED",
	trip.EventGateSoft:     "TRIP_EVENT_GATE_SOFT",
	trip.EventGateFull:     "TRIP_EVENT_GATE_FULL",
}

var causes = map[trip.Cause]string{
	trip.CauseNone:        "TRIP_CAUSE_NONE",
	trip.CauseFailures:    "TRIP_CAUSE_FAILURES",
	trip.CauseCountWindow: "TRIP_CAUSE_COUNT_WINDOW",
	trip.CauseTimeWindow:  "TRIP_CAUSE_TIME_WINDOW",
	trip.CauseHanging:     "TRIP_CAUSE_HANGING",
	trip.CauseProbe:       "TRIP_CAUSE_PROBE",
	trip.CauseLease:       "TRIP_CAUSE_LEASE",
	trip.CauseTime:        "TRIP_CAUSE_TIME",
	trip.CauseOperator:    "TRIP_CAUSE_OPERATOR",
	trip.CauseRestored:    "TRIP_CAUSE_RESTORED",
	trip.CauseCapacity:    "TRIP_CAUSE_CAPACITY",
}

var labels = map[trip.Labels]string{
	trip.LabelsProvider: "TRIP_LABELS_PROVIDER",
	trip.LabelsTenant:   "TRIP_LABELS_TENANT",
}
