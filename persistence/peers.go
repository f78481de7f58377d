package persistence

import "fmt"

// Peers is whom an account has met. They lie in pages, so that one of them that changes does not have all written anew;
// who keeps them says which is in which.
type Peers struct {
	Page int // 0 to 99
	List []Peer
}

// Peer is a user, a basic chat or a channel, and what the server wants to hear of this account to let it address the peer.
type Peer struct {
	Kind       uint8 // 1 user, 2 chat, 3 channel
	Min, Bot   bool
	Seen       uint32 // Unix seconds
	ID         int64
	AccessHash int64
	Username   string
}

// PeersKey is where a page of an account's peers is.
func PeersKey(id AccountID, page int) Key { return Key{id, KindPeers, fmt.Sprintf("%02d", page)} }

// Bits of a peer's first number, above its kind.
const (
	peerMin = 1 << 2
	peerBot = 1 << 3
)

// Record encodes the page: some 22 bytes for each peer, and its username.
func (p Peers) Record(id AccountID) Record {
	w := make(writer, 0, 4+32*len(p.List))
	w.int(int64(p.Page))
	w.uint(uint64(len(p.List)))
	for i := range p.List {
		peer := &p.List[i]
		what := uint64(peer.Kind & 3)
		if peer.Min {
			what |= peerMin
		}
		if peer.Bot {
			what |= peerBot
		}
		w.uint(what)
		w.int(peer.ID)
		w.fixed(peer.AccessHash)
		w.uint(uint64(peer.Seen))
		w.string(peer.Username)
	}
	return Record{PeersKey(id, p.Page), peersVersion, Secret(w)}
}

// DecodePeers is the reverse of Record.
func DecodePeers(rec Record) (Peers, error) {
	r, err := open(rec, KindPeers, peersVersion)
	if err != nil {
		return Peers{}, err
	}
	p := Peers{Page: int(r.int32())}
	for range r.count(1 + 1 + 8 + 1 + 1) {
		what, id, hash, seen := r.uint(), r.int(), r.fixed(), r.uint()
		if what >= peerBot<<1 || seen > 1<<32-1 {
			r.fail("a number is out of range")
		}
		p.List = append(p.List, Peer{
			Kind: uint8(what & 3), Min: what&peerMin != 0, Bot: what&peerBot != 0, Seen: uint32(seen), ID: id, AccessHash: hash,
			Username: r.string(),
		})
	}
	return p, r.close(rec)
}
