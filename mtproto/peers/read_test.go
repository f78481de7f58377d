package peers

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/schema/schematest"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// unread are the constructors of User and Chat that say nothing of a peer, each with its reason.
var unread = map[string]string{
	"userEmpty":          "nobody is there",
	"chatEmpty":          "nobody is there",
	"community":          "no InputPeer names one",
	"communityForbidden": "no InputPeer names one",
}

// TestEveryConstructorIsReadAsTheSchemaHasIt finds the fields in the schema by name, and wants the numbers to be those.
func TestEveryConstructorIsReadAsTheSchemaHasIt(t *testing.T) {
	w := schematest.New(t, "api.tl")
	for _, d := range slices.Concat(w.Types["User"], w.Types["Chat"]) {
		f, ok := formOf(d.WireID())
		if reason := unread[d.Name]; ok == (reason != "") {
			t.Errorf("%s is read: %v, want %v: %s", d.Name, ok, reason == "", reason)
		}
		if !ok {
			continue
		}
		at := func(name string) (index int, bit uint32) {
			n := 0
			for _, field := range d.Fields {
				switch {
				case field.Name == name && field.Type.Name == "true" && field.Flags == "flags":
					return -1, 1 << field.Bit
				case field.Name == name:
					return n, 0
				case field.Type.Name != "true":
					n++
				}
			}
			return -1, 0
		}
		kind := map[string]Kind{"user": User, "chat": Chat, "chatForbidden": Chat, "channel": Channel, "channelForbidden": Channel}[d.Name]
		id, _ := at("id")
		hash, _ := at("access_hash")
		name, _ := at("username")
		names, _ := at("usernames")
		_, least := at("min")
		_, bot := at("bot")
		if want := (form{kind, id, hash, name, names, least, bot}); f != want {
			t.Errorf("%s is read by %+v, the schema has %+v", d.Name, f, want)
		}
	}
}

// TestReadingIsParsing compares Read with the generated types, for random users, and wants no more of a value than its
// id of any other constructor; nothing that is cut is read.
func TestReadingIsParsing(t *testing.T) {
	w := schematest.New(t, "api.tl")
	var user, channel *schema.Definition
	for _, d := range slices.Concat(w.Types["User"], w.Types["Chat"]) {
		switch d.Name {
		case "user":
			user = d
		case "channel":
			channel = d
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		raw := tl.Raw(w.Append(t, nil, user, 2))
		var u tg.User
		if err := tl.Unmarshal(raw, &u); err != nil {
			t.Fatal(err)
		}
		p, ok := Read(raw)
		if ok != (u.ID != 0) {
			t.Fatalf("user %d is read: %v", u.ID, ok)
		}
		if ok {
			name := u.Username.Value
			for _, n := range u.Usernames.Value {
				if n.Active && n.Username != "" {
					name = n.Username
					break
				} else if n.Active {
					break
				}
			}
			want := Peer{Kind: User, ID: u.ID, AccessHash: u.AccessHash.Value, Min: u.Min, Bot: u.Bot, Username: name}
			if p != want {
				t.Fatalf("read %+v, want %+v", p, want)
			}
		}
		raw = w.Append(t, nil, channel, 2)
		cut := rapid.IntRange(0, len(raw)-1).Draw(t, "cut")
		if p, ok := Read(raw[:cut]); ok {
			t.Fatalf("%d of %d bytes are %v", cut, len(raw), p)
		}
		if p, ok := Read(append(raw, 0, 0, 0, 0)); ok {
			t.Fatalf("with four bytes more it is %v", p)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(userOf(7, 8, 1<<0|1<<3|1<<20, "ada")))
	f.Add([]byte(forbidden(9, 10)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := Read(b)
		if !ok {
			if p != (Peer{}) && p.Kind == 0 {
				t.Fatalf("nothing is %+v", p)
			}
			return
		}
		if !p.Kind.Known() || p.ID == 0 || len(p.Username) > maxUsername || p.Kind == Chat && p.AccessHash != 0 {
			t.Fatalf("read %+v", p)
		}
		if n, err := tl.Skip(tg.Schema, b); err != nil || n != len(b) {
			t.Fatalf("%v out of what is no value: %v", p, err)
		}
	})
}

// userOf is a user#b1b8cc83 with a hash and a username, as the flags say.
func userOf(id, hash int64, flags uint32, name string) tl.Raw {
	b := tl.AppendUint32(nil, 0xb1b8cc83)
	b = tl.AppendUint32(b, flags)
	b = tl.AppendUint32(b, 0)
	b = tl.AppendInt64(b, id)
	if flags&1 != 0 {
		b = tl.AppendInt64(b, hash)
	}
	if flags&(1<<3) != 0 {
		b = tl.AppendString(b, name)
	}
	if flags&(1<<14) != 0 {
		b = tl.AppendInt32(b, 1)
	}
	return b
}

// forbidden is a channelForbidden#17d493d5.
func forbidden(id, hash int64) tl.Raw {
	b := tl.AppendUint32(nil, 0x17d493d5)
	b = tl.AppendUint32(b, 0)
	b = tl.AppendInt64(b, id)
	b = tl.AppendInt64(b, hash)
	return tl.AppendString(b, "title")
}
