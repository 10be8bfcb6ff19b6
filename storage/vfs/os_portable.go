//go:build !linux

package vfs

import "os"

func syncData(file *os.File) error { return file.Sync() }

func allocate(file *os.File, size int64) error { return allocateByWriting(file, size) }
