package triphttp_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"libtrip.example/trip"
	"libtrip.example/trip/triphttp"
)

func Example() {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(529)
	}))
	defer provider.Close()

	tracker, err := trip.NewTracker(trip.Config{FailureThreshold: 1, Clock: trip.ClockManual})
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: triphttp.NewRoundTripper(tracker, nil)}
	for range 2 {
		response, err := client.Get(provider.URL)
		var open *trip.OpenError
		switch {
		case errors.As(err, &open):
			fmt.Println("nobody was asked; retry in", open.RetryAfter)
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(response.StatusCode)
			response.Body.Close()
		}
	}
	// Output:
	// 529
	// nobody was asked; retry in 30s
}

// Whose request it is stands in its context, and two hosts are one provider.
func ExampleNewRoundTripper() {
	type tenantKey struct{}
	tracker, _ := trip.NewTracker(trip.Config{})
	defer tracker.Close()
	client := &http.Client{Transport: triphttp.NewRoundTripper(tracker, http.DefaultTransport,
		triphttp.WithTenant(func(request *http.Request) string {
			tenant, _ := request.Context().Value(tenantKey{}).(string)
			return tenant
		}),
		triphttp.WithProvider(func(*http.Request) string { return "openai" }))}

	circuit, _ := tracker.Circuit("", "openai")
	circuit.SetMode(trip.ModeForcedOpen, 0, "the bill is due")
	_, err := client.Get("http://eu.example.com/v1/models")
	fmt.Println(errors.Is(err, trip.ErrForced))
	// Output: true
}
