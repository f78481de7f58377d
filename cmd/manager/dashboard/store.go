package dashboard

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence"
)

// storeFacts are what is known of the store.
type storeFacts struct {
	about control.About
	dir   string
	n     int // accounts
	room  persistence.Room
	known bool   // room is
	wrong string // why commits are refused
	used  int64  // bytes; negative: not known
}

// storeEvery is how often the disk is asked.
const storeEvery = 5 * time.Second

func (s *Server) storeNow(ctx context.Context) (f storeFacts, err error) {
	if f.about, err = control.Info.Call(ctx, s.o.Service, control.Empty{}); err != nil {
		return f, err
	}
	list, err := control.List.Call(ctx, s.o.Service, control.ListRequest{})
	if err != nil {
		return f, err
	}
	f.dir, f.n, f.used = s.o.Dir, len(list.Accounts), used(s.o.Dir)
	if s.o.Room != nil {
		room, err := s.o.Room()
		f.room, f.known = room, true
		if err != nil {
			f.wrong = sentence(errors.New(actors.Words(err)))
		}
	}
	return f, nil
}

// used is how many bytes a directory's files have.
func used(dir string) (n int64) {
	if dir == "" {
		return -1
	}
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // it went away, or is a socket
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	if err != nil {
		return -1
	}
	return n
}

func (s *Server) storePage(w http.ResponseWriter, r *http.Request) {
	f, err := s.storeNow(r.Context())
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "Store", view{live: "/live/store"}, part{"store", storeBody(f)})
}

func (s *Server) storeLive(w http.ResponseWriter, r *http.Request) {
	var (
		at   time.Time
		last []part
	)
	s.parts(w, r, func(ctx context.Context) ([]part, error) {
		if now := s.o.Now(); now.Sub(at) >= storeEvery {
			f, err := s.storeNow(ctx)
			if err != nil {
				return nil, err
			}
			at, last = now, []part{{"store", storeBody(f)}}
		}
		return last, nil
	})
}
