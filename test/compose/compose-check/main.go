// Loads a compose file as Docker Compose loads it, by its own loader: against the Compose specification's schema, with
// variables filled in and paths made whole. Prints the project as JSON:
//
//	compose-check <compose.yaml> <env file>
//
// Owns no opinion: what must be in it is said by the tests. Exits with 1 when Compose would refuse the file.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/sirupsen/logrus"
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: compose-check <compose.yaml> <env file>"))
	}
	// What Compose would only warn of, such as a variable that is set nowhere.
	warned := &warnings{}
	logrus.AddHook(warned)
	options, err := cli.NewProjectOptions([]string{os.Args[1]}, cli.WithEnvFiles(os.Args[2]), cli.WithDotEnv)
	fail(err)
	project, err := options.LoadProject(context.Background())
	fail(err)
	for _, line := range *warned {
		fail(fmt.Errorf("warning: %s", line))
	}
	text, err := project.MarshalJSON()
	fail(err)
	fmt.Println(string(text))
}

type warnings []string

func (*warnings) Levels() []logrus.Level {
	return []logrus.Level{logrus.WarnLevel, logrus.ErrorLevel}
}

func (all *warnings) Fire(entry *logrus.Entry) error {
	*all = append(*all, entry.Message)
	return nil
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
