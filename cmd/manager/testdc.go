package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// testdcFlags are what `testdc` takes.
type testdcFlags struct {
	addrs       []string
	dcs         int
	users, bots int
	passwords   int
	seed        uint64
	descriptor  string
	config      string
	rsaKey      string
	testMode    bool
	bindStrict  bool
	media       bool
	autoCreate  bool
	codeTTL     time.Duration
	json        bool

	passkeyRP      string
	passkeyOrigins []string

	mtproxies     []string
	webSockets    bool
	control       string
	controlSocket string
	printCodes    bool
	withParent    bool
	rules         testdcRules
}

func (a *app) testdcCommand() *cobra.Command {
	var f testdcFlags
	c := &cobra.Command{
		Use: "testdc", Short: "Serve a cluster of test DCs on this machine", Args: unknownCommand,
		Long: `testdc serves a cluster of test DCs on loopback addresses, for any MTProto client
in any language, and prints what a client needs: addresses, RSA public key, phone
numbers and their codes, bot tokens. It stops on SIGINT and SIGTERM.
With --control it is controlled over HTTP, as docs/testdc.md shows: the ledger,
violations and codes are read there, faults, pushes and scans asked for; the commands
below ask for some of it.

  manager testdc --users 3 --bots 2 --descriptor dc.json --write-config dc.yaml
  manager --config dc.yaml account add alice && manager --config dc.yaml account login alice`,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := context.WithCancel(c.Context())
			defer stop()
			if f.withParent {
				go func() { _, _ = io.Copy(io.Discard, a.in); stop() }()
			}
			return a.testdc(ctx, f)
		},
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.addrs, "addr", nil, "listen there: `DC=HOST:PORT`, a loopback address; port 0 takes a free one (repeatable, for one DC too; default: a free port for each DC)")
	flags.IntVar(&f.dcs, "dcs", dctest.DefaultDCs, "how many DCs, 1 to 9")
	flags.BoolVar(&f.media, "media", false, "each DC has one more address, a free port, for media alone")
	flags.IntVar(&f.users, "users", 3, "how many persons with phone numbers")
	flags.IntVar(&f.bots, "bots", 2, "how many bots")
	flags.IntVar(&f.passwords, "passwords", 0, "how many of the persons have a two-step password")
	flags.Uint64Var(&f.seed, "seed", 0, "the same seed makes the same people, codes and tokens")
	flags.StringVar(&f.descriptor, "descriptor", "", "write addresses, key, phones, codes, tokens and layers to `FILE`, as JSON")
	flags.StringVar(&f.config, "write-config", "", "write a configuration `FILE` for a manager that uses these DCs (its data goes beside it)")
	flags.StringVar(&f.rsaKey, "rsa-key", "", "RSA private key, a PEM `FILE`; made when it does not exist (default: a new key each time)")
	flags.BoolVar(&f.testMode, "test-mode", false, "be a test environment: DC numbers are 10000 higher on the wire")
	flags.BoolVar(&f.bindStrict, "bind-strict", false, "a new bind cuts off the perm key's earlier temp keys")
	flags.BoolVar(&f.autoCreate, "auto-create", false, "an unknown test number becomes a person when its code is right")
	flags.StringVar(&f.passkeyRP, "passkey-rp", "passkeys.invalid", "the relying party of passkeys, the `NAME` of a host")
	flags.StringArrayVar(&f.passkeyOrigins, "passkey-origin", nil, "passkeys are used by pages of this `ORIGIN`, such as http://localhost:8070 (repeatable; default: https:// and the relying party)")
	flags.DurationVar(&f.codeTTL, "code-ttl", 5*time.Minute, "how long a login code can be used, 1s to 1h")
	flags.BoolVar(&f.json, "json", false, "print the descriptor to standard output as JSON, on one line")
	flags.StringArrayVar(&f.mtproxies, "mtproxy", nil, "put an MTProxy with this `SECRET` in front of them, on a free port: 32 hex digits, dd and them, or ee, them and a domain in hex (repeatable)")
	flags.BoolVar(&f.webSockets, "websocket", false, "take WebSockets too, on free ports: plain ones, and ones in TLS with a certificate made for the purpose")
	flags.StringVar(&f.control, "control", "", "be controlled over HTTP at `HOST:PORT`, a loopback address; port 0 takes a free one")
	flags.StringVar(&f.controlSocket, "control-socket", "", "be controlled over HTTP at a unix socket, a `FILE` of mode 0600")
	flags.BoolVar(&f.printCodes, "print-codes", false, "print each code that is sent, by message, call, app or mail; with --json as JSON, one a line")
	flags.BoolVar(&f.withParent, "until-stdin-closes", false, "stop when standard input closes, as it does when a parent process is gone")
	f.rules.add(c)
	c.AddCommand(a.testdcCommands()...)
	return c
}

