package actors

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/foreign"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// This file takes sessions in and hands them out, with everything going wrong that
// can.

var (
	sessionOfPerson = signInFlow{name: "person", begin: byNumber, human: answers}
	sessionOfBot    = signInFlow{name: "bot", bot: true, begin: func(st *stage) Credentials { return BotToken(st.user.BotToken) }, human: answers}
)

// newSource is a stage on which another program was signed in and has stopped, and
// its session; the disk is empty.
func newSource(t *testing.T, f signInFlow, on conditions) (*stage, foreign.Session) {
	t.Helper()
	st := newStage(t, f, on, nothing, 0)
	st.play()
	st.sim.RunFor(time.Minute)
	st.close()
	s := sessionIn(st, "alice")
	st.disk = persistence.NewMemory()
	st.begun, st.queries, st.steps = true, nil, nil
	st.open()
	return st, s
}

// keyTold says whether a text has the key of a session in it, in any spelling of
// its first or last bytes.
func keyTold(s foreign.Session, text string) bool {
	for _, part := range [][]byte{s.Key[:12], s.Key[len(s.Key)-12:]} {
		for _, spelled := range []string{
			string(part), hex.EncodeToString(part), base64.StdEncoding.EncodeToString(part)[:15], base64.URLEncoding.EncodeToString(part)[:15],
			fmt.Sprint(part)[1:20],
		} {
			if strings.Contains(text, spelled) {
				return true
			}
		}
	}
	return false
}

// sessionIn is what a store has of an account, as another program would have it.
func sessionIn(st *stage, id persistence.AccountID) foreign.Session {
	st.t.Helper()
	records, err := st.disk.Load(id)
	st.must(err)
	state, err := persistence.DecodeState(records)
	st.must(err)
	s := foreign.Session{
		Format: foreign.Telethon, DC: state.Account.HomeDC, UserID: state.Account.UserID, Bot: yesNo(state.Account.Bot), APIID: 4242,
		Addr: playAddress(state.Account.HomeDC).String(),
	}
	for _, k := range state.PermKeys {
		if k.DC == s.DC && k.Revoked.IsZero() {
			s.Key = foreign.Key(k.Key)
		}
	}
	if s.Key == (foreign.Key{}) {
		st.t.Fatal("there is no key")
	}
	return s
}

// connections counts those that the network has.
func (n *playNet) connections() int { return len(n.socks) }

// harmedDisk is a store whose process dies at a commit.
type harmedDisk struct {
	persistence.Store
	st      *stage
	n       int  // commits so far
	at      int  // counted from 1; 0 never
	durable bool // that commit reaches the disk
}

func (d *harmedDisk) Commit(c persistence.Commit) error {
	if d.st.dead {
		return storetest.ErrCrashed
	}
	if d.n++; d.n != d.at {
		return d.Store.Commit(c)
	}
	d.st.struck = true
	if d.durable {
		_ = d.Store.Commit(c)
	}
	d.st.dead = true
	d.st.sim.AfterFunc(0, d.st.kill)
	return storetest.ErrCrashed
}

// onDisk has processes run on a disk that kills one of them, at a commit from now.
func (st *stage) onDisk(at int, durable bool) *harmedDisk {
	d := &harmedDisk{st: st}
	st.disks = func(s persistence.Store) persistence.Store {
		d.Store = s
		return d
	}
	st.close()
	st.open()
	d.n, d.at, d.durable = 0, at, durable
	return d
}

// takeIn imports a session, and goes on with it in other processes when one dies.
// The error is that of the import, where its process lived.
func (st *stage) takeIn(s foreign.Session, o AccountOptions) error {
	st.t.Helper()
	a, err := st.m.Import(context.Background(), "alice", s, o)
	for range 600 {
		if err != nil && keyTold(s, err.Error()) {
			st.t.Errorf("the key is in an error: %v", err)
		}
		if st.dead {
			st.sim.RunFor(time.Second)
			st.open()
			a, err = st.m.Account("alice")
			var none *NoAccountError
			if errors.As(err, &none) {
				return nil // nothing was on disk, or nothing is any more
			}
		}
		switch {
		case err != nil && !st.dead:
			return err
		case err == nil && a.Status().State == Online:
			if st.sim.RunFor(5 * time.Second); st.dead { // what is gathered is on disk by now
				continue
			}
			st.a = a
			return nil
		}
		if err == nil {
			if told := fmt.Sprintf("%+v", a.Status()); keyTold(s, told) {
				st.t.Errorf("the key is in the status: %s", told)
			}
		}
		st.sim.RunFor(100 * time.Millisecond)
		if !st.dead {
			a, err = st.m.Account("alice")
			var none *NoAccountError
			if errors.As(err, &none) {
				return nil
			}
		}
	}
	st.t.Fatalf("the import came to no end: %+v, %v", a.Status(), err)
	return nil
}

