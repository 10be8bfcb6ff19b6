package main

import (
	"fmt"
	"iter"
	"os"
	"strconv"
	"strings"
)

// A seedSpan is the seeds that sim is to run, and which of them are done: every step-th seed from
// first to last.
type seedSpan struct {
	low, last uint64 // as --seeds names them
	step      uint64 // the parts that --shard makes
	part      uint64 // this one, from 1
	next      uint64 // the first seed that is not done
	done      map[uint64]bool
}

// forever is the last seed of a range without an end.
const forever = 1 << 62

// partsMax bounds the parts that seeds are run in.
const partsMax = 1 << 20

// podPart stands for the part of a pod of an Indexed Job, which has its index in this variable: an
// image without a shell cannot count on.
const (
	podPart  = "job"
	podIndex = "JOB_COMPLETION_INDEX"
)

// span reads --seed, --seeds and --shard.
func (o *simOptions) span() (*seedSpan, error) {
	s := &seedSpan{low: o.seed, last: o.seed, step: 1, part: 1, done: map[uint64]bool{}}
	if err := s.parse(o.seeds); err != nil {
		return nil, fmt.Errorf("--seeds %s: want a range, as in 1-1000", o.seeds)
	}
	if o.shard != "" {
		part, parts, _ := strings.Cut(o.shard, "/")
		var err, errOf error
		if part == podPart { // which Kubernetes counts from 0
			s.part, err = strconv.ParseUint(os.Getenv(podIndex), 10, 32)
			s.part++
		} else {
			s.part, err = strconv.ParseUint(part, 10, 64)
		}
		s.step, errOf = strconv.ParseUint(parts, 10, 64)
		if err != nil || errOf != nil || s.part < 1 || s.part > s.step || s.step > partsMax {
			return nil, fmt.Errorf("--shard %s: want a part, as in 2/8, of at most %d; or %s/8, where %s "+
				"says which", o.shard, partsMax, podPart, podIndex)
		}
	}
	s.next = s.first()
	return s, nil
}

// parse reads 1-1000; 1000, which is the same; and 1-, which never ends.
func (s *seedSpan) parse(seeds string) (err error) {
	if seeds == "" {
		return nil
	}
	low, high, ranged := strings.Cut(seeds, "-")
	if !ranged {
		low, high = "1", seeds
	}
	if s.low, err = strconv.ParseUint(low, 10, 64); err != nil {
		return err
	}
	s.last = forever
	if high != "" {
		s.last, err = strconv.ParseUint(high, 10, 64)
	}
	if err == nil && (s.last < s.low || s.last > forever) {
		err = strconv.ErrRange
	}
	return err
}

// all yields the seeds in order.
func (s *seedSpan) all() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for seed := s.first(); seed <= s.last && yield(seed) && s.last-seed >= s.step; {
			seed += s.step
		}
	}
}

// first returns the first seed of the part. It is behind the last where the part has none.
func (s *seedSpan) first() uint64 { return s.low + s.part - 1 }

// count returns how many seeds there are; 0: they never end.
func (s *seedSpan) count() uint64 {
	if s.last == forever || s.first() > s.last {
		return 0
	}
	return (s.last-s.first())/s.step + 1
}

// finish notes that a seed is done. They may come in any order.
func (s *seedSpan) finish(seed uint64) {
	s.done[seed] = true
	for s.done[s.next] {
		delete(s.done, s.next)
		s.next += s.step
	}
}

// rest returns the --seeds with which to go on: those that are not done, or else as many as these
// were.
func (s *seedSpan) rest() string {
	switch {
	case s.next > s.last:
		return fmt.Sprintf("%d-%d", s.last+1, s.last+1+s.last-s.low)
	case s.last == forever:
		return fmt.Sprintf("%d-", s.next-(s.part-1))
	}
	return fmt.Sprintf("%d-%d", s.next-(s.part-1), s.last)
}
