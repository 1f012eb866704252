// This file owns the bodies of responses: what has been seen of one, when it is over, and how it ended. It hands on
// every byte and every error as it came.

package triphttp

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"libtrip.example/trip"
	"libtrip.example/trip/internal/admission"
)

// legible is how much of a body, or of an event, is judged: the library reads no more.
const legible = 64 << 10

// readAhead is the beginning of the body, which the caller still gets whole.
func readAhead(response *http.Response) []byte {
	body := response.Body
	head, err := io.ReadAll(io.LimitReader(body, legible))
	rest := io.Reader(body)
	if err != nil {
		rest = broken{err}
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), body}
	if isCompressed(response) {
		return nil
	}
	return head
}

// broken is what is left of a body that could not be read to its end.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func isCompressed(response *http.Response) bool {
	encoding := response.Header.Get("Content-Encoding")
	return encoding != "" && !strings.EqualFold(encoding, "identity")
}

// A body is that of a response from 200 to 299. Read is called by one goroutine at a time, Close by any at any time.
type body struct {
	io.ReadCloser
	call  *admission.Call
	ctx   context.Context
	judge func(text []byte) trip.CallOutcome

	seeing  sync.Mutex
	content content
	left    int64 // of a length that is known; negative: it is not
	isRead  bool  // some of it
}

// A content is what the bytes of a body make.
type content interface {
	// saw takes the next bytes. The text is to be judged where it speaks of an error.
	saw(piece []byte) (text []byte)
	// isWhole tells that nothing needs to follow.
	isWhole() bool
	// text is what is to be judged at the end.
	text() []byte
	// goesOn tells that it is a stream, which comes bit by bit.
	goesOn() bool
}

func (t *RoundTripper) watch(call *admission.Call, ctx context.Context, response *http.Response) io.ReadCloser {
	return &body{
		ReadCloser: response.Body,
		call:       call,
		ctx:        ctx,
		judge:      func(text []byte) trip.CallOutcome { return t.classify(response, text) },
		content:    contentOf(response),
		left:       response.ContentLength,
	}
}

func contentOf(response *http.Response) content {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	isEvents := kind == "text/event-stream"
	switch {
	case isCompressed(response):
		return illegible{isStream: isEvents || streams[kind]}
	case isEvents:
		return &events{}
	case streams[kind]:
		return illegible{isStream: true}
	}
	return &document{}
}

// streams are the types of what comes bit by bit, beside event streams.
var streams = map[string]bool{
	"application/x-ndjson": true, "application/ndjson": true, "application/jsonl": true, "application/x-jsonlines": true,
	"application/json-seq": true, "application/stream+json": true, "application/vnd.amazon.eventstream": true,
}

func (b *body) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if !b.call.HasEnded() {
		b.learn(into[:n], err)
	}
	return n, err
}

func (b *body) learn(piece []byte, err error) {
	b.seeing.Lock()
	defer b.seeing.Unlock()
	if len(piece) > 0 {
		b.see(piece)
	}
	isStream := b.content.goesOn()
	switch {
	case err == io.EOF, b.left == 0, isStream && b.content.isWhole():
		b.call.End(b.judge(b.content.text()))
	case err != nil:
		b.call.Fail(b.ctx, err)
	case isStream && len(piece) > 0:
		b.call.Progress()
	}
}

func (b *body) see(piece []byte) {
	b.isRead = true
	b.left = max(b.left-int64(len(piece)), min(b.left, 0))
	if suspect := b.content.saw(piece); suspect != nil {
		if outcome := b.judge(suspect); outcome.Class != trip.ClassSuccess {
			b.call.End(outcome)
		}
	}
}

// Close records a body of which the caller needs no more: it is whole, or the status was all that mattered. Any other
// is given up.
func (b *body) Close() error {
	if !b.call.HasEnded() {
		b.close()
	}
	return b.ReadCloser.Close()
}

func (b *body) close() {
	b.seeing.Lock()
	defer b.seeing.Unlock()
	over := b.ctx.Err()
	switch {
	case b.content.isWhole(), over == nil && !b.isRead && !b.content.goesOn():
		b.call.End(b.judge(b.content.text()))
	case over != nil:
		b.call.Fail(b.ctx, over)
	default:
		b.call.Cancel()
	}
}
