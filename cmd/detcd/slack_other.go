//go:build !linux

package main

// relax does nothing: other systems have no such setting.
func relax() {}
