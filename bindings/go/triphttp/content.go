// This file owns what the bytes of a body make: a document, a stream of events, or something illegible. It
// reads no further than it must to tell whether they are whole and whether they speak of an error.

package triphttp

import "bytes"

// A document is told in one piece. It may be JSON, which is whole with its last bracket; should another value follow
// it is whole with that one's.
type document struct {
	head   []byte
	depth  int
	opened bool // a bracket was
	quoted bool // within a string
	masked bool // behind a backslash in it
	other  bool // it does not begin with a bracket
}

func (d *document) saw(piece []byte) []byte {
	d.head = append(d.head, piece[:min(len(piece), legible-len(d.head))]...)
	for _, char := range piece {
		if d.other {
			break
		}
		d.step(char)
	}
	return nil
}

func (d *document) step(char byte) {
	switch {
	case d.masked:
		d.masked = false
	case d.quoted:
		d.masked = char == '\\'
		d.quoted = char != '"'
	case char == '{' || char == '[':
		d.depth++
		d.opened = true
	case d.depth == 0:
		d.other = char != ' ' && char != '\t' && char != '\r' && char != '\n'
	case char == '"':
		d.quoted = true
	case char == '}' || char == ']':
		d.depth--
	}
}

func (d *document) isWhole() bool { return d.opened && d.depth == 0 && !d.other }
func (d *document) text() []byte  { return d.head }
func (d *document) goesOn() bool  { return false }

// Events are a stream of server-sent events.
type events struct {
	event     []byte // as much of the present one as is judged
	line      []byte // likewise, of the present line
	isTooLong bool   // the event is: it is nobody's error
	isOver    bool
}

// lastEvents are those after which the streams of Anthropic and of OpenAI's responses bring nothing more. That of
// OpenAI's chat completions has no name but its data.
var lastEvents = map[string]bool{
	"event:message_stop": true, "event:response.completed": true, "event:response.incomplete": true,
	"data:[DONE]": true,
}

// saw returns the first event that speaks of an error: what follows it is of no interest.
func (e *events) saw(piece []byte) (suspect []byte) {
	for len(piece) > 0 {
		end := bytes.IndexByte(piece, '\n')
		if end < 0 {
			e.take(piece)
			break
		}
		e.take(piece[:end])
		piece = piece[end+1:]
		if event := e.endLine(); event != nil && suspect == nil {
			suspect = event
		}
	}
	return suspect
}

func (e *events) take(piece []byte) {
	room := legible - len(e.event) - len(e.line)
	e.isTooLong = e.isTooLong || len(piece) > room
	e.line = append(e.line, piece[:min(len(piece), max(room, 0))]...)
}

// endLine returns an event that has ended and speaks of an error.
func (e *events) endLine() (suspect []byte) {
	line := bytes.TrimSuffix(e.line, []byte("\r"))
	e.line = e.line[:0]
	if len(line) > 0 {
		e.isOver = e.isOver || isLast(line)
		e.event = append(append(e.event, line...), '\n')
		return nil
	}
	if !e.isTooLong && bytes.Contains(e.event, []byte("error")) {
		suspect = append(bytes.Clone(e.event), '\n')
	}
	e.event, e.isTooLong = e.event[:0], false
	return suspect
}

// isLast compares a line with and without the space that may be left out behind its colon.
func isLast(line []byte) bool {
	if len(line) > len("event: response.incomplete") {
		return false
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	return lastEvents[string(name)+":"+string(bytes.TrimPrefix(value, []byte(" ")))]
}

func (e *events) isWhole() bool { return e.isOver }
func (e *events) text() []byte  { return nil }
func (e *events) goesOn() bool  { return true }

// Illegible is what nothing is known of but its end.
type illegible struct{ isStream bool }

func (illegible) saw([]byte) []byte { return nil }
func (illegible) isWhole() bool     { return false }
func (illegible) text() []byte      { return nil }
func (i illegible) goesOn() bool    { return i.isStream }
