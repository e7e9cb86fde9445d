// The launcher starts the processes of an app that buildpacks made, by the Cloud Native Buildpacks specification
// (platform.md "launcher", buildpack.md "Launch"; buildpack API 0.10 to 0.12). It takes the process's place: no
// program of ours stays in the container.
//
//	/cnb/process/TYPE [ARG...]                 a process of the app
//	/cnb/lifecycle/launcher -- CMD [ARG...]    any program, in the app's environment
//	/cnb/lifecycle/launcher CMD [ARG...]       the same through bash, with the layers' profile.d and the app's .profile
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	unknownPlatformAPI  = 11
	unknownBuildpackAPI = 12
	unreadable          = 81
	notStarted          = 82
	failedExecD         = 83
)

func fail(code int, format string, values ...any) {
	fmt.Fprintf(os.Stderr, "launcher: "+format+"\n", values...)
	os.Exit(code)
}

func main() {
	if api := variable("CNB_PLATFORM_API", "0.12"); !strings.HasPrefix(api, "0.") {
		fail(unknownPlatformAPI, "the platform API %q is unknown", api)
	}
	layers, app := variable("CNB_LAYERS_DIR", "/layers"), variable("CNB_APP_DIR", "/workspace")
	known := readMetadata(layers)
	kind, start := choose(known, os.Args, variable("CNB_EXEC_ENV", "production"))

	env := newEnvironment(os.Environ())
	var all []string
	for _, one := range known.buildpacks {
		folders := layersOf(one.folder(layers))
		env.addLayers(folders, kind)
		all = append(all, folders...)
	}
	runExecD(env, all, kind, app)
	if start.isShell {
		start.command = shell(all, app, start.command)
	}
	replace(env, start, app)
}

func variable(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// What is to be started.
type start struct {
	command []string
	folder  string
	isShell bool
}

func choose(known metadata, argv []string, execEnv string) (string, start) {
	kind, given := filepath.Base(argv[0]), argv[1:]
	if !known.has(kind) {
		if len(given) > 0 && given[0] == "--" {
			return "", start{command: given[1:]}
		}
		if len(given) > 0 {
			return "", start{command: given, isShell: true}
		}
		kind = known.byDefault
	}
	found, isThere := known.process(kind, execEnv)
	if !isThere {
		fail(notStarted, "there is no process %q for %q; there are: %s", kind, execEnv, known.kinds())
	}
	args := found.args
	if len(given) > 0 {
		args = given // a buildpack's arguments are defaults
	}
	return kind, start{command: append(append([]string{}, found.command...), args...), folder: found.folder}
}

// The command behind the profiles. One word may be a whole line of shell. No variable or parameter of the shell is used
// here: profiles may set any.
func shell(layers []string, app string, command []string) []string {
	var profiles []string
	for _, layer := range layers {
		profiles = append(profiles, filesOf(filepath.Join(layer, "profile.d"))...)
	}
	if own := filepath.Join(app, ".profile"); isFile(own) {
		profiles = append(profiles, own)
	}
	if len(command) == 1 {
		command = []string{"bash", "-c", command[0]}
	}
	var script strings.Builder
	for _, profile := range profiles {
		script.WriteString("source " + quoted(profile) + "\n")
	}
	script.WriteString("exec --")
	for _, word := range command {
		script.WriteString(" " + quoted(word))
	}
	return []string{"bash", "-c", script.String()}
}

func quoted(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func replace(env environment, start start, app string) {
	folder := app
	if filepath.IsAbs(start.folder) {
		folder = start.folder
	} else if start.folder != "" {
		folder = filepath.Join(app, start.folder)
	}
	if err := os.Chdir(folder); err != nil {
		fail(notStarted, "the working directory is not there: %v", err)
	}
	if len(start.command) == 0 {
		fail(notStarted, "there is no command to start")
	}
	path := program(start.command[0], env["PATH"])
	if path == "" {
		fail(notStarted, "there is no program %q in %s", start.command[0], env["PATH"])
	}
	err := syscall.Exec(path, start.command, env.pairs())
	fail(notStarted, "%s cannot be started: %v", path, err)
}

// As execvp does, with the app's PATH.
func program(name, path string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, folder := range filepath.SplitList(path) {
		found := filepath.Join(folder, name)
		if info, err := os.Stat(found); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return found
		}
	}
	return ""
}
