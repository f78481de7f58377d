//go:build !unix

package main

func keepToOurselves() {}
