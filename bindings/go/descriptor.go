// This file owns waiting for a descriptor: the runtime's poller watches it, so that a goroutine which waits costs no
// thread. It reads nothing from it.

package trip

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// A descriptor is one of our own, which becomes readable when there is something to do.
type descriptor struct {
	file *os.File
	poll syscall.RawConn
}

// ownDescriptor makes a descriptor of a number that is nobody else's.
func ownDescriptor(number uintptr, name string) (descriptor, error) {
	file := os.NewFile(number, name)
	poll, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return descriptor{}, fmt.Errorf("%w: %w", ErrSystem, err)
	}
	return descriptor{file: file, poll: poll}, nil
}

// wait asks isOver until that is true: now, and whenever the descriptor has become readable. The poller tells of each
// time it does so once, and not of what was before: that isOver has to see for itself.
func (d descriptor) wait(isOver func(number uintptr) bool) error { return d.poll.Read(isOver) }

// interrupt ends the waiting, and each that comes after it, with [os.ErrDeadlineExceeded].
func (d descriptor) interrupt() {
	d.file.SetReadDeadline(time.Unix(1, 0)) // it fails where there is nothing left to interrupt
}

func (d descriptor) close() { d.file.Close() }
