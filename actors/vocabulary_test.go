package actors

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/security"
	"github.com/mtfleet/mtfleet/mtproto/standing"
)

// This file holds what an embedding service reads of an account to what the
// rooms below say: the types are two, so that each is documented where it is
// used, and nothing may be lost between them.

// fill gives every field a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(int64(*n), 0).UTC()))
		return
	case error:
		v.Set(reflect.ValueOf(fmt.Errorf("error %d", *n)))
		return
	case login.JSONText:
		v.SetString(fmt.Sprintf(`{"n":%d}`, *n))
		return
	case JSONText:
		v.SetString(fmt.Sprintf(`{"n":%d}`, *n))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), n)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Interface:
		v.Set(reflect.ValueOf(fmt.Errorf("error %d", *n)))
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(standing.Revoked))
	default:
		panic("fill does not know " + v.Type().String())
	}
}

func filled[T any]() T {
	var v T
	n := 0
	fill(reflect.ValueOf(&v).Elem(), &n)
	return v
}

// fields are the fields of a value by their path, those of its structs too.
func fields(v reflect.Value, path string, into map[string]string) {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	_, text := v.Interface().(interface{ MarshalText() ([]byte, error) })
	if v.Kind() != reflect.Struct || text {
		into[path] = strings.ToLower(fmt.Sprint(v.Interface()))
		return
	}
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			fields(v.Field(i), path+"."+f.Name, into)
		}
	}
}

func TestNothingIsLostBetweenTheRoomsAndThoseWhoRead(t *testing.T) {
	step, status := filled[login.Step](), filled[account.Status]()
	sessions, notice := filled[security.Sessions](), filled[security.Notice]()
	answer := filled[Answer]()
	for name, c := range map[string]struct{ ours, theirs any }{
		"a step":         {stepOf(&step), step},
		"an answer":      {answer, answer.inner()},
		"a status":       {*statusOf(&status), status},
		"sessions":       {sessionsOf(sessions), sessions},
		"a notice":       {noticeOf(&notice), notice},
		"its words":      {noticeOf(&security.Notice{Kind: security.NoticeNewSession, Device: "a", Location: "b", Session: "c"}).String(), security.Notice{Kind: security.NoticeNewSession, Device: "a", Location: "b", Session: "c"}.String()},
		"a state error":  {own(new(filled[standing.StateError]())), filled[standing.StateError]()},
		"a wait error":   {own(new(filled[standing.WaitError]())), filled[standing.WaitError]()},
		"a busy error":   {own(new(filled[account.BusyError]())), filled[account.BusyError]()},
		"a reserved one": {own(new(filled[standing.ReservedError]())), filled[standing.ReservedError]()},
		"a rotation's":   {own(new(filled[standing.RotateError]())), filled[standing.RotateError]()},
		"a sign-in's":    {own(new(filled[login.Error]())), filled[login.Error]()},
		"a refusal":      {own(new(filled[security.Error]())), filled[security.Error]()},
	} {
		ours, theirs := map[string]string{}, map[string]string{}
		fields(reflect.ValueOf(c.ours), "", ours)
		fields(reflect.ValueOf(c.theirs), "", theirs)
		delete(ours, ".Labels") // which no room below knows
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("%s (-theirs +ours):\n%s", name, diff)
		}
		a, err := json.Marshal(c.theirs)
		if b, err2 := json.Marshal(c.ours); name == "a step" || name == "an answer" || name == "sessions" || name == "a notice" {
			if err != nil || err2 != nil || string(a) != string(b) {
				t.Errorf("%s as JSON is\n%s, not\n%s (%v, %v)", name, b, a, err, err2)
			}
		}
	}
}

