package nemesis

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"
)

var errStillRuns = errors.New("the process still runs")

// process is one life of a member.
type process struct {
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process was waited for
	err    error         // how it ended; read after done
	wanted atomic.Bool   // this package asked it to end
}

func startProcess(binary string, args, env []string, logPath string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own descriptor
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = processAttributes()
	if err := begin(cmd); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) id() int { return p.cmd.Process.Pid }

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// asked says whether an end of the process would be the work of this package.
func (p *process) asked() bool { return p.wanted.Load() }

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// end sends a signal that ends the process and waits for the end. A process that had ended by
// itself before stays one that nobody asked; so does one that should have died of SIGKILL and was
// found to have ended in another way: it came first, by a breath.
func (p *process) end(s syscall.Signal, wait time.Duration) error {
	if p.ended() {
		return nil
	}
	first := !p.wanted.Swap(true)
	if err := p.signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-p.done:
		if first && s == syscall.SIGKILL && !p.killed() {
			p.wanted.Store(false)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("%w (pid %d)", errStillRuns, p.id())
	}
}

// killed says whether the process, which has ended, died of SIGKILL.
func (p *process) killed() bool {
	status, known := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return !known || status.Signaled() && status.Signal() == syscall.SIGKILL
}
