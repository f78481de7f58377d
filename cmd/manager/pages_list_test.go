//go:build unix

package main

// What pages take for granted, one after the other: DCs, a person who is signed in, a
// manager that runs.
const (
	pageDCs = `manager testdc --users 3 --bots 2 --no-limits --control-socket dc.sock --descriptor dc.json --write-config dc.yaml >>DIR/aside.log 2>&1 &
until grep -q ^ready DIR/aside.log; do kill -0 $!; sleep 0.05; done
export MTFLEET_CONFIG=$PWD/dc.yaml
`
	aliceIsIn    = "manager account add alice\n" + signsInAlice + "\n"
	signsInAlice = `manager account login alice --phone +$(jq -r '.phones[0].phone' dc.json)
manager account login alice --code $(jq -r '.phones[0].code' dc.json)`
	managerRuns = "manager run >>DIR/aside.log 2>&1 &\nuntil { " + isOnline + "; } 2>/dev/null; do kill -0 $!; sleep 0.05; done\n"

	byBrowser = "a passkey takes a browser; dashboard/browser signs in with one"
	ofNodes   = "it takes a PostgreSQL; testdata/cluster has three nodes on one"
	isOnline  = "manager account list --state online -o name | grep -q ."
	isReady   = "grep -q ^ready DIR/aside.log"
)

