// Package certtest makes certificates for tests.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Authority signs certificates, which are good for an hour, and keeps them in files.
type Authority struct {
	// File with .pem behind it is its own certificate.
	File string

	dir    string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

// New makes an authority whose files are in a directory, ca.pem its own.
func New(dir string) (*Authority, error) {
	a := &Authority{dir: dir}
	cert, key, file, err := a.make("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.cert, a.key, a.File = cert, key, file
	return a, err
}

// Server makes a certificate for 127.0.0.1, in file.pem and file.key.
func (a *Authority) Server(name string) (file string, err error) {
	_, _, file, err = a.make(name, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return file, err
}

// Client makes one for a client of that name.
func (a *Authority) Client(name string) (file string, err error) {
	_, _, file, err = a.make(name, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return file, err
}

// Node makes one for a node of a cluster, which is a server and a client of that name.
func (a *Authority) Node(name string) (file string, err error) {
	_, _, file, err = a.make(name, &x509.Certificate{DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	return file, err
}

func (a *Authority) make(name string, c *x509.Certificate) (made *x509.Certificate, key *ecdsa.PrivateKey, file string, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, "", err
	}
	a.serial++
	c.SerialNumber, c.Subject = big.NewInt(a.serial), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, nil, "", err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, "", err
	}
	file = filepath.Join(a.dir, name)
	for end, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file+end, pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, nil, "", err
		}
	}
	made, err = x509.ParseCertificate(der)
	return made, key, file, err
}
