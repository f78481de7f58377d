package api

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheSameSeedMakesTheSameDirectory(t *testing.T) {
	populate := func(seed uint64) []User {
		b, err := New(Config{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Populate(20, 10); err != nil {
			t.Fatal(err)
		}
		return b.Users()
	}
	if !reflect.DeepEqual(populate(1), populate(1)) {
		t.Error("one seed, two directories")
	}
	if reflect.DeepEqual(populate(1), populate(2)) {
		t.Error("two seeds, one directory")
	}
}

func TestTheDirectoryIsSpreadOverTheDCs(t *testing.T) {
	b, err := New(Config{DCs: 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Populate(40, 40); err != nil {
		t.Fatal(err)
	}
	token := regexp.MustCompile(`^(\d+):[A-Za-z0-9_-]{35}$`)
	phones, tokens, homes := map[string]bool{}, map[string]bool{}, map[int]int{}
	for _, u := range b.Users() {
		homes[u.HomeDC]++
		if u.BotToken != "" {
			if m := token.FindStringSubmatch(u.BotToken); m == nil || m[1] != fmt.Sprint(u.ID) || u.Phone != "" || u.Code != "" {
				t.Errorf("bot %+v", u)
			}
			tokens[u.BotToken] = true
			continue
		}
		if want := fmt.Sprintf("99966%d", u.HomeDC); len(u.Phone) != 10 || u.Phone[:6] != want {
			t.Errorf("phone %q of DC %d", u.Phone, u.HomeDC)
		}
		if want := fmt.Sprintf("%[1]d%[1]d%[1]d%[1]d%[1]d", u.HomeDC); u.Code != want {
			t.Errorf("code %q of %q, want %q", u.Code, u.Phone, want)
		}
		phones[u.Phone] = true
		if u.ID <= 1<<31 {
			t.Errorf("id %d fits 31 bits", u.ID)
		}
	}
	if len(phones) != 40 || len(tokens) != 40 {
		t.Errorf("%d phones, %d tokens", len(phones), len(tokens))
	}
	for dc := 1; dc <= 4; dc++ {
		if homes[dc] != 20 {
			t.Errorf("%d users on DC %d, want 20", homes[dc], dc)
		}
	}
}

func TestMoreThanTenThousandNumbersOfOneDC(t *testing.T) {
	b, err := New(Config{DCs: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Populate(10002, 0); err != nil {
		t.Fatal(err)
	}
	users := b.Users()
	if last := users[len(users)-1]; last.Phone != "99966110001" || last.Code != "11111" {
		t.Errorf("the last is %+v", last)
	}
}

func TestPeopleThatCannotBeAdded(t *testing.T) {
	w := newWorld(t, Config{})
	for name, p := range map[string]Person{
		"a taken number":   {Phone: w.person(1).Phone},
		"a short number":   {Phone: "12"},
		"no number at all": {Phone: "hello"},
	} {
		if _, err := w.b.AddPerson(p); !errors.Is(err, ErrPhoneTaken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.b.AddPerson(Person{HomeDC: 4}); !errors.Is(err, ErrDCUnknown) {
		t.Errorf("DC 4: %v", err)
	}
	if _, err := w.b.AddBot(-1); !errors.Is(err, ErrDCUnknown) {
		t.Errorf("DC -1: %v", err)
	}
	id, err := w.b.AddPerson(Person{Phone: "+1 555 000 1234", HomeDC: 3, FirstName: "Grace", LastName: "Hopper", Password: "correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	users := w.b.Users()
	u := users[len(users)-1]
	if u.ID != id || u.Phone != "15550001234" || u.HomeDC != 3 || !u.Password || len(u.Code) != 5 {
		t.Errorf("added %+v", u)
	}
}

func TestADeletedAccountFreesItsNumber(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	if err := w.b.Deactivate(w.now, u.ID); err != nil {
		t.Fatal(err)
	}
	refused(w, "its key", 1, 1, self(), 401, "USER_DEACTIVATED")
	hash := w.hash(1, 1, u.Phone)
	must(w, 1, 1, signIn(u.Phone, hash, u.Code)) // sign-up is asked for
	if id, _ := w.b.AddPerson(Person{Phone: u.Phone}); id == u.ID {
		t.Error("the same id again")
	}
}

func TestOperatorCallsWantAKnownUser(t *testing.T) {
	w := newWorld(t, Config{})
	for name, err := range map[string]error{
		"Ban": w.b.Ban(noon, 1), "Deactivate": w.b.Deactivate(noon, 1), "Freeze": w.b.Freeze(noon, 1, noon, ""),
		"Unfreeze": w.b.Unfreeze(noon, 1), "SetPassword": w.b.SetPassword(1, "correct horse"), "Move": w.b.Move(1, 1),
		"Revoke": w.b.Revoke(noon, 1),
	} {
		if !errors.Is(err, ErrUserUnknown) {
			t.Errorf("%s of nobody: %v", name, err)
		}
	}
}

func TestConfigBounds(t *testing.T) {
	for field, cfg := range map[string]Config{
		"DCs":                   {DCs: 10},
		"NearestDC":             {NearestDC: 4},
		"CodeLength":            {CodeLength: 4},
		"CodeTTL":               {CodeTTL: time.Millisecond},
		"CodeMaxTries":          {CodeMaxTries: -1},
		"ExportTTL":             {ExportTTL: 2 * time.Hour},
		"AuthTTLDays":           {AuthTTLDays: 1000},
		"DifferenceSlice":       {DifferenceSlice: 5000},
		"LogMax":                {LogMax: -1},
		"Limits.SendCodeNumber": {Limits: Limits{SendCodeNumber: RateLimit{Calls: 5}}},
		"RevokedError":          {RevokedError: "OOPS"},
		"CodeChain":             {CodeChain: []CodeType{CodeSMS, CodeApp}},
	} {
		_, err := New(cfg)
		var ce *ConfigError
		if !errors.As(err, &ce) || ce.Field != field || !strings.Contains(ce.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, chain := range [][]CodeType{{}, {codeTypeLast + 1}, {0}, make([]CodeType, 17)} {
		if _, err := New(Config{CodeChain: chain}); err == nil {
			t.Errorf("chain %v was accepted", chain)
		}
	}
	if b, err := New(Config{}); err != nil || !slices.Equal(b.Apps(), []App{TestApp()}) || !slices.Equal(b.APIIDs(), []int{TestApp().ID}) {
		t.Errorf("the default application is not TestApp: %v", err)
	}
	if b, err := New(Config{DCs: 1, Apps: []App{}, CodeLength: 7}); err != nil || b.cfg.NearestDC != 1 {
		t.Errorf("one DC: %v", err)
	}
}
