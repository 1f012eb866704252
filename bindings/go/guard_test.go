// These tests own guards as Go calls them: values of each width, what is refused before C sees it, errno, and functions
// that call their own guard.

package trip_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"libtrip.example/trip"
	"libtrip.example/trip/internal/libc"
)

// guardOf is a guard with a circuit of its own, which opens at its first failure.
func guardOf(t testing.TB, function unsafe.Pointer, signature string, config trip.GuardConfig) (*trip.FunctionGuard,
	*trip.Circuit) {
	t.Helper()
	circuit := newCircuit(t, newTracker(t, trip.Config{FailureThreshold: 1}), "tenant", "provider")
	return newGuard(t, circuit, function, signature, config), circuit
}

// judgedSuccess is a config for results of any type.
var judgedSuccess = trip.GuardConfig{
	Rule: trip.RuleClassifier, Classify: func(any, syscall.Errno) trip.Class { return trip.ClassSuccess },
}

func TestValuesOfEachWidthComeBack(t *testing.T) {
	text, free := libc.Text("-42")
	defer free()
	var i8 int8
	var u16 uint16
	var i32 int32
	var u64 uint64
	var f32 float32
	var f64 float64
	var pointer unsafe.Pointer
	for _, c := range []struct {
		function  unsafe.Pointer
		signature string
		result    any
		arguments []any
		want      any
	}{
		{libc.Narrow, "int8 (int8)", &i8, []any{int8(-128)}, int8(-128)},
		{libc.Narrow, "int8 (int8)", &i8, []any{int8(127)}, int8(127)},
		{libc.Wide, "uint16(uint16)", &u16, []any{uint16(math.MaxUint16)}, uint16(math.MaxUint16)},
		{libc.Abs, " int32 ( int32 ) ", &i32, []any{int32(-7)}, int32(7)},
		{libc.Atoi, "int32 (pointer)", &i32, []any{text}, int32(-42)},
		{libc.Strlen, "uint64 (pointer)", &u64, []any{text}, uint64(3)},
		{libc.Half, "float (float)", &f32, []any{float32(-5)}, float32(-2.5)},
		{libc.Sum, "double (int8, uint64, float, double)", &f64,
			[]any{int8(-1), uint64(1 << 40), float32(0.5), 0.25}, float64(1<<40) - 0.25},
		{libc.Same, "pointer (pointer)", &pointer, []any{text}, text},
		{libc.Same, "pointer (pointer)", &pointer, []any{unsafe.Pointer(nil)}, unsafe.Pointer(nil)},
		{libc.Nothing, "void ()", nil, nil, nil},
		{libc.Nothing, "void (void)", nil, nil, nil},
	} {
		guard, circuit := guardOf(t, c.function, c.signature, judgedSuccess)
		if _, err := guard.Call(c.result, c.arguments...); err != nil {
			t.Errorf("%s: %v", c.signature, err)
			continue
		}
		if c.result != nil && reflect.ValueOf(c.result).Elem().Interface() != c.want {
			t.Errorf("%s returned %v", c.signature, reflect.ValueOf(c.result).Elem())
		}
		if info := inspect(t, circuit); info.Permits != 1 || info.Successes != 1 {
			t.Errorf("%s: %+v", c.signature, info)
		}
	}
}

func TestAResultNeedNotBeWanted(t *testing.T) {
	guard, _ := guardOf(t, libc.Abs, "int32 (int32)", trip.GuardConfig{})
	must(t, second(guard.Call(nil, int32(-1))))
}

func TestWhatDoesNotFitTheSignatureIsNotCalled(t *testing.T) {
	guard, circuit := guardOf(t, libc.Abs, "int32 (int32)", trip.GuardConfig{})
	var result int32
	var wide int64
	for what, err := range map[string]error{
		"too few": second(guard.Call(&result)), "too many": second(guard.Call(&result, int32(1), int32(2))),
		"an int": second(guard.Call(&result, 1)), "nil": second(guard.Call(&result, nil)),
		"a wide one": second(guard.Call(&result, int64(1))), "a text": second(guard.Call(&result, "1")),
		"a wide result": second(guard.Call(&wide, int32(1))), "no pointer": second(guard.Call(result, int32(1))),
		"nil for a result": second(guard.Call((*int32)(nil), int32(1))),
	} {
		wantError(t, what, err, trip.ErrInvalid)
	}
	nothing, _ := guardOf(t, libc.Nothing, "void ()", judgedSuccess)
	wantError(t, "a result of void", second(nothing.Call(&result)), trip.ErrInvalid)
	if info := inspect(t, circuit); info.Permits != 0 {
		t.Errorf("inspected %+v", info)
	}
}

