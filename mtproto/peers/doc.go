// Package peers remembers whom an account has met: the users, basic chats and channels that came along with updates,
// or were named in the result of a query, and for each the access_hash that the server wants to hear when the account addresses
// it. A hash is good for the one account that was told it.
//
// Read takes a peer out of a User or Chat of the schema, Among all of them out of a result. A Set holds the peers of one account: at most Limit, the
// least recently seen go first. It lies in Pages, so that one that changes has a few written and not all.
//
//	s := new(peers.Set)
//	s.Load(page, list)           // what a store has
//	if p, ok := peers.Read(raw); ok {
//		s.See(now, p)            // for each user and chat that came
//	}
//	for page, list := range s.Changed() {
//		// to be stored
//	}
//
// # Min
//
// The server abbreviates users and channels that it mentions on the side: their constructor has min, and its access_hash
// opens a profile photo and nothing else (https://core.telegram.org/api/min). Such a peer is kept, marked, until a full
// one comes, and takes the place of no full one.
package peers
