package login

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the transcripts in testdata; read the diff before committing it")

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// testGroup is made once: it takes 10 ms.
var testGroup = crypt.WellKnownGroup()

func testConfig() Config {
	return Config{
		APIID: 17, APIHash: "hash", DC: 2, HasDC: func(id dc.ID) bool { return id <= 5 },
		Rand: rand.NewChaCha8([32]byte{1}), Group: testGroup,
	}
}

// tokensOf are the future auth tokens of everybody.
func tokensOf(words ...string) func(string) [][]byte {
	var tokens [][]byte
	for _, w := range words {
		tokens = append(tokens, []byte(w))
	}
	return func(string) [][]byte { return tokens }
}

// A play is a machine, its clock and its disk.
type play struct {
	now     time.Time
	cfg     Config
	m       *Machine
	disk    *Snapshot
	call    CallID
	work    Work
	last    Output
	visited map[State]bool
	keep    bool     // leave the outputs where they are
	srp     int64    // the id of the last parameters given out
	mine    []string // what was typed and shown, and may not be stored
	buf     strings.Builder
}

// numbers are the phone numbers and the user ids of the transcripts, which are
// stored.
var numbers = regexp.MustCompile(`49170\d+|123456\b`)

func (p *play) drain() {
	if p.keep {
		return
	}
	for out, ok := p.m.Next(); ok; out, ok = p.m.Next() {
		switch out.Kind {
		case OutSave:
			s := out.Snapshot
			p.disk = &s
			b, err := s.Encode()
			if err != nil {
				fmt.Fprintf(&p.buf, "  NOT ENCODED: %v\n", err)
			}
			for _, secret := range p.mine {
				if strings.Contains(numbers.ReplaceAllString(string(b), ""), secret) {
					fmt.Fprintf(&p.buf, "  STORED: %q\n", secret)
				}
			}
		case OutDone, OutFailed:
			p.disk = nil
		case OutCall:
			p.call, p.last = out.Call, out
		case OutWork:
			p.work = out.Work
		}
		fmt.Fprintf(&p.buf, "  %s\n", p.describe(out))
	}
}

// describe adds what matters for a transcript to an output's own words.
func (p *play) describe(out Output) string {
	switch out.Kind {
	case OutCall:
		switch q := out.Query.(type) {
		case *tg.AuthSendCodeRequest:
			line := fmt.Sprintf("%v %s", out, q.PhoneNumber)
			if tokens, ok := q.Settings.LogoutTokens.Get(); ok {
				line += fmt.Sprintf(" tokens=%q", tokens)
			}
			return line
		case *tg.AuthSignInRequest:
			if email, ok := q.EmailVerification.Get(); ok {
				return fmt.Sprintf("%v %s %s by %s", out, q.PhoneNumber, q.PhoneCodeHash, verification(email))
			}
			return fmt.Sprintf("%v %s %s %q", out, q.PhoneNumber, q.PhoneCodeHash, q.PhoneCode.Value)
		case *tg.AuthResendCodeRequest:
			return fmt.Sprintf("%v %s", out, q.PhoneCodeHash)
		case *tg.AuthCancelCodeRequest:
			return fmt.Sprintf("%v %s", out, q.PhoneCodeHash)
		case *tg.AuthSignUpRequest:
			return fmt.Sprintf("%v %q %q", out, q.FirstName, q.LastName)
		case *tg.AuthFirebasePnvSignUpRequest:
			return fmt.Sprintf("%v %q %q", out, q.FirstName, q.LastName)
		default:
			return describeCall(out)
		}
	case OutAsk:
		s := out.Step
		line := out.String()
		if s.URL != "" && s.Kind == StepQR {
			p.mine = append(p.mine, strings.TrimPrefix(s.URL, "tg://login?token="))
		}
		for _, f := range []struct {
			name  string
			value any
			set   bool
		}{
			{"how", s.How, s.How != ""}, {"length", s.Length, s.Length != 0}, {"pattern", s.Pattern, s.Pattern != ""},
			{"url", s.URL, s.URL != ""}, {"next", s.Next, s.Next != ""}, {"tries", s.Tries, s.Tries != 0},
			{"error", s.LastError, s.LastError != ""}, {"terms", s.Terms, s.Terms != ""},
			{"hint", s.Hint, s.Hint != ""}, {"recovery", "yes", s.Recovery}, {"apple", "yes", s.Apple}, {"google", "yes", s.Google},
			{"options", s.Options, s.Options != ""}, {"pay", fmt.Sprint(s.Payment.Amount, s.Payment.Currency), s.Payment != Payment{}},
			{"firebase", s.Firebase.Project, s.Firebase != FirebaseTask{}}, {"nonce", s.Nonce, s.Nonce != ""},
			{"resets", "+" + s.ResetAt.Sub(p.now).String(), !s.ResetAt.IsZero()},
			{"until", "+" + s.Until.Sub(p.now).String(), !s.Until.IsZero()}, {"unsupported", "yes", !s.Supported},
		} {
			if f.set {
				line += fmt.Sprintf(" %s=%v", f.name, f.value)
			}
		}
		return line + "\n    " + s.Message
	case OutFailed:
		return fmt.Sprintf("%v retry=%v\n    %v", out, out.Err.Retry, out.Err)
	}
	return out.String()
}

