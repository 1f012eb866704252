// This file owns the named values of the contract.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"strconv"
)

// State is the state of a circuit.
type State uint32

const (
	StateClosed   State = C.TRIP_STATE_CLOSED    // calls pass; failures in a row are counted
	StateOpen     State = C.TRIP_STATE_OPEN      // calls are refused until the open period is over
	StateHalfOpen State = C.TRIP_STATE_HALF_OPEN // a few calls pass as probes; their outcome decides
)

var stateTexts = [...]string{StateClosed: "closed", StateOpen: "open", StateHalfOpen: "half-open"}

// String is "closed", "open" or "half-open".
func (s State) String() string { return textOf(stateTexts[:], "state", uint32(s)) }

// textOf is what a named value reads as; one that only a later library has, its number.
func textOf(texts []string, what string, value uint32) string {
	if uint64(value) < uint64(len(texts)) {
		return texts[value]
	}
	return what + " " + strconv.FormatUint(uint64(value), 10)
}

// Mode is who decides about a circuit's permits.
type Mode uint32

const (
	ModeAuto         Mode = C.TRIP_MODE_AUTO          // the circuit decides for itself
	ModeForcedOpen   Mode = C.TRIP_MODE_FORCED_OPEN   // every permit is refused
	ModeForcedClosed Mode = C.TRIP_MODE_FORCED_CLOSED // every permit is granted
	ModeObserve      Mode = C.TRIP_MODE_OBSERVE       // granted too; the circuit counts as if it had a say
)

var modeTexts = [...]string{
	ModeAuto:         "auto",
	ModeForcedOpen:   "forced open",
	ModeForcedClosed: "forced closed",
	ModeObserve:      "observe",
}

// String is such as "forced open".
func (m Mode) String() string { return textOf(modeTexts[:], "mode", uint32(m)) }

// ScopeKind is whose policy is meant.
type ScopeKind uint32

const (
	ScopeTracker  ScopeKind = C.TRIP_SCOPE_TRACKER  // that of all circuits of a tracker
	ScopeProvider ScopeKind = C.TRIP_SCOPE_PROVIDER // of those of a provider
	ScopeTenant   ScopeKind = C.TRIP_SCOPE_TENANT   // of those of a tenant
	ScopeCircuit  ScopeKind = C.TRIP_SCOPE_CIRCUIT  // of that of a tenant and a provider
)

var scopeTexts = [...]string{
	ScopeTracker:  "tracker",
	ScopeProvider: "provider",
	ScopeTenant:   "tenant",
	ScopeCircuit:  "circuit",
}

// String is such as "tenant".
func (s ScopeKind) String() string { return textOf(scopeTexts[:], "scope", uint32(s)) }

// EventKind is what happened.
type EventKind uint32

const (
	EventOpened       EventKind = C.TRIP_EVENT_OPENED        // a circuit has opened, or opened again
	EventHalfOpened   EventKind = C.TRIP_EVENT_HALF_OPENED   // an open circuit has let its first probe through
	EventClosed       EventKind = C.TRIP_EVENT_CLOSED        // a circuit has closed
	EventRefusedFirst EventKind = C.TRIP_EVENT_REFUSED_FIRST // the first refusal since a circuit opened
	EventProbeLost    EventKind = C.TRIP_EVENT_PROBE_LOST    // the lease of a probe ran out, and nobody had settled it
	EventForced       EventKind = C.TRIP_EVENT_FORCED        // a mode was set, or its time ran out: it is ModeAuto then
	EventEvicted      EventKind = C.TRIP_EVENT_EVICTED       // a circuit is gone: removed, or evicted from a full tracker
	EventDroppedLate  EventKind = C.TRIP_EVENT_DROPPED_LATE  // a permit was settled too late: that was ErrStale
	EventLockWaited   EventKind = C.TRIP_EVENT_LOCK_WAITED   // a call has waited for a lock of the tracker for over 5 ms
	EventConfigured   EventKind = C.TRIP_EVENT_CONFIGURED    // a policy was replaced, or withdrawn
	EventGateSoft     EventKind = C.TRIP_EVENT_GATE_SOFT     // a gate has passed its soft limit
	EventGateFull     EventKind = C.TRIP_EVENT_GATE_FULL     // a gate has turned a caller away
)

var eventTexts = [...]string{
	0:                 "event 0", // there is none
	EventOpened:       "opened",
	EventHalfOpened:   "half-opened",
	EventClosed:       "closed",
	EventRefusedFirst: "refused first",
	EventProbeLost:    "probe lost",
	EventForced:       "forced",
	EventEvicted:      "evicted",
	EventDroppedLate:  "dropped late",
	EventLockWaited:   "lock waited",
	EventConfigured:   "configured",
	EventGateSoft:     "gate soft",
	EventGateFull:     "gate full",
}

