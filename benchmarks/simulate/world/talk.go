package world

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// channels is how many there are: a group of everybody, and a broadcast channel
// of the first person's that everybody reads; and the same two again with names.
const channels = 4

// floors tells whether the DCs of a run forget updates before everybody has had
// them, or name them too many: a hole is honest then.
func floors(seed uint64) bool { return seed/16%4 < 2 }

// logs sets how far the DCs' logs go.
func logs(c *api.Config, seed uint64) {
	switch seed / 16 % 4 {
	case 0:
		c.LogMax = 20
	case 1:
		c.ChannelTooLong = 10
	}
	// A client gives the date of its DC's clock, which may be two minutes wrong.
	c.ChannelHintSlack = 5 * time.Minute
}

// meet makes the channels.
func (s *cluster) meet(now time.Time) error {
	users := s.api.Users()
	n := api.NewChannel{Creator: users[0].ID}
	for _, u := range users {
		n.Members = append(n.Members, u.ID)
	}
	for i := range channels {
		n.Title, n.Broadcast = fmt.Sprint("Channel ", i), i%2 == 1
		if public(i) {
			n.Username = channelName(i)
		}
		id, err := s.api.AddChannel(now, n)
		if err != nil {
			return err
		}
		s.channels = append(s.channels, id)
	}
	return nil
}

// talk lets people write, edit and delete n times, in dialogs and in channels.
// News of it is pushed in any form, twice, or, with settled, not at all.
func (s *cluster) talk(r *rand.Rand, n int, settled bool) {
	users := s.api.Users()
	for range n {
		how := api.Delivery{Form: api.Form(r.IntN(len(api.Forms()))), Lost: r.IntN(4) == 0, Twice: r.IntN(8) == 0}
		if !settled {
			how.Lost, how.Form = false, how.Form%api.FormTooLong
		}
		channel := s.channels[r.IntN(len(s.channels))]
		from, to := users[r.IntN(len(users))].ID, users[r.IntN(len(users))].ID
		posts, _ := s.api.Posts(channel) // it is there
		what, text := r.IntN(8), fmt.Sprintf("text %x", r.Uint32())
		s.script(func(b *api.Backend, now time.Time) error {
			var err error
			switch {
			case what < 3:
				_, err = b.Say(now, from, to, text, how)
			case what < 4 && len(posts) > 0:
				_, err = b.EditPost(now, channel, posts[len(posts)-1].ID, text, how)
			case what < 5 && len(posts) > 1:
				_, err = b.DeletePosts(now, channel, how, posts[0].ID, posts[len(posts)/2].ID)
			default:
				_, err = b.Post(now, channel, from, text, how)
			}
			return err
		})
	}
}

// allIn tells whether everybody is signed in. What is logged while somebody
// signs in may be pushed to nobody, and is the past when it asks where it stands.
func (w *world) allIn() bool {
	return !slices.ContainsFunc(w.users, func(u *user) bool { return !u.in })
}

// settled tells whether all who are signed in know their place in the server's
// log. What is logged before, and not pushed, nobody can know of.
func (w *world) settled() bool {
	return !slices.ContainsFunc(w.users, func(u *user) bool { return !u.placed })
}

// end writes once to everybody and everywhere: whoever has missed something sees
// the gap.
func (s *cluster) end() {
	users := s.api.Users()
	how := api.Delivery{Form: api.FormFull}
	for _, u := range users {
		s.script(func(b *api.Backend, now time.Time) error {
			_, err := b.Say(now, users[0].ID, u.ID, "good night", how)
			return err
		})
	}
	for _, id := range s.channels {
		s.script(func(b *api.Backend, now time.Time) error {
			_, err := b.Post(now, id, 0, "good night", how)
			return err
		})
	}
}

// script runs what a user does somewhere else. What the server would refuse is
// refused.
func (s *cluster) script(f func(b *api.Backend, now time.Time) error) {
	s.do(func(core *dctest.Cluster, now time.Time) {
		refused := (*api.Error)(nil)
		if err := f(s.api, now); err != nil && !errors.As(err, &refused) {
			panic(fmt.Sprintf("world: a script that cannot be: %v", err))
		}
		core.Advance(now) // routes pushes
	})
}
