// Package botlist reads lists of bots that are to be signed in: CSV with a header, of the columns name and token, and of
// labels and proxy where they are wanted.
//
// It reads all of a list before anybody uses a part of it, and says of everything that is wrong in which line it is. What
// it says has no token and no proxy in it.
package botlist

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
)

// A Bot is one line of a list. It prints as its name.
type Bot struct {
	Line   int
	Name   string
	Token  string
	Labels persistence.Labels
	Proxy  string // as it is written; empty for none
}

// String names the bot alone.
func (b Bot) String() string { return "bot " + b.Name }

// GoString is String.
func (b Bot) GoString() string { return b.String() }

// UserID is the bot's, which its token begins with; 0 where it is not written plainly, as in an address of the Bot API.
func (b Bot) UserID() int64 {
	text, _, _ := strings.Cut(b.Token, ":")
	id, _ := strconv.ParseInt(text, 10, 64)
	return id
}

// A Problem is something that is wrong with a line.
type Problem struct {
	Line   int
	Reason string
}

// Error is what is wrong with a list.
type Error struct{ Problems []Problem }

// Error has a line for each problem.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("the list is wrong, and nothing was done:")
	for i, p := range e.Problems {
		if i == problemsMost {
			fmt.Fprintf(&b, "\n  and %d more", len(e.Problems)-i)
			break
		}
		fmt.Fprintf(&b, "\n  line %d: %s", p.Line, p.Reason)
	}
	return b.String()
}

const (
	// problemsMost is how many are told at once.
	problemsMost = 20
	// sizeMost bounds a list: 100,000 bots with labels.
	sizeMost = 32 << 20
)

var columns = []string{"name", "token", "labels", "proxy"}

// Read reads a list. The error is an *Error, unless the list cannot be read.
func Read(r io.Reader) ([]Bot, error) {
	limited := &io.LimitedReader{R: r, N: sizeMost + 1}
	in := csv.NewReader(limited)
	in.TrimLeadingSpace, in.FieldsPerRecord = true, -1
	var problems []Problem
	wrong := func(line int, format string, args ...any) {
		problems = append(problems, Problem{line, fmt.Sprintf(format, args...)})
	}
	at, err := header(in)
	if err != nil {
		return nil, err
	}
	var bots []Bot
	names, tokens := map[string]int{}, map[string]int{}
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *csv.ParseError
		switch {
		case errors.As(err, &bad): // the rest cannot be told apart into lines
			wrong(bad.Line, "the quotes are wrong: %v", bad.Err)
			return nil, &Error{problems}
		case err != nil:
			return nil, err
		}
		line, _ := in.FieldPos(0)
		field := func(column string) string {
			if i, ok := at[column]; ok && i < len(fields) {
				return strings.TrimSpace(fields[i])
			}
			return ""
		}
		if len(fields) > len(at) {
			wrong(line, "there are %d fields, and %d columns", len(fields), len(at))
			continue
		}
		b := Bot{Line: line, Name: field("name"), Token: field("token"), Proxy: field("proxy")}
		if err := persistence.CheckAccountID(persistence.AccountID(b.Name)); err != nil {
			wrong(line, "the name is none: %s", plain(err))
		} else if first, twice := names[b.Name]; twice {
			wrong(line, "the name %s is that of line %d", b.Name, first)
		}
		if err := login.CheckToken(b.Token); err != nil {
			wrong(line, "the token is none: it is digits, a colon and letters, as @BotFather gives it")
		} else if first, twice := tokens[b.Token]; twice {
			wrong(line, "the token is that of line %d", first)
		}
		if b.Labels, err = labels(field("labels")); err != nil {
			wrong(line, "%s", plain(err))
		}
		names[b.Name], tokens[b.Token] = line, line
		bots = append(bots, b)
	}
	if limited.N == 0 {
		wrong(0, "it is larger than %s", persistence.Size(sizeMost))
	}
	if len(bots) == 0 && len(problems) == 0 {
		wrong(1, "there is no bot below the header")
	}
	if len(problems) > 0 {
		return nil, &Error{problems}
	}
	return bots, nil
}

// header reads which column is where.
func header(in *csv.Reader) (map[string]int, error) {
	fields, err := in.Read()
	if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, new(*csv.ParseError)) {
		return nil, err
	}
	at := map[string]int{}
	for i, field := range fields {
		name := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(field, "\ufeff")))
		_, twice := at[name]
		if !slices.Contains(columns, name) || twice {
			// The field is not quoted: a list without a header begins with a token.
			return nil, &Error{[]Problem{{1, fmt.Sprintf("column %d of the header is none, or is there twice: the first line names the columns, name,token and labels and proxy", i+1)}}}
		}
		at[name] = i
	}
	_, name := at["name"]
	_, token := at["token"]
	if !name || !token {
		return nil, &Error{[]Problem{{1, "the first line must name the columns name and token; labels and proxy may follow"}}}
	}
	return at, nil
}

// labels reads key=value, with spaces or semicolons between.
func labels(text string) (persistence.Labels, error) {
	all := map[string]string{}
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ';' }) {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			return persistence.Labels{}, errors.New("labels are KEY=VALUE, with spaces between")
		}
		all[key] = value
	}
	return persistence.NewLabels(all)
}

// plain is what an error says in one line.
func plain(err error) string {
	return strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "persistence: ")
}
