package account

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/feed"
	"github.com/mtfleet/mtfleet/mtproto/updates"
)

type (
	// Update is one update and what came along with it, shared and read only.
	Update = feed.Update
	// Hole is what will not come of a box.
	Hole = feed.Hole
	// Box is one sequence of updates.
	Box = updates.Box
	// BoxKind is a kind of sequence.
	BoxKind = updates.BoxKind
)

// A Mark is a delivery of the engine of updates, which a durable consumer
// acknowledges. The zero Mark is none.
type Mark struct {
	Life uint64 // which engine of this process: one that is gone takes no acks
	N    uint64 // of Life, rising
}

// Origin says that an account's session was made by another program: in which
// form it came, under which api_id it ran there (0: not known), and when it came.
// The zero Origin is a session of our own.
type Origin struct {
	Format string    `json:"format"`
	APIID  int       `json:"api_id,omitempty"`
	At     time.Time `json:"at"`
}
