package dashboard

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// home is a DC and the accounts that are at home there.
type home struct {
	dc                  int
	online, signedIn, n int
}

// homesOf counts them; DC 0 is where accounts are whose home is not known yet.
func homesOf(list []control.Account) (all []home) {
	at := map[int]*home{}
	for i := range list {
		a := &list[i]
		h := at[a.HomeDC]
		if h == nil {
			h = &home{dc: a.HomeDC}
			at[a.HomeDC] = h
		}
		h.n++
		if a.SignedIn {
			h.signedIn++
		}
		if a.Status.State == actors.Online {
			h.online++
		}
	}
	for _, h := range at {
		all = append(all, *h)
	}
	slices.SortFunc(all, func(a, b home) int { return cmp.Compare(a.dc, b.dc) })
	return all
}

func (s *Server) dcsParts(ctx context.Context) ([]part, error) {
	pacing, err := control.Governor.Call(ctx, s.o.Service, control.Empty{})
	if err != nil {
		return nil, err
	}
	list, err := control.List.Call(ctx, s.o.Service, control.ListRequest{})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(pacing.DCs, func(a, b control.GovernedDC) int { return cmp.Compare(a.DC, b.DC) })
	return []part{
		outagesPart(list.Outages), {"dcs", dcTable(pacing.DCs)}, {"families", familyTable(pacing.DCs)}, {"homes", homeTable(homesOf(list.Accounts))}, {"budget", budgetLine(pacing.Budget)},
	}, nil
}

func (s *Server) dcsPage(w http.ResponseWriter, r *http.Request) {
	parts, err := s.dcsParts(r.Context())
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "DCs", view{live: "/live/dcs"}, all(parts))
}

func (s *Server) dcsLive(w http.ResponseWriter, r *http.Request) { s.parts(w, r, s.dcsParts) }
