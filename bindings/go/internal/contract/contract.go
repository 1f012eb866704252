// This package owns the format of the contract vectors, tests/contract/README.md: reading them strictly, and comparing
// what a step expects with what was observed. It knows nothing of the library, so that it can say no to a vector that a
// runner would quietly pass.

// Package contract reads the contract vectors that every language must pass.
package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Vector is a config, and steps with what must come of each.
type Vector struct {
	Name    string `json:"name"`
	Source  Source `json:"source"`
	Differs string `json:"differs"`
	Why     string `json:"why"`
	Config  Config `json:"config"`
	Create  Create `json:"create"`
	Steps   []Step `json:"steps"`
}

// Source is where the expectations of a vector come from: a library's test, or a place in the design.
type Source struct {
	Library string `json:"library"`
	Test    string `json:"test"`
	Design  string `json:"design"`
}

// Config holds the fields of trip_config that a vector sets; nil means the default.
type Config struct {
	FailureThreshold  *uint32   `json:"failure_threshold"`
	InitialOpenNs     *int64    `json:"initial_open_ns"`
	MaxOpenNs         *int64    `json:"max_open_ns"`
	BackoffMultiplier *Double   `json:"backoff_multiplier"`
	Backoff           *Selector `json:"backoff"`
	HalfOpenMaxProbes *uint32   `json:"half_open_max_probes"`
	HalfOpenSuccesses *uint32   `json:"half_open_successes"`
	OnDrop            *Selector `json:"on_drop"`
	ProbeLeaseNs      *int64    `json:"probe_lease_ns"`
	ProbeRetryNs      *int64    `json:"probe_retry_ns"`
	Jitter            *Double   `json:"jitter"`
	Clock             *Selector `json:"clock"`
	MaxCircuits       *uint32   `json:"max_circuits"`
	OnServerError     *Selector `json:"on_server_error"`
	OnRateLimited     *Selector `json:"on_rate_limited"`
	OnOverloaded      *Selector `json:"on_overloaded"`
	OnNetwork         *Selector `json:"on_network"`
	OnTimeout         *Selector `json:"on_timeout"`
	OnQuota           *Selector `json:"on_quota"`
	OnAuth            *Selector `json:"on_auth"`
	OnInvalidRequest  *Selector `json:"on_invalid_request"`
	OnContextOverflow *Selector `json:"on_context_overflow"`
	OnNotFound        *Selector `json:"on_not_found"`
	OnContentFiltered *Selector `json:"on_content_filtered"`
	OnCancelled       *Selector `json:"on_cancelled"`
	OnUnknown         *Selector `json:"on_unknown"`
	HalfOpenProbes    *uint32   `json:"half_open_probes"`
	QuotaOpenNs       *int64    `json:"quota_open_ns"`
	MaxRetryAfterNs   *int64    `json:"max_retry_after_ns"`
	SlowCallNs        *int64    `json:"slow_call_ns"`
	CountWindow       *uint32   `json:"count_window"`
	CountMinimum      *uint32   `json:"count_minimum"`
	CountFailureRatio *Double   `json:"count_failure_ratio"`
	CountSlowRatio    *Double   `json:"count_slow_ratio"`
	TimeWindowNs      *int64    `json:"time_window_ns"`
	TimeBuckets       *uint32   `json:"time_buckets"`
	TimeMinimum       *uint32   `json:"time_minimum"`
	TimeFailureRatio  *Double   `json:"time_failure_ratio"`
	TimeSlowRatio     *Double   `json:"time_slow_ratio"`
	HangNs            *int64    `json:"hang_ns"`
	HangCalls         *uint32   `json:"hang_calls"`
	RampSteps         *uint32   `json:"ramp_steps"`
	RampNs            *int64    `json:"ramp_ns"`
	StallNs           *int64    `json:"stall_ns"`
}

// Create is what creating the tracker must answer.
type Create struct {
	Status string `json:"status"`
	Field  string `json:"field"`
}

