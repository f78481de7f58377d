package control

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

// unread lets an account be read once, when its node takes it, and then only when it may.
type unread struct {
	*persistence.MemoryCluster
	looked atomic.Int32
	may    chan struct{}
}

func (s *unread) Load(id persistence.AccountID) ([]persistence.Record, error) {
	if id == "alice" && s.looked.Add(1) > 1 {
		<-s.may
	}
	return s.MemoryCluster.Load(id)
}

// An account that its new node has not read yet is not listed as a new one, which would be to sign in.
func TestAnAccountThatIsNotReadYetIsNotNew(t *testing.T) {
	first := persistence.NewMemoryCluster(time.Now)
	owner, err := first.Join(t.Context(), persistence.NodeInfo{Name: "a", Term: time.Minute, Capacity: 1})
	if err != nil {
		t.Fatal(err)
	}
	rec := persistence.Account{ID: "alice", UserID: 7, HomeDC: 2, SignedIn: true, Paused: true, State: "paused", StateSince: time.Unix(1, 0)}.Record()
	if err := first.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{rec}, Absent: []persistence.Key{rec.Key}}); err != nil {
		t.Fatal(err)
	}
	if err := first.Leave(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	store := &unread{MemoryCluster: first.Node(), may: make(chan struct{})}
	m, err := actors.Open(actors.Options{
		Store: store, DCs: dc.Production(), Node: "b", Cluster: &actors.ClusterOptions{},
		App: actors.App{APIID: 1 << 24, APIHash: "of nobody", DeviceModel: "a test", SystemVersion: "none", AppVersion: "0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	l := &Local{Manager: m, Cluster: store}
	until(t, "its node takes it", func() bool { return len(m.Accounts()) == 1 })
	list, err := List.Call(t.Context(), l, ListRequest{})
	if err != nil || len(list.Accounts) != 1 || list.Accounts[0].State != "connecting" || list.Accounts[0].Why == "" {
		t.Errorf("before it is read: %+v, %v", list, err)
	}
	close(store.may)
	if acc, err := Show.Call(as(t, "reader", "read"), l, AccountRequest{"alice"}); err != nil || acc.State != "paused" {
		t.Errorf("and then: %+v, %v", acc, err)
	}
	ctx, cancel := actors.CloseGrace()
	defer cancel()
	if err := errors.Join(m.Close(ctx), store.Close()); err != nil {
		t.Error(err)
	}
}
