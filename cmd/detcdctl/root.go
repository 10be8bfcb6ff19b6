package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/api/v3/version"
)

// detcdctlVersion is this program's own version.
const detcdctlVersion = "0.1.0"

// root is the tree of commands.
func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "detcdctl",
		Short: "The command line of detcd, and of all that speaks etcd's protocol",
		Args:  cobra.ArbitraryArgs,
		PersistentPreRunE: func(command *cobra.Command, _ []string) error {
			// The words were read: what goes wrong from here on is not about usage.
			command.SilenceErrors, command.SilenceUsage = true, true
			return p.takeEnvironment(command)
		},
	}
	root.Args = nil
	root.SetFlagErrorFunc(hintFlag)
	p.settings.register(root.PersistentFlags())
	for _, g := range p.groups() {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, command := range g.commands {
			command.GroupID = g.title
		}
		root.AddCommand(g.commands...)
	}
	root.SetHelpCommandGroupID("Other")
	hideGlobalFlags(root)
	complete(root, "write-out", strings.Fields(formatNames)...)
	return root
}

// A group is a section of the help.
type group struct {
	title    string
	commands []*cobra.Command
}

// groups returns every command, in the sections in which the help lists them.
func (p *program) groups() []group {
	return []group{
		{"Keys", []*cobra.Command{
			p.putCommand(), p.getCommand(), p.delCommand(), p.txnCommand(), p.watchCommand(),
			p.leaseCommand(), p.compactionCommand(),
		}},
		{"Locks and elections", []*cobra.Command{p.lockCommand(), p.electCommand()}},
		{"The cluster", []*cobra.Command{
			p.memberCommand(), p.endpointCommand(), p.alarmCommand(), p.defragCommand(),
			p.moveLeaderCommand(), p.snapshotCommand(), p.downgradeCommand(),
		}},
		{"Who may do what", []*cobra.Command{p.authCommand(), p.userCommand(), p.roleCommand()}},
		{"Other", []*cobra.Command{
			p.mirrorCommand(), p.checkCommand(), p.completionCommand(), p.optionsCommand(),
			p.versionCommand(),
		}},
	}
}

// hideGlobalFlags keeps the help of a command to what is its own. The others are listed once.
func hideGlobalFlags(root *cobra.Command) {
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = true })
	// A command that has others below it is never used without one.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(),
		"{{if .Runnable}}", "{{if not .HasAvailableSubCommands}}", 1))
	help := root.HelpFunc()
	root.SetHelpFunc(func(command *cobra.Command, args []string) {
		help(command, args)
		fmt.Fprintln(command.OutOrStdout(),
			"\n\"detcdctl options\" lists the flags that every command takes.")
	})
}

// complete says which values the shell offers for a flag.
func complete(command *cobra.Command, flag string, values ...string) {
	offer := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	}
	if err := command.RegisterFlagCompletionFunc(flag, offer); err != nil {
		panic(err)
	}
}

// optionsCommand lists the flags that every command takes.
func (p *program) optionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "options", Short: "List the flags that every command takes",
		RunE: func(command *cobra.Command, _ []string) error {
			shown := pflag.NewFlagSet("options", pflag.ContinueOnError)
			command.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) {
				copied := *f
				copied.Hidden = false
				shown.AddFlag(&copied)
			})
			_, err := fmt.Fprintf(p.out, "Every command takes these flags. Each can also be set by "+
				"a variable, as in\nETCDCTL_ENDPOINTS for --endpoints; a flag beats its variable.\n\n%s",
				shown.FlagUsages())
			return err
		},
	}
}

// versionCommand tells which etcdctl this one can stand for, and then what it is itself.
func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(p.out, "etcdctl version: %s\nAPI version: %s\ndetcdctl version: %s\n",
				version.Version, version.APIVersion, detcdctlVersion)
			return err
		},
	}
}

// completionCommand prints a script for a shell.
func (p *program) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "completion [bash|zsh|fish|powershell]", Short: "Print a completion script for a shell",
		Long: "Prints a script that lets a shell complete commands, flags and their values.",
		Example: `  source <(detcdctl completion bash)
  detcdctl completion zsh > "${fpath[1]}/_detcdctl"
  detcdctl completion fish > ~/.config/fish/completions/detcdctl.fish
  detcdctl completion powershell | Out-String | Invoke-Expression`,
		DisableFlagsInUseLine: true,
		ValidArgs:             []string{"bash", "zsh", "fish", "powershell"},
		Args:                  cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE: func(command *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return command.Root().GenBashCompletionV2(p.out, true)
			case "zsh":
				return command.Root().GenZshCompletion(p.out)
			case "fish":
				return command.Root().GenFishCompletion(p.out, true)
			default:
				return command.Root().GenPowerShellCompletionWithDesc(p.out)
			}
		},
	}
}
