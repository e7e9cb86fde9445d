package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// exec.d: programs of layers that run before the app starts, and say by descriptor 3 which variables it gets.

var bareKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

const mostOutput = 1 << 20

// Those of all layers first, then those for the process.
func runExecD(env environment, layers []string, kind, app string) {
	for _, layer := range layers {
		runFolder(env, filepath.Join(layer, "exec.d"), app)
	}
	if kind == "" {
		return
	}
	for _, layer := range layers {
		runFolder(env, filepath.Join(layer, "exec.d", kind), app)
	}
}

func runFolder(env environment, folder, app string) {
	for _, file := range filesOf(folder) {
		for name, value := range output(env, file, app) {
			text, isText := value.(string)
			if !isText || !bareKey.MatchString(name) || strings.Contains(text, "\x00") {
				fail(failedExecD, "%s printed %q, which is not NAME = \"VALUE\"", file, name)
			}
			env[name] = text
		}
	}
}

func output(env environment, file, app string) table {
	end, start, err := os.Pipe()
	if err != nil {
		fail(failedExecD, "%s cannot be run: %v", file, err)
	}
	program := exec.Cmd{
		Path: file, Args: []string{file}, Env: env.pairs(), Dir: app,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, ExtraFiles: []*os.File{start},
	}
	if err := program.Start(); err != nil {
		fail(failedExecD, "%s cannot be run: %v", file, err)
	}
	start.Close()
	printed, _ := io.ReadAll(io.LimitReader(end, mostOutput+1))
	end.Close()
	if err := program.Wait(); err != nil {
		fail(failedExecD, "%s failed: %v", file, err)
	}
	if len(printed) > mostOutput {
		fail(failedExecD, "%s printed more than %d bytes", file, mostOutput)
	}
	found, err := parseTOML(string(printed))
	if err != nil {
		fail(failedExecD, "%s printed what is no TOML: %v", file, err)
	}
	return found
}
