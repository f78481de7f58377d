package config

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// refusal is a mistake, and the exact sentences for it. FILE stands for the file's path
// and DIR for its directory.
type refusal struct {
	name  string
	text  string
	env   string
	flags map[string]string
	want  []string
}

// refusals are the mistakes that docs/config.md is written from, too.
func refusals() []refusal {
	custom := minimal + "environment: custom\n"
	dcs := "dcs: [{id: 2, addr: \"127.0.0.1:4432\"}]\n"
	keys := "rsa_keys: [dc.pem]\n"
	return []refusal{
		{name: "no application", text: "pfs: true\n", want: []string{
			"api_id: this is not set: get your own at https://my.telegram.org/apps",
			"api_hash: this is not set: get your own at https://my.telegram.org/apps"}},
		{name: "an official id", text: "api_id: 2040\napi_hash: " + goodHash + "\n", want: []string{
			"api_id: 2040 belongs to Telegram Desktop: get your own at https://my.telegram.org/apps (FILE:1)"}},
		{name: "a negative id", text: minimal, env: "MTFLEET_API_ID=-3", want: []string{
			"api_id: -3 is not an api_id: get your own at https://my.telegram.org/apps (MTFLEET_API_ID)"}},
		{name: "id of the wrong type", text: "api_id: \"12\"\napi_hash: " + goodHash + "\n", want: []string{
			"api_id: this must be a whole number (FILE:1)"}},
		{name: "id with a fraction", text: "api_id: 1.5\napi_hash: " + goodHash + "\n", want: []string{
			"api_id: this must be a whole number (FILE:1)"}},
		{name: "a short hash", text: "api_id: 99\napi_hash: abc\n", want: []string{
			"api_hash: this must be the 32 hex digits shown at https://my.telegram.org/apps (FILE:2)"}},
		{name: "a hash of digits without quotes", text: "api_id: 99\napi_hash: 12345678901234567890123456789012\n", want: []string{
			"api_hash: this must be a text: put it in quotes (FILE:2)"}},

		{name: "backups for nobody", text: minimal + "store:\n  backup:\n    dir: b\n", want: []string{
			"store.backup.dir: store.backup.recipients is not set: give the age public key (age1...) of whoever may restore the backups; `age-keygen -o backup.key` makes one, and keep that file elsewhere (FILE:5)"}},
		{name: "backups that go nowhere, far too often", text: minimal + "store:\n  backup:\n    recipients: [AGE-SECRET-KEY-1HUNTER2, ssh-ed25519]\n    every: 1s\n    keep: 0\n", want: []string{
			"store.backup.recipients: store.backup.dir is not set, so no backup would be made: name the directory for them (FILE:5)",
			"store.backup.recipients[0]: this is an identity, which is secret: give its public key, age1..., and make a new identity if others can read this file (FILE:5)",
			"store.backup.recipients[1]: this is no public key of age, as `age-keygen` prints them: age1... (FILE:5)",
			"store.backup.every: 1s is shorter than 1m0s (FILE:6)",
			"store.backup.keep: 0 is less than one (FILE:7)"}},
		{name: "a time without a unit, and backups among the files of the store", text: minimal + "store:\n  dir: d\n  backup:\n    dir: d/badger\n    recipients: [age1x]\n    every: 24\n", want: []string{
			"store.backup.every: this must be a time with its unit, such as 24h or 90m (FILE:8)",
			"store.backup.dir: DIR/d/badger has the files of the store: name another directory, best on another disk (FILE:6)"}},
		{name: "a webhook without anything", text: minimal + "webhooks:\n  - {}\n", want: []string{
			"webhooks[0].name: a webhook has a name of 1 to 32 characters of a-z, 0-9, '.', '_' and '-' (FILE:3)",
			"webhooks[0].url: this is missing (FILE:3)",
			"webhooks[0].secret: this is missing: make one with `echo whsec_$(openssl rand -base64 32)`, or name a file in secret_file (FILE:3)"}},
		{name: "a webhook to another machine by http", text: minimal + "webhooks:\n  - name: x\n    url: http://example.com/s3cr3t\n    secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", want: []string{
			"webhooks[0].url: what is sent can be read on its way: use https, or http with a loopback address such as 127.0.0.1 (FILE:5)"}},
		{name: "a webhook's secret that is none", text: minimal + "webhooks:\n  - name: x\n    url: https://example.com/\n    secret: hunter2\n    types: [updates]\n    labels: [A=b]\n", want: []string{
			"webhooks[0].secret: this is not whsec_ and the base64 of 24 to 64 random bytes: make one with `echo whsec_$(openssl rand -base64 32)` (FILE:6)",
			"webhooks[0].types[0]: \"updates\" must be state, update, hole or notice: did you mean update? (FILE:7)",
			"webhooks[0].labels[0]: \"A=b\" is neither key=value nor key (FILE:8)"}},
		{name: "a webhook's secret file that is not there", text: minimal + "webhooks:\n  - name: x\n    url: https://example.com/\n    secret_file: none\n    secert: x\n", want: []string{
			"webhooks[0].secert: there is no such setting: did you mean secret? (FILE:7)",
			"webhooks[0].secret_file: cannot read DIR/none: no such file or directory (FILE:6)"}},
		{name: "an API over TCP without TLS and without callers", text: minimal + "api:\n  listen: 0.0.0.0:9465\n", want: []string{
			"api.cert: the API is served over TCP with TLS alone: name the file, or leave api.listen empty",
			"api.key: the API is served over TCP with TLS alone: name the file, or leave api.listen empty",
			"api.callers: nobody would be let in: make a token with `manager api token NAME`, or leave api.listen empty"}},
		{name: "an API on loopback without TLS", text: minimal + "api:\n  listen: 127.0.0.1:9465\n  callers: [{name: a, role: read, token_sha256: " + strings.Repeat("ab", 32) + "}]\n", want: []string{
			"api.cert: the API is served over TCP with TLS alone: name the file, or leave api.listen empty",
			"api.key: the API is served over TCP with TLS alone: name the file, or leave api.listen empty"}},
		{name: "callers who are none", text: minimal + "api:\n  listen: \"9465\"\n  cert: c\n  key: k\n  callers:\n    - {name: a, role: root, token_sha256: hunter2}\n    - {name: a, role: read}\n    - {name: b, role: admin, certificate: ops}\n", want: []string{
			"api.listen: \"9465\" is not an address and a port, such as 127.0.0.1:9465 (FILE:4)",
			"api.callers[0].role: \"root\" must be read, operate or admin (FILE:8)",
			"api.callers[0].token_sha256: this is not the 64 hex digits that `manager api token a` prints (FILE:8)",
			"api.callers[1].name: there are two callers called a (FILE:9)",
			"api.callers[1]: give the token_sha256 of a token, or the name in a certificate; one of them (FILE:9)",
			"api.callers[2].certificate: certificates are looked at when api.client_ca names who signs them (FILE:10)"}},
		{name: "callers in a flag", text: minimal, flags: map[string]string{"api.callers": "x"}, want: []string{
			"api.callers: callers are set in the configuration file alone (a flag)"}},
		{name: "a manager elsewhere without a token", text: minimal + "remote:\n  url: http://joe:hunter2@manager.example\n  cert: x\n", want: []string{
			"remote.url: this is not a URL such as https://manager.example:9465 (FILE:4)",
			"remote.cert: a certificate and its key belong together: set remote.cert and remote.key (FILE:5)"}},
		{name: "a manager elsewhere that is asked by nobody", text: minimal + "remote: {url: \"https://manager.example:9465\"}\n", want: []string{
			"remote.token_file: the manager wants to know who asks: name the file with the token, or set remote.cert and remote.key"}},
		{name: "two places of the master key", text: minimal + "store:\n  key_file: k\n  key_command: [kms]\n  key_credential: k\n", want: []string{
			"store.key_command: store.key_file is set too: say one place where the master key is (FILE:5)",
			"store.key_command: store.key_credential is set too: say one place where the master key is (FILE:5)",
			"store.key_credential: store.key_file is set too: say one place where the master key is (FILE:6)"}},
		{name: "a command for a shell", text: minimal + "store:\n  key_command: ./kms --for mtfleet\n", want: []string{
			"store.key_command: this must be a list (FILE:4)"}},
		{name: "a command by a path that depends on where it is run", text: minimal + "store:\n  key_command: [./kms, --for, mtfleet]\n", want: []string{
			"store.key_command[0]: \"./kms\" is not a program's absolute path, nor its name in PATH (FILE:4)"}},
		{name: "a command with a number", text: minimal + "store:\n  key_command: [kms, 5]\n", want: []string{
			"store.key_command[1]: this must be a text: put it in quotes (FILE:4)"}},
		{name: "a credential that is a path", text: minimal + "store:\n  key_credential: /etc/k\n", want: []string{
			"store.key_credential: \"/etc/k\" is no name of a credential (FILE:4)"}},
		{name: "a proxy without a port", text: minimal + "proxy: socks5://joe:hunter2@proxy.example\n", want: []string{
			"proxy: it needs a port between 1 and 65535 (FILE:3)"}},
		{name: "a proxy in the environment", text: minimal, env: "MTFLEET_PROXY=mtproxy://proxy.example:443?secret=hunter2", want: []string{
			"proxy: transport: MTProxy secret: it is shorter than 16 bytes (MTFLEET_PROXY)"}},
		{name: "a proxy that is a list", text: minimal + "proxy: [a]\n", want: []string{
			"proxy: this must be a text: put it in quotes (FILE:3)"}},
		{name: "webhooks in a flag", text: minimal, flags: map[string]string{"webhooks": "x"}, want: []string{
			"webhooks: webhooks are set in the configuration file alone (a flag)"}},

		{name: "a database twice", text: minimal + "store: {postgres: {url: \"postgres://joe:hunter2@db\", url_file: db.url}}\n", want: []string{
			"store.postgres.url_file: store.postgres.url is set too: say one of them (FILE:3)"}},
		{name: "a schema of the server's", text: minimal + "store: {postgres: {schema: pg_fleet}}\n", want: []string{
			"store.postgres.schema: \"pg_fleet\" is no name of a schema: it has 1 to 63 characters of a-z, 0-9 and _, and begins with no digit and not with pg_ (FILE:3)"}},
		{name: "a node without a database", text: minimal + "cluster: {node: a, listen: 127.0.0.1:9466, cert: a, key: b, ca: c}\n", want: []string{
			"store.postgres.url: cluster.node is set, and a data directory is of one manager alone: name the database that the nodes share"}},
		{name: "a cluster without a node", text: minimal + "cluster: {listen: 127.0.0.1:9466}\n", want: []string{
			"cluster.node: other settings of cluster are set, and this is not: name this node, or leave the others out"}},
		{name: "a node without anything else", text: minimal + "cluster: {node: a}\nstore: {postgres: {url: \"postgres://db\"}}\n", want: []string{
			"cluster.listen: \"\" is not an address and a port, such as 192.0.2.7:9466",
			"cluster.cert: nodes know each other by certificates alone: name the file",
			"cluster.key: nodes know each other by certificates alone: name the file",
			"cluster.ca: nodes know each other by certificates alone: name the file"}},
		{name: "a node with a name that no certificate has", text: minimal + "store: {postgres: {url: \"postgres://db\"}}\ncluster: {node: A_1, listen: 127.0.0.1:9466, cert: a, key: b, ca: c}\n", want: []string{
			"cluster.node: \"A_1\" is no name of a node: it has 1 to 63 characters of [a-z0-9-], as its certificate has it (FILE:4)"}},
		{name: "a node that listens everywhere and says not where it is", text: minimal + "store: {postgres: {url: \"postgres://db\"}}\ncluster: {node: a, listen: 0.0.0.0:9466, cert: a, key: b, ca: c}\n", want: []string{
			"cluster.address: cluster.listen is every address of this machine: say at which one the other nodes reach it, such as 192.0.2.7:9466"}},
		{name: "a node that is reached everywhere", text: minimal + "store: {postgres: {url: \"postgres://db\"}}\ncluster: {node: a, listen: \":9466\", address: \"[::]:9466\", cert: a, key: b, ca: c}\n", want: []string{
			"cluster.address: \"[::]:9466\" is every address of this machine: say at which one the other nodes reach it, such as 192.0.2.7:9466 (FILE:4)"}},
		{name: "a node out of its limits", text: minimal + "store: {postgres: {url: \"postgres://db\"}}\ncluster: {node: a, listen: 127.0.0.1:9466, address: a.example, cert: a, key: b, ca: c, capacity: 0, lease: 1ms, drain_limit: 2h}\n", want: []string{
			"cluster.address: \"a.example\" is not an address and a port, such as 192.0.2.7:9466 (FILE:4)",
			"cluster.capacity: 0 is not between 1 and 1000000 (FILE:4)",
			"cluster.lease: 1ms is not between 1s and 10m0s (FILE:4)",
			"cluster.drain_limit: 2h0m0s is not between 0s and 1h0m0s (FILE:4)"}},

		{name: "unknown setting", text: minimal + "api_hsah: x\n", want: []string{
			"api_hsah: there is no such setting: did you mean api_hash? (FILE:3)"}},
		{name: "unknown setting in a section", text: minimal + "store:\n  dri: x\n", want: []string{
			"store.dri: there is no such setting: did you mean store.dir? (FILE:4)"}},
		{name: "setting outside its section", text: minimal + "key_file: x\n", want: []string{
			"key_file: there is no such setting: did you mean store.key_file? (FILE:3)"}},
		{name: "underscore for a dot", text: minimal + "log_level: x\n", want: []string{
			"log_level: there is no such setting: did you mean log.level? (FILE:3)"}},
		{name: "nothing like it", text: minimal + "colour: blue\n", want: []string{
			"colour: there is no such setting (FILE:3)"}},
		{name: "a section with a value", text: minimal + "store: /data\n", want: []string{
			"store: this is a section: its settings go below it, indented (FILE:3)"}},
		{name: "unknown variable", text: minimal, env: "MTFLEET_LOGLEVEL=debug", want: []string{
			"MTFLEET_LOGLEVEL: there is no such variable: did you mean MTFLEET_LOG_LEVEL?"}},
		{name: "unknown flag", text: minimal, flags: map[string]string{"transport.knd": "full"}, want: []string{
			"transport.knd: there is no such setting: did you mean transport.kind? (a flag)"}},
		{name: "not YAML", text: "api_id: [1\n", want: []string{
			"the file is not YAML: line 1: did not find expected ',' or ']' (FILE)"}},
		{name: "a setting twice", text: minimal + "pfs: true\npfs: false\n", want: []string{
			"the file is not YAML: line 4: mapping key \"pfs\" already defined at line 3 (FILE)"}},
		{name: "a list instead of settings", text: "- a\n", want: []string{
			"the file must consist of settings, such as \"api_id: 12345\" (FILE)"}},

		{name: "an official name", text: minimal + "device: {model: Telegram Desktop}\n", want: []string{
			"device.model: \"Telegram Desktop\" names an official app (\"telegram\"): say what this program really is (FILE:3)"}},
		{name: "an official version", text: minimal + "device:\n  app_version: tdesktop 5.1\n", want: []string{
			"device.app_version: \"tdesktop 5.1\" names an official app (\"tdesktop\"): say what this program really is (FILE:4)"}},
		{name: "no model", text: minimal + "device: {model: \" \"}\n", want: []string{
			"device.model: this must not be empty: say what this program really is (FILE:3)"}},
		{name: "a long model", text: minimal + "device: {model: " + strings.Repeat("x", 65) + "}\n", want: []string{
			"device.model: this must not be longer than 64 bytes (FILE:3)"}},
		{name: "a version that YAML takes for a number", text: minimal + "device: {app_version: 1.2}\n", want: []string{
			"device.app_version: this must be a text: put it in quotes (FILE:3)"}},
		{name: "a language in words", text: minimal + "device: {lang_code: English!}\n", want: []string{
			"device.lang_code: \"English!\" is not a language code such as \"en\" or \"pt-br\" (FILE:3)"}},

		{name: "the key beside the data", text: minimal + "store: {dir: data, key_file: data/store.key}\n", want: []string{
			"store.key_file: DIR/data/store.key lies in store.dir: keep the key outside it, so that a copy of the data does not include the key (FILE:3)"}},

		{name: "unknown environment", text: minimal + "environment: prodution\n", want: []string{
			"environment: \"prodution\" must be production, test or custom: did you mean production? (FILE:3)"}},
		{name: "custom without DCs", text: custom, want: []string{
			"dcs: environment custom needs at least one DC",
			"rsa_keys: environment custom needs the RSA public key of its DCs"}},
		{name: "DCs in production", text: minimal + dcs + keys, want: []string{
			"dcs: the DCs of environment production are built in: leave this out, or set environment to custom (FILE:3)",
			"rsa_keys: the keys of environment production are built in: leave this out, or set environment to custom (FILE:4)"}},
		{name: "a host name", text: custom + keys + "dcs:\n  - {id: 2, addr: \"127.0.0.1:4432\"}\n  - id: 3\n    addr: localhost:4433\n", want: []string{
			"dcs[1].addr: \"localhost:4433\" is not an IP address and a port, such as 127.0.0.1:4430 (FILE:8)"}},
		{name: "no port", text: custom + keys + "dcs: [{id: 2, addr: 127.0.0.1}]\n", want: []string{
			"dcs[0].addr: \"127.0.0.1\" is not an IP address and a port, such as 127.0.0.1:4430 (FILE:5)"}},
		{name: "DC 0", text: custom + keys + "dcs: [{id: 0, addr: \"127.0.0.1:1\"}]\nfirst_dc: 0\n", want: []string{
			"dcs[0].id: 0 is not between 1 and 999 (FILE:5)"}},
		{name: "a DC twice", text: custom + keys + "dcs:\n  - {id: 2, addr: \"127.0.0.1:1\"}\n  - {id: 2, addr: \"127.0.0.1:1\"}\n", want: []string{
			"dcs[1]: DC 2 at 127.0.0.1:1 is listed twice (FILE:7)"}},
		{name: "a DC with an unknown setting", text: custom + keys + "dcs:\n  - id: 2\n    adr: \"127.0.0.1:1\"\n    addr: \"127.0.0.1:1\"\n", want: []string{
			"dcs[0].adr: there is no such setting: did you mean addr? (FILE:7)"}},
		{name: "a DC without an address", text: custom + keys + "dcs:\n  - id: 2\n", want: []string{
			"dcs[0].addr: this is missing (FILE:5)"}},
		{name: "a DC that is a number", text: custom + keys + "dcs: [2]\n", want: []string{
			"dcs[0]: this must have an id and an addr (FILE:5)"}},
		{name: "DCs that are no list", text: custom + keys + "dcs: 2=127.0.0.1:1\n", want: []string{
			"dcs: this must be a list (FILE:5)"}},
		{name: "DCs of the environment", text: custom + keys, env: "MTFLEET_DCS=2:127.0.0.1:1", want: []string{
			"dcs[0]: \"2:127.0.0.1:1\" must have the form ID=HOST:PORT (MTFLEET_DCS)"}},
		{name: "a first DC that is not there", text: custom + dcs + keys + "first_dc: 5\n", want: []string{
			"first_dc: DC 5 is not in dcs (FILE:6)"}},
		{name: "DC 6 of Telegram", text: minimal + "first_dc: 6\n", want: []string{
			"first_dc: 6 is not between 1 and 5 (FILE:3)"}},
		{name: "DC 4 of Telegram's test servers", text: minimal + "environment: test\nfirst_dc: 4\n", want: []string{
			"first_dc: 4 is not between 1 and 3 (FILE:4)"}},
		{name: "a key file that is not there", text: custom + dcs + "rsa_keys: [gone.pem]\n", want: []string{
			"rsa_keys[0]: cannot read DIR/gone.pem: no such file or directory (FILE:5)"}},
		{name: "no PEM", text: custom + dcs + "rsa_keys: [none.pem]\n", want: []string{
			"rsa_keys[0]: DIR/none.pem: this is not a PEM text (FILE:5)"}},
		{name: "a private key", text: custom + dcs + "rsa_keys: [private.pem]\n", want: []string{
			"rsa_keys[0]: DIR/private.pem: this is a private key: only the public key belongs here (FILE:5)"}},
		{name: "a small key", text: custom + dcs + "rsa_keys: [small.pem]\n", want: []string{
			"rsa_keys[0]: DIR/small.pem: the key has 1024 bits instead of 2048 (FILE:5)"}},
		{name: "a certificate", text: custom + dcs + "rsa_keys: [\"-----BEGIN CERTIFICATE-----\\nMTIz\\n-----END CERTIFICATE-----\\n\"]\n", want: []string{
			"rsa_keys[0]: inline PEM: this is not an RSA public key (FILE:5)"}},

		{name: "unknown transport", text: minimal + "transport: {kind: abriged}\n", want: []string{
			"transport.kind: \"abriged\" must be abridged, intermediate, padded or full: did you mean abridged? (FILE:3)"}},
		{name: "full and obfuscated", text: minimal + "transport: {kind: full}\n", want: []string{
			"transport.obfuscated: the full transport cannot be obfuscated: set this to false, or choose another kind"}},
		{name: "neither true nor false", text: minimal + "pfs: maybe\n", want: []string{
			"pfs: this must be true or false (FILE:3)"}},

		{name: "no limit", text: minimal + "limits: {connects_per_second: 0}\n", want: []string{
			"limits.connects_per_second: 0 is not between 1 and 100000 (FILE:3)"}},
		{name: "limits of nothing and of everything", text: minimal + "limits:\n  key_creations_per_second: 0\n  key_creations_at_once: 2000\n  sign_ins_per_minute: 0\n  accounts: 0\n", want: []string{
			"limits.key_creations_per_second: 0 is not between 1 and 100000 (FILE:4)",
			"limits.key_creations_at_once: 2000 is not between 0 and 1024 (FILE:5)",
			"limits.sign_ins_per_minute: 0 is not between 1 and 1000000 (FILE:6)",
			"limits.accounts: 0 is not between 1 and 1000000 (FILE:7)"}},
		{name: "too many calls", text: minimal, flags: map[string]string{"limits.calls_per_account": "5000"}, want: []string{
			"limits.calls_per_account: 5000 is not between 1 and 4096 (a flag)"}},
		{name: "log level", text: minimal + "log: {level: trace, format: xml}\n", want: []string{
			"log.level: \"trace\" must be debug, info, warn or error (FILE:3)",
			"log.format: \"xml\" must be text or json (FILE:3)"}},
		{name: "metrics for everybody", text: minimal + "metrics: {listen: \"0.0.0.0:9464\"}\n", want: []string{
			"metrics.listen: \"0.0.0.0:9464\" can be reached from other machines, without a password: use 127.0.0.1 or [::1], or set metrics.allow_remote to true (FILE:3)"}},
		{name: "metrics without an address", text: minimal + "metrics: {listen: \":9464\"}\n", want: []string{
			"metrics.listen: \":9464\" can be reached from other machines, without a password: use 127.0.0.1 or [::1], or set metrics.allow_remote to true (FILE:3)"}},
		{name: "metrics without a port", text: minimal + "metrics: {listen: 127.0.0.1}\n", want: []string{
			"metrics.listen: \"127.0.0.1\" is not an address and a port, such as 127.0.0.1:9464 (FILE:3)"}},
		{name: "metrics at a name", text: minimal + "metrics: {listen: \"example.com:9464\", allow_remote: true}\n", want: []string{
			"metrics.listen: \"example.com:9464\" is not an address and a port, such as 127.0.0.1:9464 (FILE:3)"}},
		{name: "a dashboard for everybody", text: minimal + "dashboard: {listen: \"0.0.0.0:8070\"}\n", want: []string{
			"dashboard.listen: \"0.0.0.0:8070\" can be reached from other machines: use 127.0.0.1 or [::1], and `ssh -L` from elsewhere; or set dashboard.cert and dashboard.key for TLS, and api.callers for who is let in (FILE:3)"}},
		{name: "a dashboard without an address", text: minimal + "dashboard: {listen: \":8070\"}\n", want: []string{
			"dashboard.listen: \":8070\" can be reached from other machines: use 127.0.0.1 or [::1], and `ssh -L` from elsewhere; or set dashboard.cert and dashboard.key for TLS, and api.callers for who is let in (FILE:3)"}},
		{name: "a dashboard for everybody with TLS, and without anybody and a name", text: minimal + "dashboard: {listen: \"0.0.0.0:8070\", cert: c, key: k}\n", want: []string{
			"api.callers: the dashboard on 0.0.0.0:8070 can be reached from other machines and would let nobody in: make a token with `manager api token NAME --role admin`",
			"dashboard.names: \"0.0.0.0:8070\" is every address of this machine: name what browsers ask for, such as fleet.example; requests for other names are refused"}},
		{name: "a dashboard with half of TLS, and names that are none", text: minimal + "dashboard: {listen: \"127.0.0.1:8070\", cert: c, names: [\"https://fleet.example\", \"fleet.example:0\", a..b]}\n", want: []string{
			"dashboard.cert: a certificate and its key belong together: set dashboard.cert and dashboard.key (FILE:3)",
			"dashboard.names: \"https://fleet.example\" is not a host name or an address, such as fleet.example or fleet.example:443 (FILE:3)",
			"dashboard.names: \"fleet.example:0\" is not a host name or an address, such as fleet.example or fleet.example:443 (FILE:3)",
			"dashboard.names: \"a..b\" is not a host name or an address, such as fleet.example or fleet.example:443 (FILE:3)"}},
		{name: "a dashboard whose callers are none", text: minimal + "dashboard: {listen: \"192.0.2.1:8070\", cert: c, key: k, names: [fleet.example, \"[2001:db8::1]:443\"]}\napi: {callers: [{name: a, role: root, token_sha256: \"\"}]}\n", want: []string{
			"api.callers[0].role: \"root\" must be read, operate or admin (FILE:4)",
			"api.callers[0]: give the token_sha256 of a token, or the name in a certificate; one of them (FILE:4)"}},
		{name: "a dashboard without a port", text: minimal + "dashboard: {listen: localhost}\n", want: []string{
			"dashboard.listen: \"localhost\" is not an address and a port, such as 127.0.0.1:8070 (FILE:3)"}},
		{name: "more than all accounts", text: minimal + "fleet: {online_min_percent: 101}\n", want: []string{
			"fleet.online_min_percent: 101 is not between 0 and 100 (FILE:3)"}},
		{name: "a long socket for profiles", text: minimal + "debug: {pprof_socket: /" + strings.Repeat("x", 110) + "}\n", want: []string{
			"debug.pprof_socket: the path has 111 bytes, and a unix socket's at most 103: set a shorter one (FILE:3)"}},
		{name: "one socket for two", text: minimal + "control: {socket: /run/m.sock}\ndebug: {pprof_socket: /run/m.sock}\n", want: []string{
			"debug.pprof_socket: /run/m.sock is control.socket: set another path (FILE:4)"}},
		{name: "a long socket", text: minimal + "control: {socket: /" + strings.Repeat("x", 110) + "}\n", want: []string{
			"control.socket: the path has 111 bytes, and a unix socket's at most 103: set a shorter one (FILE:3)"}},
	}
}

