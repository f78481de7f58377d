package persistence

import "fmt"

// Channels is how far an account has seen the updates of some of its channels. They
// lie in pages, so that one of them that moves does not have all written anew; who
// keeps them says which is in which.
type Channels struct {
	Page int // 0 to 99
	List []Channel
}

// Channel is the place in one channel's updates.
type Channel struct {
	ID   int64
	Hash int64 // access_hash; 0 is not known
	Pts  int32
}

// ChannelsKey is where a page of an account's channels is.
func ChannelsKey(id AccountID, page int) Key {
	return Key{id, KindChannels, fmt.Sprintf("%02d", page)}
}

// Record encodes the page: some 20 bytes for each channel.
func (c Channels) Record(id AccountID) Record {
	var w writer
	w.int(int64(c.Page))
	w.uint(uint64(len(c.List)))
	for _, ch := range c.List {
		w.int(ch.ID)
		w.fixed(ch.Hash)
		w.int(int64(ch.Pts))
	}
	return Record{ChannelsKey(id, c.Page), channelsVersion, Secret(w)}
}

// DecodeChannels is the reverse of Record.
func DecodeChannels(rec Record) (Channels, error) {
	r, err := open(rec, KindChannels, channelsVersion)
	if err != nil {
		return Channels{}, err
	}
	c := Channels{Page: int(r.int32())}
	for range r.count(1 + 8 + 1) {
		c.List = append(c.List, Channel{r.int(), r.fixed(), r.int32()})
	}
	return c, r.close(rec)
}
