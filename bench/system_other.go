//go:build !linux

package bench

import (
	"io/fs"
	"os"
	"time"
)

func occupied(info fs.FileInfo) int64 { return info.Size() }

func syncData(file *os.File) error { return file.Sync() }

func sleep(d time.Duration) { time.Sleep(d) }
