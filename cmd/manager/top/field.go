package top

import (
	"strconv"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
	"github.com/mtfleet/mtfleet/mtproto/login"
)

// maxTyped bounds what is typed into a field, in characters. The field has room for it
// from the beginning: no copy of a password stays behind one that grew.
const maxTyped = 4096

// field is a line that is typed.
type field struct {
	prompt string
	hidden bool                      // nothing is shown of it
	check  func(string) (why string) // empty: it will do
	text   []rune
}

func (f *field) add(text string) {
	if f.text == nil {
		f.text = make([]rune, 0, maxTyped)
	}
	for _, r := range text {
		if !unicode.IsControl(r) && len(f.text) < maxTyped {
			f.text = append(f.text, r)
		}
	}
}

// key takes a key; false for one that types nothing.
func (f *field) key(k tea.KeyPressMsg) bool {
	switch k.String() {
	case "backspace":
		if n := len(f.text); n > 0 {
			f.text[n-1] = 0
			f.text = f.text[:n-1]
		}
	case "ctrl+u":
		f.wipe()
	default:
		if k.Text == "" {
			return false
		}
		f.add(k.Text)
	}
	return true
}

// wipe forgets what was typed.
func (f *field) wipe() {
	clear(f.text[:cap(f.text)])
	f.text = nil
}

func (f *field) view(width int) string {
	if f.hidden {
		return f.prompt + " (nothing is shown of it): _"
	}
	line := f.prompt + ": " + string(f.text) + "_"
	if over := len([]rune(line)) - width; over > 0 && over < len(f.text) { // the end is what is typed
		line = f.prompt + ": …" + string(f.text[over+1:]) + "_"
	}
	return line
}

// form is what is typed one field after the other.
type form struct {
	fields []*field
	at     int
	why    string // what was typed will not do
	// done takes what was typed, and says why it will not do.
	done func(m *Model, values []string) (tea.Cmd, string)
}

func (f *form) field() *field { return f.fields[f.at] }

// enter goes to the next field; behind the last one it is done, and all is wiped.
func (f *form) enter(m *Model) tea.Cmd {
	now := f.field()
	if f.why = ""; now.check != nil {
		if f.why = now.check(string(now.text)); f.why != "" {
			if now.hidden {
				now.wipe()
			}
			return nil
		}
	}
	if f.at++; f.at < len(f.fields) {
		return nil
	}
	values := make([]string, len(f.fields))
	for i, field := range f.fields {
		values[i] = string(field.text)
	}
	f.wipe()
	var cmd tea.Cmd
	cmd, f.why = f.done(m, values)
	return cmd
}

// wipe forgets all that was typed, and begins again.
func (f *form) wipe() {
	for _, field := range f.fields {
		field.wipe()
	}
	f.at = 0
}

func some(text string) string {
	if strings.TrimSpace(text) == "" {
		return "Type it, and then enter."
	}
	return ""
}

func phoneCheck(text string) string { return sentence(actors.Words(login.CheckPhone(text))) }
func tokenCheck(text string) string { return sentence(actors.Words(login.CheckToken(text))) }

