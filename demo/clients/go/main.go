// The Go client of the demo: net/http, with or without libtrip.
//
//	client SCENARIO SIDE OPENAI_URL ANTHROPIC_URL
//
// It prints "ready", reads the start of the replay (Unix time in nanoseconds) as one line, makes its calls when their
// time has come, and prints a JSON line about each.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"libtrip.example/trip"
)

const language = "go"

type scenario struct {
	TimeoutUs int64 `json:"timeout_us"`
	Circuit   struct {
		FailureThreshold  uint32  `json:"failure_threshold"`
		InitialOpenUs     int64   `json:"initial_open_us"`
		MaxOpenUs         int64   `json:"max_open_us"`
		BackoffMultiplier float64 `json:"backoff_multiplier"`
	} `json:"circuit"`
	Lanes []lane `json:"lanes"`
}

// A lane is one caller: what it sends, and when.
type lane struct {
	Language string    `json:"language"`
	Tenant   string    `json:"tenant"`
	Provider string    `json:"provider"`
	Path     string    `json:"path"`
	Requests []request `json:"requests"`
	AtUs     []int64   `json:"at_us"`
}

// A request is what a lane sends from some time on.
type request struct {
	FromUs  int64             `json:"from_us"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// A record is what is told about one call. Times are microseconds of the replay.
type record struct {
	Side         string  `json:"side"`
	Language     string  `json:"language"`
	Tenant       string  `json:"tenant"`
	Provider     string  `json:"provider"`
	Call         string  `json:"call"`
	IntendedUs   int64   `json:"intended_us"`
	AskedUs      int64   `json:"asked_us"`
	SentUs       *int64  `json:"sent_us,omitempty"`
	EndUs        int64   `json:"end_us"`
	Outcome      string  `json:"outcome"`
	Status       int     `json:"status,omitempty"`
	Probe        bool    `json:"probe"`
	State        *string `json:"state"`
	RetryAfterUs *int64  `json:"retry_after_us,omitempty"`
	Class        string  `json:"class,omitempty"`
	AskedWaitUs  int64   `json:"asked_wait_us,omitempty"`
}

// A client makes the calls of one side.
type client struct {
	side  string
	http  *http.Client
	urls  map[string]string
	start time.Time
	print sync.Mutex
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 5 {
		log.Fatal("usage: client SCENARIO SIDE OPENAI_URL ANTHROPIC_URL")
	}
	script, err := read(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	tracker, err := trip.NewTracker(trip.Config{
		FailureThreshold:  script.Circuit.FailureThreshold,
		InitialOpen:       micros(script.Circuit.InitialOpenUs),
		MaxOpen:           micros(script.Circuit.MaxOpenUs),
		BackoffMultiplier: script.Circuit.BackoffMultiplier,
		Backoff:           trip.BackoffCompound,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer tracker.Close()

	fmt.Println("ready")
	var startUnix int64
	if _, err := fmt.Scanln(&startUnix); err != nil {
		log.Fatal(err)
	}
	caller := &client{
		side: os.Args[2],
		http: newHTTP(micros(script.TimeoutUs)),
		urls: map[string]string{"openai": os.Args[3], "anthropic": os.Args[4]},
		// From here on the monotonic clock counts.
		start: time.Now().Add(time.Until(time.Unix(0, startUnix))),
	}
	caller.makeAll(script.Lanes, tracker)
}

func read(path string) (*scenario, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	script := new(scenario)
	return script, json.Unmarshal(text, script)
}

// The stand-ins are on this machine, so no proxy is asked. The bounds suffice for every call that can hang at once.
func newHTTP(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:   timeout,
		Transport: &http.Transport{MaxConnsPerHost: 128, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute},
	}
}

func (c *client) makeAll(lanes []lane, tracker *trip.Tracker) {
	var calls sync.WaitGroup
	for i := range lanes {
		if lanes[i].Language == language {
			calls.Add(1)
			go func() {
				defer calls.Done()
				c.makeCalls(&lanes[i], tracker, &calls)
			}()
		}
	}
	calls.Wait()
}

// makeCalls begins each call at its time, whatever became of the one before.
func (c *client) makeCalls(caller *lane, tracker *trip.Tracker, calls *sync.WaitGroup) {
	var circuit *trip.Circuit
	if c.side == "with" {
		var err error
		if circuit, err = tracker.Circuit(caller.Tenant, caller.Provider); err != nil {
			log.Fatal(err)
		}
	}
	for place, at := range caller.AtUs {
		sleepUntil(c.start.Add(micros(at)))
		calls.Add(1)
		go func() {
			defer calls.Done()
			c.makeOne(caller, circuit, place, at)
		}()
	}
}

func (c *client) makeOne(caller *lane, circuit *trip.Circuit, place int, intended int64) {
	call := &record{
		Side: c.side, Language: language, Tenant: caller.Tenant, Provider: caller.Provider,
		Call:       fmt.Sprintf("%s/%s/%s/%d", language, caller.Tenant, caller.Provider, place),
		IntendedUs: intended, AskedUs: c.now(),
	}
	if circuit == nil {
		c.unguarded(caller, call)
		call.EndUs = c.now()
	} else {
		c.guarded(caller, circuit, call)
		call.EndUs = c.now()
		info, err := circuit.Inspect()
		if err != nil {
			log.Fatal(err)
		}
		state := info.State.String()
		call.State = &state
	}
	c.tell(call)
}

func (c *client) guarded(caller *lane, circuit *trip.Circuit, call *record) {
	permit, err := circuit.Permit()
	var refusal *trip.OpenError
	if errors.As(err, &refusal) {
		retryAfter := refusal.RetryAfter.Microseconds()
		call.Outcome, call.RetryAfterUs = "refused", &retryAfter
		return
	}
	if err != nil {
		log.Fatal(err) // a program would make the call unguarded; a demo had better be seen to fail
	}
	info, err := permit.Inspect() // stale when the circuit has moved on already, which it does not with a probe out
	call.Probe = err == nil && info.IsProbe
	learned := classify(c.unguarded(caller, call))
	call.Class = strings.ReplaceAll(learned.Class.String(), " ", "-")
	call.AskedWaitUs = learned.RetryAfter.Microseconds()
	if err := permit.Record(learned); err != nil && !errors.Is(err, trip.ErrStale) {
		log.Fatal(err) // stale is no error: the circuit has moved on meanwhile
	}
}

func (c *client) unguarded(caller *lane, call *record) (*answer, error) {
	sent := c.now()
	call.SentUs = &sent
	got, err := c.send(caller, call)
	if err == nil {
		call.Status = got.status
	}
	call.Outcome = outcome(got, err)
	return got, err
}

// send makes one call to the provider and reads the whole answer.
func (c *client) send(caller *lane, call *record) (*answer, error) {
	sent := caller.requestAt(call.IntendedUs)
	request, err := http.NewRequest(http.MethodPost, c.urls[caller.Provider]+caller.Path, strings.NewReader(sent.Body))
	if err != nil {
		return nil, err
	}
	for name, value := range sent.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("x-client-request-id", call.Call)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return &answer{response.StatusCode, response.Header, body}, nil
}

func (l *lane) requestAt(us int64) *request {
	last := len(l.Requests) - 1
	for l.Requests[last].FromUs > us {
		last--
	}
	return &l.Requests[last]
}

func (c *client) tell(call *record) {
	line, err := json.Marshal(call)
	if err != nil {
		log.Fatal(err)
	}
	c.print.Lock()
	defer c.print.Unlock()
	fmt.Println(string(line))
}

func (c *client) now() int64 {
	return time.Since(c.start).Microseconds()
}

// sleepUntil asks the kernel, because the runtime's timers are up to a millisecond late, which callers would seem to
// wait.
func sleepUntil(at time.Time) {
	for left := time.Until(at); left > 0; left = time.Until(at) {
		pause := syscall.NsecToTimespec(left.Nanoseconds())
		_ = syscall.Nanosleep(&pause, nil) // interrupted, it is called again
	}
}

func micros(us int64) time.Duration {
	return time.Duration(us) * time.Microsecond
}
