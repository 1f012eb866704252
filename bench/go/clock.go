// This file owns the measuring: the time of a run on one thread or two, and resident memory.

package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const firstCalls = 64

// clock returns the nanoseconds of a call, from the first thread's start to the last one's end, and how many calls went
// wrong. No thread starts before all are awake and have made their first calls.
func clock(runs []run, calls int) (ns float64, wrong int) {
	var waiting atomic.Int32
	var done sync.WaitGroup
	starts, ends, wrongs := make([]time.Time, len(runs)), make([]time.Time, len(runs)), make([]int, len(runs))
	lane := func(i int) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		wrongs[i] = runs[i](firstCalls)
		for waiting.Add(-1); waiting.Load() > 0; {
			runtime.Gosched()
		}
		starts[i] = time.Now()
		wrongs[i] += runs[i](calls)
		ends[i] = time.Now()
		done.Done()
	}
	runtime.GC() // nobody pays for what another has left behind
	waiting.Store(int32(len(runs)))
	done.Add(len(runs))
	for i := range runs {
		go lane(i)
	}
	done.Wait()
	start, end := starts[0], ends[0]
	for i := range runs {
		wrong += wrongs[i]
		if starts[i].Before(start) {
			start = starts[i]
		}
		if ends[i].After(end) {
			end = ends[i]
		}
	}
	return float64(end.Sub(start).Nanoseconds()) / float64(calls), wrong
}

// repeat is a run of calls, each of which says whether it was answered as it should be.
func repeat(call func() bool) run {
	return func(calls int) int {
		wrong := 0
		for range calls {
			if !call() {
				wrong++
			}
		}
		return wrong
	}
}

func weigh(fill func(int) any, circuits int) float64 {
	before := residentBytes()
	kept := fill(circuits)
	debug.FreeOSMemory()
	after := residentBytes()
	runtime.KeepAlive(kept)
	return (after - before) / float64(circuits)
}

func residentBytes() float64 {
	status, err := os.ReadFile("/proc/self/status")
	must(err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kilobytes float64
	_, err = fmt.Sscan(rest, &kilobytes)
	must(err)
	return kilobytes * 1024
}
