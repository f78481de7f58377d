package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence"
)

const (
	// maxPlan are accounts that an action is planned for, maxAct those it is done to in
	// one request: a page sends the next ones when it has its answer, and can stop.
	maxPlan = 20_000
	maxAct  = 50
	// atOnce are acted upon beside each other: a rotation waits for its DC.
	atOnce = 10
)

// action is what is done to accounts from the fleet's page.
type action struct {
	does string // what it does, in words
	// fits tells why an account is left out, "" for one that is not.
	fits func(control.Account) string
	do   func(context.Context, control.Service, actRequest, string) error
}

// actRequest asks for a plan, or for it to be carried out.
type actRequest struct {
	Action string   `json:"action"`
	IDs    []string `json:"ids"`
	// Label is key=value, or key- to take a label away.
	Label string `json:"label"`

	put    map[string]string
	remove []string
}

var actions = map[string]action{
	"pause": {
		does: "Their connections are closed. Their keys are kept, and they connect again when they are resumed.",
		fits: func(a control.Account) string {
			switch a.Status.State {
			case actors.Paused, actors.Exported:
				return "is " + a.State + " already"
			}
			return ""
		},
		do: func(ctx context.Context, s control.Service, _ actRequest, id string) error {
			_, err := control.Pause.Call(ctx, s, control.AccountRequest{ID: id})
			return err
		},
	},
	"resume": {
		does: "They connect again.",
		fits: func(a control.Account) string {
			switch a.Status.State {
			case actors.Paused, actors.Quarantined:
				return ""
			}
			return "is " + a.State + ": only paused and quarantined accounts are resumed"
		},
		do: func(ctx context.Context, s control.Service, _ actRequest, id string) error {
			_, err := control.Resume.Call(ctx, s, control.AccountRequest{ID: id})
			return err
		},
	},
	"rotate": {
		does: "Their temp keys are replaced now, at the pace of the key budget. No call fails, and new ones are held for a moment.",
		fits: func(a control.Account) string {
			switch {
			case a.Status.State != actors.Online:
				return "is " + a.State + ": only accounts that are online rotate"
			case !a.PFS:
				return "has no temp keys"
			}
			return ""
		},
		do: func(ctx context.Context, s control.Service, _ actRequest, id string) error {
			_, err := control.Rotate.Call(ctx, s, control.AccountRequest{ID: id})
			return err
		},
	},
	"label": {
		does: "Their connections are left as they are.",
		fits: func(control.Account) string { return "" },
		do: func(ctx context.Context, s control.Service, r actRequest, id string) error {
			_, err := control.Label.Call(ctx, s, control.LabelRequest{ID: id, Put: r.put, Remove: r.remove})
			return err
		},
	},
}

// readAct reads a request for some accounts.
func readAct(r *http.Request, most int) (q actRequest, a action, err error) {
	if json.NewDecoder(r.Body).Decode(&q) != nil {
		return q, a, invalid("the request cannot be read: load the page again")
	}
	a, err = q.check(most)
	return q, a, err
}

func invalid(words string, args ...any) error {
	return &control.Error{Kind: control.KindInvalid, Message: fmt.Sprintf(words, args...)}
}

// check finds the action, and reads the label.
func (q *actRequest) check(most int) (action, error) {
	a, ok := actions[q.Action]
	switch {
	case !ok:
		return a, invalid("there is no action %q", q.Action)
	case len(q.IDs) == 0:
		return a, invalid("no account is selected: select some")
	case len(q.IDs) > most:
		return a, invalid("%d accounts are too many at once: at most %d", len(q.IDs), most)
	case q.Action != "label":
		return a, nil
	}
	if key, ok := strings.CutSuffix(q.Label, "-"); ok && !strings.Contains(q.Label, "=") {
		q.remove = []string{key}
		return a, nil
	}
	key, value, ok := strings.Cut(q.Label, "=")
	if !ok {
		return a, invalid("a label is key=value, or key- to take it away")
	}
	if err := persistence.CheckLabel(key, value); err != nil {
		return a, control.Wrap(err)
	}
	q.put = map[string]string{key: value}
	return a, nil
}

// plan is what an action would touch.
type plan struct {
	Does  string   `json:"does"`
	Touch []target `json:"touch"`
	Skip  []target `json:"skip"`
}

// target is an account and, where it is left out or was not done, why.
type target struct {
	ID    string `json:"id"`
	State string `json:"state,omitempty"`
	Why   string `json:"why,omitempty"`
}

// fleetPlan says what an action would touch. It changes nothing.
func (s *Server) fleetPlan(w http.ResponseWriter, r *http.Request) {
	q, a, err := readAct(r, maxPlan)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	list, err := control.List.Call(r.Context(), s.o.Service, control.ListRequest{})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	there := make(map[string]control.Account, len(list.Accounts))
	for _, acc := range list.Accounts {
		there[acc.ID] = acc
	}
	p := plan{Does: a.does, Touch: []target{}, Skip: []target{}}
	for _, id := range q.IDs {
		acc, ok := there[id]
		if !ok {
			p.Skip = append(p.Skip, target{ID: id, Why: "is no more"})
			continue
		}
		if why := a.fits(acc); why != "" {
			p.Skip = append(p.Skip, target{id, acc.State, why})
			continue
		}
		p.Touch = append(p.Touch, target{ID: id, State: acc.State})
	}
	writeJSON(w, http.StatusOK, p)
}

// fleetAct does it, to a few accounts. An account at which it fails does not keep it from
// the others.
func (s *Server) fleetAct(w http.ResponseWriter, r *http.Request) {
	q, a, err := readAct(r, maxAct)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerLimit)
	defer cancel()
	errs := make([]error, len(q.IDs))
	var all sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i, id := range q.IDs {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			errs[i] = a.do(ctx, s.o.Service, q, id)
		})
	}
	all.Wait()
	result := struct {
		Done   int      `json:"done"`
		Failed []target `json:"failed"`
	}{Failed: []target{}}
	for i, err := range errs {
		if err != nil {
			result.Failed = append(result.Failed, target{ID: q.IDs[i], Why: sentence(err)})
			continue
		}
		result.Done++
	}
	writeJSON(w, http.StatusOK, result)
}
