// This test owns the promise that the Go binding keeps every contract vector, through its public API. It skips none.

package trip_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"libtrip.example/trip"
	"libtrip.example/trip/internal/contract"
)

func TestContract(t *testing.T) {
	vectors, err := contract.Load(cmp.Or(os.Getenv("TRIP_CONTRACT"), "../../tests/contract"))
	if err != nil {
		t.Fatal(err)
	}
	run := 0
	for _, vector := range vectors {
		t.Run(vector.Name, func(t *testing.T) {
			run++
			runVector(t, vector)
		})
	}
	fmt.Printf("contract vectors: %d run\n", run)
}

// runner is one vector under way. It works on circuits by their handles, which are not looked up again when evicted:
// the vectors say what the library answers.
type runner struct {
	config    trip.Config
	tracker   *trip.Tracker
	circuits  map[string]*trip.Circuit
	permits   map[string]trip.Permit
	epochs    map[*trip.Circuit]uint64
	objects   map[string]any
	tickets   map[string]*trip.Ticket
	tokens    map[string]*trip.Token
	snapshots map[string][]byte
	granted   []any // all of them, since what is forgotten settles itself and so would take a part in the vector
}

func runVector(t *testing.T, vector contract.Vector) {
	r := runner{config: configOf(t, vector.Config), snapshots: make(map[string][]byte)}
	err := r.start()
	if got := statusOf(t, err); got != vector.Create.Status {
		t.Fatalf("create answered %s (%v), expected %s", got, err, vector.Create.Status)
	}
	if err != nil {
		var refused *trip.ConfigError
		if vector.Create.Field != "" && (!errors.As(err, &refused) || refused.Field != fields[vector.Create.Field]) {
			t.Errorf("create answered %#v, expected the field %s", err, vector.Create.Field)
		}
		return
	}
	defer func() { r.tracker.Close() }()
	r.all(t, "", vector.Steps)
	runtime.KeepAlive(r.granted)
}

// start makes a tracker by the vector's config, of which nothing has a name yet.
func (r *runner) start() (err error) {
	r.tracker, err = trip.NewTracker(r.config)
	r.circuits = make(map[string]*trip.Circuit)
	r.permits = make(map[string]trip.Permit)
	r.objects = make(map[string]any)
	r.tickets = make(map[string]*trip.Ticket)
	r.tokens = make(map[string]*trip.Token)
	r.epochs = make(map[*trip.Circuit]uint64)
	return err
}

func (r *runner) all(t *testing.T, at string, steps []contract.Step) {
	for i, step := range steps {
		here := fmt.Sprintf("%s%d", at, i)
		if step.Do == "repeat" {
			for round := range step.Times {
				r.all(t, fmt.Sprintf("%s round %d step ", here, round), step.Steps)
			}
			continue
		}
		if err := step.Expect.Check(r.one(t, here, step)); err != nil {
			t.Fatalf("step %s, %s: %v", here, step.Do, err)
		}
	}
}

func (r *runner) one(t *testing.T, here string, step contract.Step) contract.Observed {
	switch step.Do {
	case "circuit":
		return r.circuit(t, step)
	case "advance":
		return observe(t, r.tracker.Advance(time.Duration(step.Ns)))
	case "destroy":
		return observe(t, r.tracker.Close())
	case "classify_http":
		return classified(trip.ClassifyHTTP(int(step.Status), []byte(step.Body)))
	case "classify_text":
		return classified(trip.ClassifyText(string(step.Text)))
	case "classify_errno":
		outcome := trip.ClassifyErrno(int(step.Errno))
		if outcome.Errno != int(step.Errno) {
			t.Errorf("step %s: the outcome's errno is %d", here, outcome.Errno)
		}
		return classified(outcome)
	case "retry_hint":
		return hinted(t, step)
	case "configure", "circuits", "event", "metric", "snapshot", "restore", "restart":
		return r.onTracker(t, here, step)
	case "retry", "dedup", "gate", "route", "pipeline", "guard", "end":
		return r.onObjects(t, here, step)
	case "permit", "ask", "peek", "inspect", "key", "set_mode", "trip", "reset", "remove", "explain":
		circuit, named := r.circuits[step.Circuit]
		if !named {
			t.Fatalf("step %s: no circuit is named %q", here, step.Circuit)
		}
		return r.onCircuit(t, step, circuit)
	case "success", "failure", "drop", "cancel", "renew", "progress", "record", "inspect_permit":
		permit, named := r.permits[step.Permit]
		if !named {
			t.Fatalf("step %s: no permit is named %q", here, step.Permit)
		}
		return onPermit(t, step, permit)
	}
	return r.onParts(t, here, step)
}

