package crypt

import (
	"testing"
)

// The primitives of a handshake, each alone.

func BenchmarkExp(b *testing.B) {
	v, gr := readVectors(b, "sample.txt"), WellKnownGroup()
	for b.Loop() {
		gr.Exp(v["g_a"], v["b"])
	}
}

func BenchmarkExpG(b *testing.B) {
	v, gr := readVectors(b, "sample.txt"), WellKnownGroup()
	for b.Loop() {
		gr.ExpG(v["b"])
	}
}

func BenchmarkNewGroup(b *testing.B) {
	for b.Loop() {
		WellKnownGroup()
	}
}

func BenchmarkFactorize(b *testing.B) {
	// A fresh number each time: one number's walk may be long or short.
	rand := seeded(8)
	var numbers []uint64
	var buf [8]byte
	for len(numbers) < 256 {
		var pq uint64 = 1
		for range 2 {
			for {
				_, _ = rand.Read(buf[:])
				n := uint64(buf[0]) | uint64(buf[1])<<8 | uint64(buf[2])<<16 | uint64(buf[3]&0x3f)<<24 | 1<<30 | 1
				if isPrime(n) {
					pq *= n
					break
				}
			}
		}
		numbers = append(numbers, pq)
	}
	for i := 0; b.Loop(); i++ {
		if _, _, ok := Factorize(numbers[i%len(numbers)]); !ok {
			b.Fatal(numbers[i%len(numbers)])
		}
	}
}

func BenchmarkRSAPad(b *testing.B) {
	priv, rand := testKey(b), seeded(9)
	for b.Loop() {
		if _, err := RSAPad(rand, priv.Public(), ascending(96)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRSAUnpad(b *testing.B) {
	priv := testKey(b)
	c, err := RSAPad(seeded(10), priv.Public(), ascending(96))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := RSAUnpad(priv, c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPacket(b *testing.B) {
	k, rand, plaintext := key0(b), seeded(11), ascending(256)
	var packet, back []byte
	b.ReportAllocs()
	for b.Loop() {
		packet, _ = AppendEncrypted(packet[:0], k, Client, plaintext, rand)
		back, _ = Decrypt(back[:0], k, Client, packet)
	}
}
