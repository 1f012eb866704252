// These tests own the strictness of the reader: a vector that could pass without proving anything is refused.

package contract

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sound = `{"name": "a-1", "source": {"design": "section 4"}, "config": {"backoff": "TRIP_BACKOFF_COMPOUND",
	"backoff_multiplier": "NaN", "clock": 7}, "steps": [
	{"do": "circuit", "tenant": {"repeat": "x", "times": 3}, "provider": "", "as": "c",
		"expect": {"status": "TRIP_OK"}},
	{"do": "repeat", "times": 2, "steps": [
		{"do": "permit", "circuit": "c",
			"expect": {"status": "TRIP_REJECTED_OPEN", "failures": {"min": 1, "max": 2}}}]},
	{"do": "ask", "circuit": "c", "times": 5, "expect": {"status": "TRIP_STALE"}},
	{"do": "record", "permit": "p", "class": "TRIP_CLASS_AUTH", "duration_ns": 1, "expect": {"status": "TRIP_STALE"}},
	{"do": "configure", "scope": "TRIP_SCOPE_TENANT", "tenant": "t", "config": null, "expect": {"status": "TRIP_OK"}},
	{"do": "circuits", "page": 2, "expect": {"status": "TRIP_OK"}},
	{"do": "restore", "snapshot": "s", "now_unix_ns": 1, "flip": 0, "expect": {"status": "TRIP_E_INVALID"}},
	{"do": "explain", "circuit": "c", "expect": {"status": "TRIP_OK", "says": "because"}},
	{"do": "retry", "config": {"jitter": "TRIP_JITTER_NONE", "multiplier": "NaN"}, "as": "r",
		"expect": {"status": "TRIP_OK"}},
	{"do": "check", "dedup": "d", "key": "k", "expect": {"status": "TRIP_CACHED", "value": "v"}},
	{"do": "route", "tenant": "t", "config": {}, "providers": [{"provider": "q"}, {"provider": "r", "weight": 2}],
		"as": "rt", "expect": {"status": "TRIP_OK"}},
	{"do": "pipeline", "stages": [{"name": "s", "does": "upper"}, {"name": "", "does": {"append": ""}},
		{"name": "f", "does": {"fail": -5}}], "as": "pl", "expect": {"status": "TRIP_OK"}},
	{"do": "run", "pipeline": "pl", "input": "", "expect": {"status": "TRIP_STAGE_FAILED", "code": -5}},
	{"do": "guard_call", "guard": "g", "arguments": [-1, "t"], "expect": {"status": "TRIP_OK", "result": "-1"}}
	]}`

