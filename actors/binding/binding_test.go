package binding_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// world is a binding with a governor and an account played by the test.
type world struct {
	t       *testing.T
	sys     *runtime.System
	store   *storetest.Failing
	ref     runtime.Ref[binding.Message]
	events  chan binding.Event
	tickets chan *governor.Ticket
	ended   chan *governor.Ticket
}

// desk plays the governor: it hands every ticket to the test.
type desk struct{ w *world }

func (desk) Started(*runtime.Context[governor.Message]) {}

func (d desk) Receive(_ *runtime.Context[governor.Message], m governor.Message) {
	switch m := m.(type) {
	case governor.Want:
		d.w.tickets <- m.Ticket
	case governor.Done:
		d.w.ended <- m.Ticket
	}
}

func (desk) Stopping(*runtime.Context[governor.Message]) {}

// parent plays the account.
type parent struct {
	w   *world
	cfg binding.Config
}

func (p parent) Started(c *runtime.Context[struct{}]) {
	ref, err := binding.Spawn(c, p.cfg)
	if err != nil {
		p.w.t.Error(err)
	}
	p.w.ref = ref
}

func (parent) Receive(*runtime.Context[struct{}], struct{}) {}
func (parent) Stopping(*runtime.Context[struct{}])          {}

func run(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		memory := persistence.NewMemory()
		owner, err := memory.Claim("test")
		if err != nil {
			t.Fatal(err)
		}
		w := &world{
			t: t, sys: runtime.NewSystem(runtime.Options{}), store: storetest.NewFailing(memory, nil),
			events: make(chan binding.Event, 100), tickets: make(chan *governor.Ticket, 100), ended: make(chan *governor.Ticket, 100),
		}
		gov := runtime.SpawnRoot[governor.Message](w.sys, desk{w})
		runtime.SpawnRoot[struct{}](w.sys, parent{w, binding.Config{
			Account: "alice", DC: 2, PFS: pfs.Config{PFS: true}, Store: w.store, Owner: owner, Governor: gov,
			Notify: func(ev binding.Event) { w.events <- ev },
		}})
		synctest.Wait()
		f(w)
		if err := w.sys.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// next is the next output, which must be of a kind.
func (w *world) next(kind pfs.OutputKind) pfs.Output {
	w.t.Helper()
	select {
	case ev := <-w.events:
		if ev.StoreErr != nil || ev.Output.Kind != kind {
			w.t.Fatalf("got %v, %v; want %v", ev.Output, ev.StoreErr, kind)
		}
		return ev.Output
	case <-time.After(time.Hour):
		w.t.Fatalf("nothing came; want %v", kind)
		return pfs.Output{}
	}
}

// quiet checks that nothing is asked for.
func (w *world) quiet() {
	w.t.Helper()
	synctest.Wait()
	select {
	case ev := <-w.events:
		w.t.Fatalf("%v, %v came", ev.Output, ev.StoreErr)
	case <-w.tickets:
		w.t.Fatal("a permit was asked for")
	default:
	}
}

func (w *world) ticket() *governor.Ticket {
	w.t.Helper()
	synctest.Wait()
	select {
	case t := <-w.tickets:
		return t
	default:
		w.t.Fatal("no permit was asked for")
		return nil
	}
}

// given checks that a permit was given back.
func (w *world) given(want *governor.Ticket) {
	w.t.Helper()
	synctest.Wait()
	select {
	case t := <-w.ended:
		if t != want {
			w.t.Fatal("another permit was given back")
		}
	default:
		w.t.Fatal("the permit was not given back")
	}
}

func (w *world) key() pfs.NewKey {
	value := make([]byte, 256)
	_, _ = rand.Read(value)
	key, err := crypt.NewAuthKey(value)
	if err != nil {
		w.t.Fatal(err)
	}
	return pfs.NewKey{Key: key, ExpiresAt: time.Now().Add(24 * time.Hour)}
}

// make takes the machine from a wish for a key to the key.
func (w *world) make(kind pfs.KeyKind) {
	w.t.Helper()
	if out := w.next(pfs.OutPermit); out.Key != kind {
		w.t.Fatalf("wants %v, want %v", out.Key, kind)
	}
	w.quiet() // no permit is asked for before there is a connection
	w.ref.Send(binding.Connected{})
	t := w.ticket()
	t.Granted()
	w.next(pfs.OutMake)
	w.ref.Send(binding.Made{Kind: kind, Key: w.key()})
	w.given(t)
}

func TestKeysAreOnDiskBeforeAnythingElseHappens(t *testing.T) {
	run(t, func(w *world) {
		w.store.SetFail(storetest.FailFrom(1))
		w.make(pfs.Perm)
		for range 3 { // told again and again, and nothing goes on
			select {
			case ev := <-w.events:
				if !errors.Is(ev.StoreErr, storetest.ErrInjected) {
					t.Fatalf("%v came before the key was on disk", ev.Output)
				}
			case <-time.After(time.Hour):
				t.Fatal("nobody is told of the refused commit")
			}
		}
		w.store.SetFail(nil)
		w.make(pfs.Temp)
		bind := w.next(pfs.OutBind)
		w.ref.Send(binding.Bound{ID: bind.Temp.ID()})
		w.next(pfs.OutUse)
		records, err := w.store.Load("alice")
		if err != nil || len(records) != 2 {
			t.Errorf("%d records, %v; want two keys", len(records), err)
		}
	})
}

// TestAPermitServesWhatIsWantedWhenItComes: the machine wanted a temp key, was
// told to forget everything, and wants a perm key when the permit comes.
func TestAPermitServesWhatIsWantedWhenItComes(t *testing.T) {
	run(t, func(w *world) {
		w.make(pfs.Perm)
		if out := w.next(pfs.OutPermit); out.Key != pfs.Temp {
			t.Fatalf("wants %v", out.Key)
		}
		w.ref.Send(binding.Connected{})
		permit := w.ticket()
		w.ref.Send(binding.Forget{})
		if out := w.next(pfs.OutPermit); out.Key != pfs.Perm {
			t.Fatalf("after it was told to forget it wants %v", out.Key)
		}
		w.ref.Send(binding.Connected{})
		w.quiet() // one permit at a time
		permit.Granted()
		if out := w.next(pfs.OutMake); out.Key != pfs.Perm {
			t.Errorf("makes %v", out.Key)
		}
		w.ref.Send(binding.MakeFailed{Kind: pfs.Perm, Err: errors.New("refused")})
		w.given(permit)
		w.make(pfs.Perm)
	})
}

func TestAPermitIsGivenBackAtTheEnd(t *testing.T) {
	run(t, func(w *world) {
		w.next(pfs.OutPermit)
		w.ref.Send(binding.Connected{})
		permit := w.ticket()
		w.ref.Stop()
		<-w.ref.Done()
		w.given(permit)
	})
}
