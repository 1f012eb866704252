// These tests own what both SDKs promise together with a circuit, each in its own words: openai_test.go and
// anthropic_test.go say how each is called and what its provider answers.

package sdktest_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"libtrip.example/trip"
)

// An sdk is one of the two.
type sdk struct {
	answer   string   // of a call that brings all at once
	tokens   []string // the events of a stream that goes on
	lastly   string   // its last ones
	failed   string   // an event that says that the provider failed
	overload string   // the body of an error
	// asks makes a call with the client. Retries: those that the SDK makes by default. Middleware: StopRetries.
	asks func(p *provider, retries, middleware bool) error
	// opens makes a streaming call, and reads as many events as take says; all, where it is negative. It closes it
	// then.
	opens func(p *provider, take int) (events int, err error)
}

func ofBoth(t *testing.T, test func(*testing.T, sdk)) {
	t.Run("openai", func(t *testing.T) { test(t, openAI) })
	t.Run("anthropic", func(t *testing.T) { test(t, anthropicSDK) })
}

func TestACallThatIsAnsweredIsASuccess(t *testing.T) {
	ofBoth(t, func(t *testing.T, of sdk) {
		p := newProvider(t, trip.Config{}, says(200, of.answer))
		if err := of.asks(p, true, false); err != nil {
			t.Error(err)
		}
		p.want(1, 0, 0)
	})
}

func TestAStreamIsASuccessAtItsEnd(t *testing.T) {
	ofBoth(t, func(t *testing.T, of sdk) {
		p := newProvider(t, trip.Config{}, streams("ends", append(of.tokens, of.lastly)...))
		if events, err := of.opens(p, -1); err != nil || events < len(of.tokens) {
			t.Errorf("%d events, %v", events, err)
		}
		p.want(1, 0, 0)
	})
}

func TestAStreamThatIsCutMidwayIsOneFailure(t *testing.T) {
	ofBoth(t, func(t *testing.T, of sdk) {
		p := newProvider(t, trip.Config{}, streams("cuts", of.tokens...))
		if events, err := of.opens(p, -1); err == nil || events != len(of.tokens) {
			t.Errorf("%d events, %v", events, err)
		}
		p.want(0, 1, 0)
	})
}

func TestAStreamThatIsClosedEarlyIsOneCancel(t *testing.T) {
	ofBoth(t, func(t *testing.T, of sdk) {
		p := newProvider(t, trip.Config{}, streams("waits", of.tokens...))
		if events, err := of.opens(p, 1); err != nil || events != 1 {
			t.Errorf("%d events, %v", events, err)
		}
		p.want(0, 0, 1)
	})
}

func TestAnErrorInAStreamIsOneFailure(t *testing.T) {
	ofBoth(t, func(t *testing.T, of sdk) {
		p := newProvider(t, trip.Config{}, streams("waits", append(of.tokens, of.failed)...))
		if events, err := of.opens(p, -1); err == nil || events != len(of.tokens) {
			t.Errorf("%d events, %v", events, err)
		}
		p.want(0, 1, 0)
	})
}

func TestAnOverloadedProviderIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	ofBoth(t, func(t *testing.T, of sdk) {
		p := newProvider(t, trip.Config{FailureThreshold: 1}, says(529, of.overload, "Retry-After", "77"))
		if err := of.asks(p, false, false); err == nil || errors.Is(err, trip.ErrOpen) {
			t.Errorf("the first call: %v", err)
		}
		var open *trip.OpenError
		if err := of.asks(p, false, false); !errors.As(err, &open) || open.RetryAfter != 77*time.Second {
			t.Errorf("the second call: %v", err)
		}
		p.tracker.Advance(77*time.Second - time.Millisecond)
		if err := of.asks(p, false, false); !errors.Is(err, trip.ErrOpen) {
			t.Errorf("a call a millisecond too early: %v", err)
		}
		p.answer = says(200, of.answer)
		p.tracker.Advance(time.Millisecond)
		if err := of.asks(p, false, false); err != nil {
			t.Errorf("the call when it is over: %v", err)
		}
		p.want(1, 1, 0)
	})
}

func TestEachRetryOfTheSDKAsksForAPermitOfItsOwn(t *testing.T) {
	ofBoth(t, func(t *testing.T, of sdk) {
		p := newProvider(t, trip.Config{}, nil)
		p.answer = func(w http.ResponseWriter, request *http.Request) {
			if p.asked.Load() < 3 {
				says(529, of.overload, "Retry-After-Ms", "1")(w, request)
				return
			}
			says(200, of.answer)(w, request)
		}
		if err := of.asks(p, true, true); err != nil {
			t.Error(err)
		}
		p.want(1, 2, 0)
	})
}

// A circuit that opens ends the retries of all.
func TestTheSDKDoesNotRetryARefusalWithTheMiddleware(t *testing.T) {
	ofBoth(t, func(t *testing.T, of sdk) {
		p := newProvider(t, trip.Config{FailureThreshold: 1}, says(529, of.overload, "Retry-After-Ms", "1"))
		err := of.asks(p, true, true)
		var open *trip.OpenError
		if !errors.As(err, &open) {
			t.Errorf("the call ended with %v", err)
		}
		if info := p.inspect(); p.asked.Load() != 1 || info.Rejections != 1 {
			t.Errorf("asked %d times, inspected %+v", p.asked.Load(), info)
		}
	})
}

// What the middleware is for: the SDKs take a refusal for a lost connection.
func TestTheSDKRetriesARefusalWithoutTheMiddleware(t *testing.T) {
	ofBoth(t, func(t *testing.T, of sdk) {
		p := newProvider(t, trip.Config{FailureThreshold: 1}, says(529, of.overload, "Retry-After-Ms", "1"))
		if err := of.asks(p, true, false); !errors.Is(err, trip.ErrOpen) {
			t.Errorf("the call ended with %v", err)
		}
		if info := p.inspect(); p.asked.Load() != 1 || info.Rejections != 2 {
			t.Errorf("asked %d times, inspected %+v", p.asked.Load(), info)
		}
	})
}

func TestACallersMistakeDoesNotOpen(t *testing.T) {
	ofBoth(t, func(t *testing.T, of sdk) {
		p := newProvider(t, trip.Config{FailureThreshold: 1}, says(401, `{"error": {"type": "authentication_error"}}`))
		if err := of.asks(p, true, true); err == nil || errors.Is(err, trip.ErrOpen) {
			t.Errorf("the call ended with %v", err)
		}
		p.want(1, 0, 0)
	})
}
