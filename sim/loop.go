package sim

import "time"

// loop is virtual time: things to do, in the order of their moments. What is due at the same moment
// is done in the order in which it was planned.
type loop struct {
	now     int64 // ns since the start of the run
	planned uint64
	tasks   []task // a binary heap
}

type task struct {
	at    int64
	order uint64
	do    func()
}

func (t *task) before(other *task) bool {
	return t.at < other.at || t.at == other.at && t.order < other.order
}

// after plans something.
func (l *loop) after(delay time.Duration, do func()) {
	l.planned++
	l.tasks = append(l.tasks, task{l.now + int64(delay), l.planned, do})
	i := len(l.tasks) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !l.tasks[i].before(&l.tasks[parent]) {
			break
		}
		l.tasks[i], l.tasks[parent] = l.tasks[parent], l.tasks[i]
		i = parent
	}
}

// step does the next thing, unless it lies behind end. It returns false when there was none.
func (l *loop) step(end int64) bool {
	if len(l.tasks) == 0 || l.tasks[0].at > end {
		l.now = max(l.now, end)
		return false
	}
	next := l.tasks[0]
	last := len(l.tasks) - 1
	l.tasks[0] = l.tasks[last]
	l.tasks[last].do = nil
	l.tasks = l.tasks[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && l.tasks[child+1].before(&l.tasks[child]) {
			child++
		}
		if !l.tasks[child].before(&l.tasks[i]) {
			break
		}
		l.tasks[i], l.tasks[child] = l.tasks[child], l.tasks[i]
		i = child
	}
	l.now = max(l.now, next.at)
	next.do()
	return true
}
