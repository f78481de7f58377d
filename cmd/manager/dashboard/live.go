package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/a-h/templ"
)

const (
	// beat is how often a stream looks for something new, and the least between two
	// things that it tells.
	beat = time.Second
	// silence is how long a stream tells nothing, before it shows that it is there.
	silence = 15 * time.Second
	// writeLimit is how long a browser may take to read what it was told.
	writeLimit = 10 * time.Second
)

// part is a piece of a page that is shown anew when it changes. What changes with time
// alone, as ages do, is written by the browser.
type part struct {
	id   string
	body templ.Component
}

// text is the part as HTML, and its version: a digest of it.
func (p part) text(ctx context.Context) (html, version string, err error) {
	var b bytes.Buffer
	if err := p.body.Render(ctx, &b); err != nil {
		return "", "", err
	}
	h := fnv.New64a()
	_, _ = h.Write(b.Bytes())
	return b.String(), strconv.FormatUint(h.Sum64(), 36), nil
}

// Render is of a [templ.Component]: the part as it stands in a page.
func (p part) Render(ctx context.Context, w io.Writer) error {
	html, version, err := p.text(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `<div id="%s" data-version="%s">%s</div>`, templ.EscapeString(p.id), version, html)
	return err
}

// stream writes server-sent events.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    time.Time // when something was written
}

// send writes one event, whose data is JSON.
func (t *stream) send(event string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return t.write("event: " + event + "\ndata: " + string(text) + "\n\n")
}

func (t *stream) write(text string) error {
	t.last = time.Now()
	if err := t.control.SetWriteDeadline(t.last.Add(writeLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := io.WriteString(t.w, text); err != nil {
		return err
	}
	return t.control.Flush()
}

// stream opens a stream and has look called at once and then every second, until that
// fails, the browser goes away, the session ends or the server does.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, look func(context.Context, *stream) error) {
	who := sessionOf(r)
	release, ok := s.doors.stream(who)
	if !ok {
		s.fail(w, r, http.StatusTooManyRequests, fmt.Sprintf("%d pages of yours are open and live: close one.", maxStreamsEach))
		return
	}
	defer release()
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		s.fail(w, r, http.StatusTooManyRequests, fmt.Sprintf("%d pages are open and live, as many as may be: close one.", maxStreams))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	t := &stream{w: w, control: http.NewResponseController(w), last: time.Now()}
	// The time a browser waits before it comes again.
	if t.write("retry: 2000\n\n") != nil {
		return
	}
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		if s.doors.over(who) {
			_ = t.send("failed", "The session has ended: load the page again to sign in.")
			return
		}
		if err := look(ctx, t); err != nil {
			if ctx.Err() == nil {
				_ = t.send("failed", sentence(err))
			}
			return
		}
		if time.Since(t.last) >= silence && t.write(": nothing new\n\n") != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// parts streams those parts of a page that have changed.
func (s *Server) parts(w http.ResponseWriter, r *http.Request, now func(context.Context) ([]part, error)) {
	told := map[string]string{}
	s.stream(w, r, func(ctx context.Context, t *stream) error {
		ctx, cancel := context.WithTimeout(ctx, answerLimit)
		defer cancel()
		all, err := now(ctx)
		if err != nil {
			return err
		}
		for _, p := range all {
			html, version, err := p.text(ctx)
			if err != nil {
				return err
			}
			if told[p.id] == version {
				continue
			}
			if err := t.send("part", map[string]string{"id": p.id, "version": version, "html": html}); err != nil {
				return err
			}
			told[p.id] = version
		}
		return nil
	})
}
