package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// A Machine says where and from what figures come.
type Machine struct {
	Time       string `json:"time"`
	Commit     string `json:"commit"` // of this program; with "+" when the tree was changed
	Go         string `json:"go"`
	System     string `json:"system"`
	Processors int    `json:"processors"`
	Model      string `json:"model"`
	Load       string `json:"load"` // averages over 1, 5 and 15 minutes when it began
}

// ThisMachine looks around. What the system does not tell is empty.
func ThisMachine() Machine {
	m := Machine{
		Time: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Go: runtime.Version(),
		System: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.NumCPU(),
	}
	if info, known := debug.ReadBuildInfo(); known {
		changed := ""
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				m.Commit = setting.Value[:min(len(setting.Value), 12)]
			case "vcs.modified":
				if setting.Value == "true" {
					changed = "+"
				}
			}
		}
		m.Commit += changed
	}
	if m.Commit == "" { // not built from a repository that the compiler knew
		if commit, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output(); err == nil {
			m.Commit = strings.TrimSpace(string(commit))
		}
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += ", kernel " + strings.TrimSpace(string(kernel))
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, rest, _ := strings.Cut(string(info), "model name")
		line, _, _ := strings.Cut(rest, "\n")
		m.Model = strings.TrimLeft(line, "\t :")
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(load))[:3], " ")
	}
	return m
}

// String is one line.
func (m *Machine) String() string {
	return fmt.Sprintf("%s · commit %s · %s · %s · %d × %s · load %s",
		m.Time, m.Commit, m.Go, m.System, m.Processors, m.Model, m.Load)
}