func TestSignaturesThatAreNoneAreRefused(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	for signature, want := range map[string]error{
		"": trip.ErrInvalid, "int32": trip.ErrInvalid, "int (int)": trip.ErrInvalid, "int32 (int32": trip.ErrInvalid,
		"int32 (void, int32)": trip.ErrInvalid, "\xff (\x00)": trip.ErrInvalid, "int32 (int32) x": trip.ErrInvalid,
		"int32 (" + strings.Repeat("int8, ", 64) + "int8)": trip.ErrInvalid,
		strings.Repeat("x", 5000):                          trip.ErrInvalid,
		"int32 (pointer, ...)":                             trip.ErrUnsupported,
		"int32 (struct timespec)":                          trip.ErrUnsupported,
	} {
		guard, err := trip.NewFunctionGuard(circuit, libc.Abs, signature, trip.GuardConfig{})
		wantError(t, signature, err, want)
		if guard != nil {
			t.Errorf("%s: a guard and an error", signature)
		}
	}
	wantError(t, "nil", second(trip.NewFunctionGuard(circuit, nil, "int32 (int32)", trip.GuardConfig{})), trip.ErrInvalid)
}

func TestRulesMustFitTheirResults(t *testing.T) {
	circuit := newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	judge := func(any, syscall.Errno) trip.Class { return trip.ClassSuccess }
	for what, config := range map[string]trip.GuardConfig{
		"negative of unsigned":      {Rule: trip.RuleNegativeFails},
		"a classifier without rule": {Rule: trip.RuleZeroFails, Classify: judge},
		"a rule without classifier": {Rule: trip.RuleClassifier},
	} {
		_, err := trip.NewFunctionGuard(circuit, libc.Strlen, "uint64 (pointer)", config)
		var refused *trip.ConfigError
		if !errors.As(err, &refused) || refused.Field != "Rule" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAGuardedFunctionIsRefusedWhileItsCircuitIsOpen(t *testing.T) {
	guard, circuit := guardOf(t, libc.Failing, "int32 (int32)", trip.GuardConfig{Rule: trip.RuleErrno})
	var result int32
	errno, err := guard.Call(&result, int32(syscall.ECONNREFUSED))
	if errno != syscall.ECONNREFUSED || err != nil || result != -1 {
		t.Errorf("%d, %v, %v", result, errno, err)
	}
	result = 99
	_, err = guard.Call(&result, int32(0))
	var open *trip.OpenError
	if !errors.As(err, &open) || open.Provider != "provider" || result != 99 {
		t.Errorf("%d, %v", result, err)
	}
	must(t, circuit.Reset())
	if errno, err := guard.Call(&result, int32(0)); errno != 0 || err != nil || result != 0 {
		t.Errorf("%d, %v, %v", result, errno, err)
	}
	if info := inspect(t, circuit); info.FailuresTotal != 1 || info.Successes != 1 || info.Rejections != 1 {
		t.Errorf("inspected %+v", info)
	}
}

func TestTheClassifierOfAGuardIsToldResultAndErrno(t *testing.T) {
	var seen [][2]any
	judge := func(result any, errno syscall.Errno) trip.Class {
		seen = append(seen, [2]any{result, errno})
		if errno == 0 {
			return trip.ClassSuccess
		}
		return trip.ClassTimeout
	}
	config := trip.GuardConfig{Rule: trip.RuleClassifier, Classify: judge}
	guard, circuit := guardOf(t, libc.Failing, "int32 (int32)", config)
	must(t, second(guard.Call(nil, int32(0))))
	must(t, second(guard.Call(nil, int32(syscall.EAGAIN))))
	if seen[0] != [2]any{int32(0), syscall.Errno(0)} || seen[1] != [2]any{int32(-1), syscall.EAGAIN} {
		t.Errorf("seen %v", seen)
	}
	if info := inspect(t, circuit); info.FailuresTotal != 1 || info.Successes != 1 {
		t.Errorf("inspected %+v", info)
	}
	void := trip.GuardConfig{Rule: trip.RuleClassifier, Classify: func(result any, _ syscall.Errno) trip.Class {
		if result != nil {
			t.Errorf("void is %v", result)
		}
		return 99 // which is none, and counts as unknown
	}}
	guard, circuit = guardOf(t, libc.Nothing, "void ()", void)
	must(t, second(guard.Call(nil)))
	if info := inspect(t, circuit); info.FailuresTotal != 0 {
		t.Errorf("inspected %+v", info)
	}
}

func TestAPanicOfAClassifierGoesOnWhereTheCallWasMade(t *testing.T) {
	config := trip.GuardConfig{Rule: trip.RuleClassifier}
	config.Classify = func(any, syscall.Errno) trip.Class { panic(errProvider) }
	guard, circuit := guardOf(t, libc.Abs, "int32 (int32)", config)
	func() {
		defer func() {
			if got := recover(); got != errProvider {
				t.Errorf("recovered %v", got)
			}
		}()
		guard.Call(nil, int32(1))
	}()
	if info := inspect(t, circuit); info.Permits != 1 || info.FailuresTotal+info.Successes != 0 {
		t.Errorf("inspected %+v", info)
	}
	if count := trip.Visits(); count != 0 {
		t.Errorf("%d visits are under way", count)
	}
}

func TestCCallsAFunctionThatIsGuarded(t *testing.T) {
	guard, circuit := guardOf(t, libc.Abs, "int32 (int32)", trip.GuardConfig{RefusedResult: -7})
	pointer, err := guard.Pointer()
	must(t, err)
	if again, err := guard.Pointer(); again != pointer || err != nil {
		t.Errorf("another pointer, %v", err)
	}
	if result, _ := libc.Call(pointer, -5); result != 5 {
		t.Errorf("returned %d", result)
	}
	must(t, circuit.Trip())
	if result, errno := libc.Call(pointer, -5); result != -7 || errno != syscall.EAGAIN {
		t.Errorf("refused with %d, %v", result, errno)
	}
	must(t, guard.Close())
	if result, _ := libc.Call(pointer, -5); result != 5 {
		t.Errorf("without its guard it returned %d", result)
	}

	narrow, circuit := guardOf(t, libc.Narrow, "int8 (int8)", trip.GuardConfig{})
	pointer, err = narrow.Pointer()
	must(t, err)
	if result := libc.CallNarrow(pointer, 5); result != 5 {
		t.Errorf("returned %d", result)
	}
	must(t, circuit.Trip())
	if result := libc.CallNarrow(pointer, 5); result != -1 {
		t.Errorf("refused with %d", result)
	}
}

func TestAFunctionMayCallItsOwnGuard(t *testing.T) {
	guard, circuit := guardOf(t, libc.Down, "int32 (pointer, int32)", trip.GuardConfig{})
	pointer, err := guard.Pointer()
	must(t, err)
	var depth int32
	must(t, second(guard.Call(&depth, pointer, int32(50))))
	if depth != 50 || libc.CallDown(pointer, 50) != 50 {
		t.Errorf("%d deep", depth)
	}
	if info := inspect(t, circuit); info.Permits != 51+50 || info.Successes != info.Permits {
		t.Errorf("inspected %+v", info)
	}
}

func TestAGuardIsClosedWhileCallsAreIn(t *testing.T) {
	for range 20 {
		guard, _ := guardOf(t, libc.Abs, "int32 (int32)", trip.GuardConfig{})
		pointer, err := guard.Pointer()
		must(t, err)
		var calls sync.WaitGroup
		for range 4 {
			calls.Add(1)
			go func() {
				defer calls.Done()
				for i := range int32(100) {
					var result int32
					if _, err := guard.Call(&result, -i); err == nil && result != i {
						t.Errorf("returned %d", result)
					} else if err != nil {
						wantError(t, "closed", err, trip.ErrHandle)
					}
					if result, _ := libc.Call(pointer, -i); result != i {
						t.Errorf("returned %d", result)
					}
				}
			}()
		}
		must(t, guard.Close())
		calls.Wait()
	}
}
