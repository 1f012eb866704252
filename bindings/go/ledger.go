// This file owns the counts of express lanes: what a lane admits and what becomes of it is counted by each P for itself
// and told to the library in batches. At rest the counts are exact, whoever made them.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A kind is what a lane counts. Calls of Execute are counted when they end: to count each twice, so that those in
// progress were told too, would make them half as dear again.
type kind uint

const (
	executions  kind = iota // calls of Execute that ended well without a call into the library
	grants                  // permits that the program was given
	successes               // of these, those that ended well without a call into the library
	settlements             // of these, those that the library was told about, and has counted whole
	kinds
)

// A stripe has the counts of one P. A goroutine that is pinned has its P for itself and counts with plain stores: an
// atomic one would cost as much as the rest of the lane. Others read stripes at any time, which is sound because the
// counts are of the machine's word: none is ever seen half written. They may wrap around: only differences matter.
// Two stripes share no pair of cache lines, which processors fetch together.
type stripe struct {
	counts [kinds]uintptr
	_      [128 - unsafe.Sizeof([kinds]uintptr{})]byte
}

// A ledger has the counts of all lanes that a circuit has here, whichever Circuits they belong to.
type ledger struct {
	circuit uint64
	stripes []stripe // of the Ps there were when it was opened
	late    stripe   // of all others: its additions are atomic
	lanes   int      // guarded by ledgers

	telling sync.Mutex
	told    uintptr // how many calls that ended well the library knows
}

// tellEvery so many of a kind on a P the library is told, so that other languages see how the circuit fares.
const tellEvery = 1024

// count counts one of a kind.
func (l *lane) count(of kind) {
	isBatch := l.add(pin(), of)
	unpin()
	if isBatch {
		l.ledger.tellSome()
	}
}

// add counts one of a kind on the P that the goroutine is pinned to, and tells whether that completes a batch.
func (l *lane) add(p int, of kind) (isBatch bool) {
	if uint(p) >= uint(len(l.stripes)) {
		return l.ledger.addLate(of)
	}
	stripe := &l.stripes[p]
	n := stripe.counts[of%kinds] + 1
	stripe.counts[of%kinds] = n
	return n%tellEvery == 0
}

func (l *ledger) addLate(of kind) (isBatch bool) {
	return atomic.AddUintptr(&l.late.counts[of%kinds], 1)%tellEvery == 0
}

// sum is how many of a kind were counted.
func (l *ledger) sum(of kind) uintptr {
	sum := atomic.LoadUintptr(&l.late.counts[of%kinds])
	for p := range l.stripes {
		sum += atomic.LoadUintptr(&l.stripes[p].counts[of%kinds])
	}
	return sum
}

// tell tells the library what it does not know yet. Who calls it has locked telling. A circuit that is no more counts
// nothing.
func (l *ledger) tell() {
	ended := l.sum(executions) + l.sum(successes)
	if news := C.uint64_t(ended - l.told); news > 0 {
		C.trip_circuit_count(C.trip_circuit(l.circuit), news, news)
	}
	l.told = ended
}

// tellSome tells the library unless somebody else is doing so.
func (l *ledger) tellSome() {
	if l.telling.TryLock() {
		defer l.telling.Unlock()
		l.tell()
	}
}

// permitsOut is how many permits have been given to the program and are not settled. What is settled is read first, so
// that its grant is seen as well.
func (l *ledger) permitsOut() uint64 {
	settled := l.sum(successes) + l.sum(settlements)
	return uint64(l.sum(grants) - settled)
}

// ledgers has the ledger of each circuit with a lane.
var ledgers = struct {
	sync.Mutex
	of map[uint64]*ledger // by its handle
}{of: make(map[uint64]*ledger)}

// openLedger is the circuit's ledger, for one more lane.
func openLedger(circuit uint64) *ledger {
	ledgers.Lock()
	defer ledgers.Unlock()
	l := ledgers.of[circuit]
	if l == nil {
		l = &ledger{circuit: circuit, stripes: make([]stripe, runtime.GOMAXPROCS(0))}
		ledgers.of[circuit] = l
	}
	l.lanes++
	return l
}

func ledgerOf(circuit uint64) *ledger {
	ledgers.Lock()
	defer ledgers.Unlock()
	return ledgers.of[circuit]
}

// close is for a lane that has become garbage. With the last one goes the ledger.
func (l *ledger) close() {
	ledgers.Lock()
	defer ledgers.Unlock()
	if l.lanes--; l.lanes > 0 {
		return
	}
	l.balance()
	delete(ledgers.of, l.circuit)
}

// balance tells the library everything and returns how many permits of lanes are out.
func (l *ledger) balance() (out uint64) {
	l.telling.Lock()
	defer l.telling.Unlock()
	l.tell()
	return l.permitsOut()
}

// balance is that of the circuit's ledger, if it has one.
func balance(circuit uint64) (out uint64) {
	if l := ledgerOf(circuit); l != nil {
		return l.balance()
	}
	return 0
}

// balanceAll tells the library everything of all circuits: who asks for a whole tracker does not know which have lanes.
func balanceAll() {
	ledgers.Lock()
	all := make([]*ledger, 0, len(ledgers.of))
	for _, l := range ledgers.of {
		all = append(all, l)
	}
	ledgers.Unlock()
	for _, l := range all {
		l.balance()
	}
}
