package peers

import (
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The types of the schema that peers are read from, and the one whose users and chats come along with its updates.
var (
	userType    = typeOf(userID)
	chatType    = typeOf(chatID)
	updatesType = typeOf(tg.UpdatesID)
)

func typeOf(constructor uint32) tl.Type {
	typ, _, _ := tg.Schema.Lookup(constructor)
	return typ
}

// Among returns whom the result of a query names: the users and chats in its fields, or in it if it is a vector, at most
// Limit of them, in its order. They are the access_hashes that were told to who asked, as those of updates are.
//
// What has no such field, as its constructor says, costs one look-up in the table of the schema. Anything else is gone
// through once, and its users and chats twice, so that it is nothing to do where others wait. Nobody is named by an Updates
// value, for its users and chats come along with its updates, nor by bytes that are no value of the schema.
func Among(result tl.Raw) []Peer {
	switch mentions(result) {
	case inFields:
		return amongFields(result)
	case inVector:
		list, ok := appendVector(nil, result)
		if !ok {
			return nil
		}
		return list
	}
	return nil
}

// place says where a result has users and chats.
type place uint8

const (
	nowhere  place = iota
	inFields       // some of its fields are users, chats, or vectors of them
	inVector       // it is a vector of them
)

// mentions says where Among may find somebody, by a look at the constructor.
func mentions(result tl.Raw) place {
	id := result.ID()
	if id == tl.VectorID { // of what, its elements say, if they are boxed
		if len(result) >= 12 && isPeer(tl.OpBoxed|tl.Op(typeOf(result[8:].ID()))) {
			return inVector
		}
		return nowhere
	}
	typ, ops, ok := tg.Schema.Lookup(id)
	if !ok || typ == updatesType {
		return nowhere
	}
	for ops[0] != tl.OpEnd {
		var op, elem tl.Op
		if _, op, elem, ops = tl.NextField(ops); isPeer(op) || op.Vector() && isPeer(elem) {
			return inFields
		}
	}
	return nowhere
}

// isPeer reports whether a field is a User or a Chat.
func isPeer(op tl.Op) bool {
	typ, boxed := op.Boxed()
	return boxed && typ > tl.TypeFunction && (typ == userType || typ == chatType)
}

// amongFields is Among for what has fields.
func amongFields(result tl.Raw) (list []Peer) {
	n, err := tl.Walk(tg.Schema, result, func(f tl.Field) {
		switch b := result[f.Start:f.End]; {
		case isPeer(f.Op):
			if p, _, ok := read(b); ok && len(list) < Limit {
				list = append(list, p)
			}
		case f.Op == tl.OpVector && isPeer(f.Elem):
			list, _ = appendVector(list, b)
		}
	})
	if err != nil || n != len(result) {
		return nil
	}
	return list
}

// appendVector appends those of a Vector of User or of Chat. ok is false if the bytes are none.
func appendVector(list []Peer, b []byte) (_ []Peer, ok bool) {
	r := tl.NewReader(b)
	count := r.VectorLen(4)
	at := 8
	for range count {
		if at > len(b) || !isPeer(tl.OpBoxed|tl.Op(typeOf(tl.Raw(b[at:]).ID()))) {
			return nil, false
		}
		p, n, ok := read(b[at:])
		if n == 0 {
			return nil, false
		}
		if ok && len(list) < Limit {
			list = append(list, p)
		}
		at += n
	}
	return list, r.Err() == nil && at == len(b)
}
