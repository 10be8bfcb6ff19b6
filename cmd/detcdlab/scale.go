package main

import (
	"time"

	"github.com/spf13/cobra"

	"detcd/bench"
)

// scaleCommand is `detcdlab bench scale`.
func scaleCommand() *cobra.Command {
	c := &comparison{}
	var keysMax int
	command := &cobra.Command{
		Use:   "scale",
		Short: "Measure how the cost of a put grows, on etcd and on detcd",
		Long: `scale measures puts with 1 to 1,000 clients on 1, 3 and 5 members, with 10,000 to 5,000,000
keys that are there before, and with values of 16 bytes to 1 MiB, as a table and as curves. It says
first how long it will take.`,
		Example: `  detcdlab bench scale --html scale.html
  detcdlab bench scale --keys-max 100000 --duration 1s`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := c.check(); err != nil {
				return err
			}
			if keysMax < 1 {
				return usagef("--keys-max %d: want at least 1", keysMax)
			}
			c.Cases = bench.ScaleCases(keysMax)
			result, err := c.measure(command)
			if err != nil {
				return err
			}
			return c.output.write(command.OutOrStdout(), bench.Scaling{Comparison: result})
		},
	}
	flags := command.Flags()
	c.addFlags(flags)
	flags.IntVar(&c.Rounds, "rounds", 1, "how often each point is measured")
	flags.DurationVar(&c.Duration, "duration", 2*time.Second, "of each measurement")
	flags.IntVar(&keysMax, "keys-max", 5_000_000, "most keys to fill a member with")
	return command
}