func (r *runner) circuit(t *testing.T, step contract.Step) contract.Observed {
	found, err := r.tracker.Circuit(string(step.Tenant), string(step.Provider))
	return r.nameCircuit(t, step, found, err)
}

func (r *runner) nameCircuit(t *testing.T, step contract.Step, found *trip.Circuit, err error) contract.Observed {
	observed := observe(t, err)
	if err != nil {
		return observed
	}
	circuit, err := trip.CircuitFromHandle(found.Handle())
	if err != nil {
		t.Fatalf("the handle of a new circuit: %v", err)
	}
	var same, others []string
	for name, other := range r.circuits {
		if other.Handle() == circuit.Handle() {
			same = append(same, name)
			circuit = other // so that its last epoch is remembered
		} else {
			others = append(others, name)
		}
	}
	observed["same_as"], observed["not_same_as"] = same, others
	r.circuits[step.As] = circuit
	return observed
}

func (r *runner) onCircuit(t *testing.T, step contract.Step, circuit *trip.Circuit) contract.Observed {
	switch step.Do {
	case "permit":
		permit, err := circuit.Permit()
		if err == nil {
			r.permits[step.As] = permit
			r.granted = append(r.granted, permit)
		}
		return observe(t, err)
	case "ask":
		return ask(t, circuit, step.Times)
	case "peek":
		return observe(t, circuit.Peek())
	case "key":
		tenant, provider, err := circuit.Key()
		observed := observe(t, err)
		if err == nil {
			observed["tenant"], observed["provider"] = tenant, provider
		}
		return observed
	case "set_mode", "trip", "reset", "remove", "explain":
		return steer(t, step, circuit)
	}
	info, err := circuit.Inspect()
	observed := observe(t, err)
	if err == nil {
		r.inspected(observed, circuit, info)
	}
	return observed
}

// ask asks for so many permits and settles each at once.
func ask(t *testing.T, circuit *trip.Circuit, times int) contract.Observed {
	observed, granted := observe(t, nil), uint64(0)
	for range times {
		permit, err := circuit.Permit()
		if err == nil {
			err = permit.RecordSuccess()
		}
		if err == nil {
			granted++
			continue
		}
		refusal := observe(t, err)
		if before := observed["status"]; before != "TRIP_OK" && before != refusal["status"] {
			t.Errorf("%s after %s", refusal["status"], before)
		}
		observed = refusal
	}
	observed["granted"] = granted
	return observed
}

func (r *runner) inspected(observed contract.Observed, circuit *trip.Circuit, info trip.CircuitInfo) {
	observed["state"] = states[info.State]
	observed["mode"] = modes[info.Mode]
	for key, number := range map[string]uint64{
		"failures":         uint64(info.Failures),
		"level":            uint64(info.Level),
		"probes_out":       uint64(info.ProbesOut),
		"retry_after_ns":   uint64(info.RetryAfter),
		"open_duration_ns": uint64(info.OpenDuration),
		"permits":          info.Permits,
		"successes":        info.Successes,
		"failures_total":   info.FailuresTotal,
		"drops":            info.Drops,
		"cancels":          info.Cancels,
		"rejections":       info.Rejections,
		"stale":            info.Stale,
		"opens":            info.Opens,
		"mode_left_ns":     uint64(info.ModeLeft),
	} {
		observed[key] = number
	}
	if last, inspectedBefore := r.epochs[circuit]; inspectedBefore {
		observed["epoch"] = map[bool]string{true: "same", false: "new"}[last == info.Epoch]
	}
	r.epochs[circuit] = info.Epoch
}

func onPermit(t *testing.T, step contract.Step, permit trip.Permit) contract.Observed {
	switch step.Do {
	case "success":
		return observe(t, permit.RecordSuccess())
	case "failure":
		return observe(t, permit.RecordFailure())
	case "drop":
		return observe(t, permit.Drop())
	case "cancel":
		return observe(t, permit.Cancel())
	case "renew":
		return observe(t, permit.Renew())
	case "progress":
		return observe(t, permit.Progress())
	case "record":
		return observe(t, permit.Record(outcomeOf(t, step)))
	}
	info, err := permit.Inspect()
	observed := observe(t, err)
	if err == nil {
		observed["is_probe"] = map[bool]uint64{false: 0, true: 1}[info.IsProbe]
		observed["lease_left_ns"] = uint64(info.LeaseLeft)
	}
	return observed
}