func (a *app) testdc(ctx context.Context, f testdcFlags) error {
	a.asJSON = f.json
	cfg, err := f.cluster()
	if err != nil {
		return err
	}
	cluster, err := serve.Start(cfg)
	if err != nil {
		return testdcError(err)
	}
	defer cluster.Close()
	if err := f.addPasswords(cluster); err != nil {
		return err
	}
	controlled, err := f.startControl(cluster)
	if err != nil {
		return err
	}
	defer controlled.Close()
	d := cluster.Descriptor()
	d.Control = controlled.url
	if d.Proxies, err = f.startProxies(cluster); err != nil {
		return err
	}
	if f.config != "" {
		if err := writeFile(f.config, []byte(clusterConfig(d, ""))); err != nil {
			return err
		}
	}
	// The descriptor is last: scripts take its file for the sign to begin.
	if f.descriptor != "" {
		b, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return err
		}
		if err := writeFile(f.descriptor, append(b, '\n')); err != nil {
			return err
		}
	}
	if f.json {
		err = json.NewEncoder(a.out).Encode(d)
	} else {
		err = a.printDescriptor(d, f)
	}
	if err != nil {
		return err
	}
	if f.printCodes {
		a.printCodes(ctx, cluster)
	} else {
		<-ctx.Done()
	}
	a.reportClients(cluster)
	return nil
}

// startProxies puts the proxies in front of a cluster and returns their URLs.
func (f testdcFlags) startProxies(cluster *serve.Cluster) (urls []string, err error) {
	for _, text := range f.mtproxies {
		secret, err := transport.ParseSecret(text)
		if err != nil {
			return nil, usage("testdc: --mtproxy: %v", err)
		}
		p, err := cluster.StartProxy("127.0.0.1:0", secret)
		if err != nil {
			return nil, testdcError(err)
		}
		urls = append(urls, "mtproxy://"+p.Addr()+"?secret="+hex.EncodeToString(secret.Bytes()))
	}
	return urls, nil
}

// testdcError says which setting of the cluster is out of its bounds.
func testdcError(err error) error {
	var api *api.ConfigError
	var core *dctest.ConfigError
	if errors.As(err, &api) || errors.As(err, &core) {
		return usage("testdc: %v", err)
	}
	var addr *serve.AddrError
	if errors.As(err, &addr) && !strings.Contains(addr.Reason, "in use") {
		return &exitError{code: exitUsage, text: describeAddr(addr), err: err}
	}
	if errors.As(err, &addr) {
		return &exitError{code: exitInUse, kind: "in_use", text: describeAddr(addr), err: err}
	}
	return err
}

func (f testdcFlags) cluster() (serve.Config, error) {
	cfg := serve.Config{
		Now:  func() time.Time { return time.Now().UTC() }, // what it prints reads the same everywhere
		Core: dctest.Config{DCs: f.dcs, Test: f.testMode, BindStrict: f.bindStrict}, Media: f.media,
		API:     api.Config{Seed: f.seed, AutoCreate: f.autoCreate, CodeTTL: f.codeTTL, PasskeyRP: f.passkeyRP, PasskeyOrigins: f.passkeyOrigins},
		Persons: f.users, Bots: f.bots, Addrs: map[int][]string{}, WebSockets: f.webSockets,
	}
	if f.dcs < 1 || f.dcs > 9 {
		return cfg, usage("testdc: --dcs %d: a cluster has 1 to 9 DCs", f.dcs)
	}
	if f.users < 0 || f.bots < 0 || f.users+f.bots > 100_000 {
		return cfg, usage("testdc: --users and --bots together are 0 to 100000")
	}
	if f.passwords < 0 || f.passwords > f.users {
		return cfg, usage("testdc: --passwords %d: there are %d users", f.passwords, f.users)
	}
	if strings.ContainsAny(f.passkeyRP, ":/@ ") {
		return cfg, usage("testdc: --passkey-rp %s: this must be the name of a host, such as localhost", f.passkeyRP)
	}
	for _, s := range f.passkeyOrigins {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || s != u.Scheme+"://"+u.Host {
			return cfg, usage("testdc: --passkey-origin %s: this must be an origin, such as http://localhost:8070", s)
		}
	}
	for _, s := range f.addrs {
		id, addr, ok := strings.Cut(s, "=")
		n, err := strconv.Atoi(id)
		if !ok || err != nil {
			return cfg, usage("testdc: --addr %s: this must be DC=HOST:PORT, for example 2=127.0.0.1:4432", s)
		}
		cfg.Addrs[n] = append(cfg.Addrs[n], addr)
	}
	if err := f.rules.apply(&cfg.Core, &cfg.API); err != nil {
		return cfg, err
	}
	if f.rsaKey == "" {
		return cfg, nil
	}
	var err error
	cfg.RSAKey, err = rsaKeyFile(f.rsaKey)
	return cfg, err
}

// rsaKeyFile reads a private key, or makes one at first use.
func rsaKeyFile(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		key, err := serve.NewRSAKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return key.PEM(), writeFile(path, key.PEM())
	case err != nil:
		return nil, usage("testdc: --rsa-key: %v", err)
	}
	if _, err := crypt.ParsePrivateKey(text); err != nil {
		return nil, usage("testdc: --rsa-key: %s is not an RSA private key of 2048 bits in PEM: %v", path, err)
	}
	return text, nil
}

