"""The commands of `arena`: each module has HELP, configure(parser) and run(args)."""
