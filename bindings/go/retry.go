// This file owns retries: the rule for when to try a failed call again. It sleeps for nobody.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"math"
	"runtime"
	"time"
)

// Retry is a rule for when to try a failed call again, with the budgets of its providers, which all who share it share.
// One of NewRetry that nobody closes is closed when it is garbage. [Do] goes by it; a program that does not use Do asks
// it by [Retry.Begin] and [Retry.Next].
type Retry struct {
	handle  C.trip_retry
	tracker *Tracker // kept alive
}

// RetryConfig says when to try again. A zero field means the default, as in [Config]; [DefaultRetryConfig] spells each
// out, for where zero itself is meant.
type RetryConfig struct {
	// Tracker is whose clock the rule goes by. Nil: the machine's.
	Tracker *Tracker
	// MaxAttempts is the number of attempts of a call, the first included; 1 to 1000, default 3.
	MaxAttempts uint32
	// BaseDelay is the delay before the second attempt; at most one year, default 500 ms.
	BaseDelay time.Duration
	// MaxDelay is the cap on every delay; at most one year, default 60 s.
	MaxDelay time.Duration
	// Multiplier is how delays grow; finite, at least 1, default 2.
	Multiplier float64
	// Jitter is how delays are spread; default JitterFull.
	Jitter Jitter
	// MaxProviders is the number of providers with a budget of their own; the rest share one. 1 to 65536, default 1024.
	MaxProviders uint32
	// Seed is that of what is drawn for the jitter. Default 0: another in each process.
	Seed uint64
	// MaxRetryAfter is how long a provider may ask to wait: one that asks for longer is not asked again. At most one year,
	// default 60 s. Zero, with Exact: what providers ask for is not heeded.
	MaxRetryAfter time.Duration
	// Deadline is how long after Begin an attempt may begin; at most one year. Default 0: however long.
	Deadline time.Duration
	// Classes are those that are worth a retry; default server error, rate limited, overloaded, network and timeout.
	Classes Classes
	// BudgetRatio is the number of retries that each call earns its provider; 0 to 1000, default 0.1.
	BudgetRatio float64
	// BudgetBurst is the number of retries that may be saved up, and are there at first; 1 to 1000000, default 10.
	BudgetBurst uint32

	// Exact takes zero fields as zero, not as their defaults.
	Exact bool
}

// RetryInfo is the retries of a provider seen from outside.
type RetryInfo struct {
	Budget  uint32 // retries that are left now, whole ones
	Calls   uint64 // that have begun
	Retries uint64 // that were allowed
	Refused uint64 // that were not, for want of budget
}

// Attempt is an attempt that has failed.
type Attempt struct {
	Provider  string        // who was called
	Number    int           // 1 for the first, as whatever is less
	Began     time.Duration // what Begin said
	LastDelay time.Duration // before this attempt; 0 before the first
	Outcome   CallOutcome   // how it went: its class, and the RetryAfter below which no delay is
}

// DefaultRetryConfig returns the library's defaults, with Exact set.
func DefaultRetryConfig() RetryConfig {
	config, abi := RetryConfig{Exact: true}, defaultRetry()
	config.fields(&abi, &walk{does: read})
	return config
}

func defaultRetry() (config C.trip_retry_config) {
	C.trip_retry_config_init(&config, C.sizeof_trip_retry_config) // cannot fail: both arguments are right
	return config
}

func (c *RetryConfig) fields(abi *C.trip_retry_config, w *walk) {
	pair(w, "MaxAttempts", &abi.max_attempts, &c.MaxAttempts)
	pair(w, "BaseDelay", &abi.base_delay_ns, &c.BaseDelay)
	pair(w, "MaxDelay", &abi.max_delay_ns, &c.MaxDelay)
	pair(w, "Multiplier", &abi.multiplier, &c.Multiplier)
	pairChoice(w, "Jitter", &abi.jitter, &c.Jitter)
	pair(w, "MaxProviders", &abi.max_providers, &c.MaxProviders)
	pair(w, "Seed", &abi.seed, &c.Seed)
	pair(w, "MaxRetryAfter", &abi.max_retry_after_ns, &c.MaxRetryAfter)
	pair(w, "Deadline", &abi.deadline_ns, &c.Deadline)
	pair(w, "Classes", &abi.classes, &c.Classes)
	pair(w, "BudgetRatio", &abi.budget_ratio, &c.BudgetRatio)
	pair(w, "BudgetBurst", &abi.budget_burst, &c.BudgetBurst)
}