func outcomeOf(t *testing.T, step contract.Step) trip.CallOutcome {
	return trip.CallOutcome{
		Class:      named(t, classes, step.Class),
		HTTPStatus: int(step.Status),
		RetryAfter: time.Duration(step.RetryAfter),
		Duration:   time.Duration(step.Duration),
	}
}

func classified(outcome trip.CallOutcome) contract.Observed {
	return contract.Observed{
		"status":         "TRIP_OK",
		"class":          classes[outcome.Class],
		"http_status":    uint64(outcome.HTTPStatus),
		"retry_after_ns": uint64(outcome.RetryAfter),
	}
}

func hinted(t *testing.T, step contract.Step) contract.Observed {
	wait, err := trip.ParseRetryHint(string(step.Name), string(step.Value), time.Unix(0, step.Now))
	observed := observe(t, err)
	if err == nil {
		observed["retry_after_ns"] = uint64(wait)
	} else if wait != 0 {
		t.Errorf("%v, and yet a wait of %v", err, wait)
	}
	return observed
}

// observe says what an error tells: the status, and of a refusal its reasons.
func observe(t *testing.T, err error) contract.Observed {
	observed := contract.Observed{"status": statusOf(t, err)}
	var open *trip.OpenError
	if errors.As(err, &open) {
		observed["state"] = states[open.State]
		observed["failures"] = uint64(open.Failures)
		observed["retry_after_ns"] = uint64(open.RetryAfter)
		observed["open_duration_ns"] = uint64(open.OpenDuration)
	}
	return observed
}

func statusOf(t *testing.T, err error) string {
	if err == nil {
		return "TRIP_OK"
	}
	var status trip.Status
	if !errors.As(err, &status) {
		t.Fatalf("an error without a status: %v", err)
	}
	return status.Name()
}

var states = map[trip.State]string{
	trip.StateClosed:   "TRIP_STATE_CLOSED",
	trip.StateOpen:     "TRIP_STATE_OPEN",
	trip.StateHalfOpen: "TRIP_STATE_HALF_OPEN",
}

var classes = map[trip.Class]string{
	trip.ClassSuccess:         "TRIP_CLASS_SUCCESS",
	trip.ClassServerError:     "TRIP_CLASS_SERVER_ERROR",
	trip.ClassRateLimited:     "TRIP_CLASS_RATE_LIMITED",
	trip.ClassOverloaded:      "TRIP_CLASS_OVERLOADED",
	trip.ClassNetwork:         "TRIP_CLASS_NETWORK",
	trip.ClassTimeout:         "TRIP_CLASS_TIMEOUT",
	trip.ClassQuota:           "TRIP_CLASS_QUOTA",
	trip.ClassAuth:            "TRIP_CLASS_AUTH",
	trip.ClassInvalidRequest:  "TRIP_CLASS_INVALID_REQUEST",
	trip.ClassContextOverflow: "TRIP_CLASS_CONTEXT_OVERFLOW",
	trip.ClassNotFound:        "TRIP_CLASS_NOT_FOUND",
	trip.ClassContentFiltered: "TRIP_CLASS_CONTENT_FILTERED",
	trip.ClassCancelled:       "TRIP_CLASS_CANCELLED",
	trip.ClassUnknown:         "TRIP_CLASS_UNKNOWN",
}

var selectors = map[string]uint32{
	"TRIP_ADAPT_NONE":          uint32(trip.AdaptNone),
	"TRIP_ADAPT_AIMD":          uint32(trip.AdaptAIMD),
	"TRIP_ADAPT_GRADIENT":      uint32(trip.AdaptGradient),
	"TRIP_ORDER_LISTED":        uint32(trip.OrderListed),
	"TRIP_ORDER_WEIGHTED":      uint32(trip.OrderWeighted),
	"TRIP_FALLBACK_REFUSE":     uint32(trip.FallbackRefuse),
	"TRIP_FALLBACK_ONE":        uint32(trip.FallbackOne),
	"TRIP_RULE_NEGATIVE_FAILS": uint32(trip.RuleNegativeFails),
	"TRIP_RULE_ZERO_SUCCEEDS":  uint32(trip.RuleZeroSucceeds),
	"TRIP_RULE_ZERO_FAILS":     uint32(trip.RuleZeroFails),
	"TRIP_RULE_ERRNO":          uint32(trip.RuleErrno),
	"TRIP_RULE_CLASSIFIER":     uint32(trip.RuleClassifier),

	"TRIP_BACKOFF_FIRST":    uint32(trip.BackoffFirst),
	"TRIP_BACKOFF_COMPOUND": uint32(trip.BackoffCompound),
	"TRIP_DROP_FAILURE":     uint32(trip.DropFailure),
	"TRIP_DROP_CANCEL":      uint32(trip.DropCancel),
	"TRIP_CLOCK_MONOTONIC":  uint32(trip.ClockMonotonic),
	"TRIP_CLOCK_MANUAL":     uint32(trip.ClockManual),
}

