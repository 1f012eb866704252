// This file owns the steps of the parts around the permit: what is theirs in a step, and their configs.

package contract

import (
	"encoding/json"
	"errors"
)

// Policy is what only the steps of the parts around the permit have.
type Policy struct {
	Retry     string       `json:"retry"`
	Attempt   uint32       `json:"attempt"`
	Began     int64        `json:"began_ns"`
	LastDelay int64        `json:"last_delay_ns"`
	Dedup     string       `json:"dedup"`
	Ticket    string       `json:"ticket"`
	Key       Text         `json:"key"`
	Timeout   int64        `json:"timeout_ns"`
	Gate      string       `json:"gate"`
	Token     string       `json:"token"`
	Effect    string       `json:"effect"`
	Route     string       `json:"route"`
	Providers []Provider   `json:"providers"`
	Weight    uint32       `json:"weight"`
	Session   Text         `json:"session"`
	Avoid     int64        `json:"avoid"`
	Index     int          `json:"index"`
	Pipeline  string       `json:"pipeline"`
	Stages    []Stage      `json:"stages"`
	Input     Text         `json:"input"`
	Guard     string       `json:"guard"`
	Function  string       `json:"function"`
	Signature Text         `json:"signature"`
	Arguments []Argument   `json:"arguments"`
	Object    string       `json:"object"`
	OfRetry   *RetryConfig `json:"-"`
	OfDedup   *DedupConfig `json:"-"`
	OfGate    *GateConfig  `json:"-"`
	OfRoute   *RouteConfig `json:"-"`
	OfGuard   *GuardConfig `json:"-"` // nil: there is none
}

// RetryConfig holds the fields of trip_retry_config that a step sets; nil means the default, as in those below.
type RetryConfig struct {
	MaxAttempts     *uint32   `json:"max_attempts"`
	BaseDelayNs     *int64    `json:"base_delay_ns"`
	MaxDelayNs      *int64    `json:"max_delay_ns"`
	Multiplier      *Double   `json:"multiplier"`
	Jitter          *Selector `json:"jitter"`
	MaxProviders    *uint32   `json:"max_providers"`
	Seed            *int64    `json:"seed"`
	MaxRetryAfterNs *int64    `json:"max_retry_after_ns"`
	DeadlineNs      *int64    `json:"deadline_ns"`
	Classes         *int64    `json:"classes"`
	BudgetRatio     *Double   `json:"budget_ratio"`
	BudgetBurst     *uint32   `json:"budget_burst"`
}

// DedupConfig holds those of trip_dedup_config.
type DedupConfig struct {
	MaxEntries *uint32 `json:"max_entries"`
	MaxBytes   *int64  `json:"max_bytes"`
	LeaseNs    *int64  `json:"lease_ns"`
	TTLNs      *int64  `json:"ttl_ns"`
}

// GateConfig holds those of trip_gate_config.
type GateConfig struct {
	Capacity     *uint32   `json:"capacity"`
	SoftLimit    *uint32   `json:"soft_limit"`
	Adapt        *Selector `json:"adapt"`
	MinLimit     *uint32   `json:"min_limit"`
	InitialLimit *uint32   `json:"initial_limit"`
	LatencyNs    *int64    `json:"latency_ns"`
	Decrease     *Double   `json:"decrease"`
	Tolerance    *Double   `json:"tolerance"`
	Smoothing    *Double   `json:"smoothing"`
}

// RouteConfig holds those of trip_route_config.
type RouteConfig struct {
	Order    *Selector `json:"order"`
	Fallback *Selector `json:"fallback"`
	Seed     *int64    `json:"seed"`
}

// GuardConfig holds those of trip_guard_config.
type GuardConfig struct {
	Rule          *Selector `json:"rule"`
	RefusedResult *int64    `json:"refused_result"`
	RefusedDouble *Double   `json:"refused_double"`
	RefusedErrno  *int32    `json:"refused_errno"`
}

// readConfig reads the config of a step as that of its kind.
func (s *Step) readConfig() error {
	switch {
	case s.RawConfig == nil:
		return nil
	case s.Do != "configure" && string(s.RawConfig) == "null":
		return errors.New("null is no config")
	}
	switch s.Do {
	case "retry":
		return strictly(s.RawConfig, &s.OfRetry)
	case "dedup":
		return strictly(s.RawConfig, &s.OfDedup)
	case "gate":
		return strictly(s.RawConfig, &s.OfGate)
	case "route":
		return strictly(s.RawConfig, &s.OfRoute)
	case "guard":
		return strictly(s.RawConfig, &s.OfGuard)
	}
	return strictly(s.RawConfig, &s.Config)
}

// Provider is one of a route's.
type Provider struct {
	Provider Text   `json:"provider"`
	Weight   uint32 `json:"weight"`
}

// UnmarshalJSON gives it the weight 1 where none stands.
func (p *Provider) UnmarshalJSON(text []byte) error {
	type plain Provider
	p.Weight = 1
	return strictly(text, (*plain)(p))
}

// Stage is one of a pipeline's.
type Stage struct {
	Name Text   `json:"name"`
	Does Action `json:"does"`
}

// Action is what a stage does: one of these.
type Action struct {
	Name   string // "upper", "reverse"
	Append *string
	Fail   int32 // a code; 0: it does not
}

// UnmarshalJSON takes a name, or an object with one member.
func (a *Action) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		if err := json.Unmarshal(text, &a.Name); err != nil || a.Name == "upper" || a.Name == "reverse" {
			return err
		}
		return errors.New("a stage that does nothing known")
	}
	var does struct {
		Append *string `json:"append"`
		Fail   int32   `json:"fail"`
	}
	if err := strictly(text, &does); err != nil {
		return err
	}
	if (does.Append == nil) == (does.Fail == 0) {
		return errors.New("a stage that does not one thing")
	}
	a.Append, a.Fail = does.Append, does.Fail
	return nil
}

// Argument is one of a function's: a text, or a number.
type Argument struct {
	Text   *string
	Number int64
}

// UnmarshalJSON takes both forms.
func (a *Argument) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		return json.Unmarshal(text, &a.Text)
	}
	return json.Unmarshal(text, &a.Number)
}