// stepForm asks for the answer to a step; nil for a step without one that is typed.
func stepForm(s actors.Step, answer func(*Model, actors.Answer) tea.Cmd) *form {
	q := wording.QuestionOf(s)
	if q.Answer == nil || s.Kind == actors.StepPasskey || s.Kind == actors.StepPNV {
		return nil // who answers those is a program: see the command
	}
	first := &field{prompt: q.Prompt, hidden: q.Hidden, check: some}
	f := &form{fields: []*field{first}, done: func(m *Model, v []string) (tea.Cmd, string) {
		text := v[0]
		if s.Kind != actors.StepPassword {
			text = strings.TrimSpace(text)
		}
		return answer(m, q.Answer(text)), ""
	}}
	switch s.Kind {
	case actors.StepPhone:
		first.check = phoneCheck
	case actors.StepToken:
		first.check = tokenCheck
	case actors.StepPassword, actors.StepNewPassword:
		first.check = func(text string) string {
			if text == "" {
				return "Type it, and then enter."
			}
			return ""
		}
	}
	switch s.Kind {
	case actors.StepSignUp:
		f.fields = append(f.fields, &field{prompt: "Last name (may be empty)"})
		f.done = func(m *Model, v []string) (tea.Cmd, string) {
			return answer(m, actors.Answer{Kind: actors.AnswerSignUp, FirstName: strings.TrimSpace(v[0]), LastName: strings.TrimSpace(v[1])}), ""
		}
	case actors.StepNewPassword:
		f.fields = append(f.fields, &field{prompt: "The same once more", hidden: true}, &field{prompt: "Hint, which whoever signs in is shown (may be empty)"})
		f.done = func(m *Model, v []string) (tea.Cmd, string) {
			if v[0] != v[1] {
				return nil, "These were two passwords: type it again."
			}
			return answer(m, actors.Answer{Kind: actors.AnswerNewPassword, Password: v[0], Hint: v[2]}), ""
		}
	}
	return f
}

// choiceForm asks for what a choice takes more.
func choiceForm(c wording.Choice, answer func(*Model, actors.Answer) tea.Cmd) *form {
	one := &field{prompt: "Token of " + c.Word, hidden: true, check: some}
	a := actors.Answer{Kind: c.Kind}
	put := func(text string) { a.Provider, a.Token = c.Word, text }
	switch c.Word {
	case wording.Number:
		one.prompt, one.hidden, one.check = "Phone number", false, phoneCheck
		put = func(text string) { a.Phone = text }
	case wording.Play:
		one.prompt, put = "Play Integrity token", func(text string) { a.PlayIntegrity = text }
	case wording.SafetyNet:
		one.prompt, put = "SafetyNet token", func(text string) { a.SafetyNet = text }
	case wording.IOS:
		one.prompt, put = "Secret of the push", func(text string) { a.IOSPushSecret = text }
	case wording.Paid:
		one.prompt, one.hidden = "Id of the payment form that was paid", false
		one.check = func(text string) string {
			if _, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err != nil {
				return "That is no id: it is a whole number."
			}
			return ""
		}
		put = func(text string) { a.FormID, _ = strconv.ParseInt(text, 10, 64) } // as it was checked
	}
	return &form{fields: []*field{one}, done: func(m *Model, v []string) (tea.Cmd, string) {
		put(strings.TrimSpace(v[0]))
		given := a
		a = actors.Answer{Kind: c.Kind}
		return answer(m, given), ""
	}}
}

// key types into the field that is asked for.
func (f *form) key(k tea.KeyPressMsg) {
	if f.field().key(k) {
		f.why = ""
	}
}

// lines are the field that is typed, and why the last thing typed will not do.
func (f *form) lines(m *Model) (lines []string) {
	lines = append(lines, m.styles.bold(plain(f.field().view(m.width-1))))
	if f.why != "" {
		for _, line := range wrapped(f.why, m.width, "") {
			lines = append(lines, m.styles.trouble(line))
		}
	}
	return lines
}

// flowChoice is a way to sign in.
type flowChoice struct {
	name string
	flow login.Flow
	ask  *field // what it begins with; nil for nothing
}

func flows() []flowChoice {
	return []flowChoice{
		{"phone number, and the code that is sent to it", login.FlowPhone, &field{prompt: "Phone number with its country code", check: phoneCheck}},
		{"QR code, scanned by an app that is signed in", login.FlowQR, nil},
		{"bot token, of BotFather", login.FlowBot, &field{prompt: "Bot token", hidden: true, check: tokenCheck}},
		{"link of a web client", login.FlowWeb, &field{prompt: "Link of the web client", hidden: true, check: some}},
	}
}

func otherFlows(id string) string {
	return "By a passkey, or by a carrier's word: `manager account login " + id + "` with --passkey or --pnv."
}