func TestRefusals(t *testing.T) {
	for _, v := range refusals() {
		t.Run(v.name, func(t *testing.T) {
			file := write(t, "mtfleet.yaml", v.text)
			for name, text := range keyFiles() {
				if err := os.WriteFile(filepath.Join(filepath.Dir(file), name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			o := Options{File: file, Env: testEnv, Flags: v.flags, Official: official}
			if v.env != "" {
				o.Env = append([]string{v.env}, testEnv...)
			}
			_, err := Load(o)
			var ce *Error
			if !errors.As(err, &ce) {
				t.Fatalf("error is %v", err)
			}
			replace := strings.NewReplacer(file, "FILE", filepath.Dir(file), "DIR")
			var got []string
			for _, p := range ce.Problems {
				got = append(got, replace.Replace(p.String()))
			}
			if strings.Join(got, "\n") != strings.Join(v.want, "\n") {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(v.want, "\n  "))
			}
		})
	}
}

// keyFiles are the files beside the configuration file of each case.
var keyFiles = sync.OnceValue(func() map[string]string {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return map[string]string{
		"dc.pem": publicPEM(), "none.pem": "hello", "small.pem": encode("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&small.PublicKey)),
		"private.pem": encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small)),
	}
})

func TestOfficialIDsAreRefused(t *testing.T) {
	for _, id := range []int{4, 5, 6, 8, 10, 16, 17, 21724, 2040, 2496, 2834, 94575} {
		cfg := Default()
		cfg.APIID, cfg.APIHash, cfg.Store = id, goodHash, Store{Dir: "/d", KeyFile: "/k", TempKeys: true, Postgres: Postgres{Schema: "mtfleet"}}
		cfg.FirstDC = 2
		problems := cfg.Validate(official)
		if len(problems) != 1 || problems[0].Path != "api_id" {
			t.Errorf("%d: %v", id, problems)
		}
	}
}

func TestWithoutAHomeTheStoreMustBeSet(t *testing.T) {
	_, _, err := load(t, minimal, Options{Env: []string{}})
	want := "the configuration is wrong: store.dir: this is not set, and there is no home directory to put it in; " +
		"store.key_file: this is not set, and there is no home directory to put it in"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestABrokenSectionDoesNotBlockOtherLayers(t *testing.T) {
	cfg, problems := Check(Options{File: write(t, "x.yaml", minimal+"log: 5\n"), Env: append(testEnv, "MTFLEET_LOG_LEVEL=warn")})
	if len(problems) != 1 || cfg.Log.Level != "warn" {
		t.Errorf("%v, level %s", problems, cfg.Log.Level)
	}
	cfg, problems = Check(Options{File: write(t, "x.yaml", minimal+"log:\nstore: {}\npfs:\n"), Env: testEnv})
	if len(problems) != 0 || !cfg.PFS {
		t.Errorf("empty sections: %v", problems)
	}
}

func TestDistance(t *testing.T) {
	for _, v := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"dir", "dri", 1}, {"kind", "knd", 1}, {"kitten", "sitting", 3}, {"abcd", "badc", 2},
	} {
		if got := distance(v.a, v.b); got != v.want {
			t.Errorf("%q to %q is %d, want %d", v.a, v.b, got, v.want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	example, err := os.ReadFile("mtfleet.example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	for _, s := range []string{minimal, "store: 5\n", "dcs: [{id: 1}, 2, \"3=x\"]\n", "a: &a [*a]\n", "? [x]\n: y\n", "1: {2: 3}\n", "rsa_keys: [\"-----BEGIN X-----\"]\n"} {
		f.Add(s)
	}
	file := filepath.Join(f.TempDir(), "c.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Skip(err)
		}
		cfg, problems := Check(Options{File: file, Env: append(testEnv, "MTFLEET_STORE_DIR=/d")})
		if cfg == nil || len(cfg.Explain()) == 0 || len(problems) == 0 && len(cfg.Validate(official)) != 0 {
			t.Fatal("an accepted configuration is not valid")
		}
	})
}
