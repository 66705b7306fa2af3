"""Studies: ablations with error bars, described by a YAML file and run by one command."""
