package gotd

import (
	"slices"

	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors"
)

// The server sends a message in a short form to who has heard of its author and its chat
// before: without either. A handler that answers needs them in its entities, so
// that a pump remembers whom it has heard of.

// peopleMost bounds the users that a pump remembers, of all its accounts; the
// oldest go first. Some 500 bytes each: 2 MiB.
const peopleMost = 4096

type personKey struct {
	account string // access hashes are an account's own
	id      int64
}

type people struct {
	known map[personKey]*tg.User
	order []personKey     // as they came, from next on in a ring when it is full
	next  int             // the oldest, once order is full
	bots  map[string]bool // accounts that are
}

// heard notes what a status says of an account.
func (p *people) heard(account string, s *actors.Status) {
	if s == nil || s.Bot == p.bots[account] {
		return
	}
	if p.bots == nil {
		p.bots = map[string]bool{}
	}
	p.bots[account] = s.Bot
}

// remember keeps the users of an envelope. One of whom it has a part only (min)
// says nothing that could be used elsewhere.
func (p *people) remember(account string, users []tg.UserClass) {
	for _, u := range users {
		user, ok := u.(*tg.User)
		if !ok || user.Min {
			continue
		}
		if p.known == nil {
			p.known = map[personKey]*tg.User{}
		}
		key := personKey{account, user.ID}
		switch _, again := p.known[key]; {
		case again:
		case len(p.order) < peopleMost:
			p.order = append(p.order, key)
		default:
			delete(p.known, p.order[p.next])
			p.order[p.next] = key
			p.next = (p.next + 1) % peopleMost
		}
		p.known[key] = user
	}
}

// complete adds to an update of a message the author and the basic chat that it
// came without. Of somebody nobody remembers a bot has the id alone, with which
// it may answer who wrote to it (an access hash of 0 is a bot's right), and a person nothing.
func (p *people) complete(account string, u *tg.Updates) {
	var message tg.MessageClass
	switch one := u.Updates[0].(type) {
	case *tg.UpdateNewMessage:
		message = one.Message
	case *tg.UpdateEditMessage:
		message = one.Message
	}
	m, ok := message.(interface {
		GetPeerID() tg.PeerClass
		GetFromID() (tg.PeerClass, bool)
	})
	if !ok {
		return
	}
	from, _ := m.GetFromID()
	for _, peer := range []tg.PeerClass{m.GetPeerID(), from} {
		switch peer := peer.(type) {
		case *tg.PeerUser:
			p.addUser(account, u, peer.UserID)
		case *tg.PeerChat:
			if !slices.ContainsFunc(u.Chats, func(c tg.ChatClass) bool { return c.GetID() == peer.ChatID }) {
				u.Chats = append(u.Chats[:len(u.Chats):len(u.Chats)], &tg.Chat{ID: peer.ChatID, Photo: &tg.ChatPhotoEmpty{}})
			}
		}
	}
}

func (p *people) addUser(account string, u *tg.Updates, id int64) {
	if slices.ContainsFunc(u.Users, func(c tg.UserClass) bool { return c.GetID() == id }) {
		return
	}
	user := p.known[personKey{account, id}]
	if user == nil && p.bots[account] {
		user = &tg.User{ID: id, Min: true}
	}
	if user != nil {
		u.Users = append(u.Users[:len(u.Users):len(u.Users)], user) // the rest is shared
	}
}
