package tgerr_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// remembered is a wait of old, as whoever keeps them hands it out.
type remembered time.Time

func (r remembered) Error() string        { return "not before " + time.Time(r).String() }
func (r remembered) WaitUntil() time.Time { return time.Time(r) }

func TestUntil(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	later := now.Add(time.Hour)
	for _, tc := range []struct {
		name string
		err  error
		want time.Time // zero: no wait
	}{
		{"nothing is no wait", nil, time.Time{}},
		{"a broken connection is no wait", errors.New("reset"), time.Time{}},
		{"a refusal is no wait", tgerr.New(400, "BOT_INVALID"), time.Time{}},
		{"the server's wait counts from now", tgerr.New(420, "FLOOD_WAIT_90"), now.Add(90 * time.Second)},
		{"also deep in the tree", fmt.Errorf("export: %w", tgerr.New(420, "FLOOD_WAIT_90")), now.Add(90 * time.Second)},
		{"a remembered wait has its end", fmt.Errorf("export: %w", remembered(later)), later},
		{"a remembered wait is not begun anew", errors.Join(tgerr.New(420, "FLOOD_WAIT_90"), remembered(later)), later},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := tgerr.Until(tc.err, now)
			if ok == tc.want.IsZero() || !got.Equal(tc.want) {
				t.Errorf("got %v, %v; want %v", got, ok, tc.want)
			}
		})
	}
}
