package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
)

// peerOrder is by what peers are sorted.
var peerOrder = tabular.Order[control.Peer]{
	"seen":     tabular.By(func(p control.Peer) uint32 { return p.Seen }),
	"type":     tabular.By(func(p control.Peer) string { return p.Kind.String() }),
	"id":       tabular.By(func(p control.Peer) int64 { return p.ID }),
	"username": tabular.By(func(p control.Peer) string { return p.Username }),
}

func (a *app) peersCommand() *cobra.Command {
	var f accountFlags
	sort := sortFlag[control.Peer]{order: peerOrder}
	c := &cobra.Command{
		Use: "peers NAME [ID|TYPE:ID|@USERNAME]", Short: "Show whom an account has met: users, chats, channels",
		Long: `peers shows the users, basic chats and channels that came along with an account's
updates or were named in the result of a call, the 4,096 seen last. A call
addresses them by what came: with --json each has its access_hash, which is good
for this account alone, and as "input" what a call takes that wants an InputPeer.
TYPE is user, chat or channel.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 {
				return exactly("NAME")(c, args)
			}
			_, err := peersRequest(args)
			return err
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				ctx, cancel := context.WithTimeout(ctx, f.timeout)
				defer cancel()
				request, err := peersRequest(args)
				if err != nil {
					return err
				}
				list, err := control.Peers.Call(ctx, s, request)
				if err != nil {
					return err
				}
				sort.sort(list.Peers)
				return a.tell(&f.outputFlags, list, peersTable(list), "Account "+args[0]+" has met nobody yet.")
			})
		},
	}
	f.registerReading(c)
	sort.register(c)
	return c
}

// peersRequest reads whom the command asks for.
func peersRequest(args []string) (r control.PeersRequest, err error) {
	r.ID = args[0]
	if len(args) == 1 {
		return r, nil
	}
	who := args[1]
	if name, ok := strings.CutPrefix(who, "@"); ok && name != "" {
		r.Username = name
		return r, nil
	}
	id := who
	if kind, rest, ok := strings.Cut(who, ":"); ok {
		if err := r.Type.UnmarshalText([]byte(kind)); err != nil {
			return r, usage("%v", err)
		}
		id = rest
	}
	if r.PeerID, err = strconv.ParseInt(id, 10, 64); err != nil || r.PeerID <= 0 {
		return r, usage("%q is neither the id of a peer nor @USERNAME", who)
	}
	return r, nil
}

func peersTable(list control.PeerList) *tabular.Table {
	t := tabular.New(tabular.Column{Name: "TYPE"}, tabular.Column{Name: "ID"}, tabular.Column{Name: "USERNAME"}, tabular.Column{Name: "SEEN", Leaves: 1}, tabular.Column{Name: "NOTE", Least: whatLeast})
	for _, p := range list.Peers {
		name, note := "-", ""
		if p.Username != "" {
			name = "@" + printable(p.Username)
		}
		switch {
		case p.Min:
			note = "seen in passing: no call can address it yet"
		case p.Bot:
			note = "bot"
		}
		t.Row(p.Kind.String(), fmt.Sprint(p.ID), name, time.Unix(int64(p.Seen), 0).UTC().Format("2006-01-02 15:04"), note)
		t.Name(fmt.Sprintf("%v:%d", p.Kind, p.ID))
	}
	return t
}
