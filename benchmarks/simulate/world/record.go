package world

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"time"
)

// maxTimeline bounds the lines kept of a run: the last 4,000, some 400 KB. A
// complaint is explained by what came shortly before it.
const maxTimeline = 4000

// recorder keeps what happened: everything as a hash, what a person wants to
// read as lines.
type recorder struct {
	now   func() time.Time
	begun time.Time
	hash  hash.Hash
	lines []string
	first int // where the ring begins once it is full
	count Counts
	trace func(Note) // nil: nobody
	hold  func(line string)
}

// Note is one thing in a run's hash: a packet, a record, an event, a line.
type Note struct {
	Kind byte
	At   time.Duration // since the beginning
	ID   uint64        // of the connection, the commit, the life
	Data []byte
}

// String shows a note without its data, which may be long and hold keys.
func (n Note) String() string {
	return fmt.Sprintf("%c %v %d: %d bytes, %x", n.Kind, n.At, n.ID, len(n.Data), sha256.Sum256(n.Data))
}

// Counts is how much happened in a run.
type Counts struct {
	Packets, Commits, Events      int
	Calls, Faults, Crashes, Dials int
	Restarts                      int
	Splits                        int        // of several nodes, or what might have split them
	Failovers, Lost               int        // of the database, and records whose last change that cost
	Gusts                         int        // that came, or would have: see Options.Only
	Updates, Holes                int        // heard
	Judged                        int        // updates that the audit looked for
	Returns                       int        // how often somebody came back to a channel
	SignIns                       [modes]int // by the way they were begun
	Hurt                          [hurts]int // what happened to one account alone
	Keys, Binds                   int        // that the DCs made, and saw bound
	MediaKeys, MediaCalls         int        // of the keys those for media, and the calls that went by connections for it
}

// Ways names how sign-ins began that succeeded, and how often.
func (n Counts) Ways() string {
	var list []string
	for by, times := range n.SignIns {
		list = append(list, fmt.Sprintf("%d by %s", times, modeNames[by]))
	}
	return strings.Join(list, ", ")
}

// Add adds the counts of another run.
func (n *Counts) Add(o Counts) {
	n.Packets += o.Packets
	n.Commits += o.Commits
	n.Events += o.Events
	n.Calls += o.Calls
	n.Faults += o.Faults
	n.Crashes += o.Crashes
	n.Dials += o.Dials
	n.Restarts += o.Restarts
	n.Splits += o.Splits
	n.Failovers += o.Failovers
	n.Lost += o.Lost
	n.Gusts += o.Gusts
	n.Updates += o.Updates
	n.Holes += o.Holes
	n.Judged += o.Judged
	n.Returns += o.Returns
	for how, times := range o.Hurt {
		n.Hurt[how] += times
	}
	for by, times := range o.SignIns {
		n.SignIns[by] += times
	}
	n.Keys += o.Keys
	n.Binds += o.Binds
	n.MediaKeys += o.MediaKeys
	n.MediaCalls += o.MediaCalls
}

func newRecorder(now func() time.Time) *recorder {
	return &recorder{now: now, begun: now(), hash: sha256.New()}
}

// kinds of what goes into the hash.
const (
	noteUp     = 'u' // a packet from a client
	noteDown   = 'd' // a packet to a client
	noteCode   = 'c' // a transport error
	notePut    = 'p' // a record written
	noteDelete = 'x' // a record deleted
	noteEvent  = 'e'
	noteLine   = 'l'
)

// note adds one thing to the hash.
func (r *recorder) note(kind byte, id uint64, data ...[]byte) {
	var head [25]byte
	head[0] = kind
	binary.LittleEndian.PutUint64(head[1:], uint64(r.now().Sub(r.begun)))
	binary.LittleEndian.PutUint64(head[9:], id)
	n := 0
	for _, d := range data {
		n += len(d)
	}
	binary.LittleEndian.PutUint64(head[17:], uint64(n))
	r.hash.Write(head[:])
	for _, d := range data {
		r.hash.Write(d)
	}
	if r.trace != nil {
		r.trace(Note{kind, r.now().Sub(r.begun), id, bytes.Join(data, nil)})
	}
}

// line adds one line to the timeline, and to the hash.
func (r *recorder) line(format string, args ...any) {
	text := fmt.Sprintf("%14v  ", r.now().Sub(r.begun).Truncate(time.Microsecond)) + fmt.Sprintf(format, args...)
	r.note(noteLine, 0, []byte(text))
	if r.hold != nil {
		r.hold(text)
	}
	if len(r.lines) < maxTimeline {
		r.lines = append(r.lines, text)
		return
	}
	r.lines[r.first] = text
	r.first = (r.first + 1) % maxTimeline
}

func (r *recorder) timeline() []string {
	return append(append([]string{}, r.lines[r.first:]...), r.lines[:r.first]...)
}

func (r *recorder) sum() string { return hex.EncodeToString(r.hash.Sum(nil)) }
