// These tests own pipelines of Go functions: whose the bytes are, errors that stay themselves, panics that go on where
// the run was called.

package trip_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"libtrip.example/trip"
	"libtrip.example/trip/internal/libc"
)

func upper(input []byte) ([]byte, error) { return bytes.ToUpper(input), nil }

func same(input []byte) ([]byte, error) { return input, nil }

func run(t testing.TB, pipeline *trip.Pipeline, input, want string) {
	t.Helper()
	output, err := pipeline.Run([]byte(input))
	if err != nil || string(output) != want || output == nil {
		t.Errorf("%.40q became %.40q, %v", input, output, err)
	}
}

func TestStagesRunInOrder(t *testing.T) {
	pipeline := newPipeline(t)
	run(t, pipeline, "as it is", "as it is")
	run(t, pipeline, "", "")
	must(t, pipeline.Add("upper", upper))
	must(t, pipeline.Add("", func(input []byte) ([]byte, error) { return append(input, "!\x00"...), nil }))
	run(t, pipeline, "hello", "HELLO!\x00")
	run(t, pipeline, "", "!\x00")
	must(t, pipeline.Add("nothing", func([]byte) ([]byte, error) { return nil, nil }))
	run(t, pipeline, "hello", "")
	if count, err := pipeline.StageCount(); count != 3 || err != nil {
		t.Errorf("%d stages, %v", count, err)
	}
	wantError(t, "nil", pipeline.Add("nil", nil), trip.ErrInvalid)
}

func TestBytesOfAnyLengthPass(t *testing.T) {
	pipeline := newPipeline(t)
	long := strings.Repeat("x", 1<<20)
	run(t, pipeline, long, long)
	must(t, pipeline.Add("twice", func(input []byte) ([]byte, error) { return append(input, input...), nil }))
	run(t, pipeline, long, long+long)
}

func TestTheInputOfAStageIsItsOwn(t *testing.T) {
	pipeline := newPipeline(t)
	var kept []byte
	must(t, pipeline.Add("spoils", func(input []byte) ([]byte, error) {
		kept = input
		input[0] = 'X'
		return []byte("other"), nil
	}))
	given := []byte("hello")
	must(t, second(pipeline.Run(given)))
	if string(given) != "hello" || string(kept) != "Xello" {
		t.Errorf("given %q, kept %q", given, kept)
	}
}

func TestTheFirstStageThatFailsIsTheLast(t *testing.T) {
	pipeline := newPipeline(t)
	must(t, pipeline.Add("upper", upper))
	must(t, pipeline.Add("fails\x00", func([]byte) ([]byte, error) {
		return []byte("partial"), fmt.Errorf("stage: %w", errProvider)
	}))
	must(t, pipeline.Add("never", func(input []byte) ([]byte, error) {
		t.Error("run")
		return input, nil
	}))
	output, err := pipeline.Run([]byte("x"))
	var failed *trip.StageError
	if output != nil || !errors.As(err, &failed) {
		t.Fatalf("%q, %v", output, err)
	}
	if failed.Stage != 1 || failed.Name != "fails\x00" || failed.Code != -1 || failed.Unwrap() != failed.Err {
		t.Errorf("failed with %+v", failed)
	}
	wantError(t, "the status", err, trip.ErrStageFailed)
	wantError(t, "the stage's own", err, errProvider)
	if text := err.Error(); text != `trip: stage 1, "fails\x00", has failed: stage: 503 service unavailable` {
		t.Error(text)
	}
}

func TestACodeOfAStageIsTold(t *testing.T) {
	for code, want := range map[trip.StageCode]int32{7: 7, -3: -3, 0: -1} {
		pipeline := newPipeline(t)
		must(t, pipeline.Add("fails", func([]byte) ([]byte, error) { return nil, fmt.Errorf("stage: %w", code) }))
		var failed *trip.StageError
		if _, err := pipeline.Run(nil); !errors.As(err, &failed) || failed.Code != want {
			t.Errorf("%v: %v", code, err)
		}
		wantError(t, "the stage's own", failed, code)
	}
	if text := (&trip.StageError{Stage: 2, Name: "c", Code: 5}).Error(); text != `trip: stage 2, "c", has failed: code 5` {
		t.Error(text)
	}
}

func TestAPanicOfAStageGoesOnWhereTheRunWasCalled(t *testing.T) {
	pipeline := newPipeline(t)
	must(t, pipeline.Add("panics", func(input []byte) ([]byte, error) {
		if len(input) == 0 {
			panic(errProvider)
		}
		return input, nil
	}))
	panicked := func(input []byte) (got any) {
		defer func() { got = recover() }()
		pipeline.Run(input)
		return nil
	}
	for range 100 {
		if got := panicked(nil); got != errProvider {
			t.Errorf("recovered %v", got)
		}
	}
	run(t, pipeline, "x", "x")
	outer := newPipeline(t)
	must(t, outer.Add("recovers", func(input []byte) ([]byte, error) { return []byte(fmt.Sprint(panicked(nil))), nil }))
	run(t, outer, "", errProvider.Error())
	must(t, outer.Add("does not", func([]byte) ([]byte, error) { return pipeline.Run(nil) }))
	func() {
		defer func() {
			if got := recover(); got != errProvider {
				t.Errorf("recovered %v", got)
			}
		}()
		outer.Run(nil)
	}()
	if count := trip.Visits(); count != 0 {
		t.Errorf("%d visits are under way", count)
	}
}

