package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/login"
)

// loginFlags are what `account login` takes.
type loginFlags struct {
	accountFlags
	add, noPFS bool
	proxy      string
	resume     string

	// One of them begins a sign-in.
	phone, phoneFile       string
	bot, qr, passkey, pnv  bool
	tokenFile              string
	webToken, webTokenFile string

	// Each of them answers one step, once.
	code, codeFile                   string
	passwordFile                     string
	email, newPhone                  string
	first, last                      string
	assertionFile, answerFile        string
	resend, forgot, back, cancel     bool
	answersFromStdin                 bool
	answered, refused, stdinByItself bool // an answer was given by a flag; the server did not take it; see check
}

const loginLong = `login signs an account in. In a terminal it asks for what it needs; give the way in,
or nothing for a phone number or bot token. A sign-in is stored: it may be left at
any step and gone on with later, by the same command, or by its id with --resume.

  manager account login alice --add               # asks for the phone number
  manager account login alice --qr                # shows a QR code to scan
  manager account login helper --add --bot        # asks for the token, hidden

While it waits, other commands reach the store through it.

For scripts: give what is known by flags, and secrets by files, where "-" is
standard input, so that they are in no process list.

  manager account login alice --phone-file phone.txt      # sends the code
  manager account login alice --code-file - < code.txt    # signs in
  manager account login helper --bot-token-file token.txt

With --stdin each step takes one line of standard input: a code, a password, or an
answer as JSON such as {"kind":"resend"}. With --json each step is a line of JSON,
also one that changes by itself, as a QR code does; an answer that was refused is
told in the next line as "refusal". With both, a program can do all that a person
can: see docs/sign-in.md for every step and its answers.`

func (a *app) loginCommand() *cobra.Command {
	var f loginFlags
	c := &cobra.Command{
		Use: "login NAME", Short: "Sign an account in, or go on with a sign-in", Long: loginLong,
		Args: func(c *cobra.Command, args []string) error {
			if f.resume != "" && len(args) == 0 {
				return nil
			}
			return exactly("NAME")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.withService(c, &f.accountFlags, func(ctx context.Context, s control.Service) error {
				l := &signIn{app: a, service: s, f: f, input: newInput(a.in, f.answersFromStdin)}
				defer l.unserve()
				if len(args) > 0 {
					l.id = args[0]
				}
				return l.run(ctx)
			})
		},
	}
	f.register(c)
	f.registerWays(c)
	f.registerAnswers(c)
	return c
}

// registerWays is for the flags that begin or find a sign-in.
func (f *loginFlags) registerWays(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&f.add, "add", false, "make the account first if there is none of that name")
	flags.BoolVar(&f.noPFS, "no-pfs", false, "with --add: send calls under the perm key itself")
	flags.StringVar(&f.proxy, "proxy", "", "with --add: connect through the proxy at this `URL`, or directly: none")
	flags.StringVar(&f.resume, "resume", "", "go on with the sign-in of this `ID`, in place of NAME; account show and --json tell it")
	flags.StringVar(&f.phone, "phone", "", "phone `NUMBER` with its country code")
	flags.StringVar(&f.phoneFile, "phone-file", "", "read the phone number from `FILE`; - is standard input")
	flags.BoolVar(&f.bot, "bot", false, "ask for a bot token, hidden")
	flags.StringVar(&f.tokenFile, "bot-token-file", "", "read a bot token from `FILE`; - is standard input")
	flags.BoolVar(&f.qr, "qr", false, "show a QR code for an app that is signed in; the link of it without a terminal")
	flags.BoolVar(&f.passkey, "passkey", false, "print the options for an authenticator, and read its assertion as JSON")
	flags.StringVar(&f.webToken, "web-token", "", "- reads the link of a web client from standard input; hidden in a terminal")
	flags.StringVar(&f.webTokenFile, "web-token-file", "", "read the link of a web client, with #tgWebAuthToken in it, from `FILE`; - is standard input")
	flags.BoolVar(&f.pnv, "pnv", false, "experimental: a number that the carrier of a device vouches for")
}

