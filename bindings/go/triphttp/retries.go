// This file owns how clients that retry by themselves are kept from retrying a refusal.

package triphttp

import (
	"errors"
	"net/http"

	"libtrip.example/trip"
)

// StopRetries is a middleware for the SDKs of OpenAI and Anthropic, for their option.WithMiddleware. These take an
// error of their HTTP client for a lost connection and try again, twice by default, with pauses of half a second and
// more; that a circuit refuses is no such thing, and the pauses would only keep the program from its other plans. With
// StopRetries the refusal is returned at once. All else they retry as they would, each attempt with a permit of its
// own.
func StopRetries(request *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	response, err := next(request)
	if response == nil && errors.Is(err, trip.ErrOpen) {
		// Both SDKs heed this header before they look at the error, which they return when they do not try again.
		response = &http.Response{
			Status:     "503 Service Unavailable",
			StatusCode: http.StatusServiceUnavailable,
			Proto:      "HTTP/1.1",
			ProtoMajor: 1,
			ProtoMinor: 1,
			Header:     http.Header{"X-Should-Retry": {"false"}},
			Body:       http.NoBody,
			Request:    request,
		}
	}
	return response, err
}
