package control

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
)

// Connect has a frame around each message of a stream, which a shell cannot take off. Whoever asks for a stream with the
// JSON of a plain request is answered with one JSON object a line.

// linesHandler serves a stream so, and others by connected.
func linesHandler[In, Out any](m *method, g *guard, connected http.Handler, answer func(context.Context, *In, func(*Out) error) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" || r.Method != http.MethodPost {
			connected.ServeHTTP(w, r)
			return
		}
		refuse := func(err error) { _ = connect.NewErrorWriter().Write(w, r, err) }
		release, err := g.admitStream(r.Context(), m.procedure)
		if err != nil {
			refuse(err)
			return
		}
		defer release()
		msg := new(In)
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err == nil {
			err = jsonCodec{}.Unmarshal(body, msg)
		}
		if err != nil {
			refuse(connect.NewError(connect.CodeInvalidArgument, errNotTheMessage))
			return
		}
		out := &lines{w: w, flush: http.NewResponseController(w)}
		err = answer(r.Context(), msg, func(one *Out) error { return out.write(any(one).(proto.Message)) })
		switch {
		case err != nil && !out.begun:
			refuse(wireError(err))
		case err != nil:
			out.fail(Wrap(err).(*Error))
		}
	})
}

// lines writes messages, one on each line.
type lines struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	begun bool
}

func (l *lines) write(msg proto.Message) error {
	text, err := jsonCodec{}.Marshal(msg)
	if err != nil {
		return err
	}
	if !l.begun {
		l.w.Header().Set("Content-Type", "application/x-ndjson")
		l.begun = true
	}
	if _, err := l.w.Write(append(text, '\n')); err != nil {
		return err
	}
	return l.flush.Flush()
}

// fail ends them with the error on a line of its own.
func (l *lines) fail(e *Error) {
	detail, err := jsonCodec{}.Marshal(detailOf(e))
	if err != nil {
		return
	}
	type said struct {
		Code    string          `json:"code"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	_ = json.NewEncoder(l.w).Encode(map[string]said{"error": {codeOf(e.Kind).String(), e.Message, detail}})
}