// addPasswords gives the first persons a two-step password.
func (f testdcFlags) addPasswords(cluster *serve.Cluster) error {
	for i, p := range cluster.Descriptor().Phones {
		if i >= f.passwords {
			break
		}
		var failed error
		if err := cluster.API(func(b *api.Backend, _ time.Time) { failed = b.SetPassword(p.UserID, "password of "+p.Number) }); err != nil {
			return err
		}
		if failed != nil {
			return failed
		}
	}
	return nil
}

// writeFile writes a file whole or not at all, readable by its owner only.
func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	return errors.Join(err, f.Close(), os.Rename(f.Name(), path))
}

// clusterConfig is a manager's configuration for the cluster; more is put behind it.
func clusterConfig(d serve.Descriptor, more string) string {
	var b strings.Builder
	b.WriteString("# A manager for a cluster of test DCs. Its data lies beside this file.\n")
	if len(d.Apps) > 0 {
		fmt.Fprintf(&b, "api_id: %d\napi_hash: %q\n", d.Apps[0].ID, d.Apps[0].Hash)
	}
	b.WriteString("store:\n  dir: data\n  key_file: store.key\nenvironment: custom\ndcs:\n")
	for _, dc := range d.DCs {
		if dc.Media { // the manager asks for them
			continue
		}
		fmt.Fprintf(&b, "  - {id: %d, addr: %q}\n", dc.ID, net.JoinHostPort(dc.IP, strconv.Itoa(dc.Port)))
	}
	b.WriteString("rsa_keys:\n")
	for _, k := range d.PublicKeys {
		b.WriteString("  - |\n")
		indented(&b, k.PEM)
	}
	if len(d.WebSockets) > 0 {
		b.WriteString("transport:\n  carrier: tcp   # or websocket\n  websockets:\n")
		for _, w := range d.WebSockets {
			if strings.HasPrefix(w.URL, "wss://") {
				fmt.Fprintf(&b, "    - {id: %d, url: %q}\n", w.ID, w.URL)
			}
		}
		b.WriteString("  websocket_ca: |\n")
		indented(&b, d.WebSocketCA)
	}
	b.WriteString(more)
	return b.String()
}

// indented writes a PEM text as the value of a setting.
func indented(b *strings.Builder, pem string) {
	for line := range strings.Lines(strings.TrimSpace(pem)) {
		b.WriteString("    " + strings.TrimSpace(line) + "\n")
	}
}

func (a *app) printDescriptor(d serve.Descriptor, f testdcFlags) error {
	var b strings.Builder
	b.WriteString("test DC cluster\n\n")
	for _, dc := range d.DCs {
		use := ""
		if dc.Media {
			use = ", for media"
		}
		fmt.Fprintf(&b, "  DC %d    %s%s\n", dc.ID, net.JoinHostPort(dc.IP, strconv.Itoa(dc.Port)), use)
	}
	for _, w := range d.WebSockets {
		fmt.Fprintf(&b, "  DC %d    %s\n", w.ID, w.URL)
	}
	for _, url := range d.Proxies {
		fmt.Fprintf(&b, "  proxy   %s\n", url)
	}
	for _, app := range d.Apps {
		fmt.Fprintf(&b, "  app     api_id %d, api_hash %s\n", app.ID, app.Hash)
	}
	if n := len(d.Layers); n > 0 {
		fmt.Fprintf(&b, "  layers  %d to %d\n", d.Layers[0], d.Layers[n-1])
	}
	if d.Control != "" {
		fmt.Fprintf(&b, "  control %s\n", d.Control)
	}
	if f.controlSocket != "" {
		fmt.Fprintf(&b, "  control %s\n", f.controlSocket)
	}
	b.WriteByte('\n')
	const most = 10 // of each; the rest is in the descriptor
	for i, p := range d.Phones {
		if i == most {
			fmt.Fprintf(&b, "  ... and %d more phones\n", len(d.Phones)-most)
			break
		}
		fmt.Fprintf(&b, "  phone   +%s  code %s  DC %d", p.Number, p.Code, p.DC)
		if p.Password {
			b.WriteString("  (two-step password)")
		}
		b.WriteByte('\n')
	}
	for i, bot := range d.Bots {
		if i == most {
			fmt.Fprintf(&b, "  ... and %d more bots\n", len(d.Bots)-most)
			break
		}
		fmt.Fprintf(&b, "  bot     %s  @%s  DC %d\n", bot.Token, bot.Username, bot.DC)
	}
	b.WriteByte('\n')
	for _, k := range d.PublicKeys {
		fmt.Fprintf(&b, "%s", k.PEM)
	}
	b.WriteString(d.WebSocketCA)
	for _, file := range []struct{ what, path string }{{"descriptor", f.descriptor}, {"configuration", f.config}} {
		if file.path != "" {
			fmt.Fprintf(&b, "\n%s written to %s", file.what, file.path)
		}
	}
	b.WriteString("\nready; stop with Ctrl-C\n")
	_, err := fmt.Fprint(a.out, b.String())
	return err
}
