// Package proxy knows how proxies are written down: SOCKS5, HTTP CONNECT and
// MTProxy, as URLs and as the links that apps share. It makes no connection;
// actors/wire does.
//
//	socks5://user:password@host:1080
//	http://user:password@host:3128          CONNECT
//	mtproxy://host:443?secret=ee0123...     plain, dd and ee (fake-TLS)
//	tg://proxy?server=host&port=443&secret=...   https://t.me/proxy?..., also socks
//
// User, password and secret are secrets: nothing here prints them but
// [Server.URL], and no error quotes what it was given.
package proxy