func (p *play) run(line string) error {
	word := strings.Fields(line)
	rest := strings.TrimSpace(strings.TrimPrefix(line, word[0]))
	var err error
	switch word[0] {
	case "tokens":
		p.cfg.FutureTokens = tokensOf(word[1:]...)
		return nil
	case "sign-up-allowed":
		p.cfg.AllowSignUp = true
		return nil
	case "phone":
		p.m, err = NewPhone(p.cfg, rest)
	case "bot":
		p.mine = append(p.mine, rest)
		p.m, err = NewBot(p.cfg, rest)
	case "crash":
		if p.disk == nil {
			return errors.New("nothing is on disk")
		}
		b, encErr := p.disk.Encode()
		if encErr != nil {
			return encErr
		}
		s, decErr := DecodeSnapshot(b)
		if decErr != nil {
			return decErr
		}
		if p.m, err = Restore(p.cfg, s); err == nil {
			p.m.Start(p.now)
		}
	case "start":
		p.m.Start(p.now)
	case "result":
		body := answer(word[1:])
		if word[1] == "password" {
			p.srp++
			body = accountPassword(p.srp, word[2:])
		}
		p.m.Result(p.now, p.call, body)
	case "late-result":
		p.m.Result(p.now, p.call-1, answer(word[1:]))
	case "refused":
		code, _ := strconv.Atoi(word[1])
		p.m.Failed(p.now, p.call, tgerr.New(code, word[2]))
	case "not-sent":
		p.m.Failed(p.now, p.call, errors.New("no connection"))
	case "held": // a wait that is remembered
		d, durErr := time.ParseDuration(word[1])
		if durErr != nil {
			return durErr
		}
		p.m.Failed(p.now, p.call, remembered(p.now.Add(d)))
	case "unknown": // as the account tells that an answer was lost
		p.m.Failed(p.now, p.call, unknown{})
	case "lost":
		p.m.Lost(p.now, p.call)
	case "migrated":
		p.cfg.DC = p.m.Snapshot().Target
		p.m.Migrated(p.now)
	case "advance":
		d, durErr := time.ParseDuration(word[1])
		if durErr != nil {
			return durErr
		}
		p.now = p.now.Add(d)
		p.m.Advance(p.now)
	case "advance-to-deadline":
		d := p.m.Deadline()
		if d.IsZero() {
			return errors.New("there is no deadline")
		}
		fmt.Fprintf(&p.buf, "  +%v\n", d.Sub(p.now))
		p.now = d
		p.m.Advance(p.now)
	case "qr":
		p.cfg.DC = 2
		p.m, err = NewQR(p.cfg)
	case "passkey":
		p.cfg.DC = 2
		p.m, err = NewPasskey(p.cfg)
	case "pnv":
		p.m, err = NewPNV(p.cfg, rest)
	case "web":
		p.cfg.DC = 2
		p.m, err = NewWebToken(p.cfg, rest)
	case "import":
		p.cfg.DC = 2
		var says ImportPart
		if len(word) > 2 {
			says.UserID, _ = strconv.ParseInt(word[1], 10, 64)
			says.Bot = Said(word[2])
		}
		p.m, err = NewImport(p.cfg, says)
	case "taken":
		p.cfg.HoldUser = func(int64) string { return word[1] }
		return nil
	case "work":
		p.m.Worked(p.now, p.work.ID, p.work.Do())
	case "stub-work":
		p.m.Worked(p.now, p.work.ID, worked(p.m.secret.password.want))
	case "push":
		p.m.Pushed(p.now, push(word[1]))
	case "clock":
		d, durErr := time.ParseDuration(word[1])
		if durErr != nil {
			return durErr
		}
		p.m.Clock(d)
	case "other-users":
		var others []int64
		for _, w := range word[1:] {
			id, _ := strconv.ParseInt(w, 10, 64)
			others = append(others, id)
		}
		p.cfg.OtherUsers = func(int) []int64 { return others }
		return nil
	case "firebase-allowed":
		p.cfg.Settings.AllowFirebase = true
		return nil
	case "perm-keys":
		p.cfg.PermKeyID = func(id dc.ID) (int64, bool) { return 1000 + int64(id), true }
		return nil
	case "step":
		if step, ok := p.m.Step(); ok {
			fmt.Fprintf(&p.buf, "  %s %s %s\n", step.ID, step.Type, step.Kind)
		}
		return nil
	case "answer":
		var a Answer
		if err := json.Unmarshal([]byte(rest), &a); err != nil {
			return err
		}
		for _, secret := range []string{a.Code, a.Password, a.Token, a.PlayIntegrity} {
			if secret != "" {
				p.mine = append(p.mine, secret)
			}
		}
		err = p.m.Input(p.now, a)
	case "assert":
		err = p.m.Input(p.now, Answer{Kind: AnswerPasskey, Credential: JSONText(assertion(word[1]))})
	case "code":
		p.mine = append(p.mine, rest)
		if rest == "" {
			p.mine = nil
		}
		err = p.m.Input(p.now, Answer{Kind: AnswerCode, Code: rest})
	case "resend":
		err = p.m.Input(p.now, Answer{Kind: AnswerResend})
	case "number":
		err = p.m.Input(p.now, Answer{Kind: AnswerPhone, Phone: rest})
	case "name":
		err = p.m.Input(p.now, Answer{Kind: AnswerSignUp, FirstName: word[1], LastName: strings.Join(word[2:], " ")})
	case "password":
		p.mine = append(p.mine, rest)
		err = p.m.Input(p.now, Answer{Kind: AnswerPassword, Password: rest})
	case "cancel":
		err = p.m.Input(p.now, Answer{Kind: AnswerCancel})
	default:
		return fmt.Errorf("no such command: %q", line)
	}
	if err != nil {
		fmt.Fprintf(&p.buf, "  ! %v\n", err)
	}
	if p.m == nil {
		return nil
	}
	p.drain()
	if p.visited != nil {
		p.visited[p.m.State()] = true
	}
	fmt.Fprintf(&p.buf, "  (%v)\n", p.m.State())
	return nil
}

