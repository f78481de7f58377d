package dctest

import (
	"cmp"
	"slices"
)

// ConnRecord is one transport connection that is open.
type ConnRecord struct {
	ID ConnID `json:"id"`
	DC int    `json:"dc"`
	// Perm is the perm key that the last packet counted for, 0 before there was one.
	Perm int64 `json:"perm,string,omitempty"`
}

// Connections lists the open connections in the order in which they were opened. One that is the same at two times
// was not lost in between: an id is never used twice.
func (c *Cluster) Connections() []ConnRecord {
	list := make([]ConnRecord, 0, len(c.conns))
	for _, cn := range c.conns {
		if !cn.closing {
			list = append(list, ConnRecord{ID: cn.id, DC: cn.dc.id, Perm: cn.perm()})
		}
	}
	slices.SortFunc(list, func(a, b ConnRecord) int { return cmp.Compare(a.ID, b.ID) })
	return list
}
