package serve

import (
	"context"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// Say writes a private text from a user to another, as from a phone that is no client of the cluster. What the server
// would answer the phone is an *api.Error.
func (s *Cluster) Say(from, to int64, text string, how api.Delivery) (w api.Written, err error) {
	gone := s.API(func(b *api.Backend, now time.Time) { w, err = b.Say(now, from, to, text, how) })
	if gone != nil {
		return w, gone
	}
	return w, err
}

// AddChannel makes a channel with its members, and returns its id.
func (s *Cluster) AddChannel(n api.NewChannel) (id int64, err error) {
	gone := s.API(func(b *api.Backend, now time.Time) { id, err = b.AddChannel(now, n) })
	if gone != nil {
		return 0, gone
	}
	return id, err
}

// Post writes a text of a member to a channel; from 0 is its creator.
func (s *Cluster) Post(channel, from int64, text string, how api.Delivery) (w api.Written, err error) {
	gone := s.API(func(b *api.Backend, now time.Time) { w, err = b.Post(now, channel, from, text, how) })
	if gone != nil {
		return w, gone
	}
	return w, err
}

// Messages returns the messages in a user's box with ids above after, oldest first: what the user wrote and what was
// written to it. Without any it waits until there are, ctx ends or the cluster is closed; none is no error.
func (s *Cluster) Messages(ctx context.Context, user int64, after int32) ([]api.Message, error) {
	return s.messages(ctx, after, func(b *api.Backend) ([]api.Message, error) { return b.Messages(user) })
}

// Posts is Messages of a channel.
func (s *Cluster) Posts(ctx context.Context, channel int64, after int32) ([]api.Message, error) {
	return s.messages(ctx, after, func(b *api.Backend) ([]api.Message, error) { return b.Posts(channel) })
}

func (s *Cluster) messages(ctx context.Context, after int32, read func(b *api.Backend) ([]api.Message, error)) (list []api.Message, err error) {
	if s.backend == nil {
		return nil, ErrNoBackend
	}
	for {
		s.mu.Lock()
		news := s.boxNews
		s.mu.Unlock()
		s.look(func(*dctest.Cluster, time.Time) { list, err = read(s.backend) })
		for len(list) > 0 && list[0].ID <= after {
			list = list[1:]
		}
		if len(list) > 0 || err != nil || ctx.Err() != nil {
			return list, err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, nil
		case <-s.done:
			return nil, nil
		}
	}
}
