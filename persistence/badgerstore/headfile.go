package badgerstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mtfleet/mtfleet/persistence"
)

// The HEAD file has two slots, each in a page of its own, so that the one is
// whole while the other is being written. Its size never changes: a write is
// made durable by the data alone.
const (
	headFileName = "HEAD"
	slotSize     = 4096
	slots        = 2
)

// headFile writes the slots. It is the committer's, but for sync.
type headFile struct {
	f      *os.File
	sealer *sealer
}

// slot returns the bytes of a slot: their length, then the sealed head. They fit
// in one sector of 512 bytes, the least that a disk writes whole.
func (s *sealer) slot(h head) ([]byte, error) {
	sealed, err := s.sealHead(headFileKey, h)
	if err != nil {
		return nil, err
	}
	b := binary.LittleEndian.AppendUint16(nil, uint16(len(sealed)))
	return append(b, sealed...), nil
}

// openSlot reads a slot.
func (s *sealer) openSlot(b []byte) (head, error) {
	if len(b) < 2 || int(binary.LittleEndian.Uint16(b)) > len(b)-2 {
		return head{}, &persistence.CorruptError{Key: headFileKey, Why: "it is cut"}
	}
	return s.openHead(headFileKey, b[2:2+int(binary.LittleEndian.Uint16(b))])
}

// headSlots is what a HEAD file says.
type headSlots struct {
	exists bool
	heads  []head // those that open, the newest last
	bad    int    // slots that hold something and do not open
	newer  error  // a *persistence.VersionError, if a newer program wrote a slot
	// foreign is how many slots were sealed under another master key.
	foreign int
}

// top is the newest head; ok is false when there is none.
func (h headSlots) top() (head, bool) {
	if len(h.heads) == 0 {
		return head{}, false
	}
	return h.heads[len(h.heads)-1], true
}

func readHeadFile(dir string, s *sealer) (headSlots, error) {
	b, err := os.ReadFile(filepath.Join(dir, headFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return headSlots{}, nil
	}
	if err != nil {
		return headSlots{}, fmt.Errorf("persistence: open store: %w", err)
	}
	return parseHeadFile(b, s), nil
}

func parseHeadFile(b []byte, s *sealer) headSlots {
	h := headSlots{exists: true}
	for i := range slots {
		if len(b) < i*slotSize+2 {
			h.bad++
			continue
		}
		b := b[i*slotSize : min((i+1)*slotSize, len(b))]
		if b[0] == 0 && b[1] == 0 {
			continue // never written
		}
		one, err := s.openSlot(b)
		var ve *persistence.VersionError
		switch {
		case err == nil:
			h.heads = append(h.heads, one)
		case errors.As(err, &ve):
			h.newer = err
		case s.OfAnotherKey(b[2:]):
			h.foreign++
		default:
			h.bad++
		}
	}
	if len(h.heads) == 2 && h.heads[0].commit > h.heads[1].commit {
		h.heads[0], h.heads[1] = h.heads[1], h.heads[0]
	}
	return h
}

// createHeadFile makes the file anew, with one head in it, and leaves it open.
// It is whole and durable before it has its name.
func createHeadFile(dir string, s *sealer, h head) (*headFile, error) {
	b, err := s.slot(h)
	if err != nil {
		return nil, err
	}
	page := make([]byte, slots*slotSize)
	copy(page[slotOffset(h.commit):], b)
	if err := writeFile(filepath.Join(dir, headFileName), page); err != nil {
		return nil, err
	}
	return openHeadFile(dir, s)
}

func openHeadFile(dir string, s *sealer) (*headFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, headFileName), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &headFile{f, s}, nil
}

// writeFile makes a file whole and durable before it has its name.
func writeFile(path string, b []byte) error {
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		_ = os.Remove(path + ".tmp")
		return err
	}
	return syncDir(filepath.Dir(path))
}

func slotOffset(commit uint64) int64 { return int64(commit%slots) * slotSize }

// write puts a head into its slot; it is durable after sync.
func (f *headFile) write(h head) error {
	b, err := f.sealer.slot(h)
	if err == nil {
		_, err = f.f.WriteAt(b, slotOffset(h.commit))
	}
	return err
}

// sync makes what was written durable. It may be called by two goroutines.
func (f *headFile) sync() error { return fdatasync(f.f) }

func (f *headFile) close() error { return errors.Join(f.sync(), f.f.Close()) }