// walksOfPages says how each page is followed.
func walksOfPages() map[string]*pageWalk {
	return map[string]*pageWalk{
		"README.md": {
			here: []string{"127.0.0.1:8090", "127.0.0.1:PORT", "127.0.0.1:8070", "127.0.0.1:PORT"},
			lines: []pageLine{
				{begins: "go run ./cmd/manager demo", not: "seconds of two cores; CI has a step for it, and testdata/demo.txt plays a small one"},
				{begins: "go install", not: builds},
				{begins: "manager config example", then: "cp dc.yaml ~/.config/mtfleet/config.yaml\nunset MTFLEET_CONFIG"},
				{begins: "manager testdc --write-config", aside: isReady},
				{begins: "manager account login robot", instead: "grep -om 1 '[0-9]*:[A-Za-z0-9_-]\\{35\\}' DIR/aside.log >token.txt\nmanager account login robot --add --bot-token-file token.txt"},
				{begins: "manager run --dashboard", aside: isOnline, then: "kill $!; wait $!"},
				{begins: "manager account login alice", instead: "manager account login alice --phone +9996610000\nmanager account login alice --code 11111"},
				{begins: "manager run  ", aside: isOnline},
				{begins: "createdb", not: ofNodes},
				{begins: "manager store copy", not: ofNodes},
				{begins: "manager --config node-a.yaml", not: ofNodes},
				{begins: "manager run", not: damaged},
				{begins: "manager store salvage", not: damaged},
				{begins: "manager testdc --descriptor", aside: "curl -s http://127.0.0.1:PORT/descriptor"},
				{begins: "go run ./benchmarks/simulate", not: "a minute and more; its own tests play short lives"},
			},
			says: []string{"Account robot is signed in", "Account alice is signed in"},
		},
		"docs/api.md": {
			before: pageDCs + "export MTFLEET_CONTROL_SOCKET=$PWD/control.sock\n" + aliceIsIn + managerRuns,
			lines: []pageLine{
				{begins: "manager audit tail", differs: true},
				{begins: "grpcurl", not: "a program of others; the tests of cmd/manager/control ask by gRPC, for the list by reflection too"},
				{begins: "manager account list --set remote.url", not: "nobody is at manager.example; testdata/api_tcp.txt asks a manager over TCP"},
			},
			says: []string{`"id":"alice"`, "Token of grafana, shown once:", "AccountService/Pause", "The audit log is whole"},
		},
		"docs/backup.md": {
			elsewhere: "TestThePageOfBackupsRuns", blocks: 10,
			lines: []pageLine{{begins: "systemd-run", not: "it takes root and a systemd; deploy/pack runs a unit with that key"}},
		},
		"docs/calls.md": {
			before: pageDCs + aliceIsIn + managerRuns + `echo '{"peer":{"_":"inputPeerSelf"},"message":"hi again","random_id":"124"}' >message.json` + "\n",
			says:   []string{`"nearest_dc":`, `"self":true`, `"message":"hi again"`},
		},
		"docs/cluster.md": {
			lines: []pageLine{{begins: "createdb", not: ofNodes}, {begins: "manager --config", not: ofNodes}},
			says:  []string{"node-a.pem: OK"},
		},
		thePageOfCommands: {
			before: pageDCs + `echo 'sessions: {export: true}' >>dc.yaml
other-program() { cat >/dev/null; }
echo socks5://user:password@127.0.0.1:9 >proxy.txt
(umask 077; jq -r '"name,token", (.bots[] | "bot-\(.user_id),\(.token)")' dc.json >bots.csv)
`,
			lines: []pageLine{
				{begins: "manager account add alice", then: signsInAlice},
				{begins: "manager account add --file", then: managerRuns},
				{begins: "manager account list --sort=-since --watch", seconds: "1"},
				{begins: "manager session export alice --format gramjs", instead: "manager session export alice --format telethon --out my.session --confirm alice\nmanager session take-back alice"},
				{begins: "manager session import my.session", not: ofSessions},
				{begins: "manager session import - ", not: ofSessions},
				{begins: "manager session import ~/", not: ofSessions},
			},
			says: []string{"Account alice is signed in", "format        telethon"},
		},
		"docs/dashboard.md": {
			before: pageDCs + aliceIsIn,
			here:   []string{"127.0.0.1:8070", "127.0.0.1:PORT"},
			lines: []pageLine{
				{begins: "manager run", aside: isOnline},
				{begins: "manager testdc --passkey-rp", not: byBrowser},
				{begins: "manager --config dc.yaml run", not: byBrowser},
			},
			says: []string{"/enter/"},
		},
		"docs/deploy.md": {elsewhere: "deploy/pack", blocks: 5},
		"docs/events.md": {
			before: pageDCs + "export MTFLEET_CONTROL_SOCKET=$PWD/control.sock\n" + aliceIsIn + "manager account label alice env=prod\n" + managerRuns + `
manager events consume --name app --type update --label env=prod &
until manager consumers list | grep -q ^app; do kill -0 $!; sleep 0.05; done
kill $!; wait $! || true
manager testdc push text +$(jq -r '.phones[0].phone' dc.json) --text hello --control-socket dc.sock
until CURSOR=$(manager events --type update --json | jq -r .cursor | tail -n 1) && [ -n "$CURSOR" ]; do sleep 0.05; done
`,
			here: []string{`"5-5"`, `"'"$CURSOR"'"`, "--since 5-5", "--since $CURSOR"},
			lines: []pageLine{
				{begins: "manager consumers list", differs: true},
				{begins: "manager events -f", seconds: "1"},
				{begins: "manager account events alice -f", seconds: "1"},
				{begins: "curl -sN", seconds: "3"},
			},
			says: []string{`updateNewMessage "hello"`, `"_":"updateNewMessage"`, "env=prod update", "NAME   ACCOUNTS"},
		},
		"docs/from-telethon.md": {
			before: pageDCs + aSession("alice.session"),
			lines:  []pageLine{{begins: "manager run", aside: isOnline}},
			says:   []string{"format        telethon", "Account alice is taken in"},
		},
		"docs/performance.md": {
			lines: []pageLine{
				{begins: "go run ./cmd/manager bench idle", not: takesLong + "idle of 50 accounts"},
				{begins: "go tool pprof", not: "it reads the profile of the line before"},
				{begins: "cd benchmarks/readers", not: takesLong + "it with 200 connections"},
			},
		},
		"docs/proxies.md": {
			before: pageDCs + "echo socks5://user:password@127.0.0.1:9 >proxy.txt\n",
			lines:  []pageLine{{begins: "manager testdc --mtproxy", aside: "[ $(grep -c ^ready DIR/aside.log) = 2 ]"}},
			says:   []string{"Account robot is signed in"},
		},
		"docs/runbook.md": {
			before: pageDCs + `cat >>dc.yaml <<END
metrics: {listen: "127.0.0.1:PORT"}
debug: {pprof_socket: $HOME/.local/share/mtfleet/pprof.sock}
END
mkdir -p .local/share/mtfleet backups
age-keygen -o key
` + aliceIsIn + managerRuns,
			here: []string{"NAME", "alice", ":9464", ":PORT", "/var/backups/mtfleet/", "backups/", "age1...", "$(age-keygen -y key)", "seconds=30", "seconds=1"},
			lines: []pageLine{
				{begins: "timedatectl", not: "it is systemd's"},
				{begins: "go tool pprof", not: "it is Go's, and builds itself first"},
			},
			says: []string{"is backed up as of commit", "mtfleet_store_free_bytes"},
		},
		"docs/sessions.md": {
			before: pageDCs + "echo 'sessions: {export: true}' >>dc.yaml\nother-program() { cat >/dev/null; }\n" + aSession("my.session"),
			lines: []pageLine{
				{begins: "manager session import - ", not: "the line before it in another form; testdata/handover.txt has it"},
				{begins: "manager session import ~/", not: "there is no Telegram Desktop here; persistence/foreign reads its folders in tests"},
				{begins: "manager session export alice --format gramjs", instead: "manager session export alice --format gramjs --out alice.gramjs --confirm alice\nmanager session take-back alice"},
			},
		},
		"docs/sign-in.md": {
			here: []string{"127.0.0.1:8090", "127.0.0.1:PORT", "tg://login?token=TOKEN", `'"$LINK"'`},
			lines: []pageLine{
				{begins: "go install", not: builds},
				{begins: "manager testdc", aside: isReady, then: "jq -r '.bots[0].token' dc.json >token.txt"},
				{begins: "manager account login alice", instead: "manager account login alice --add --phone +9996620000\nmanager account login alice --code 22222"},
				{begins: "manager account login bob", instead: `printf '%s\n' '{"kind":"code","code":"11111"}' '{"kind":"password","password":"correct horse"}' | manager account login bob --add --phone +9996610001 --stdin
printf 'correct horse\nbattery staple\n' | manager account 2fa set bob --password-file - --new-password-file - --hint 'for clocks'`},
				{begins: "manager account login carol", instead: `manager account login carol --add --qr --json --timeout 60s >qr.json 2>&1 &
QR=$!
until LINK=$(grep -o 'tg://login?token=[^"]*' qr.json | tail -n 1); do kill -0 $QR; sleep 0.05; done`},
				{begins: "curl -s $DC/scan", then: "wait $QR\ncat qr.json"},
			},
			says: []string{"Account alice is signed in", "Account bob is signed in", "Account robot is signed in", "Account dave is signed in", "Account frank is logged out",
				`"id":"grace"`, "for clocks", "Account bob has a new two-step password", "this one"},
		},
		"docs/testdc.md": {
			here: []string{"127.0.0.1:8090", "127.0.0.1:PORT"},
			lines: []pageLine{
				{begins: "manager testdc --users", aside: isReady},
				{begins: "curl -s $DC/fault -d '{\"kind\":\"delay\"", fails: "delay wants a duration"},
				{begins: "curl -s $DC/scan", fails: "token is what the QR code shows"}, // in sign-in.md one is shown
			},
		},
		"docs/transports.md": {
			lines: []pageLine{
				{begins: "manager testdc", aside: isReady},
				{begins: "manager --config dc.yaml --set transport.carrier=websocket run", aside: "manager --config dc.yaml account list --state online -o name | grep -q ."},
			},
			says: []string{"Account robot is signed in"},
		},
		"docs/tutorial/echo-bot.md": {
			here: []string{"127.0.0.1:18090", "127.0.0.1:PORT"},
			lines: []pageLine{
				{begins: "go install", not: builds},
				{begins: "manager testdc", aside: isReady},
				{begins: "manager run", aside: isOnline},
				{begins: "docs/tutorial/echo-bot.sh", aside: "manager consumers list | grep -q echo-bot"},
			},
			says: []string{": hello, robot"},
		},
		"docs/tutorial/first-fleet.md": {
			here:  []string{"-o -f", "-o -P $$ -f"}, // the managers of this shell alone
			lines: []pageLine{{begins: "go install", not: builds}},
			says:  []string{"notes.", "Account alice is signed in", "5 ", "alice ", `"self":true`, "DC 2", "There are no accounts"},
		},
		"docs/typed-calls.md": {
			lines: []pageLine{{begins: "go get", not: "it is for a module of somebody else; examples/typed is one, which CI generates and runs"}},
		},
	}
}

const (
	builds  = "the walk of a newcomer builds it (cmd/manager/dashboard/browser), and here the test's own manager is at hand"
	damaged = "it takes a damaged store; testdata/damaged.txt damages one"
	// ofSessions: alice is an account here, of whom no session can be taken in.
	ofSessions = "docs/sessions.md has it too, and there it is run, or the reason why not"
	takesLong  = "it takes long; CI runs "
)

// aSession makes a file of Telethon's for a person whom no account is.
func aSession(file string) string {
	return aliceIsIn + `manager --set sessions.export=true session export alice --format telethon --out ` + file + ` --confirm alice
manager account remove alice --force --yes
`
}