// Step is one call, or other steps repeated.
type Step struct {
	Do         string  `json:"do"`
	Tenant     Text    `json:"tenant"`
	Provider   Text    `json:"provider"`
	Circuit    string  `json:"circuit"`
	Permit     string  `json:"permit"`
	As         string  `json:"as"`
	Ns         int64   `json:"ns"`
	Status     uint32  `json:"http_status"`
	Body       Text    `json:"body"`
	Text       Text    `json:"text"`
	Errno      int32   `json:"errno"`
	Name       Text    `json:"name"`
	Value      Text    `json:"value"`
	Now        int64   `json:"now_unix_ns"`
	Class      string  `json:"class"`
	RetryAfter int64   `json:"retry_after_ns"`
	Duration   int64   `json:"duration_ns"`
	Mode       string  `json:"mode"`
	TTL        int64   `json:"ttl_ns"`
	Reason     Text    `json:"reason"`
	Scope      string  `json:"scope"`
	Config     *Config `json:"-"` // of configure; nil: withdrawn
	Page       int     `json:"page"`
	Labels     string  `json:"labels"`
	Series     string  `json:"series"`
	MaxSeries  uint64  `json:"max_series"`
	Snapshot   string  `json:"snapshot"`
	Flip       *int    `json:"flip"` // nil: no byte is spoiled
	Times      int     `json:"times"`
	Steps      []Step  `json:"steps"`

	Policy
	RawConfig json.RawMessage `json:"config"`
	Expect    Expect          `json:"expect"`
}

// arguments are the keys that each kind of step has beside do and expect.
var arguments = map[string][]string{
	"circuit":        {"tenant", "provider", "as"},
	"permit":         {"circuit", "as"},
	"ask":            {"circuit", "times"},
	"peek":           {"circuit"},
	"inspect":        {"circuit"},
	"key":            {"circuit"},
	"success":        {"permit"},
	"failure":        {"permit"},
	"drop":           {"permit"},
	"cancel":         {"permit"},
	"renew":          {"permit"},
	"progress":       {"permit"},
	"record":         {"permit", "class"},
	"inspect_permit": {"permit"},
	"advance":        {"ns"},
	"destroy":        {},
	"classify_http":  {"http_status", "body"},
	"classify_text":  {"text"},
	"classify_errno": {"errno"},
	"retry_hint":     {"name", "value", "now_unix_ns"},
	"set_mode":       {"circuit", "mode"},
	"trip":           {"circuit"},
	"reset":          {"circuit"},
	"remove":         {"circuit"},
	"configure":      {"scope", "config"},
	"circuits":       {"page"},
	"explain":        {"circuit"},
	"event":          {},
	"metric":         {"labels", "series"},
	"snapshot":       {"now_unix_ns", "as"},
	"restore":        {"snapshot", "now_unix_ns"},
	"restart":        {},
	"repeat":         {"times", "steps"},
	"retry":          {"config", "as"},
	"delay_for":      {"retry", "attempt"},
	"retry_begin":    {"retry", "provider"},
	"retry_next":     {"retry", "provider", "attempt", "began_ns", "class"},
	"inspect_retry":  {"retry", "provider"},
	"dedup":          {"config", "as"},
	"check":          {"dedup", "key", "as"},
	"wait":           {"dedup", "key", "timeout_ns", "as"},
	"complete":       {"ticket", "value"},
	"fail":           {"ticket"},
	"drop_ticket":    {"ticket"},
	"renew_ticket":   {"ticket"},
	"forget":         {"dedup", "key"},
	"inspect_dedup":  {"dedup"},
	"gate":           {"config", "as"},
	"acquire":        {"gate", "as"},
	"release":        {"token"},
	"inspect_gate":   {"gate"},
	"route":          {"tenant", "config", "providers", "as"},
	"route_add":      {"route", "provider", "weight"},
	"route_permit":   {"route", "as"},
	"route_circuit":  {"route", "index", "as"},
	"pipeline":       {"stages", "as"},
	"run":            {"pipeline", "input"},
	"stage_count":    {"pipeline"},
	"guard":          {"circuit", "function", "signature", "as"},
	"guard_call":     {"guard", "arguments"},
	"end":            {"object"},
}

// optional are those that it may have beside.
var optional = map[string][]string{
	"record":       {"http_status", "retry_after_ns", "duration_ns"},
	"set_mode":     {"ttl_ns", "reason"},
	"configure":    {"tenant", "provider"},
	"metric":       {"max_series"},
	"restore":      {"flip"},
	"retry_next":   {"last_delay_ns", "retry_after_ns"},
	"gate":         {"name"},
	"release":      {"effect"},
	"route_permit": {"session", "avoid"},
	"guard":        {"config"},
}