// String is such as "half-opened".
func (k EventKind) String() string { return textOf(eventTexts[:], "event", uint32(k)) }

// Cause is why something happened.
type Cause uint32

const (
	CauseNone        Cause = C.TRIP_CAUSE_NONE         // the event says all there is to say
	CauseFailures    Cause = C.TRIP_CAUSE_FAILURES     // failures in a row
	CauseCountWindow Cause = C.TRIP_CAUSE_COUNT_WINDOW // what became of the last calls
	CauseTimeWindow  Cause = C.TRIP_CAUSE_TIME_WINDOW  // what became of the calls of a time
	CauseHanging     Cause = C.TRIP_CAUSE_HANGING      // calls that hang
	CauseProbe       Cause = C.TRIP_CAUSE_PROBE        // what became of a probe
	CauseLease       Cause = C.TRIP_CAUSE_LEASE        // the lease of a probe ran out
	CauseTime        Cause = C.TRIP_CAUSE_TIME         // a time is over: an open period, that of a mode
	CauseOperator    Cause = C.TRIP_CAUSE_OPERATOR     // somebody called a method that does this
	CauseRestored    Cause = C.TRIP_CAUSE_RESTORED     // Tracker.Restore
	CauseCapacity    Cause = C.TRIP_CAUSE_CAPACITY     // another circuit needed the place
)

var causeTexts = [...]string{
	CauseNone:        "none",
	CauseFailures:    "failures",
	CauseCountWindow: "count window",
	CauseTimeWindow:  "time window",
	CauseHanging:     "hanging",
	CauseProbe:       "probe",
	CauseLease:       "lease",
	CauseTime:        "time",
	CauseOperator:    "operator",
	CauseRestored:    "restored",
	CauseCapacity:    "capacity",
}

// String is such as "count window".
func (c Cause) String() string { return textOf(causeTexts[:], "cause", uint32(c)) }

// Labels is what metrics tell apart.
type Labels uint32

const (
	LabelsProvider Labels = C.TRIP_LABELS_PROVIDER // providers
	LabelsTenant   Labels = C.TRIP_LABELS_TENANT   // tenants and providers
)

// Backoff is how often open periods grow.
type Backoff uint32

const (
	BackoffFirst    Backoff = C.TRIP_BACKOFF_FIRST    // after a failed probe: min(initial * multiplier, max), each time
	BackoffCompound Backoff = C.TRIP_BACKOFF_COMPOUND // after the n-th in a row: min(initial * multiplier^n, max)
)

// Drop is what a permit that nobody recorded counts as.
type Drop uint32

const (
	DropFailure Drop = C.TRIP_DROP_FAILURE // a failure
	DropCancel  Drop = C.TRIP_DROP_CANCEL  // nothing; it frees its probe
)

// Effect is what an outcome counts as.
type Effect int

const (
	EffectDefault Effect = iota
	EffectFailure        // a failure
	EffectSuccess        // a success: the provider is up, whatever it thought of the request
	EffectNothing        // nothing; it frees a probe
)

// Jitter is how the delays between attempts are spread.
type Jitter int

const (
	JitterDefault      Jitter = iota // JitterFull
	JitterNone                       // the delay as it is
	JitterFull                       // anything from 0 to the delay
	JitterEqual                      // anything from half of the delay to all of it
	JitterDecorrelated               // anything from the base delay to three times the last one, below the cap
)

// Adapt is whether the limit of a gate follows its calls, and how.
type Adapt uint32

const (
	AdaptNone     Adapt = C.TRIP_ADAPT_NONE     // it is the capacity
	AdaptAIMD     Adapt = C.TRIP_ADAPT_AIMD     // grows while calls succeed in time, falls by a share when one does not
	AdaptGradient Adapt = C.TRIP_ADAPT_GRADIENT // falls as calls take longer than in the long run, grows as they do not
)

// Order is which provider of a route is asked first.
type Order uint32

const (
	OrderListed   Order = C.TRIP_ORDER_LISTED   // the first that was added, and when that refuses the second
	OrderWeighted Order = C.TRIP_ORDER_WEIGHTED // drawn for each call, in proportion to the weights
)

// Fallback is what becomes of a call that all providers of a route refuse.
type Fallback uint32

const (
	FallbackRefuse Fallback = C.TRIP_FALLBACK_REFUSE // it is refused
	FallbackOne    Fallback = C.TRIP_FALLBACK_ONE    // goes to who would admit it soonest, unless such a call is out
)

// Rule is what of a guarded function's results is a failure.
type Rule uint32