// TestTranscripts plays the files in testdata. A line that begins with ">" is
// a command, what stands below it is what came out, "#" begins a comment.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	visited := map[State]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := &play{now: epoch, cfg: testConfig(), visited: visited}
			for i, line := range strings.Split(string(want), "\n") {
				switch {
				case strings.HasPrefix(line, "> "):
					fmt.Fprintln(&p.buf, line)
					if err := p.run(line[2:]); err != nil {
						t.Fatalf("line %d: %v", i+1, err)
					}
				case strings.HasPrefix(line, "#") || line == "" && !strings.HasSuffix(p.buf.String(), "\n\n"):
					fmt.Fprintln(&p.buf, line)
				}
			}
			got := strings.TrimRight(p.buf.String(), "\n") + "\n"
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("the transcript differs (-want +got):\n%s", diff)
			}
		})
	}
	for s, name := range stateNames {
		if !visited[s] {
			t.Errorf("no transcript passes through %q", name)
		}
	}
}

// remembered is a wait as the account tells it that knows of it.
type remembered time.Time

func (w remembered) Error() string        { return "it is too early" }
func (w remembered) WaitUntil() time.Time { return time.Time(w) }

// unknown is the end of a query whose answer was lost.
type unknown struct{}

func (unknown) Error() string { return "the answer was lost" }
func (unknown) NotSent() bool { return false }