func TestAnErrorDeepInATreeIsFoundByOurNameAndKeepsItsWords(t *testing.T) {
	err := fmt.Errorf("account a: %w", errors.Join(ErrStopped, &standing.WaitError{Method: "auth.sendCode"}))
	got := own(err)
	var wait *WaitError
	if !errors.As(got, &wait) || wait.Method != "auth.sendCode" || !errors.Is(got, ErrStopped) || got.Error() != err.Error() {
		t.Errorf("it is %v", got)
	}
	if other := errors.New("of nobody"); own(other) != other || own(nil) != nil {
		t.Error("an error of nobody is not left as it is")
	}
}

// sources are the files of a package, without its tests.
func sources(t *testing.T, dir string) (files []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatal(dir, err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// constants are those of a type in the files of a package, by what follows the
// prefix of their names.
func constants(t *testing.T, dir, of, prefix string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, f := range sources(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typ, _ := spec.Type.(*ast.Ident)
			value, _ := spec.Values[0].(*ast.BasicLit)
			if value != nil && typ != nil && typ.Name == of {
				all[strings.TrimPrefix(spec.Names[0].Name, prefix)] = value.Value
			}
			return true
		})
	}
	return all
}

func TestTheWordsAreThoseOfTheRooms(t *testing.T) {
	for _, c := range []struct{ dir, theirs, prefix, ours, ourPrefix string }{
		{"login", "StepType", "Type", "StepType", "Type"},
		{"login", "StepKind", "Step", "StepKind", "Step"},
		{"login", "AnswerKind", "Answer", "AnswerKind", "Answer"},
		{"login", "Reason", "Reason", "SignInReason", "SignIn"},
		{"security", "Reason", "Reason", "SecurityReason", "Security"},
		{"security", "ResetState", "Reset", "ResetState", "Reset"},
		{"security", "NoticeKind", "Notice", "NoticeKind", "Notice"},
	} {
		theirs := constants(t, "../mtproto/"+c.dir, c.theirs, c.prefix)
		ours := constants(t, ".", c.ours, c.ourPrefix)
		if diff := cmp.Diff(theirs, ours); diff != "" || len(ours) < 3 {
			t.Errorf("%s (-%s +actors): %s", c.ours, c.dir, diff)
		}
	}
	for ours, theirs := range map[State]standing.State{
		New: standing.New, SigningIn: standing.SigningIn, Connecting: standing.Connecting, Online: standing.Online,
		Waiting: standing.Waiting, Frozen: standing.Frozen, Quarantined: standing.Quarantined, Duplicated: standing.Duplicated,
		Revoked: standing.Revoked, SigningOut: standing.SigningOut, SignedOut: standing.SignedOut, Paused: standing.Paused,
		Exported: standing.Exported,
	} {
		if standing.State(ours) != theirs {
			t.Errorf("%v is %v", ours, theirs)
		}
	}
	for s := New; s <= Exported; s++ {
		var back State
		text, err := s.MarshalText()
		if err != nil || back.UnmarshalText(text) != nil || back != s || string(text) != standing.State(s).String() {
			t.Errorf("state %d is %q", s, text)
		}
	}
	kinds := []BoxKind{BoxNone, BoxCommon, BoxQts, BoxChannel}
	texts := map[string]BoxKind{"": BoxNone, "common": BoxCommon, "qts": BoxQts, "channel:7": BoxChannel}
	for _, text := range slices.Sorted(maps.Keys(texts)) {
		var b Box
		if err := b.UnmarshalText([]byte(text)); err != nil || b.Kind != texts[text] || b.String() != text || !slices.Contains(kinds, b.Kind) {
			t.Errorf("the box %q is %+v (%v)", text, b, err)
		}
	}
}

// TestTheFrontDoorShowsWhatItIsMadeOf: go doc shows no fields and no methods of a
// type that is another name for one elsewhere. Labels and dead letters are the
// store's, which an embedding service makes itself.
func TestTheFrontDoorShowsWhatItIsMadeOf(t *testing.T) {
	for _, f := range sources(t, ".") {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && spec.Assign.IsValid() && spec.Name.IsExported() {
				t.Errorf("%s is another name for a type elsewhere", spec.Name.Name)
			}
			return true
		})
	}
}