const (
	RuleNegativeFails Rule = C.TRIP_RULE_NEGATIVE_FAILS // one below 0: for signed integers and floating point
	RuleZeroSucceeds  Rule = C.TRIP_RULE_ZERO_SUCCEEDS  // any but 0
	RuleZeroFails     Rule = C.TRIP_RULE_ZERO_FAILS     // 0, or NULL
	RuleErrno         Rule = C.TRIP_RULE_ERRNO          // one below 0, or NULL, is what ClassifyErrno says of errno
	RuleClassifier    Rule = C.TRIP_RULE_CLASSIFIER     // the config's Classify says what it is
)

// Clock is what measures the time of a tracker.
type Clock uint32

const (
	ClockMonotonic Clock = C.TRIP_CLOCK_MONOTONIC // the machine's CLOCK_MONOTONIC
	ClockManual    Clock = C.TRIP_CLOCK_MANUAL    // starts at 0 and moves by Tracker.Advance alone, for tests
)

// Class is what kind of success or failure a call was.
type Class uint32

const (
	ClassSuccess         Class = C.TRIP_CLASS_SUCCESS          // the provider did what it was asked to do
	ClassServerError     Class = C.TRIP_CLASS_SERVER_ERROR     // the provider failed and says so
	ClassRateLimited     Class = C.TRIP_CLASS_RATE_LIMITED     // too many requests or tokens for now; it passes soon
	ClassOverloaded      Class = C.TRIP_CLASS_OVERLOADED       // the provider has more to do than it can, for everybody
	ClassNetwork         Class = C.TRIP_CLASS_NETWORK          // no answer: name resolution, connection or TLS failed
	ClassTimeout         Class = C.TRIP_CLASS_TIMEOUT          // no answer in time
	ClassQuota           Class = C.TRIP_CLASS_QUOTA            // what was paid for is used up
	ClassAuth            Class = C.TRIP_CLASS_AUTH             // the key is wrong, or may not do this
	ClassInvalidRequest  Class = C.TRIP_CLASS_INVALID_REQUEST  // the request is wrong: the caller's mistake
	ClassContextOverflow Class = C.TRIP_CLASS_CONTEXT_OVERFLOW // the request is longer than the model takes
	ClassNotFound        Class = C.TRIP_CLASS_NOT_FOUND        // there is no such model or resource
	ClassContentFiltered Class = C.TRIP_CLASS_CONTENT_FILTERED // the provider will not answer this, for what it says
	ClassCancelled       Class = C.TRIP_CLASS_CANCELLED        // the caller gave up
	ClassUnknown         Class = C.TRIP_CLASS_UNKNOWN          // none of these can be told; nothing is guessed
)

var classTexts = [...]string{
	ClassSuccess:         "success",
	ClassServerError:     "server error",
	ClassRateLimited:     "rate limited",
	ClassOverloaded:      "overloaded",
	ClassNetwork:         "network",
	ClassTimeout:         "timeout",
	ClassQuota:           "quota",
	ClassAuth:            "auth",
	ClassInvalidRequest:  "invalid request",
	ClassContextOverflow: "context overflow",
	ClassNotFound:        "not found",
	ClassContentFiltered: "content filtered",
	ClassCancelled:       "cancelled",
	ClassUnknown:         "unknown",
}

// String is such as "rate limited".
func (c Class) String() string { return textOf(classTexts[:], "class", uint32(c)) }

// Classes is a set of classes.
type Classes uint64

// ClassesOf is the set of these classes.
func ClassesOf(classes ...Class) (set Classes) {
	for _, class := range classes {
		set |= 1 << class
	}
	return set
}

// Feature is something that a library may have.
type Feature uint32

const (
	FeatureCircuits  Feature = C.TRIP_FEATURE_CIRCUITS  // trackers, circuits and permits: always there
	FeatureExpress   Feature = C.TRIP_FEATURE_EXPRESS   // calls to a healthy circuit without a call into the library
	FeatureOutcomes  Feature = C.TRIP_FEATURE_OUTCOMES  // classification of outcomes, and hints when to come back
	FeatureWindows   Feature = C.TRIP_FEATURE_WINDOWS   // windows, slow and hung calls, ramps and streams
	FeatureSteering  Feature = C.TRIP_FEATURE_STEERING  // modes, orders, and policies that are replaced while calls run
	FeatureSeeing    Feature = C.TRIP_FEATURE_SEEING    // lists of circuits, explanations, events, metrics
	FeatureSnapshots Feature = C.TRIP_FEATURE_SNAPSHOTS // circuits that outlive their process
	FeaturePolicies  Feature = C.TRIP_FEATURE_POLICIES  // retries, deduplicators, gates, routes, pipelines
	FeatureGuards    Feature = C.TRIP_FEATURE_GUARDS    // guards; a library that was built without libffi lacks them
)