// left says what an import that came to nothing has left.
func (st *stage) left(s foreign.Session) {
	st.t.Helper()
	st.sim.RunFor(10 * time.Second)
	if _, err := st.m.Account("alice"); err == nil {
		st.t.Error("the account is there still")
	}
	if records, err := st.disk.Load("alice"); err != nil || len(records) > 0 {
		st.t.Errorf("records are left: %v, %v", records, err)
	}
	if keyTold(s, st.log.String()) {
		st.t.Error("the key is in the log")
	}
	for _, method := range st.queries {
		if method == "auth.logOut" {
			st.t.Error("the source was logged out")
		}
	}
}

// takenIn says whether the account is what an import makes.
func (st *stage) takenIn(s foreign.Session) {
	st.t.Helper()
	st.judge()
	if keyTold(s, st.log.String()) {
		st.t.Error("the key is in the log")
	}
	got := sessionIn(st, "alice")
	if !bytes.Equal(got.Key[:], s.Key[:]) {
		st.t.Error("it has another key")
	}
	records, _ := st.disk.Load("alice")
	state, _ := persistence.DecodeState(records)
	for _, k := range state.PermKeys {
		if k.DC == s.DC && k.Origin != persistence.OriginImport {
			st.t.Errorf("its key is of a %v", k.Origin)
		}
	}
	if o := st.a.Status().Origin; o.Format != string(s.Format) || o.APIID != s.APIID || o.At.IsZero() {
		st.t.Errorf("it comes from %+v", o)
	}
}

// TestASessionIsTakenInWhateverHappens: the process is killed at each commit, on
// disk or not, and at each query that the DC executes; or every connection is cut.
func TestASessionIsTakenInWhateverHappens(t *testing.T) {
	for _, f := range []signInFlow{sessionOfPerson, sessionOfBot} {
		for _, on := range []conditions{{}, {strict: true}, {noPFS: true}} {
			t.Run(f.name+", "+on.String(), func(t *testing.T) {
				t.Parallel()
				o := AccountOptions{NoPFS: on.noPFS}
				st, s := newSource(t, f, on)
				disk := st.onDisk(0, false)
				if err := st.takeIn(s, o); err != nil {
					t.Fatal(err)
				}
				st.takenIn(s)
				queries, all := slices.Clone(st.queries), disk.n
				st.close()
				if len(queries) < 2 || queries[0] != "users.getUsers" && queries[0] != "auth.bindTempAuthKey" {
					t.Fatalf("an import asks %v", queries)
				}
				if f.bot != on.noPFS || on.strict || raceDetector { // what differs between them are keys, and who it is
					return
				}
				for at := range min(all, 8) {
					for _, durable := range []bool{false, true} {
						st, s := newSource(t, f, on)
						st.onDisk(at+1, durable)
						if err := st.takeIn(s, o); err != nil {
							t.Logf("killed at commit %d, durable %v: %v", at+1, durable, err)
							st.left(s) // it never was on disk
							if err := st.takeIn(s, o); err != nil {
								t.Fatalf("killed at commit %d, durable %v: %v", at+1, durable, err)
							}
						}
						if _, err := st.m.Account("alice"); err != nil {
							if at > 0 || durable {
								t.Errorf("killed at commit %d, durable %v: the account is gone", at+1, durable)
							}
							continue
						}
						st.takenIn(s)
						st.close()
						if t.Failed() {
							t.Fatalf("killed at commit %d, durable %v", at+1, durable)
						}
					}
				}
				for at := range 2 {
					for _, h := range []harm{killed, killedBefore, cut} {
						st, s := newSource(t, f, on)
						st.harm, st.at = h, at+1
						if err := st.takeIn(s, o); err != nil {
							t.Fatalf("%v %d: %v", h, at+1, err)
						}
						st.takenIn(s)
						st.close()
						if t.Failed() {
							t.Fatalf("%v %d", h, at+1)
						}
					}
				}
			})
		}
	}
}

