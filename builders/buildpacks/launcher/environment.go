package main

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// The environment of the app: the container's, and what layers change in it.

type environment map[string]string

// Variables that only the launcher reads.
var ownVariables = []string{"CNB_LAYERS_DIR", "CNB_APP_DIR", "CNB_PLATFORM_API", "CNB_PROCESS_TYPE"}

// Folders of the PATH in which the launcher itself lies.
var ownFolders = map[string]bool{"/cnb/process": true, "/cnb/lifecycle": true}

func newEnvironment(given []string) environment {
	found := environment{}
	for _, pair := range given {
		name, value, _ := strings.Cut(pair, "=")
		found[name] = value
	}
	for _, name := range ownVariables {
		delete(found, name)
	}
	var path []string
	for _, folder := range filepath.SplitList(found["PATH"]) {
		if !ownFolders[folder] {
			path = append(path, folder)
		}
	}
	found["PATH"] = strings.Join(path, ":")
	return found
}

func (e environment) pairs() []string {
	var found []string
	for name, value := range e {
		found = append(found, name+"="+value)
	}
	sort.Strings(found)
	return found
}

// What the layers of one buildpack change, in the order of their names.
func (e environment) addLayers(folders []string, kind string) {
	for name, inner := range map[string]string{"PATH": "bin", "LD_LIBRARY_PATH": "lib"} {
		var paths []string
		for _, folder := range folders {
			if isFolder(filepath.Join(folder, inner)) {
				paths = append(paths, filepath.Join(folder, inner))
			}
		}
		if len(paths) > 0 {
			e[name] = joined(strings.Join(paths, ":"), ":", e[name])
		}
	}
	for _, folder := range folders {
		e.modify(filepath.Join(folder, "env"))
		e.modify(filepath.Join(folder, "env.launch"))
		if kind != "" {
			e.modify(filepath.Join(folder, "env.launch", kind))
		}
	}
}

// One folder of files NAME.SUFFIX, in the order of their names.
func (e environment) modify(folder string) {
	for _, file := range filesOf(folder) {
		name, suffix, _ := strings.Cut(filepath.Base(file), ".")
		content, err := os.ReadFile(file)
		if err != nil {
			fail(unreadable, "a variable of a buildpack cannot be read: %v", err)
		}
		value := string(content)
		switch suffix {
		case "", "override":
			e[name] = value
		case "default":
			if e[name] == "" {
				e[name] = value
			}
		case "append":
			e[name] = joined(e[name], delimiter(folder, name), value)
		case "prepend":
			e[name] = joined(value, delimiter(folder, name), e[name])
		}
	}
}

func delimiter(folder, name string) string {
	content, _ := os.ReadFile(filepath.Join(folder, name+".delim"))
	return string(content)
}

func joined(first, between, second string) string {
	if first == "" || second == "" {
		return first + second
	}
	return first + between + second
}

// The launch layers of a buildpack. The image has no others.
func layersOf(folder string) []string {
	var found []string
	for _, entry := range entriesOf(folder) {
		if path := filepath.Join(folder, entry.Name()); isFolder(path) {
			found = append(found, path)
		}
	}
	return found
}

func filesOf(folder string) []string {
	var found []string
	for _, entry := range entriesOf(folder) {
		path := filepath.Join(folder, entry.Name())
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			found = append(found, path)
		}
	}
	return found
}

// By name; nothing where there is no such folder.
func entriesOf(folder string) []os.DirEntry {
	found, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		fail(unreadable, "a layer cannot be read: %v", err)
	}
	return found
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
