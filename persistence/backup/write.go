package backup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/mtfleet/mtfleet/persistence"
)

// Options says how a backup is written.
type Options struct {
	Recipients []age.Recipient // one at least; any of them can read it
	Program    string          // version of this program
	Now        time.Time
}

// Report says what a backup holds.
type Report struct {
	Header
	Holds persistence.Tally
	Lost  []Lost // records that the store could not read
	Bytes int64  // of the file; 0 from Open
}

// leftOut tells whether records of a kind stay out; see the package's comment.
func leftOut(kind persistence.Kind) bool {
	return kind == persistence.KindTempKey || kind == persistence.KindSession
}

// Write writes a backup of an open store as it is now. It blocks until all is
// handed to w; commits go on meanwhile. A record that the store cannot read is
// named in the backup and in the report, and the rest is there. After an error
// what was written is of no use. The error is w's, the store's, or that of ctx.
func Write(ctx context.Context, w io.Writer, store persistence.Snapshotter, o Options) (*Report, error) {
	if len(o.Recipients) == 0 {
		return nil, &KeyError{"the backup", "it has no recipients: nobody could read it"}
	}
	to := &counted{to: w}
	sealed, err := age.Encrypt(to, o.Recipients...)
	if err != nil {
		return nil, fmt.Errorf("persistence: encrypt the backup: %w", err)
	}
	r := &Report{Header: Header{Format: format, Created: o.Now.UTC().Truncate(time.Second), Program: o.Program,
		LeftOut: []string{persistence.KindTempKey.String(), persistence.KindSession.String()}}}
	buffered := bufio.NewWriterSize(sealed, 64<<10)
	out, err := newWriter(buffered)
	if err != nil {
		return nil, err
	}
	err = store.Snapshot(ctx, func(m persistence.Moment) error {
		r.Store, r.Commit, r.Epoch = m.Store, m.Commit, m.Epoch
		return out.json(frameHeader, r.Header)
	}, func(rec persistence.Record, bad error) error {
		switch {
		case leftOut(rec.Kind):
			return nil
		case bad != nil:
			l := lost(rec.Key, bad)
			r.Lost = append(r.Lost, l)
			return out.json(frameUnreadable, l)
		}
		r.Holds.Add(rec.Key)
		return out.record(rec)
	})
	if err != nil {
		return nil, err
	}
	if err := out.end(r.Holds, len(r.Lost)); err != nil {
		return nil, err
	}
	if err := buffered.Flush(); err != nil {
		return nil, err
	}
	if err := sealed.Close(); err != nil {
		return nil, err
	}
	r.Bytes = to.n
	return r, nil
}

// counted counts what is written.
type counted struct {
	to io.Writer
	n  int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}

func lost(k persistence.Key, bad error) Lost {
	l := Lost{Account: k.Account, Record: k.Kind.String(), Why: strings.TrimPrefix(bad.Error(), "persistence: ")}
	if k.Sub != "" {
		l.Record += fmt.Sprintf(" %q", k.Sub)
	}
	var corrupt *persistence.CorruptError
	if errors.As(bad, &corrupt) {
		l.Why = corrupt.Why
	}
	return l
}

// ParseRecipients reads age public keys: age1... or age1pq1.... The error is a
// *KeyError.
func ParseRecipients(texts []string) (list []age.Recipient, err error) {
	for i, text := range texts {
		what := fmt.Sprintf("recipient %d", i+1)
		if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(text)), "AGE-SECRET-KEY-") {
			return nil, &KeyError{what, "it is an identity, which is secret: give its public key, age1..., and make a new identity if others can see this one"}
		}
		one, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(one) != 1 {
			return nil, &KeyError{what, "it is no public key of age, as `age-keygen` prints them: age1..."}
		}
		list = append(list, one[0])
	}
	return list, nil
}

// maxIdentities is the most that is read of a file of identities: a line is 75 bytes.
const maxIdentities = 1 << 20

// ParseIdentities reads a file of age identities, as age-keygen writes them. The
// name is for the error, which is a *KeyError.
func ParseIdentities(r io.Reader, name string) ([]age.Identity, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxIdentities))
	if err != nil {
		return nil, &KeyError{name, "it cannot be read: " + err.Error()}
	}
	list, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil && bytes.HasPrefix(bytes.TrimSpace(text), []byte("age1")) {
		return nil, &KeyError{name, "it has a public key, to which backups are encrypted: what opens them is its identity, AGE-SECRET-KEY-1..., in the file that `age-keygen` wrote"}
	}
	if err != nil {
		return nil, &KeyError{name, "it is no file of age identities, as `age-keygen` writes them: " + err.Error()}
	}
	return list, nil
}
