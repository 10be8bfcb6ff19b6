package checker

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// depthMax bounds how deep a line is nested: a transaction of etcd has at most 128 operations at
// all depths together, and each depth takes four. Deeper lines are refused.
const depthMax = 600

// plain refuses what package json reads and others read differently: text that is not UTF-8,
// escapes that stand for no character, a member that is there twice or is null, names in upper
// case. It reads a line once, whatever is in it.
func plain(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("it is not UTF-8; bytes that are not are written as base64")
	}
	s := scanner{text: text}
	for s.at < len(text) {
		if err := s.next(); err != nil {
			return err
		}
	}
	return nil
}

// A scanner goes through the tokens of a JSON value, of which it does not check the grammar.
type scanner struct {
	text []byte
	at   int
	open []scope
}

// A scope is an object or an array that has begun.
type scope struct {
	object, value bool // value: a name was read, and its value follows
	names         [][]byte
	many          map[string]bool // the names, if there are many
}

// namesMax is from how many names on an object they are kept in a map.
const namesMax = 32

// next reads one token.
func (s *scanner) next() error {
	switch c := s.text[s.at]; c {
	case '{', '[':
		if len(s.open) == depthMax {
			return fmt.Errorf("nested deeper than %d", depthMax)
		}
		s.open = append(s.open, scope{object: c == '{'})
	case '}', ']':
		s.open = s.open[:max(0, len(s.open)-1)]
	case ',':
		if n := len(s.open); n > 0 {
			s.open[n-1].value = false
		}
	case '"':
		return s.word()
	case 'n':
		return errors.New("null where a value is needed; what is absent is left out")
	}
	s.at++
	return nil
}

// word reads a string, and notes it if it is the name of a member.
func (s *scanner) word() error {
	begin := s.at + 1
	for s.at = begin; s.at < len(s.text) && s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] != '\\' {
			continue
		}
		if err := s.escape(); err != nil {
			return err
		}
		s.at++
	}
	word := s.text[begin:min(s.at, len(s.text))]
	s.at++
	if len(s.open) == 0 {
		return nil
	}
	if in := &s.open[len(s.open)-1]; in.object && !in.value {
		in.value = true
		return in.add(word)
	}
	return nil
}

// escape refuses half of a pair: package json would read a character for it that others have too.
func (s *scanner) escape() error {
	first := s.surrogate(s.at)
	if first == 0 {
		return nil
	}
	if second := s.surrogate(s.at + 6); first != 'h' || second != 'l' {
		return errors.New("an escape that is half of a pair stands for no character")
	}
	s.at += 6
	return nil
}

// surrogate tells which half of a pair an escape is: 'h' or 'l'; 0: none.
func (s *scanner) surrogate(at int) byte {
	if at+6 > len(s.text) || s.text[at] != '\\' || s.text[at+1] != 'u' || s.text[at+2]|0x20 != 'd' {
		return 0
	}
	switch c := s.text[at+3] | 0x20; {
	case c == '8' || c == '9' || c == 'a' || c == 'b':
		return 'h'
	case c >= 'c' && c <= 'f':
		return 'l'
	}
	return 0
}

// add notes the name of a member.
func (in *scope) add(name []byte) error {
	for _, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return fmt.Errorf("unknown field %q: names are in lower case", name)
		}
	}
	twice := in.many[string(name)]
	if in.many == nil {
		for _, other := range in.names {
			twice = twice || bytes.Equal(other, name)
		}
	}
	if twice {
		return fmt.Errorf("the member %q is there twice", name)
	}
	if in.names = append(in.names, name); len(in.names) > namesMax {
		if in.many == nil {
			in.many = map[string]bool{}
			for _, other := range in.names {
				in.many[string(other)] = true
			}
		}
		in.many[string(name)] = true
	}
	return nil
}
