// This file owns the values of a vector that JSON has no form for, and the comparison of an expectation.

package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Double is a number, "NaN", "Infinity" or "-Infinity".
type Double float64

// UnmarshalJSON takes both forms.
func (d *Double) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `"NaN"`:
		*d = Double(math.NaN())
	case `"Infinity"`:
		*d = Double(math.Inf(1))
	case `"-Infinity"`:
		*d = Double(math.Inf(-1))
	default:
		return json.Unmarshal(text, (*float64)(d))
	}
	return nil
}

// Selector is a named value, or the number of one that has no name.
type Selector struct {
	Name   string // empty: the number counts
	Number uint32
}

// UnmarshalJSON takes both forms.
func (s *Selector) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		return json.Unmarshal(text, &s.Name)
	}
	return json.Unmarshal(text, &s.Number)
}

// Expect is what must come of a step, by key; "status" is always there.
type Expect map[string]expected

// Observed is what came of a step, by the keys of Expect: a uint64, an int32, a string, a Paragraph, or the []string
// that all fit.
type Observed map[string]any

// Paragraph is a text of which an expectation is a part.
type Paragraph string

// expected is a name, or a number within a range, which may be a single one.
type expected struct {
	name     string
	isName   bool
	min, max int64
}

// UnmarshalJSON requires a status.
func (e *Expect) UnmarshalJSON(text []byte) error {
	if err := strictly(text, (*map[string]expected)(e)); err != nil {
		return err
	}
	if status := (*e)["status"]; !strings.HasPrefix(status.name, "TRIP_") {
		return errors.New("expect without a status")
	}
	if says, there := (*e)["says"]; there && says.name == "" {
		return errors.New("to say nothing shows nothing")
	}
	return nil
}

// Check compares each expectation. One for which nothing was observed has no effect, and is refused.
func (e Expect) Check(observed Observed) error {
	var faults []error
	for key, want := range e {
		got, there := observed[key]
		switch {
		case !there:
			faults = append(faults, fmt.Errorf("nothing observed for %q, which expects %v", key, want))
		case !want.fits(got):
			faults = append(faults, fmt.Errorf("%s is %v, expected %v", key, got, want))
		}
	}
	return errors.Join(faults...)
}

// UnmarshalJSON takes a string, a number, or {"min": 1, "max": 2}.
func (e *expected) UnmarshalJSON(text []byte) error {
	switch text[0] {
	case '"':
		e.isName = true
		return json.Unmarshal(text, &e.name)
	case '{':
		var both struct {
			Min *int64 `json:"min"`
			Max *int64 `json:"max"`
		}
		if err := strictly(text, &both); err != nil {
			return err
		}
		if both.Min == nil || both.Max == nil || *both.Min > *both.Max {
			return fmt.Errorf("%s is no range", text)
		}
		e.min, e.max = *both.Min, *both.Max
		return nil
	case 'n':
		return errors.New("null is no expectation")
	}
	err := json.Unmarshal(text, &e.min)
	e.max = e.min
	return err
}

func (e expected) String() string {
	switch {
	case e.isName:
		return fmt.Sprintf("%q", e.name)
	case e.min == e.max:
		return fmt.Sprint(e.min)
	}
	return fmt.Sprintf("%d to %d", e.min, e.max)
}

func (e expected) fits(got any) bool {
	switch got := got.(type) {
	case uint64:
		return !e.isName && got <= math.MaxInt64 && e.min <= int64(got) && int64(got) <= e.max
	case int32:
		return !e.isName && e.min <= int64(got) && int64(got) <= e.max
	case string:
		return e.isName && e.name == got
	case Paragraph:
		return e.isName && strings.Contains(string(got), e.name)
	case []string:
		return e.isName && slices.Contains(got, e.name)
	}
	return false
}