var effects = map[string]trip.Effect{
	"TRIP_EFFECT_FAILURE": trip.EffectFailure,
	"TRIP_EFFECT_SUCCESS": trip.EffectSuccess,
	"TRIP_EFFECT_NOTHING": trip.EffectNothing,
}

var jitters = map[string]trip.Jitter{
	"TRIP_JITTER_NONE":         trip.JitterNone,
	"TRIP_JITTER_FULL":         trip.JitterFull,
	"TRIP_JITTER_EQUAL":        trip.JitterEqual,
	"TRIP_JITTER_DECORRELATED": trip.JitterDecorrelated,
}

// fields are the fields of configs by their names in the library's; where two of its structs have a name, so do ours.
var fields = map[string]string{
	"failure_threshold":    "FailureThreshold",
	"initial_open_ns":      "InitialOpen",
	"max_open_ns":          "MaxOpen",
	"backoff_multiplier":   "BackoffMultiplier",
	"backoff":              "Backoff",
	"half_open_max_probes": "HalfOpenMaxProbes",
	"half_open_successes":  "HalfOpenSuccesses",
	"on_drop":              "OnDrop",
	"probe_lease_ns":       "ProbeLease",
	"probe_retry_ns":       "ProbeRetry",
	"jitter":               "Jitter",
	"clock":                "Clock",
	"max_circuits":         "MaxCircuits",
	"on_server_error":      "OnServerError",
	"on_rate_limited":      "OnRateLimited",
	"on_overloaded":        "OnOverloaded",
	"on_network":           "OnNetwork",
	"on_timeout":           "OnTimeout",
	"on_quota":             "OnQuota",
	"on_auth":              "OnAuth",
	"on_invalid_request":   "OnInvalidRequest",
	"on_context_overflow":  "OnContextOverflow",
	"on_not_found":         "OnNotFound",
	"on_content_filtered":  "OnContentFiltered",
	"on_cancelled":         "OnCancelled",
	"on_unknown":           "OnUnknown",
	"half_open_probes":     "HalfOpenProbes",
	"quota_open_ns":        "QuotaOpen",
	"max_retry_after_ns":   "MaxRetryAfter",
	"slow_call_ns":         "SlowCall",
	"count_window":         "CountWindow",
	"count_minimum":        "CountMinimum",
	"count_failure_ratio":  "CountFailureRatio",
	"count_slow_ratio":     "CountSlowRatio",
	"time_window_ns":       "TimeWindow",
	"time_buckets":         "TimeBuckets",
	"time_minimum":         "TimeMinimum",
	"time_failure_ratio":   "TimeFailureRatio",
	"time_slow_ratio":      "TimeSlowRatio",
	"hang_ns":              "Hang",
	"hang_calls":           "HangCalls",
	"ramp_steps":           "RampSteps",
	"ramp_ns":              "Ramp",
	"stall_ns":             "Stall",

	"max_attempts":  "MaxAttempts",
	"base_delay_ns": "BaseDelay",
	"max_delay_ns":  "MaxDelay",
	"multiplier":    "Multiplier",
	"max_providers": "MaxProviders",
	"seed":          "Seed",
	"deadline_ns":   "Deadline",
	"classes":       "Classes",
	"budget_ratio":  "BudgetRatio",
	"budget_burst":  "BudgetBurst",

	"max_entries": "MaxEntries",
	"max_bytes":   "MaxBytes",
	"lease_ns":    "Lease",
	"ttl_ns":      "TTL",

	"capacity":      "Capacity",
	"soft_limit":    "SoftLimit",
	"adapt":         "Adapt",
	"min_limit":     "MinLimit",
	"initial_limit": "InitialLimit",
	"latency_ns":    "Latency",
	"decrease":      "Decrease",
	"tolerance":     "Tolerance",
	"smoothing":     "Smoothing",

	"order":    "Order",
	"fallback": "Fallback",

	"rule":           "Rule",
	"refused_result": "RefusedResult",
	"refused_double": "RefusedDouble",
	"refused_errno":  "RefusedErrno",
}