func load(t *testing.T, vectors string) ([]Vector, error) {
	t.Helper()
	folder := t.TempDir()
	text := `{"format": 1, "about": "", "vectors": [` + vectors + `]}`
	if err := os.WriteFile(filepath.Join(folder, "a.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(folder)
}

func TestSoundVectorsAreRead(t *testing.T) {
	vectors, err := load(t, sound)
	if err != nil || len(vectors) != 1 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	v := vectors[0]
	if v.Steps[0].Tenant != "xxx" || v.Config.Backoff.Name != "TRIP_BACKOFF_COMPOUND" || v.Config.Clock.Number != 7 ||
		*v.Config.BackoffMultiplier == *v.Config.BackoffMultiplier || v.Create.Status != "TRIP_OK" ||
		v.Steps[4].Config != nil || v.Steps[6].Flip == nil {
		t.Errorf("read as %+v", v)
	}
	retry, route, pipeline, call := v.Steps[8], v.Steps[10], v.Steps[11], v.Steps[13]
	if retry.Config != nil || retry.OfRetry.Jitter.Name != "TRIP_JITTER_NONE" || route.OfRoute == nil ||
		route.Providers[0].Weight != 1 || route.Providers[1].Weight != 2 {
		t.Errorf("read as %+v and %+v", retry, route)
	}
	if stages := pipeline.Stages; stages[0].Does.Name != "upper" || stages[1].Does.Append == nil ||
		stages[2].Does.Fail != -5 {
		t.Errorf("read as %+v", pipeline)
	}
	if call.Arguments[0].Number != -1 || *call.Arguments[1].Text != "t" {
		t.Errorf("read as %+v", call)
	}
}

func TestUnsoundVectorsAreRefused(t *testing.T) {
	for name, change := range map[string][2]string{
		"unknown key of a vector": {`"config"`, `"konfig"`},
		"unknown key of a config": {`"backoff":`, `"back_off":`},
		"unknown step":            {`"do": "permit"`, `"do": "permits"`},
		"unknown argument":        {`"provider": ""`, `"provider": "", "ns": 1`},
		"argument missing":        {`"provider": "", `, ``},
		"permit without a name":   {`TRIP_REJECTED_OPEN`, `TRIP_OK`},
		"no status":               {`"status": "TRIP_OK"`, ``},
		"no expect": {`"as": "c",
		"expect": {"status": "TRIP_OK"}`, `"as": "c"`},
		"repeat with an expect":       {`"times": 2`, `"expect": {"status": "TRIP_OK"}, "times": 2`},
		"repeat of nothing":           {`"times": 2`, `"times": 0`},
		"ask for nothing":             {`"times": 5`, `"times": 0`},
		"record without a class":      {`"class": "TRIP_CLASS_AUTH", `, ``},
		"record with an errno":        {`"duration_ns": 1`, `"errno": 1`},
		"configure without a config":  {`"config": null, `, ``},
		"unknown key of a policy":     {`"config": null`, `"config": {"back_off": 1}`},
		"page of nothing":             {`"page": 2`, `"page": 0`},
		"restore without a time":      {`"now_unix_ns": 1, `, ``},
		"nothing to say":              {`because`, ``},
		"config of another part":      {`"multiplier"`, `"capacity"`},
		"null for the config of one":  {`"tenant": "t", "config": {}`, `"tenant": "t", "config": null`},
		"part without a config":       {`"tenant": "t", "config": {}, `, `"tenant": "t", `},
		"provider with another key":   {`"weight": 2`, `"width": 2`},
		"stage that does nothing":     {`"does": "upper"`, `"does": "lower"`},
		"stage that does two things":  {`{"append": ""}`, `{"append": "", "fail": 1}`},
		"stage that fails with 0":     {`"fail": -5`, `"fail": 0`},
		"stage with another key":      {`"name": "s", `, `"name": "s", "size": 1, `},
		"argument with a fraction":    {`[-1, "t"]`, `[-1.5, "t"]`},
		"ticket without a name":       {`TRIP_CACHED`, `TRIP_OK`},
		"range upside down":           {`"min": 1`, `"min": 3`},
		"range with half its ends":    {`"min": 1, `, ``},
		"number with a fraction":      {`{"min": 1, "max": 2}`, `1.5`},
		"null for an expectation":     {`{"min": 1, "max": 2}`, `null`},
		"name in capitals":            {`a-1`, `A-1`},
		"no source":                   {`"design": "section 4"`, ``},
		"steps without a tracker":     {`"steps": [`, `"create": {"status": "TRIP_E_CONFIG"}, "steps": [`},
		"field at fault, and yet OK":  {`"config"`, `"create": {"status": "TRIP_OK", "field": "clock"}, "config"`},
		"a second vector of the name": {sound, sound + "," + sound},
		"no vectors":                  {sound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(sound, change[0], change[1], 1)
			if changed == sound {
				t.Fatal("the change changes nothing")
			}
			if vectors, err := load(t, changed); err == nil {
				t.Errorf("read as %+v", vectors)
			}
		})
	}
}

func TestCheckComparesEachExpectation(t *testing.T) {
	expect := Expect{
		"status":   {name: "TRIP_OK", isName: true},
		"failures": {min: 3, max: 4},
		"same_as":  {name: "b", isName: true},
		"says":     {name: "why", isName: true},
	}
	right := Observed{"status": "TRIP_OK", "failures": uint64(4), "same_as": []string{"a", "b"}, "level": uint64(1),
		"says": Paragraph("That is why.")}
	if err := expect.Check(right); err != nil {
		t.Error(err)
	}
	wrongs := Observed{"status": "TRIP_STALE", "failures": uint64(5), "same_as": []string{"a"}, "says": Paragraph("wh y")}
	for key, wrong := range wrongs {
		observed := Observed{"status": "TRIP_OK", "failures": uint64(3), "same_as": []string{"b"}, "says": Paragraph("why")}
		observed[key] = wrong
		if expect.Check(observed) == nil {
			t.Errorf("%s %v passed", key, wrong)
		}
		delete(observed, key)
		if expect.Check(observed) == nil {
			t.Errorf("%s passed without having been observed", key)
		}
	}
}
