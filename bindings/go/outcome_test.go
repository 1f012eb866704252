// These tests own classification and hints as Go sees them: its types, and what is no text. What is told is the
// contract's.

package trip_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"libtrip.example/trip"
)

var readOn = time.Date(2026, time.November, 21, 18, 4, 13, 0, time.UTC)

func TestAResponseTellsClassStatusAndWait(t *testing.T) {
	body := `{"error": {"message": "Please try again in 20s.", "code": "rate_limit_exceeded"}}`
	want := trip.CallOutcome{Class: trip.ClassRateLimited, HTTPStatus: 429, RetryAfter: 20 * time.Second}
	if got := trip.ClassifyHTTP(429, []byte(body)); got != want {
		t.Errorf("%+v, expected %+v", got, want)
	}
	if got := trip.ClassifyHTTP(504, nil); got != (trip.CallOutcome{Class: trip.ClassTimeout, HTTPStatus: 504}) {
		t.Errorf("without a body: %+v", got)
	}
}

func TestAnErrorOfTheSystemIsClassifiedByItsErrno(t *testing.T) {
	want := trip.CallOutcome{Class: trip.ClassNetwork, Errno: int(syscall.ECONNREFUSED)}
	if got := trip.ClassifyErrno(int(syscall.ECONNREFUSED)); got != want {
		t.Errorf("%+v, expected %+v", got, want)
	}
}

func TestNumbersThatTheLibraryCannotHoldAreUnknown(t *testing.T) {
	for _, number := range []int{-1, math.MaxInt, math.MinInt} {
		if got := trip.ClassifyHTTP(number, nil); got.Class != trip.ClassUnknown {
			t.Errorf("status %d: %+v", number, got)
		}
		if got := trip.ClassifyErrno(number); got.Class != trip.ClassUnknown || got.Errno != number {
			t.Errorf("errno %d: %+v", number, got)
		}
	}
}

func TestAnyBytesAreRead(t *testing.T) {
	quota := "{\"error\":{\"message\":\"\xff\xfe\",\"code\":\"insufficient_quota\"}}\x00\x00"
	if got := trip.ClassifyHTTP(429, []byte(quota)); got.Class != trip.ClassQuota {
		t.Errorf("%+v", got)
	}
	for _, body := range [][]byte{{}, {0}, {0xff}, bytes.Repeat([]byte("["), 10_000_000), make([]byte, 10_000_000)} {
		if got := trip.ClassifyHTTP(429, body); got.Class != trip.ClassRateLimited {
			t.Errorf("%d bytes: %+v", len(body), got)
		}
		if got := trip.ClassifyText(string(body)); got.Class != trip.ClassUnknown {
			t.Errorf("%d bytes of text: %+v", len(body), got)
		}
	}
}

func TestClassesReadWell(t *testing.T) {
	got := fmt.Sprint(trip.ClassSuccess, trip.ClassContextOverflow, trip.ClassUnknown, trip.Class(math.MaxUint32))
	if got != "success context overflow unknown class 4294967295" {
		t.Error(got)
	}
}

func TestAHintIsAWaitOrNothingOrRefused(t *testing.T) {
	for _, hint := range []struct {
		name, value string
		wait        time.Duration
		err         error
	}{
		{"retry-after-ms", "1500", 1500 * time.Millisecond, nil},
		{"Retry-After", "0", 0, nil},
		{"Retry-After", "Sat, 21 Nov 2026 18:04:14 GMT", time.Second, nil},
		{"", "Please try again in 6m0s.", 6 * time.Minute, nil},
		{"", "Please try again later.", 0, trip.ErrNoHint},
		{"Date", "5", 0, trip.ErrNoHint},
		{"Retry-After", "", 0, trip.ErrInvalid},
		{"Retry-After", "Infinity", 0, trip.ErrInvalid},
		{"Retry-After", "-1", 0, trip.ErrInvalid},
		{"Retry-After", "1e99", 0, trip.ErrInvalid},
		{"Retry-After", "5\x00", 0, trip.ErrInvalid},
		{"Retry-After", "\xff", 0, trip.ErrInvalid},
		{"Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT", 0, trip.ErrInvalid},
		{strings.Repeat("x", 256), "5", 0, trip.ErrInvalid},
	} {
		wait, err := trip.ParseRetryHint(hint.name, hint.value, readOn)
		if wait != hint.wait || !errors.Is(err, hint.err) {
			t.Errorf("%.20s: %s: %v, %v", hint.name, hint.value, wait, err)
		}
	}
}

func TestAClockThatIsOutOfRangeFindsEveryDateAbsurd(t *testing.T) {
	for _, now := range []time.Time{{}, time.Unix(-1, 0), time.Unix(math.MaxInt64, 0), readOn.AddDate(1000, 0, 0)} {
		wait, err := trip.ParseRetryHint("Retry-After", "Sat, 21 Nov 2026 18:04:14 GMT", now)
		if !errors.Is(err, trip.ErrInvalid) {
			t.Errorf("%v: %v, %v", now, wait, err)
		}
		if wait, err := trip.ParseRetryHint("Retry-After", "5", now); wait != 5*time.Second || err != nil {
			t.Errorf("%v: %v, %v", now, wait, err)
		}
	}
}

func ExampleClassifyHTTP() {
	outcome := trip.ClassifyHTTP(400, []byte(`{"error": {"message": "max_tokens must be <= 500"}}`))
	fmt.Println(outcome.Class)
	// Output: invalid request
}

func ExampleParseRetryHint() {
	wait, err := trip.ParseRetryHint("x-ratelimit-reset-tokens", "6m0s", time.Now())
	fmt.Println(wait, err)
	// Output: 6m0s <nil>
}