func configOf(t *testing.T, set contract.Config) trip.Config {
	config := trip.DefaultConfig()
	config.Clock = trip.ClockManual
	override(&config.FailureThreshold, set.FailureThreshold)
	override(&config.InitialOpen, set.InitialOpenNs)
	override(&config.MaxOpen, set.MaxOpenNs)
	override(&config.BackoffMultiplier, set.BackoffMultiplier)
	override(&config.HalfOpenMaxProbes, set.HalfOpenMaxProbes)
	override(&config.HalfOpenSuccesses, set.HalfOpenSuccesses)
	override(&config.ProbeLease, set.ProbeLeaseNs)
	override(&config.ProbeRetry, set.ProbeRetryNs)
	override(&config.Jitter, set.Jitter)
	override(&config.MaxCircuits, set.MaxCircuits)
	selectInto(t, &config.Backoff, set.Backoff)
	selectInto(t, &config.OnDrop, set.OnDrop)
	selectInto(t, &config.Clock, set.Clock)
	setOutcomes(t, &config, set)
	setWindows(&config, set)
	return config
}

func setOutcomes(t *testing.T, config *trip.Config, set contract.Config) {
	chooseInto(t, &config.OnServerError, effects, set.OnServerError)
	chooseInto(t, &config.OnRateLimited, effects, set.OnRateLimited)
	chooseInto(t, &config.OnOverloaded, effects, set.OnOverloaded)
	chooseInto(t, &config.OnNetwork, effects, set.OnNetwork)
	chooseInto(t, &config.OnTimeout, effects, set.OnTimeout)
	chooseInto(t, &config.OnQuota, effects, set.OnQuota)
	chooseInto(t, &config.OnAuth, effects, set.OnAuth)
	chooseInto(t, &config.OnInvalidRequest, effects, set.OnInvalidRequest)
	chooseInto(t, &config.OnContextOverflow, effects, set.OnContextOverflow)
	chooseInto(t, &config.OnNotFound, effects, set.OnNotFound)
	chooseInto(t, &config.OnContentFiltered, effects, set.OnContentFiltered)
	chooseInto(t, &config.OnCancelled, effects, set.OnCancelled)
	chooseInto(t, &config.OnUnknown, effects, set.OnUnknown)
	override(&config.QuotaOpen, set.QuotaOpenNs)
	override(&config.MaxRetryAfter, set.MaxRetryAfterNs)
}

func setWindows(config *trip.Config, set contract.Config) {
	override(&config.HalfOpenProbes, set.HalfOpenProbes)
	override(&config.SlowCall, set.SlowCallNs)
	override(&config.CountWindow, set.CountWindow)
	override(&config.CountMinimum, set.CountMinimum)
	override(&config.CountFailureRatio, set.CountFailureRatio)
	override(&config.CountSlowRatio, set.CountSlowRatio)
	override(&config.TimeWindow, set.TimeWindowNs)
	override(&config.TimeBuckets, set.TimeBuckets)
	override(&config.TimeMinimum, set.TimeMinimum)
	override(&config.TimeFailureRatio, set.TimeFailureRatio)
	override(&config.TimeSlowRatio, set.TimeSlowRatio)
	override(&config.Hang, set.HangNs)
	override(&config.HangCalls, set.HangCalls)
	override(&config.RampSteps, set.RampSteps)
	override(&config.Ramp, set.RampNs)
	override(&config.Stall, set.StallNs)
}

// chooseInto is selectInto for values of which zero is none of the library's.
func chooseInto[F ~int](t *testing.T, field *F, names map[string]F, selector *contract.Selector) {
	if selector == nil {
		return
	}
	choice, known := names[selector.Name]
	if selector.Name == "" {
		choice, known = 1+F(selector.Number), true
	}
	if !known {
		t.Fatalf("unknown choice %q", selector.Name)
	}
	*field = choice
}

func override[F, V ~int32 | ~uint32 | ~int64 | ~uint64 | ~float64](field *F, value *V) {
	if value != nil {
		*field = F(*value)
	}
}

func selectInto[F ~uint32](t *testing.T, field *F, selector *contract.Selector) {
	if selector == nil {
		return
	}
	number, known := selector.Number, true
	if selector.Name != "" {
		number, known = selectors[selector.Name]
	}
	if !known {
		t.Fatalf("unknown selector %q", selector.Name)
	}
	*field = F(number)
}
