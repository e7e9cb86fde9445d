package main

import (
	"os"
	"path/filepath"
	"strings"
)

// What the build wrote about the image: its buildpacks in their order, and its processes.

type buildpack struct {
	id, api string
}

type process struct {
	kind, folder string
	command      []string
	args         []string
	execEnv      []string
}

type metadata struct {
	buildpacks []buildpack
	processes  []process
	byDefault  string
}

// The APIs of buildpacks whose processes are started without a shell and whose arguments are only defaults.
var knownAPIs = map[string]bool{"0.10": true, "0.11": true, "0.12": true}

func readMetadata(layers string) metadata {
	path := filepath.Join(layers, "config", "metadata.toml")
	content, err := os.ReadFile(path)
	if err != nil {
		fail(unreadable, "the image does not say how it starts: %v", err)
	}
	document, err := parseTOML(string(content))
	if err != nil {
		fail(unreadable, "%s cannot be read: %v", path, err)
	}
	found := metadata{byDefault: text(document, "buildpack-default-process-type")}
	for _, item := range tables(document, "buildpacks") {
		one := buildpack{text(item, "id"), text(item, "api")}
		if !knownAPIs[one.api] {
			fail(unknownBuildpackAPI, "the buildpack %s has the API %q, which this launcher does not know", one.id, one.api)
		}
		found.buildpacks = append(found.buildpacks, one)
	}
	for _, item := range tables(document, "processes") {
		found.processes = append(found.processes, process{
			kind:    text(item, "type"),
			folder:  text(item, "working-dir"),
			command: texts(item, "command"),
			args:    texts(item, "args"),
			execEnv: texts(item, "exec-env"),
		})
	}
	return found
}

// The process of a type, if it may run in this execution environment.
func (m metadata) process(kind, execEnv string) (process, bool) {
	for _, one := range m.processes {
		if one.kind == kind && one.mayRun(execEnv) {
			return one, true
		}
	}
	return process{}, false
}

func (m metadata) has(kind string) bool {
	for _, one := range m.processes {
		if one.kind == kind {
			return true
		}
	}
	return false
}

func (m metadata) kinds() string {
	var found []string
	for _, one := range m.processes {
		found = append(found, one.kind)
	}
	return strings.Join(found, ", ")
}

func (p process) mayRun(execEnv string) bool {
	for _, name := range p.execEnv {
		if name == execEnv || name == "*" {
			return true
		}
	}
	return len(p.execEnv) == 0
}

// The folder of a buildpack's layers.
func (b buildpack) folder(layers string) string {
	return filepath.Join(layers, strings.ReplaceAll(b.id, "/", "_"))
}

func text(item table, key string) string {
	found, _ := item[key].(string)
	return found
}

func texts(item table, key string) []string {
	var found []string
	listed, _ := item[key].([]any)
	for _, one := range listed {
		if word, isText := one.(string); isText {
			found = append(found, word)
		}
	}
	return found
}

func tables(item table, key string) []table {
	var found []table
	listed, _ := item[key].([]any)
	for _, one := range listed {
		if inner, isTable := one.(table); isTable {
			found = append(found, inner)
		}
	}
	return found
}
