package peers

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/schema/schematest"
	"github.com/mtfleet/mtfleet/tl/tg"
)

const (
	dialogsID           = 0x15ba6c40 // messages.dialogs
	resolvedPeerID      = 0x7f077ad9 // contacts.resolvedPeer
	chatInviteAlreadyID = 0x5a686d7c
	peerUserID          = 0x59511722
)

// basicChat is a chat#41cbf256.
func basicChat(id int64) tl.Raw {
	b := tl.AppendUint32(tl.AppendUint32(nil, chatID), 0)
	b = tl.AppendUint32(tl.AppendString(tl.AppendInt64(b, id), "title"), 0x37c1011c) // chatPhotoEmpty
	return tl.AppendInt32(tl.AppendInt32(tl.AppendInt32(b, 1), 2), 3)
}

func vector(list ...tl.Raw) []byte {
	return append(tl.AppendVectorHeader(nil, len(list)), slices.Concat(list...)...)
}

// dialogs is a messages.dialogs without dialogs and messages.
func dialogs(chats, users []tl.Raw) tl.Raw {
	b := tl.AppendUint32(nil, dialogsID)
	return slices.Concat(b, vector(), vector(), vector(chats...), vector(users...))
}

// whole is Among without what a Set alone wants to know.
func whole(result tl.Raw) []Peer {
	list := Among(result)
	for i := range list {
		list[i].partial = false
	}
	return list
}

