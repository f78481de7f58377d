package actors

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/tl"
)

// channel makes a channel of a user and the account.
func (p *play) channel(bot api.User) int64 {
	p.t.Helper()
	id, err := p.api.AddChannel(p.sim.Now(), api.NewChannel{Title: "news", Creator: p.user(1, false).ID, Members: []int64{bot.ID}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.settle()
	return id
}

// post writes to a channel.
func (p *play) post(channel int64, text string, how api.Delivery) {
	p.t.Helper()
	p.write("somebody", "posts "+text)
	if _, err := p.api.Post(p.sim.Now(), channel, 0, text, how); err != nil {
		p.t.Fatal(err)
	}
	p.settle()
}

// settle has the DCs send what they have to say.
func (p *play) settle() {
	p.net.core.Advance(p.sim.Now())
	p.net.drain()
}

func TestTranscriptChannelGap(t *testing.T) {
	p := newPlay(t)
	p.about(
		"A bot in a channel. The first post that comes says where we begin. Of the next two one is not pushed: half a second",
		"later the difference of that channel is asked for, while nothing else waits; it brings both, each once, and its",
		"place is stored with a second's others. What the bot writes there itself is pushed to nobody who wrote it: it is",
		"in the result of the call, and is delivered before the caller has that.")
	bot := p.begin()
	channel := p.channel(bot)
	p.post(channel, "one", api.Delivery{})
	p.run(5 * time.Second)
	p.note("One is lost.")
	p.post(channel, "two", api.Delivery{Lost: true})
	p.post(channel, "three", api.Delivery{})
	p.run(100 * time.Millisecond)
	p.echo("meanwhile", 0)
	p.run(5 * time.Second)
	p.note("The bot writes there.")
	p.call("post", sending{channel: channel})
	p.run(5 * time.Second)
	p.end(t, "channel_gap")
}

// sending is messages.sendMessage to a channel, by a bot: it may use 0 as access_hash.
type sending struct {
	tl.Object
	channel int64
}

func (sending) TypeName() string { return "messages.sendMessage" }

func (s sending) Append(b []byte) []byte {
	b = tl.AppendUint32(tl.AppendUint32(b, 0xfef48f62), 0)
	b = tl.AppendInt64(tl.AppendInt64(tl.AppendUint32(b, 0x27bcbbfc), s.channel), 0) // inputPeerChannel
	return tl.AppendInt64(tl.AppendString(b, "four"), 7)
}