// noUse are sessions of which nothing may be left.
var noUse = []struct {
	name   string
	harm   func(st *stage, s *foreign.Session)
	reason SignInReason
}{
	{"ended", func(st *stage, s *foreign.Session) { st.must(st.b.RevokeKey(st.sim.Now(), s.DC, int64(s.Key.ID()))) }, SignInSession},
	{"of nobody's key", func(st *stage, s *foreign.Session) { s.Key[7] ^= 1 }, SignInSession},
	{"forgotten", func(st *stage, s *foreign.Session) {
		_, err := st.net.core.Fault(st.sim.Now(), dctest.Fault{Kind: dctest.FaultForgetPerm, DC: s.DC, Perm: int64(s.Key.ID())})
		st.must(err)
	}, SignInSession},
	{"used elsewhere", func(st *stage, s *foreign.Session) { st.must(st.b.InjectDuplicate(s.DC, int64(s.Key.ID()))) }, SignInSession},
	{"another user's than it says", func(st *stage, s *foreign.Session) { s.UserID++ }, SignInOther},
	{"a bot's, as it says", func(st *stage, s *foreign.Session) { s.Bot = foreign.Yes }, SignInOther},
	{"of a user who moved", func(st *stage, s *foreign.Session) { st.fail("users.getUsers", 303, "USER_MIGRATE_1") }, SignInMigrate},
	{"of half a login", func(st *stage, s *foreign.Session) { st.fail("users.getUsers", 401, "SESSION_PASSWORD_NEEDED") }, SignInSession},
	{"of a banned user", func(st *stage, s *foreign.Session) { st.must(st.b.Ban(st.sim.Now(), st.user.ID)) }, SignInBanned},
	{"for an app that the server refuses", func(st *stage, s *foreign.Session) { st.fail("users.getUsers", 400, "CONNECTION_API_ID_INVALID") }, SignInConfig},
}

func (st *stage) fail(method string, code int, text string) {
	st.t.Helper()
	st.must(st.b.InjectError(method, 0, code, text, -1))
}

// TestASessionOfNoUseLeavesNothing, also when the process dies while that is found
// out, and nothing of it is ended at the server.
func TestASessionOfNoUseLeavesNothing(t *testing.T) {
	for i, c := range noUse {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			st, s := newSource(t, sessionOfPerson, conditions{})
			disk := st.onDisk(0, false)
			c.harm(st, &s)
			err := st.takeIn(s, AccountOptions{})
			var e *SignInError
			if !errors.As(err, &e) || e.Reason != c.reason {
				t.Fatalf("%v; want %v", err, c.reason)
			}
			t.Log(err)
			st.left(s)
			all := disk.n
			st.close()
			if i > 1 || raceDetector {
				return
			}
			for at := range min(all, 8) {
				for _, durable := range []bool{false, true} {
					st, s := newSource(t, sessionOfPerson, conditions{})
					st.onDisk(at+1, durable)
					c.harm(st, &s)
					_ = st.takeIn(s, AccountOptions{})
					st.left(s)
					st.close()
					if t.Failed() {
						t.Fatalf("killed at commit %d, durable %v", at+1, durable)
					}
				}
			}
		})
	}
}

