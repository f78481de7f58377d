package config

import "strings"

// field is one setting.
type field struct {
	path string
	doc  string
	// at returns where the setting is: a *string, *[]string, *int, *bool, *time.Duration, *Secret,
	// *filePath, *[]DC or *[]RSAKey.
	at func(*Config) any
}

// filePath marks a string that is a path: a leading ~/ is the home directory,
// and in the file a relative one starts at the file.
type filePath string

// proxyURL marks a proxy, of which all but the credentials may be shown.
type proxyURL Secret

func path(s *string) *filePath { return (*filePath)(s) }

// fields are all settings, in the order in which they are explained.
var fields = []field{
	{"api_id", "Your application's api_id from https://my.telegram.org/apps. Required; the ids of official apps are refused.",
		func(c *Config) any { return &c.APIID }},
	{"api_hash", "Your application's api_hash, 32 hex digits, from the same page. Required; a secret.",
		func(c *Config) any { return &c.APIHash }},

	{"device.model", "How this program names itself in your list of sessions. One for all accounts; never an official app's name.",
		func(c *Config) any { return &c.Device.Model }},
	{"device.system_version", "The system it runs on. Default: operating system and architecture.",
		func(c *Config) any { return &c.Device.SystemVersion }},
	{"device.app_version", "Your application's version. Default: mtfleet's own.",
		func(c *Config) any { return &c.Device.AppVersion }},
	{"device.system_lang_code", "Language of the system, as in \"en\" or \"pt-br\".",
		func(c *Config) any { return &c.Device.SystemLangCode }},
	{"device.lang_code", "Language of the server's texts.",
		func(c *Config) any { return &c.Device.LangCode }},

	{"store.dir", "The data directory. Default: mtfleet in $XDG_DATA_HOME or ~/.local/share.",
		func(c *Config) any { return path(&c.Store.Dir) }},
	{"store.postgres.url", "The PostgreSQL database that keeps the state in place of store.dir, for several nodes: postgres://user@host/database?sslmode=verify-full, as libpq has it. It may hold a password; store.postgres.url_file, or libpq's own passfile, keep that out of here. Empty: store.dir.",
		func(c *Config) any { return &c.Store.Postgres.URL }},
	{"store.postgres.url_file", "The file with that URL, in its place.",
		func(c *Config) any { return path(&c.Store.Postgres.URLFile) }},
	{"store.postgres.schema", "The schema with the tables, which is made at first use.",
		func(c *Config) any { return &c.Store.Postgres.Schema }},
	{"store.key_file", "The file with the store's master key, outside store.dir; made at first use. Not looked at when MTFLEET_STORE_KEY is set. Default: mtfleet/store.key in $XDG_CONFIG_HOME or ~/.config.",
		func(c *Config) any { return path(&c.Store.KeyFile) }},
	{"store.key_command", "A program that prints the master key, in place of store.key_file, as of a KMS: a list of its absolute path (or its name in PATH) and its arguments, which no shell reads. It has 30 seconds. Not run when MTFLEET_STORE_KEY is set.",
		func(c *Config) any { return &c.Store.KeyCommand }},
	{"store.key_credential", "The systemd credential with the master key, in place of store.key_file: NAME of LoadCredential=NAME:PATH, or of LoadCredentialEncrypted=. Not looked at when MTFLEET_STORE_KEY is set.",
		func(c *Config) any { return &c.Store.KeyCredential }},
	{"store.temp_keys", "Whether temp keys are stored too, sealed like everything else. No: a copy of the disk holds none, and each restart costs every account a new one.",
		func(c *Config) any { return &c.Store.TempKeys }},
	{"store.backup.dir", "The directory into which the running manager backs the store up, again and again, best on another disk; made at first use. Empty: it makes no backups by itself.",
		func(c *Config) any { return path(&c.Store.Backup.Dir) }},
	{"store.backup.recipients", "Who may restore these backups: a list of age public keys (age1...).",
		func(c *Config) any { return &c.Store.Backup.Recipients }},
	{"store.backup.every", "The time from one backup to the next, a minute at least, such as 24h.",
		func(c *Config) any { return &c.Store.Backup.Every }},
	{"store.backup.keep", "How many of them are left in the directory; older ones are deleted.",
		func(c *Config) any { return &c.Store.Backup.Keep }},

	{"environment", "Whose DCs to talk to: production (Telegram), test (Telegram's test servers), or custom (those in dcs).",
		func(c *Config) any { return &c.Environment }},
	{"dcs", "The DCs of a custom environment: a list of {id, addr}, where addr is an IP address and a port. Several addresses of one DC may be given. Empty in the other environments.",
		func(c *Config) any { return &c.DCs }},
	{"rsa_keys", "The RSA public keys of a custom environment's DCs: a list of PEM texts or paths of PEM files. Empty in the other environments.",
		func(c *Config) any { return &c.RSAKeys }},
	{"first_dc", "The DC that an account without a home DC connects to first. 0: DC 2, or the first in dcs when there is no DC 2.",
		func(c *Config) any { return &c.FirstDC }},

	{"transport.kind", "Framing of packets: abridged, intermediate, padded or full.",
		func(c *Config) any { return &c.Transport.Kind }},
	{"transport.obfuscated", "Whether the stream is obfuscated (obfuscated2), as official apps do. Not possible with full.",
		func(c *Config) any { return &c.Transport.Obfuscated }},

	{"transport.carrier", "What carries the stream: tcp, or websocket (to the web hosts of the DCs, by wss on port 443), where a network lets nothing else out. Not possible with full, without obfuscated, or through an MTProxy.",
		func(c *Config) any { return &c.Transport.Carrier }},
	{"transport.websockets", "Where DCs take WebSockets: a list of {id, url}, where url is wss://host/path, or ws:// to a loopback address; media: true marks one for media alone. In a custom environment those of all DCs; in the others they take the place of what is built in for their DCs.",
		func(c *Config) any { return &c.Transport.WebSockets }},
	{"transport.websocket_ca", "Who signs the certificates of wss: a PEM text, or the path of a PEM file. Empty: the authorities that this system trusts.",
		func(c *Config) any { return &c.Transport.WebSocketCA }},

	{"proxy", "The proxy of accounts that have none of their own: socks5://user:password@host:port, http://user:password@host:port (CONNECT), mtproxy://host:port?secret=..., or a tg://proxy or https://t.me/proxy link. Empty: they connect directly. A secret.",
		func(c *Config) any { return (*proxyURL)(&c.Proxy) }},

	{"pfs", "Whether new accounts use temp keys (perfect forward secrecy).",
		func(c *Config) any { return &c.PFS }},

	{"sessions.export", "Whether an account's session may be handed out to another program (`manager session export`). Whoever has it is the account, without a password.",
		func(c *Config) any { return &c.Sessions.Export }},

	{"limits.connects_per_second", "New connections per second and DC; in a cluster of each node, which has its own address.",
		func(c *Config) any { return &c.Limits.ConnectsPerSecond }},
	{"limits.key_creations_per_second", "New auth keys per second and DC; in a cluster of each node.",
		func(c *Config) any { return &c.Limits.KeyCreationsPerSecond }},
	{"limits.key_creations_at_once", "Auth keys being made at the same time in the whole process. 0: one for each CPU. In a cluster on each node.",
		func(c *Config) any { return &c.Limits.KeyCreationsAtOnce }},
	{"limits.sign_ins_per_minute", "Sign-ins started per minute in the whole process; in a cluster on each node, which has its own address.",
		func(c *Config) any { return &c.Limits.SignInsPerMinute }},
	{"limits.calls_per_account", "Calls of one account under way at the same time; further ones wait for their turn.",
		func(c *Config) any { return &c.Limits.CallsPerAccount }},
	{"limits.accounts", "Accounts in the store, in a cluster those of all nodes; further ones are refused.",
		func(c *Config) any { return &c.Limits.Accounts }},

	{"log.level", "What is logged: debug, info, warn or error.",
		func(c *Config) any { return &c.Log.Level }},
	{"log.format", "How it is logged: text or json.",
		func(c *Config) any { return &c.Log.Format }},
	{"metrics.listen", "Address and port of the page with /metrics, /livez, /readyz and /fleetz, of loopback unless metrics.allow_remote is true. Empty: no page.",
		func(c *Config) any { return &c.Metrics.Listen }},
	{"metrics.allow_remote", "Whether that page may be reached from other machines, for a scraper elsewhere. It asks for no password, and names no account.",
		func(c *Config) any { return &c.Metrics.AllowRemote }},
	{"fleet.online_min_percent", "How many of a hundred accounts that are to be online must be for /fleetz to say that all is well. 0: any number will do.",
		func(c *Config) any { return &c.Fleet.OnlineMinPercent }},
	{"control.socket", "The unix socket through which other commands reach a running manager. Default: control.sock in store.dir.",
		func(c *Config) any { return path(&c.Control.Socket) }},
	{"api.listen", "Address and port where the API is served over TCP too, with TLS, to those in api.callers. Empty: nowhere.",
		func(c *Config) any { return &c.API.Listen }},
	{"api.cert", "The PEM file with the server's certificate and those that lead to its authority; read again when it changes.",
		func(c *Config) any { return path(&c.API.Cert) }},
	{"api.key", "The PEM file with the certificate's key.",
		func(c *Config) any { return path(&c.API.Key) }},
	{"api.client_ca", "The PEM file with the authorities whose certificates clients, and browsers at the dashboard, may show in place of a token. Empty: tokens alone.",
		func(c *Config) any { return path(&c.API.ClientCA) }},
	{"api.callers", "Who is let in over TCP, and to a dashboard with TLS: a list of {name, role, token_sha256 or certificate}. The role is read, operate or admin; `manager api token NAME` makes a token and its hash; certificate is the name in a client's certificate. In the file alone.",
		func(c *Config) any { return &c.API.Callers }},
	{"remote.url", "The manager of another machine that commands are for, https://host:port. Empty: the one of this store.",
		func(c *Config) any { return &c.Remote.URL }},
	{"remote.ca", "The PEM file with the authority of that manager's certificate. Empty: those that this system trusts.",
		func(c *Config) any { return path(&c.Remote.CA) }},
	{"remote.token_file", "The file with the token for that manager.",
		func(c *Config) any { return path(&c.Remote.TokenFile) }},
	{"remote.cert", "The PEM file with a certificate to show to that manager.",
		func(c *Config) any { return path(&c.Remote.Cert) }},
	{"remote.key", "The PEM file with that certificate's key.",
		func(c *Config) any { return path(&c.Remote.Key) }},
	{"cluster.node", "The name of this node, where several managers keep the fleet of one store: 1 to 63 characters of [a-z0-9-], another for each, and in its certificate. Empty: this manager keeps the store alone.",
		func(c *Config) any { return &c.Cluster.Node }},
	{"cluster.listen", "Address and port for the other nodes, with TLS and certificates on both sides.",
		func(c *Config) any { return &c.Cluster.Listen }},
	{"cluster.address", "Host and port at which the other nodes reach this one. Default: cluster.listen.",
		func(c *Config) any { return &c.Cluster.Address }},
	{"cluster.cert", "The PEM file with this node's certificate, for a server and for a client, with cluster.node among its DNS names; read again when it changes.",
		func(c *Config) any { return path(&c.Cluster.Cert) }},
	{"cluster.key", "The PEM file with that certificate's key.",
		func(c *Config) any { return path(&c.Cluster.Key) }},
	{"cluster.ca", "The PEM file with the authority that signs the certificates of the nodes.",
		func(c *Config) any { return path(&c.Cluster.CA) }},
	{"cluster.capacity", "The weight of this node among the others: with twice theirs it keeps twice as many accounts.",
		func(c *Config) any { return &c.Cluster.Capacity }},
	{"cluster.lease", "How long the store takes this node for alive after each sign of life, such as 15s. So long, and a little more, the accounts of a machine that died stand still; and a little less this node goes on without the store.",
		func(c *Config) any { return &c.Cluster.Lease }},
	{"cluster.drain_limit", "How long a node that is told to end hands its accounts over to the others before it closes all the same, such as 40s.",
		func(c *Config) any { return &c.Cluster.DrainLimit }},
	{"dashboard.listen", "Address and port of the dashboard for browsers; a link of `manager dashboard` lets in. One that is not of loopback needs dashboard.cert, dashboard.key and api.callers. Empty: no dashboard.",
		func(c *Config) any { return &c.Dashboard.Listen }},
	{"dashboard.cert", "The PEM file with the dashboard's certificate and those that lead to its authority; read again when it changes. With it the dashboard is served by TLS, and lets in who is in api.callers.",
		func(c *Config) any { return path(&c.Dashboard.Cert) }},
	{"dashboard.key", "The PEM file with that certificate's key.",
		func(c *Config) any { return path(&c.Dashboard.Key) }},
	{"dashboard.names", "What browsers ask for the dashboard by: host names or addresses, each with a port where that is not the one of dashboard.listen; requests for others are refused. Empty: the address of dashboard.listen.",
		func(c *Config) any { return &c.Dashboard.Names }},
	{"debug.pprof_socket", "A unix socket (mode 0600) for profiles of the running process, never TCP. Empty: none. A heap profile can hold what accounts have in memory: keep it as you keep the store's key.",
		func(c *Config) any { return path(&c.Debug.PprofSocket) }},
	{"webhooks", "Targets that are posted what happens to accounts, signed as Standard Webhooks has it: a list of {name, url, secret or secret_file}, with accounts, labels (key=value) and types (state, update, hole, notice) to select, raw and enabled. The url is https, or http to a loopback address. In the file alone.",
		func(c *Config) any { return &c.Webhooks }},
}

// envPrefix begins every variable of ours.
const envPrefix = "MTFLEET_"

// otherVariables are the variables of ours that are no settings: the store's
// master key and the file itself. Those of tests begin with MTFLEET_TEST_.
var otherVariables = []string{"MTFLEET_STORE_KEY", "MTFLEET_CONFIG"}

// env returns the name of the variable that sets the field.
func (f field) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(f.path, ".", "_"))
}

// fieldAt returns the setting of that name.
func fieldAt(path string) (field, bool) {
	for _, f := range fields {
		if f.path == path {
			return f, true
		}
	}
	return field{}, false
}

// isSection tells whether there are settings below that name.
func isSection(path string) bool {
	for _, f := range fields {
		if strings.HasPrefix(f.path, path+".") {
			return true
		}
	}
	return false
}

// Settings returns the names of all settings, for a command's flags and its help.
func Settings() []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.path
	}
	return names
}
