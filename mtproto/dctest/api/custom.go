package api

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Method is a method that an embedding test adds to the DCs, or puts in the place of one of theirs.
type Method struct {
	Name string // "test.add"; faults and the ledger know it by this
	ID   uint32 // the constructor id that starts the query

	Anonymous bool // needs no authorization; otherwise a user, at home or as a guest
	HomeOnly  bool // guests and strays get USER_MIGRATE_X

	// Answer returns the boxed result or an error; neither is RPC_CALL_FAIL. It runs on the owner of the cluster and must
	// not block. A result whose constructor the schema does not have reaches clients of the newest layer only.
	Answer func(c *MethodCall) ([]byte, *Error)
}

// MethodCall is one query of a registered method.
type MethodCall struct {
	Now    time.Time
	DC     int
	Perm   int64
	UserID int64  // of the key; 0 for none
	Layer  int    // declared for the key
	Body   []byte // the query, boxed; valid during the call only
}

// idLen is the length of a constructor id, the least that a query or a result has.
const idLen = 4

// ErrMethod is returned by Register for a method that cannot be served.
var ErrMethod = errors.New("api: a method needs a name, an id and an answer")

// Register serves a method from now on; one registered before under the same id is replaced.
func (b *Backend) Register(m Method) error {
	if m.Name == "" || m.ID == 0 || m.Answer == nil {
		return fmt.Errorf("%w: %q %08x", ErrMethod, m.Name, m.ID)
	}
	line := &method{name: m.Name, id: m.ID, needs: needsUser, home: m.HomeOnly}
	if m.Anonymous {
		line.needs = needsNothing
	}
	line.run = func(c *call) ([]byte, *Error) {
		out := &MethodCall{Now: c.req.Now, DC: c.ref.dc, Perm: c.ref.perm, Layer: c.req.Layer, Body: c.req.Body}
		if c.user != nil {
			out.UserID = c.user.id
		}
		body, err := m.Answer(out)
		switch {
		case err != nil:
			return nil, err
		case len(body) < idLen:
			return nil, errCallFail
		}
		return body, nil
	}
	if b.custom == nil {
		b.custom = map[uint32]*method{}
	}
	b.custom[m.ID] = line
	return nil
}

// methodOf finds the line of the query that starts body, or nil.
func (b *Backend) methodOf(body []byte) *method {
	if len(body) < idLen {
		return nil
	}
	id := binary.LittleEndian.Uint32(body)
	if m := b.custom[id]; m != nil {
		return m
	}
	return methodByID(id)
}
