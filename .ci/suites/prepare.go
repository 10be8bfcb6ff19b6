package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A suite is one package of etcd's tests, built.
type suite struct {
	name    string
	dir     string // where it runs, as it lies in etcd's tree
	program string
	results string
	tests   []string
}

// modules is where the module is that requires etcd's tests.
const modules = ".ci/suites/etcd"

// Modules and packages of etcd's.
const (
	moduleTests  = "go.etcd.io/etcd/tests/v3"
	moduleSample = "go.etcd.io/etcd/v3@v3.7.1" // the last one of its kind that the proxy has
	sampleName   = "etcd.conf.yml.sample"
)

// prepare lays everything out as it is in etcd's tree:
//
//	work/bin/etcd             detcd; beside it etcdctl and etcdutl
//	work/etcd.conf.yml.sample
//	work/tests/fixtures       certificates
//	work/tests/e2e            where the tests of this suite run
func (j *job) prepare() ([]suite, error) {
	dir, err := moduleDir("list", "-m", "-f", "{{.Dir}}", moduleTests)
	if err == nil && dir == "" {
		_, err = command("mod", "download", moduleTests)
		if err == nil {
			dir, err = moduleDir("list", "-m", "-f", "{{.Dir}}", moduleTests)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := j.lay(dir); err != nil {
		return nil, err
	}
	var suites []suite
	for _, name := range []string{"common", "e2e"} {
		s := suite{
			name: name, dir: filepath.Join(j.work, "tests", name),
			program: filepath.Join(j.work, name+".test"),
			results: filepath.Join(j.work, "results", name),
		}
		if err := errors.Join(os.MkdirAll(s.dir, 0o755), os.MkdirAll(s.results, 0o755)); err != nil {
			return nil, err
		}
		if _, err := command("test", "-c", "-tags", "e2e", "-o", s.program,
			moduleTests+"/"+name); err != nil {
			return nil, err
		}
		if s.tests, err = s.list(); err != nil {
			return nil, err
		}
		suites = append(suites, s)
	}
	return suites, nil
}

// lay puts programs, certificates and the sample where the tests look for them.
func (j *job) lay(tests string) error {
	sample, err := moduleDir("mod", "download", "-json", moduleSample)
	if err != nil {
		return err
	}
	links := map[string]string{
		"tests/fixtures": filepath.Join(tests, "fixtures"),
		sampleName:       filepath.Join(sample, sampleName),
		"bin/etcd":       filepath.Join(j.bin, "detcd"),
		"bin/etcdctl":    filepath.Join(j.tools, "etcdctl"),
		"bin/etcdutl":    filepath.Join(j.tools, "etcdutl"),
	}
	for name, target := range links {
		name = filepath.Join(j.work, name)
		target, err := filepath.Abs(target)
		if err != nil {
			return err
		}
		if _, err := os.Stat(target); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.Symlink(target, name); err != nil {
			return err
		}
	}
	return nil
}

// list asks the program of a suite for its tests.
func (s *suite) list() ([]string, error) {
	c := exec.Command(s.program, "-test.list", ".")
	c.Dir = s.dir
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("list the tests of %s: %w", s.name, err)
	}
	var tests []string
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); wanted(line) {
			tests = append(tests, line)
		}
	}
	return sorted(tests), nil
}

// command runs go in the folder of the module, and returns what it says.
func command(args ...string) (string, error) {
	c := exec.Command("go", args...)
	c.Dir = modules
	var problems bytes.Buffer
	c.Stderr = &problems
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, &problems)
	}
	return strings.TrimSpace(string(out)), nil
}

// moduleDir is command for what says where a module is: by itself, or as JSON.
func moduleDir(args ...string) (string, error) {
	out, err := command(args...)
	if err != nil {
		return "", err
	}
	if _, rest, ok := strings.Cut(out, `"Dir": "`); ok {
		out, _, _ = strings.Cut(rest, `"`)
	}
	return out, nil
}
