package tg

import (
	"encoding/binary"

	"github.com/mtfleet/mtfleet/tl"
)

// UpdatePts returns the fields pts and pts_count of an Update that belongs to the common sequence of an
// account. ok is false for updates that have none, for those of channels, which count on their own, and for
// bytes that are no Update.
func UpdatePts(raw tl.Raw) (pts, count int32, ok bool) {
	ptsIndex, countIndex, ok := ptsFields(raw.ID())
	if !ok {
		return 0, 0, false
	}
	n, err := tl.Walk(Schema, raw, func(f tl.Field) {
		switch f.Index {
		case ptsIndex:
			pts = int32(binary.LittleEndian.Uint32(raw[f.Start:]))
		case countIndex:
			count = int32(binary.LittleEndian.Uint32(raw[f.Start:]))
		}
	})
	if err != nil || n != len(raw) {
		return 0, 0, false
	}
	return pts, count, true
}
