package dashboard

import (
	"context"
	"net/http"
	"time"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// storeFacts are what is known of the store.
type storeFacts struct {
	about control.About
	n     int // accounts
	space control.StoreSpace
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
	f.n = len(list.Accounts)
	f.space, err = control.Space.Call(ctx, s.o.Service, control.Empty{})
	return f, err
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