// registerAnswers is for the flags that answer a step.
func (f *loginFlags) registerAnswers(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.code, "code", "", "the `CODE` that was sent (others on this machine can see it; prefer --code-file)")
	flags.StringVar(&f.codeFile, "code-file", "", "read the code from `FILE` when it is asked for; - is standard input")
	flags.StringVar(&f.passwordFile, "password-file", "", "read the two-step password from `FILE` when it is asked for; - is standard input")
	flags.StringVar(&f.email, "email", "", "the `ADDRESS` that shall get the login codes, when the server wants one")
	flags.StringVar(&f.newPhone, "new-phone", "", "go on with another phone `NUMBER`")
	flags.StringVar(&f.first, "first-name", "", "sign up with this `NAME` when the number has no account (test DCs only)")
	flags.StringVar(&f.last, "last-name", "", "last `NAME` for --first-name")
	flags.StringVar(&f.assertionFile, "assertion-file", "", "with --passkey: read the assertion from `FILE`; - is standard input")
	flags.StringVar(&f.answerFile, "answer-file", "", "read any answer, as JSON, from `FILE`; - is standard input")
	flags.BoolVar(&f.resend, "resend", false, "ask for another code")
	flags.BoolVar(&f.forgot, "forgot", false, "ask for a code to the recovery e-mail, when the password is asked for")
	flags.BoolVar(&f.back, "back", false, "go back to the password, or to the e-mail address")
	flags.BoolVar(&f.cancel, "cancel", false, "end the sign-in that is under way")
	flags.BoolVar(&f.answersFromStdin, "stdin", false, "read an answer for each step from standard input, one a line")
}

// flow is the way in that was asked for; empty for none.
func (f *loginFlags) flow() login.Flow {
	switch {
	case f.pnv:
		return login.FlowPNV
	case f.phone != "", f.phoneFile != "":
		return login.FlowPhone
	case f.bot, f.tokenFile != "":
		return login.FlowBot
	case f.qr:
		return login.FlowQR
	case f.passkey:
		return login.FlowPasskey
	case f.webToken != "", f.webTokenFile != "":
		return login.FlowWeb
	}
	return ""
}

func howMany(given ...bool) (n int) {
	for _, g := range given {
		if g {
			n++
		}
	}
	return n
}

func (f *loginFlags) check() error {
	phone := f.phone != "" || f.phoneFile != ""
	ways := howMany(phone && !f.pnv, f.bot || f.tokenFile != "", f.qr, f.passkey, f.pnv, f.webToken != "" || f.webTokenFile != "")
	switch {
	case ways > 1, f.phone != "" && f.phoneFile != "", f.bot && f.tokenFile != "", f.webToken != "" && f.webTokenFile != "":
		return usage("account login: give one way in: --phone, --phone-file, --bot, --bot-token-file, --qr, --passkey, --web-token-file or --pnv")
	case f.webToken != "" && f.webToken != "-":
		return usage("account login: --web-token takes - for standard input: a link in an argument is in the list of processes; or give --web-token-file")
	case f.resume != "" && (ways > 0 || f.add):
		return usage("account login: --resume goes on with a sign-in, which has begun: leave the way in and --add away")
	case f.code != "" && f.codeFile != "":
		return usage("account login: give one of --code and --code-file")
	case howMany(f.resend, f.cancel, f.back, f.forgot) > 1:
		return usage("account login: give one of --resend, --forgot, --back and --cancel")
	case f.last != "" && f.first == "":
		return usage("account login: --last-name is for --first-name")
	}
	// An authenticator answers the process that asked: its challenge is not stored.
	f.stdinByItself = (f.passkey && f.assertionFile == "" || f.pnv) && f.answerFile == ""
	if f.webToken != "" {
		f.webTokenFile = f.webToken
	}
	if howMany(f.phoneFile == "-", f.tokenFile == "-", f.webTokenFile == "-", f.codeFile == "-", f.passwordFile == "-",
		f.assertionFile == "-", f.answerFile == "-", f.answersFromStdin) > 1 {
		return usage("account login: standard input can only be one thing: a file flag \"-\", or --stdin")
	}
	return nil
}

// person tells whether somebody can be asked.
func (l *signIn) person() bool { return l.input.tty != nil && !l.f.json }

// script tells whether answers come as lines.
func (l *signIn) script() bool { return l.f.answersFromStdin || l.f.stdinByItself && !l.person() }