func TestAStageThatEndsItsGoroutineHarmsNobodyElse(t *testing.T) {
	pipeline := newPipeline(t)
	must(t, pipeline.Add("ends", func(input []byte) ([]byte, error) {
		if len(input) == 0 {
			runtime.Goexit()
		}
		return input, nil
	}))
	for range 100 {
		together(1, func(int) { pipeline.Run(nil) })
		run(t, pipeline, "x", "x")
	}
	if count := trip.Visits(); count != 0 {
		t.Errorf("%d visits are under way", count)
	}
}

func TestAStageMayRunItsPipeline(t *testing.T) {
	pipeline := newPipeline(t)
	must(t, pipeline.Add("halves", func(input []byte) ([]byte, error) {
		if len(input) < 2 {
			return input, nil
		}
		left, err := pipeline.Run(input[:len(input)/2])
		if err != nil {
			return nil, err
		}
		right, err := pipeline.Run(input[len(input)/2:])
		return append(right, left...), err // which turns the bytes round
	}))
	run(t, pipeline, "0123456789abcdef", "fedcba9876543210")
}

func TestAnErrorOfAnInnerRunIsNotTheOuterOnes(t *testing.T) {
	inner, outer := newPipeline(t), newPipeline(t)
	must(t, inner.Add("fails", func([]byte) ([]byte, error) { return nil, errProvider }))
	must(t, outer.Add("goes on", func(input []byte) ([]byte, error) {
		wantError(t, "inner", second(inner.Run(input)), errProvider)
		return input, nil
	}))
	run(t, outer, "x", "x")
	other := errors.New("another")
	must(t, outer.Add("fails", func([]byte) ([]byte, error) { return nil, other }))
	_, err := outer.Run(nil)
	wantError(t, "outer", err, other)
	if errors.Is(err, errProvider) {
		t.Errorf("%v", err)
	}
}

func TestAPipelineMayBeClosedAndGrowWhileItRuns(t *testing.T) {
	pipeline := newPipeline(t)
	must(t, pipeline.Add("grows", func(input []byte) ([]byte, error) {
		must(t, pipeline.Add("upper", upper))
		return input, nil
	}))
	run(t, pipeline, "x", "x")
	run(t, pipeline, "x", "X")
	closes := newPipeline(t)
	must(t, closes.Add("closes", func(input []byte) ([]byte, error) { return input, closes.Close() }))
	must(t, closes.Add("upper", upper))
	run(t, closes, "x", "X")
	wantError(t, "closed", second(closes.Run(nil)), trip.ErrHandle)
}

func TestStagesAreForgottenWithTheirPipeline(t *testing.T) {
	var forgotten atomic.Int32
	pipeline := newPipeline(t)
	for range 10 {
		held := new([64]byte)
		runtime.SetFinalizer(held, func(*[64]byte) { forgotten.Add(1) })
		must(t, pipeline.Add("holds", func(input []byte) ([]byte, error) { return append(input, held[0]), nil }))
	}
	must(t, pipeline.Close())
	collectGarbage(t, func() bool { return forgotten.Load() == 10 })
}

func TestFunctionsThatWereNotTakenAreForgotten(t *testing.T) {
	var forgotten atomic.Int32
	held := func() *[64]byte {
		held := new([64]byte)
		runtime.SetFinalizer(held, func(*[64]byte) { forgotten.Add(1) })
		return held
	}
	pipeline, circuit := newPipeline(t), newCircuit(t, newTracker(t, trip.Config{}), "tenant", "provider")
	func() {
		stage, classifier := held(), held()
		wantError(t, "a long name", pipeline.Add(strings.Repeat("x", 256), func(input []byte) ([]byte, error) {
			return append(input, stage[0]), nil
		}), trip.ErrInvalid)
		classify := func(any, syscall.Errno) trip.Class { return trip.Class(classifier[0]) }
		config := trip.GuardConfig{Rule: trip.RuleClassifier, Classify: classify}
		wantError(t, "no signature", second(trip.NewFunctionGuard(circuit, libc.Abs, "", config)), trip.ErrInvalid)
	}()
	collectGarbage(t, func() bool { return forgotten.Load() == 2 })
}

func TestManyGoroutinesRunAPipeline(t *testing.T) {
	pipeline := newPipeline(t)
	for range 3 {
		must(t, pipeline.Add("same", same))
	}
	must(t, pipeline.Add("some fail", func(input []byte) ([]byte, error) {
		if input[0] == '7' {
			return nil, fmt.Errorf("%s", input)
		}
		return input, nil
	}))
	together(8, func(which int) {
		for i := range 200 {
			input := fmt.Sprint(i%10, " of ", which)
			output, err := pipeline.Run([]byte(input))
			if i%10 == 7 {
				var failed *trip.StageError
				if !errors.As(err, &failed) || failed.Err.Error() != input {
					t.Errorf("%s: %v", input, err)
				}
			} else if err != nil || string(output) != input {
				t.Errorf("%s: %q, %v", input, output, err)
			}
		}
	})
}