func TestASessionHasOneHolderInAStore(t *testing.T) {
	ctx := context.Background()
	st, s := newSource(t, sessionOfPerson, conditions{})
	st.must(st.takeIn(s, AccountOptions{}))
	unknown := s
	unknown.UserID, unknown.Bot = 0, foreign.Unknown // as a Telethon string
	for name, s := range map[string]foreign.Session{"the same": s, "the same, and it does not say whose": unknown} {
		if _, err := st.m.Import(ctx, "bob", s, AccountOptions{}); !is(err, SignInAlready) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Another session of the same user, which does not say so.
	st.must(st.b.RevokeKey(st.sim.Now(), s.DC, int64(s.Key.ID())))
	if _, err := Invoke(ctx, st.a, &echo.EchoRequest{ID: 9}); err == nil {
		t.Error("a call under a key that was ended")
	}
	st.sim.RunFor(time.Minute)
	if got := st.a.Status().State; got != Revoked {
		t.Fatal(got)
	}
	if _, err := st.m.Import(ctx, "bob", unknown, AccountOptions{}); !is(err, SignInAlready) {
		t.Errorf("a key that is retired: %v", err)
	}
	if len(st.m.Accounts()) != 1 {
		t.Error("an account was left")
	}
	st.close()
}

// blindDisk is a store that cannot be read, and can be written.
type blindDisk struct {
	persistence.Store
	blind error
}

func (d *blindDisk) Load(id persistence.AccountID) ([]persistence.Record, error) {
	if d.blind != nil {
		return nil, d.blind
	}
	return d.Store.Load(id)
}

func TestNoSessionIsTakenInWhileTheKeysOfTheOthersAreUnknown(t *testing.T) {
	st, s := newSource(t, sessionOfPerson, conditions{})
	s.UserID, s.Bot = 0, foreign.Unknown
	st.must(st.takeIn(s, AccountOptions{}))
	disk := &blindDisk{}
	st.disks = func(s persistence.Store) persistence.Store {
		disk.Store = s
		return disk
	}
	st.close()
	st.open()
	disk.blind = errors.New("the disk does not answer")
	if _, err := st.m.Import(context.Background(), "bob", s, AccountOptions{}); !errors.Is(err, disk.blind) {
		t.Errorf("%v", err)
	}
	disk.blind = nil
	if records, err := st.disk.Load("bob"); err != nil || len(records) > 0 || len(st.m.Accounts()) != 1 {
		t.Errorf("%d records, %v", len(records), err)
	}
	st.close()
}

// TestTwoSessionsOfOneUserAreOneAccount: the second is found out when the server
// has said whose it is, and is left to its source.
func TestTwoSessionsOfOneUserAreOneAccount(t *testing.T) {
	ctx := context.Background()
	st := newStage(t, sessionOfPerson, conditions{}, nothing, 0)
	st.play()
	st.close()
	second := sessionIn(st, "alice")
	second.UserID, second.Bot = 0, foreign.Unknown
	st.disk, st.begun = persistence.NewMemory(), false
	st.open()
	var err error
	st.a, err = st.m.Add(ctx, "carol", AccountOptions{})
	st.must(err)
	st.play()
	if _, err := st.m.Import(ctx, "alice", second, AccountOptions{}); !is(err, SignInAlready) {
		t.Errorf("taken in beside another of its user: %v", err)
	}
	st.left(second)
	alive := 0
	for _, row := range st.net.core.Ledger().Authorizations {
		if row.Home && row.Ended.IsZero() {
			alive++
		}
	}
	if alive != 2 {
		t.Errorf("%d authorizations are left, of two", alive)
	}
	st.close()
}

func TestAnImportThatIsRemovedLeavesNothing(t *testing.T) {
	ctx := context.Background()
	st, s := newSource(t, sessionOfPerson, conditions{})
	st.fail("users.getUsers", 420, "FLOOD_WAIT_3600")
	short, cancel := context.WithCancel(ctx)
	st.sim.AfterFunc(time.Minute, cancel)
	if _, err := st.m.Import(short, "alice", s, AccountOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	a, err := st.m.Account("alice")
	st.must(err)
	if got := a.Status(); got.State != SigningIn || got.Origin.Format != "telethon" || got.Until.IsZero() {
		t.Errorf("it waits, and is %+v", got)
	}
	if !strings.Contains(st.log.String(), "audit: a session is being taken in") {
		t.Errorf("nobody waits for it any more, and the log has no word of it:\n%s", st.log.String())
	}
	st.must(a.Remove(ctx, false))
	st.left(s)
	st.close()
}

func is(err error, reason SignInReason) bool {
	var e *SignInError
	return errors.As(err, &e) && e.Reason == reason
}
