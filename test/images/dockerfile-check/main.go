// Reads a Dockerfile as BuildKit reads it, and the build context as .dockerignore leaves it, and prints both as JSON:
//
//	dockerfile-check <Dockerfile> <context>
//
// Owns no opinion: what must be in it is said by the tests. Exits with 1 when BuildKit would refuse the file.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

type command struct {
	Name string `json:"name"`
	// As written, for messages.
	Text string `json:"text"`
	// COPY: the sources, the destination, and the stage that they come from ("" for the context).
	Sources     []string `json:"sources,omitempty"`
	Destination string   `json:"destination,omitempty"`
	From        string   `json:"from,omitempty"`
	// RUN, CMD, ENTRYPOINT: the words; HEALTHCHECK: with "CMD" before them.
	Words []string `json:"words,omitempty"`
	Shell bool     `json:"shell,omitempty"`
	// USER, WORKDIR, EXPOSE, ENV, LABEL, VOLUME, STOPSIGNAL.
	Values []string `json:"values,omitempty"`
}

type stage struct {
	Name     string    `json:"name"`
	Base     string    `json:"base"`
	Commands []command `json:"commands"`
}

type report struct {
	Arguments map[string]string `json:"arguments"`
	Stages    []stage           `json:"stages"`
	Warnings  []string          `json:"warnings"`
	Context   []string          `json:"context"`
}

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: dockerfile-check <Dockerfile> <context>"))
	}
	text, err := os.ReadFile(os.Args[1])
	fail(err)
	found, err := read(text)
	fail(err)
	found.Context, err = contextFiles(os.Args[2])
	fail(err)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	fail(encoder.Encode(found))
}

func read(text []byte) (report, error) {
	found := report{Arguments: map[string]string{}, Warnings: []string{}}
	warn := func(rule, description, url, message string, at []parser.Range) {
		line := 0
		if len(at) > 0 {
			line = at[0].Start.Line
		}
		found.Warnings = append(found.Warnings, fmt.Sprintf("line %d: %s: %s", line, rule, message))
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return found, err
	}
	for _, warning := range parsed.Warnings {
		found.Warnings = append(found.Warnings, warning.Short)
	}
	stages, arguments, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{Warn: warn}))
	if err != nil {
		return found, err
	}
	for _, group := range arguments {
		for _, argument := range group.Args {
			found.Arguments[argument.Key] = argument.ValueString()
		}
	}
	for _, each := range stages {
		commands := []command{}
		for _, one := range each.Commands {
			commands = append(commands, describe(one))
		}
		found.Stages = append(found.Stages, stage{Name: each.Name, Base: each.BaseName, Commands: commands})
	}
	return found, nil
}

func describe(one instructions.Command) command {
	found := command{Name: one.Name(), Text: fmt.Sprint(one)}
	switch is := one.(type) {
	case *instructions.CopyCommand:
		found.Sources, found.Destination, found.From = is.SourcePaths, is.DestPath, is.From
	case *instructions.RunCommand:
		found.Words, found.Shell = is.CmdLine, is.PrependShell
	case *instructions.EntrypointCommand:
		found.Words, found.Shell = is.CmdLine, is.PrependShell
	case *instructions.CmdCommand:
		found.Words, found.Shell = is.CmdLine, is.PrependShell
	case *instructions.HealthCheckCommand:
		found.Words = is.Health.Test
	case *instructions.UserCommand:
		found.Values = []string{is.User}
	case *instructions.WorkdirCommand:
		found.Values = []string{is.Path}
	case *instructions.ExposeCommand:
		found.Values = is.Ports
	case *instructions.VolumeCommand:
		found.Values = is.Volumes
	case *instructions.StopSignalCommand:
		found.Values = []string{is.Signal}
	case *instructions.EnvCommand:
		found.Values = pairs(is.Env)
	case *instructions.LabelCommand:
		found.Values = pairs(is.Labels)
	}
	return found
}

func pairs(list instructions.KeyValuePairs) []string {
	found := []string{}
	for _, pair := range list {
		found = append(found, pair.Key+"="+strings.Trim(pair.Value, `"`))
	}
	return found
}

// Every file that a build would be sent, by its path in the context.
func contextFiles(root string) ([]string, error) {
	file, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return nil, err
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, err
	}
	found := []string{}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil || relative == "." {
			return err
		}
		// Ignored as a whole by the last pattern but for comments; a walk into them costs seconds.
		if name := entry.Name(); entry.IsDir() && (name == "node_modules" || name == ".git" || name == "data") {
			ignored, err := matcher.MatchesOrParentMatches(relative)
			if err == nil && !ignored {
				err = fmt.Errorf("%s would be sent to the build", relative)
			}
			if err == nil {
				err = filepath.SkipDir
			}
			return err
		}
		if entry.IsDir() {
			return nil
		}
		ignored, err := matcher.MatchesOrParentMatches(relative)
		if err == nil && !ignored {
			found = append(found, filepath.ToSlash(relative))
		}
		return err
	})
	return found, err
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
