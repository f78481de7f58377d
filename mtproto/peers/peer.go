package peers

import (
	"fmt"
	"strconv"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// Kind says what a peer is. The numbers are part of the storage format.
type Kind uint8

// The kinds. Their ids are counted apart: a user and a channel may have the same.
const (
	User    Kind = 1 // a person or a bot
	Chat    Kind = 2 // a basic chat, which has no access_hash
	Channel Kind = 3 // a channel or a supergroup
)

var kindNames = [...]string{User: "user", Chat: "chat", Channel: "channel"}

// Known reports whether k is one of the kinds.
func (k Kind) Known() bool { return k >= User && k <= Channel }

// String returns "user", "chat" or "channel".
func (k Kind) String() string {
	if k.Known() {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// MarshalText implements encoding.TextMarshaler, as String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Kind) UnmarshalText(text []byte) error {
	for kind := User; kind.Known(); kind++ {
		if string(text) == kindNames[kind] {
			*k = kind
			return nil
		}
	}
	return fmt.Errorf("%q is no kind of peer: there are user, chat and channel", text)
}

// Peer is a user, a basic chat or a channel as one account knows it.
type Peer struct {
	Kind Kind `json:"type"`
	// Min: only an abbreviation was seen, and AccessHash is of no use for a call.
	Min bool `json:"min,omitempty"`
	// Bot: the user is a bot.
	Bot bool `json:"bot,omitempty"`

	partial bool // read from a constructor that has no usernames

	// Seen is when it came last, Unix seconds.
	Seen uint32 `json:"seen,omitempty"`
	ID   int64  `json:"id,string"`
	// AccessHash is what the server wants to hear beside the id, from this account alone; 0 for none.
	AccessHash int64 `json:"access_hash,string"`
	// Username is the first active one, without the @, empty for none.
	Username string `json:"username,omitempty"`
}

// String names the peer, without its access_hash.
func (p Peer) String() string {
	s := p.Kind.String() + " " + strconv.FormatInt(p.ID, 10)
	if p.Username != "" {
		s += " @" + p.Username
	}
	return s
}

// MinError says that a peer cannot be addressed by what is known of it.
type MinError struct{ Peer Peer }

// Error implements error.
func (e *MinError) Error() string {
	return e.Peer.String() + " was seen only in passing, abbreviated by the server: read a message or the chat it is in, and it comes whole"
}

// Input is what a call takes that wants the peer as an InputPeer. The error is a *MinError.
func (p Peer) Input() (tg.AnyInputPeer, error) {
	switch {
	case p.Min:
		return nil, &MinError{p}
	case p.Kind == Chat:
		return &tg.InputPeerChat{ChatID: p.ID}, nil
	case p.Kind == Channel:
		return &tg.InputPeerChannel{ChannelID: p.ID, AccessHash: p.AccessHash}, nil
	}
	return &tg.InputPeerUser{UserID: p.ID, AccessHash: p.AccessHash}, nil
}

// InputUser is Input for a call that wants an InputUser; a *KindError for what is no user.
func (p Peer) InputUser() (tg.AnyInputUser, error) {
	switch {
	case p.Kind != User:
		return nil, &KindError{p, User}
	case p.Min:
		return nil, &MinError{p}
	}
	return &tg.InputUser{UserID: p.ID, AccessHash: p.AccessHash}, nil
}

// InputChannel is Input for a call that wants an InputChannel; a *KindError for what is no channel.
func (p Peer) InputChannel() (tg.AnyInputChannel, error) {
	switch {
	case p.Kind != Channel:
		return nil, &KindError{p, Channel}
	case p.Min:
		return nil, &MinError{p}
	}
	return &tg.InputChannel{ChannelID: p.ID, AccessHash: p.AccessHash}, nil
}

// KindError says that a call wants another kind of peer.
type KindError struct {
	Peer Peer
	Want Kind
}

// Error implements error.
func (e *KindError) Error() string {
	return fmt.Sprintf("%v is a %v, and a %v is wanted", e.Peer, e.Peer.Kind, e.Want)
}