func TestWhomAResultNames(t *testing.T) {
	ada, least, banned := userOf(7, 70, withHash|withName, "ada"), userOf(8, 80, withHash|isMin, ""), forbidden(9, 90)
	all := dialogs([]tl.Raw{basicChat(5), banned}, []tl.Raw{ada, least})
	resolved := tl.AppendInt64(tl.AppendUint32(tl.AppendUint32(nil, resolvedPeerID), peerUserID), 7)
	isAda := Peer{Kind: User, ID: 7, AccessHash: 70, Username: "ada"}
	for _, c := range []struct {
		name   string
		result tl.Raw
		want   []Peer
	}{
		{"a list of dialogs", all, []Peer{
			{Kind: Chat, ID: 5}, {Kind: Channel, ID: 9, AccessHash: 90}, isAda, {Kind: User, ID: 8, AccessHash: 80, Min: true},
		}},
		{"a username resolved", slices.Concat(resolved, vector(), vector(ada)), []Peer{isAda}},
		{"users alone", vector((&tg.UserEmpty{ID: 1}).Append(nil), ada), []Peer{isAda}},
		{"one chat", append(tl.AppendUint32(nil, chatInviteAlreadyID), basicChat(5)...), []Peer{{Kind: Chat, ID: 5}}},
		{"a user that is not there", vector((&tg.UserEmpty{ID: 1}).Append(nil)), nil},
		{"nobody", dialogs(nil, nil), nil},

		{"updates, with which they come along", (&tg.Updates{Users: []tg.AnyUser{&tg.User{ID: 7}}}).Append(nil), nil},
		{"numbers that look like a user", append(tl.AppendVectorHeader(nil, 1), tl.AppendUint32(nil, userID)...), nil},
		{"users and something else", vector(ada, tl.AppendUint32(nil, tl.BoolTrueID)), nil},
		{"a vector of more than there is", append(tl.AppendVectorHeader(nil, 2), ada...), nil},
		{"a vector and more", append(vector(ada), 0, 0, 0, 0), nil},
		{"a result and more", append(slices.Clone(all), 0, 0, 0, 0), nil},
		{"a result that is cut", all[:len(all)-4], nil},
		{"true", tl.AppendUint32(nil, tl.BoolTrueID), nil},
		{"another schema's", append(tl.AppendUint32(nil, 0xdeadbeef), ada...), nil},
		{"nothing", nil, nil},
	} {
		if got := whole(c.result); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// TestEveryResultThatNamesSomebodyIsLookedInto holds mentions to the schema: whatever a function returns, what has users or
// chats has them among its own fields, or in an Updates value, with which they come along, or it is a sign-in's.
func TestEveryResultThatNamesSomebodyIsLookedInto(t *testing.T) {
	w := schematest.New(t, "api.tl")
	peer := func(typ schema.Type) bool {
		for typ.Elem != nil {
			typ = *typ.Elem
		}
		return typ.Name == "User" || typ.Name == "Chat"
	}
	named := func(d *schema.Definition) bool {
		return slices.ContainsFunc(d.Fields, func(f schema.Field) bool { return peer(f.Type) })
	}
	results := make(map[string]bool)
	for _, f := range w.Functions {
		if !peer(f.Result) {
			results[f.Result.Name] = true
		} else if f.Result.Name != "Vector" && f.Result.Name != "User" {
			t.Errorf("%s returns a bare %v", f.Name, f.Result)
		}
	}
	looked := 0
	for typ := range results {
		for _, d := range w.Types[typ] {
			got := mentions(tl.AppendUint32(nil, d.WireID())) != nowhere
			if want := named(d) && typ != "Updates"; got != want {
				t.Errorf("%s of %s is looked into: %v, want %v", d.Name, typ, got, want)
			}
			if got {
				looked++
			}
			for _, f := range d.Fields {
				inner := f.Type
				for inner.Elem != nil {
					inner = *inner.Elem
				}
				if inner.Name == "Updates" || strings.HasPrefix(typ, "auth.") {
					continue
				}
				if slices.ContainsFunc(w.Types[inner.Name], named) {
					t.Errorf("%s of %s has users or chats in its %s alone", d.Name, typ, f.Name)
				}
			}
		}
	}
	if looked < 100 {
		t.Errorf("%d constructors are looked into", looked)
	}
}

// TestWhatElseAResultHoldsDoesNotMatter makes lists of dialogs at random, around people that are known.
func TestWhatElseAResultHoldsDoesNotMatter(t *testing.T) {
	w := schematest.New(t, "api.tl")
	of := func(name string) schema.Type { return schema.Type{Name: "Vector", Elem: &schema.Type{Name: name}} }
	rapid.Check(t, func(t *rapid.T) {
		b := tl.AppendUint32(nil, dialogsID)
		b = w.AppendValue(t, b, of("Dialog"), 2)
		b = w.AppendValue(t, b, of("Message"), 2)
		raw := tl.Raw(slices.Concat(b, vector(basicChat(5)), vector(userOf(7, 70, withHash, ""))))
		want := []Peer{{Kind: Chat, ID: 5}, {Kind: User, ID: 7, AccessHash: 70}}
		if got := whole(raw); !slices.Equal(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
		if cut := rapid.IntRange(0, len(raw)-1).Draw(t, "cut"); Among(raw[:cut]) != nil {
			t.Fatalf("%d of %d bytes name somebody", cut, len(raw))
		}
	})
}

func TestAResultNamesNoMoreThanAnAccountKeeps(t *testing.T) {
	many := slices.Repeat([]tl.Raw{userOf(7, 70, withHash, "")}, Limit+1)
	for name, raw := range map[string]tl.Raw{"a vector": vector(many...), "fields": dialogs(slices.Repeat([]tl.Raw{basicChat(5)}, Limit/2), many)} {
		if n := len(Among(raw)); n != Limit {
			t.Errorf("%s: %d, want %d", name, n, Limit)
		}
	}
}

func TestAResultThatNamesNobodyCostsNothing(t *testing.T) {
	config := append(tl.AppendUint32(nil, tg.ConfigID), make([]byte, 1<<10)...)
	if n := testing.AllocsPerRun(100, func() { Among(config) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzAmong(f *testing.F) {
	f.Add([]byte(dialogs([]tl.Raw{basicChat(5)}, []tl.Raw{userOf(7, 8, withHash, "")})))
	f.Add(vector(userOf(7, 8, withHash, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range Among(b) {
			if !p.Kind.Known() || p.ID == 0 || len(p.Username) > maxUsername {
				t.Fatalf("named %+v", p)
			}
			if mentions(b) == nowhere {
				t.Fatal("it mentions nobody")
			}
		}
	})
}

// BenchmarkAmong is what a result costs who asked: one that names nobody, and a hundred dialogs.
func BenchmarkAmong(b *testing.B) {
	many := slices.Repeat([]tl.Raw{userOf(7, 70, withHash|withName, "ada_lovelace")}, 100)
	for name, raw := range map[string]tl.Raw{"nobody": tl.AppendUint32(nil, tg.ConfigID), "a hundred": dialogs(nil, many)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Among(raw)
			}
		})
	}
}
