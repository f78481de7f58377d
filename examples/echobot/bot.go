package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
	"github.com/mtfleet/mtfleet/tl/tljson"
)

// message is what the bot reads of an update: the fields it wants, named as in
// the schema (https://core.telegram.org/constructor/message).
type message struct {
	Kind    string `json:"_"` // updateNewMessage
	Message struct {
		Kind string `json:"_"` // message
		ID   int64  `json:"id"`
		Out  bool   `json:"out"` // the bot wrote it
		Peer struct {
			Kind   string `json:"_"` // peerUser
			UserID string `json:"user_id"`
		} `json:"peer_id"`
		Text string `json:"message"`
	} `json:"message"`
}

// serveBot answers every text that comes until ctx ends.
func serveBot(ctx context.Context, a *actors.Account) error {
	codec := tljson.New(tg.Schema, tg.Names)
	for ev := range a.Events(ctx, actors.Replay) {
		if ev.Kind != actors.EventUpdate {
			continue
		}
		text, err := codec.Append(nil, ev.Update)
		if err != nil {
			return err
		}
		var m message
		if json.Unmarshal(text, &m) != nil || m.Kind != "updateNewMessage" || m.Message.Kind != "message" {
			continue // an update of another shape
		}
		if m.Message.Out || m.Message.Peer.Kind != "peerUser" || m.Message.Text == "" {
			continue
		}
		if err := answer(ctx, a, m); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// answer writes the text back to who wrote it.
func answer(ctx context.Context, a *actors.Account, m message) error {
	params, err := json.Marshal(map[string]any{
		// A bot may name by the id alone who has written to it.
		"peer":    map[string]any{"_": "inputPeerUser", "user_id": m.Message.Peer.UserID, "access_hash": "0"},
		"message": m.Message.Text,
		// The number of what is answered: an answer that was sent already, before a
		// crash or in a call whose end is not known, is refused and not sent again.
		"random_id": strconv.FormatInt(m.Message.ID, 10),
	})
	if err != nil {
		return err
	}
	for {
		_, err := a.InvokeJSON(ctx, "messages.sendMessage", params)
		var wait *actors.WaitError
		switch {
		case tgerr.Is(err, "RANDOM_ID_DUPLICATE"):
			return nil
		case errors.As(err, &wait):
			// The server wants to be left alone. The manager would refuse each call
			// until then, also after a restart.
			if err := sleep(ctx, time.Until(wait.Until)); err != nil {
				return err
			}
		case errors.Is(err, actors.ErrMayHaveRun) && ctx.Err() == nil:
			// Asked again under the same random_id.
		default:
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