// Load reads all vectors of a folder. A mistake in any of them is an error for all.
func Load(folder string) ([]Vector, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	var vectors []Vector
	seen := make(map[string]bool)
	for _, path := range paths {
		found, err := loadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		for _, vector := range found {
			if seen[vector.Name] {
				return nil, fmt.Errorf("%s: a second vector %q", filepath.Base(path), vector.Name)
			}
			seen[vector.Name] = true
		}
		vectors = append(vectors, found...)
	}
	if len(vectors) == 0 {
		return nil, fmt.Errorf("no vectors in %s", folder)
	}
	return vectors, nil
}

func loadFile(path string) ([]Vector, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Format  int               `json:"format"`
		About   string            `json:"about"`
		Vectors []json.RawMessage `json:"vectors"`
	}
	if err := strictly(text, &file); err != nil {
		return nil, err
	}
	if file.Format != 1 {
		return nil, fmt.Errorf("format %d is not 1", file.Format)
	}
	vectors := make([]Vector, len(file.Vectors))
	for i, text := range file.Vectors {
		if err := strictly(text, &vectors[i]); err != nil {
			return nil, fmt.Errorf("vector %d %q: %w", i, vectors[i].Name, err)
		}
	}
	return vectors, nil
}

// strictly decodes one JSON value and nothing else: no unknown key, nothing after it.
func strictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("more after the value")
	}
	return nil
}

var nameForm = regexp.MustCompile(`^[a-z0-9-]+$`)

// UnmarshalJSON refuses vectors that prove nothing or name no source.
func (v *Vector) UnmarshalJSON(text []byte) error {
	type plain Vector
	v.Create.Status = "TRIP_OK"
	if err := strictly(text, (*plain)(v)); err != nil {
		return err
	}
	created := v.Create.Status == "TRIP_OK"
	switch {
	case !nameForm.MatchString(v.Name):
		return errors.New("a name is lower case, digits and -")
	case (v.Source.Library == "" || v.Source.Test == "") == (v.Source.Design == ""):
		return errors.New("a source is a library and its test, or a place in the design")
	case created && len(v.Steps) == 0:
		return errors.New("no steps")
	case !created && len(v.Steps) != 0:
		return errors.New("steps without a tracker")
	case created && v.Create.Field != "":
		return errors.New("a field at fault, and yet TRIP_OK")
	}
	return nil
}

// UnmarshalJSON requires the arguments of the step's kind and allows no others.
func (s *Step) UnmarshalJSON(text []byte) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return err
	}
	type plain Step
	if err := strictly(text, (*plain)(s)); err != nil {
		return err
	}
	needed, known := arguments[s.Do]
	if !known {
		return fmt.Errorf("unknown step %q", s.Do)
	}
	if s.Do != "repeat" {
		needed = append([]string{"expect"}, needed...)
	}
	delete(keys, "do")
	namesNothing := s.Expect["status"].name != "TRIP_OK"
	for _, key := range needed {
		if _, there := keys[key]; !there && !(key == "as" && namesNothing) {
			return fmt.Errorf("step %q without %q", s.Do, key)
		}
		delete(keys, key)
	}
	for _, key := range optional[s.Do] {
		delete(keys, key)
	}
	for key := range keys {
		return fmt.Errorf("step %q with %q", s.Do, key)
	}
	if s.Do == "repeat" && (s.Times < 1 || len(s.Steps) == 0) {
		return errors.New("a repeat of nothing")
	}
	if s.Do == "ask" && s.Times < 1 {
		return errors.New("an ask for nothing")
	}
	if s.Do == "circuits" && s.Page < 1 {
		return errors.New("a page of nothing")
	}
	return s.readConfig()
}

// Text is a string, or {"repeat": "x", "times": 256}.
type Text string

// UnmarshalJSON takes both forms.
func (t *Text) UnmarshalJSON(text []byte) error {
	if text[0] != '{' {
		return json.Unmarshal(text, (*string)(t))
	}
	var long struct {
		Repeat string `json:"repeat"`
		Times  int    `json:"times"`
	}
	if err := strictly(text, &long); err != nil {
		return err
	}
	if long.Times < 0 {
		return errors.New("a text repeated less than never")
	}
	*t = Text(strings.Repeat(long.Repeat, long.Times))
	return nil
}