// NewRetry creates a rule. A refused config is a [*ConfigError].
func NewRetry(config RetryConfig) (*Retry, error) {
	tracker, err := config.Tracker.orMachine()
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(config.Tracker)
	abi := defaultRetry()
	config.fields(&abi, &walk{does: write, isExact: config.Exact})
	reason := C.trip_error{struct_size: C.sizeof_trip_error}
	retry := &Retry{tracker: config.Tracker}
	status := C.trip_retry_create(tracker, &abi, &retry.handle, &reason)
	if err := reasoned(status, &reason, config.fields); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(retry, (*Retry).Close)
	return retry, nil
}

// RetryFromHandle makes a Retry of a handle that another language of this process has given. It does not own it: it
// stays until somebody closes it.
func RetryFromHandle(handle uint64) *Retry { return &Retry{handle: C.trip_retry(handle)} }

// Close destroys the rule with its budgets: it answers [ErrHandle] from then on. It is safe while others use it.
func (r *Retry) Close() error {
	if r == nil {
		return ErrHandle
	}
	runtime.SetFinalizer(r, nil)
	return answer(C.trip_retry_destroy(r.handle))
}

// Handle is the library's name of the rule, for other languages of this process; see [Tracker.Handle].
func (r *Retry) Handle() uint64 {
	if r == nil {
		return 0
	}
	return uint64(r.handle)
}

// DelayFor is how long to wait after an attempt, before jitter: BaseDelay * Multiplier^(attempt - 1), at most MaxDelay.
// It depends on nothing else and changes nothing. The first attempt is 1, and so is whatever is less.
func (r *Retry) DelayFor(attempt int) (time.Duration, error) {
	if r == nil {
		return 0, ErrHandle
	}
	defer runtime.KeepAlive(r)
	var delay C.uint64_t
	status := C.trip_retry_delay_for(r.handle, attemptNumber(attempt), &delay)
	return time.Duration(delay), answer(status)
}

// Begin begins a call: it earns its provider BudgetRatio retries, and its Deadline begins. It returns when that was, by
// the rule's clock, which [Retry.Next] wants to know. [ErrInvalid]: the provider is longer than 255 bytes.
func (r *Retry) Begin(provider string) (began time.Duration, err error) {
	if r == nil {
		return 0, ErrHandle
	}
	defer runtime.KeepAlive(r)
	var at C.uint64_t
	status := C.trip_retry_begin(r.handle, bytesOf(provider), C.size_t(len(provider)), &at)
	return time.Duration(at), answer(status)
}

// Next says whether to try again after an attempt that failed, and how long to wait before: nil takes one retry from
// the budget of the provider. A refused permit is no failed attempt: nobody was called, and to ask this would take
// retries from those who were.
//
// Any error says not to try again: [ErrNoRetryClass], [ErrNoRetryAttempts], [ErrNoRetryLate] and [ErrNoRetryBudget] are
// answers; [ErrInvalid] is not: the provider is longer than 255 bytes, or something else is out of range.
func (r *Retry) Next(failed Attempt) (delay time.Duration, err error) {
	if r == nil {
		return 0, ErrHandle
	}
	outcome, err := failed.Outcome.abi()
	if err != nil || failed.Began < 0 || failed.LastDelay < 0 {
		return 0, ErrInvalid
	}
	return r.next(failed, outcome)
}

// next is Next with the outcome as the library reads it.
func (r *Retry) next(failed Attempt, outcome *C.trip_outcome) (time.Duration, error) {
	defer runtime.KeepAlive(r)
	var delay C.uint64_t
	status := C.trip_retry_next(r.handle, bytesOf(failed.Provider), C.size_t(len(failed.Provider)),
		attemptNumber(failed.Number), C.uint64_t(failed.Began), C.uint64_t(failed.LastDelay), outcome, &delay)
	return time.Duration(delay), answer(status)
}

// Inspect returns the budget and the counters of a provider; of one without a budget of its own, those of the shared
// one.
func (r *Retry) Inspect(provider string) (RetryInfo, error) {
	if r == nil {
		return RetryInfo{}, ErrHandle
	}
	defer runtime.KeepAlive(r)
	info := C.trip_retry_info{struct_size: C.sizeof_trip_retry_info}
	status := C.trip_retry_inspect(r.handle, bytesOf(provider), C.size_t(len(provider)), &info)
	if status != C.TRIP_OK {
		return RetryInfo{}, answer(status)
	}
	return RetryInfo{
		Budget:  uint32(info.budget),
		Calls:   uint64(info.calls),
		Retries: uint64(info.retries),
		Refused: uint64(info.refused),
	}, nil
}

func attemptNumber(attempt int) C.uint32_t {
	return C.uint32_t(min(uint64(max(attempt, 1)), math.MaxUint32))
}
